package handlers

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

// What follows is from Fonnte's public pages: docs.fonnte.com/api-send-message (fields, placeholders, answers),
// docs.fonnte.com/api-send-message-with-javascript (the same as a form), docs.fonnte.com/message-status.

var (
	fonnteTranslated = []string{"target", "message", "url", "filename", "schedule", "countryCode"}
	// When messages follow each other is for the instance's pace, and whether somebody is seen to type, too.
	fonnteIgnored = []string{"delay", "typing"}
	// fonnteVariable is what Fonnte replaces in a text, by what stands behind | in `target` or in its address book.
	fonnteVariable = regexp.MustCompile(`\{(name|var\d+)\}`)
)

// fonnteSend is Fonnte's POST /send.
func (s *server) fonnteSend(c *call) (reply, error) {
	t, body, err := s.foreign(c)
	if err != nil {
		return reply{}, err
	}
	f, err := foreignFields(body, c.GetHeader("Content-Type"))
	if err != nil {
		return reply{}, err
	}
	fields, region, err := fromFonnte(f)
	if err != nil {
		return reply{}, err
	}
	in, err := form(fields)
	if err != nil {
		return reply{}, err
	}
	t.instance.Region = region // of this call
	send := s.sendText
	if in.Text(intake.URL) != "" {
		send = s.sendURL
	}
	r, err := send(c, t, &in)
	if err != nil {
		return reply{}, err
	}
	r.data = toFonnte(r)
	return r, nil
}

// fromFonnte translates a request. region is the country whose code takes the place of a number's first zero.
func fromFonnte(f foreign) (fields map[string]any, region string, err error) {
	if err := f.only("", fonnteTranslated, fonnteIgnored); err != nil {
		return nil, "", err
	}
	if v := fonnteVariable.FindString(f.text("message")); v != "" {
		return nil, "", problem.New(problem.FieldUnsupported, "`message`: "+v+" is not replaced")
	}
	code := strings.TrimSpace(f.text("countryCode"))
	if region, err = fonnteRegion(code); err != nil {
		return nil, "", err
	}
	targets, err := fonnteTargets(wholeNumber(f.text("target")), code == "0")
	if err != nil {
		return nil, "", err
	}
	fields = map[string]any{"phone": targets}
	if len(targets) == 1 {
		fields["phone"] = targets[0]
	}
	if address := f.text("url"); strings.TrimSpace(address) != "" {
		fields["url"], fields["caption"], fields["filename"] = address, f.text("message"), f.text("filename")
	} else {
		fields["body"] = f.text("message")
	}
	if f.on("schedule") {
		when := strings.TrimSpace(wholeNumber(f.text("schedule")))
		if strings.Trim(when, "0123456789") != "" {
			return nil, "", problem.New(problem.SendAtInvalid, "`schedule` must be Unix seconds")
		}
		fields["send_at"] = when
	}
	return fields, region, nil
}

// fonnteRegion is the country of a country code; Fonnte's default is 62, whatever the instance's is. 0 means that numbers
// have theirs.
func fonnteRegion(code string) (string, error) {
	switch code {
	case "", "0":
		code = "62"
	}
	n, err := strconv.Atoi(strings.TrimPrefix(code, "+"))
	if err == nil {
		if region := phonenumbers.GetRegionCodeForCountryCode(n); region != "ZZ" && region != "001" {
			return region, nil
		}
	}
	return "", problem.New(problem.FieldUnsupported, "`countryCode` "+clip(code))
}

// fonnteTargets splits `target`. international says that numbers begin with their country code.
func fonnteTargets(text string, international bool) ([]string, error) {
	var out []string
	for target := range strings.SplitSeq(text, ",") {
		target = strings.TrimSpace(target)
		switch {
		case target == "":
			continue // the comma at the end
		case strings.Contains(target, "|"):
			return nil, problem.New(problem.FieldUnsupported, "`target`: variables behind |")
		case international && strings.HasPrefix(target, "0"):
			return nil, problem.New(problem.InvalidPhone, "no country code begins with 0: "+clip(target))
		case international && len(target) <= 15 && strings.Trim(target, "0123456789") == "":
			target = "+" + target
		}
		out = append(out, target)
	}
	if len(out) == 0 {
		return nil, problem.New(problem.PhoneRequired, "`target`")
	}
	return out, nil
}

// fonnteAccepted is Fonnte's answer; its callers compare the words of detail and process.
type fonnteAccepted struct {
	Detail  string   `json:"detail"`
	ID      []string `json:"id"`
	Process string   `json:"process"`
	Status  bool     `json:"status"`
	Target  []string `json:"target"`
}

// fonnteRefused is Fonnte's error, with the code beside it.
type fonnteRefused struct {
	Status    bool   `json:"status"`
	Reason    string `json:"reason"`
	Code      string `json:"code"`
	RequestID string `json:"request_id,omitempty"`
}

func toFonnte(r reply) fonnteAccepted {
	out := fonnteAccepted{Detail: "success! message in queue", Process: "pending", Status: true}
	for _, item := range accepted(r) {
		out.ID, out.Target = append(out.ID, item.ID), append(out.Target, item.to())
		if item.State == models.MessageScheduled {
			out.Detail = "success! message will be sent on scheduled time"
		}
	}
	return out
}

func fonnteSay(e envelope) any {
	if e.Status {
		return e.Data
	}
	return fonnteRefused{Reason: reason(e), Code: e.Code, RequestID: e.RequestID}
}
