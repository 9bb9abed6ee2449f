package handlers

import (
	"encoding/json"
	"fmt"
	"strings"

	"kurir/models"
	"kurir/problem"
)

// What follows is from Wablas' public page wablas.com/documentation/api, "Multiple Send Text" (v2) and the parameters of
// "Single Send Text". Its callers send token.secret_key as Authorization: an instance can be given that as its key.

var (
	wablasTranslated = []string{"phone", "message", "isGroup", "priority", "ref_id"}
	// How often a message is tried is for the queue; the others are for Wablas' own reports.
	wablasIgnored = []string{"retry", "source", "flag"}
)

// wablasSend is Wablas' POST /api/v2/send-message.
func (s *server) wablasSend(c *call) (reply, error) {
	t, body, err := s.foreign(c)
	if err != nil {
		return reply{}, err
	}
	items, err := wablasItems(body)
	if err != nil {
		return reply{}, err
	}
	fields := make([]map[string]any, len(items))
	for i, f := range items {
		if fields[i], err = fromWablas(f, fmt.Sprintf("data[%d].", i)); err != nil {
			return reply{}, err
		}
	}
	whole := map[string]any{"messages": fields}
	if len(fields) == 1 {
		whole = fields[0]
	}
	in, err := form(whole)
	if err != nil {
		return reply{}, err
	}
	r, err := s.sendText(c, t, &in)
	if err != nil {
		return reply{}, err
	}
	r.data = toWablas(r, items, t.instance.ID)
	return r, nil
}

// wablasItems reads the elements of `data`.
func wablasItems(body []byte) ([]foreign, error) {
	var whole map[string]json.RawMessage
	if err := foreignJSON(body, &whole); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	for name, raw := range whole {
		if name != "data" {
			return nil, problem.New(problem.FieldUnsupported, "`"+clip(name)+"` beside `data`")
		}
		if err := foreignJSON(raw, &list); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, problem.New(problem.BulkInvalid, "`data` is empty")
	}
	items := make([]foreign, len(list))
	for i, raw := range list {
		var err error
		if items[i], err = foreignObject(raw); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// fromWablas translates one message; where is what stands before the names of its fields in an error.
func fromWablas(f foreign, where string) (map[string]any, error) {
	if err := f.only(where, wablasTranslated, wablasIgnored); err != nil {
		return nil, err
	}
	to := strings.TrimSpace(wholeNumber(f.text("phone")))
	if f.on("isGroup") && to != "" && !strings.Contains(to, "@") {
		to += "@g.us"
	}
	out := map[string]any{"phone": to, "body": f.text("message")}
	if f.on("priority") {
		if out["priority"] = f["priority"].Text; strings.EqualFold(f["priority"].Text, "true") {
			out["priority"] = "high"
		}
	}
	return out, nil
}

// wablasAccepted is Wablas' answer; there is no quota, because nothing is counted down.
type wablasAccepted struct {
	Status  bool       `json:"status"`
	Message string     `json:"message"`
	Data    wablasData `json:"data"`
}

type wablasData struct {
	DeviceID string          `json:"device_id"`
	Messages []wablasMessage `json:"messages"`
}

type wablasMessage struct {
	ID      string `json:"id"`
	Phone   string `json:"phone"`
	Message string `json:"message"`
	Status  string `json:"status"`
	RefID   string `json:"ref_id"`
}

// wablasRefused is Wablas' error, with the code beside it.
type wablasRefused struct {
	Status    bool   `json:"status"`
	Message   string `json:"message"`
	Code      string `json:"code"`
	RequestID string `json:"request_id,omitempty"`
}

func toWablas(r reply, items []foreign, device string) wablasAccepted {
	out := wablasAccepted{Status: true, Message: "Message is pending and waiting to be processed"}
	out.Data.DeviceID = device
	for i, item := range accepted(r) {
		m := wablasMessage{ID: item.ID, Phone: item.to(), Status: "pending"}
		m.Message, m.RefID = items[i].text("message"), items[i].text("ref_id")
		if item.State != models.MessageQueued && item.State != models.MessageSending { // a repeat
			m.Status = string(item.State)
		}
		out.Data.Messages = append(out.Data.Messages, m)
	}
	return out
}

func wablasSay(e envelope) any {
	if e.Status {
		return e.Data
	}
	return wablasRefused{Message: reason(e), Code: e.Code, RequestID: e.RequestID}
}
