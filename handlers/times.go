package handlers

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

const (
	// pastTolerance is how long ago send_at may lie and still mean now: the clocks of two machines differ, and a
	// request takes its time.
	pastTolerance = 5 * time.Minute
	maxAhead      = 366 * 24 * time.Hour // of send_at and of the end of a message
	minExpiry     = time.Second
)

// timing is what a sender says about the time of a message, as he said it: before it is compared with the clock.
type timing struct {
	sendAt    time.Time     // zero: at once
	expiresAt time.Time     // zero: never, or see expiresIn
	expiresIn time.Duration // after kurir got the message
}

// readTiming reads send_at, expires_in and expires_at. What it refuses can never be right; the rest is for apply.
func readTiming(form *intake.Form, zone *time.Location) (t timing, err error) {
	if v := form.Get(intake.SendAt); said(v) {
		if t.sendAt, err = parseTime(v, zone); err != nil {
			return t, problem.New(problem.SendAtInvalid, err.Error())
		}
	}
	if v := form.Get(intake.ExpiresIn); said(v) {
		if t.expiresIn, err = parseDuration(v); err != nil {
			return t, problem.New(problem.ExpiresInvalid, err.Error())
		}
	}
	if v := form.Get(intake.ExpiresAt); said(v) {
		if t.expiresAt, err = parseTime(v, zone); err != nil {
			return t, problem.New(problem.ExpiresInvalid, err.Error())
		}
		if t.expiresIn != 0 {
			return t, problem.New(problem.ExpiresInvalid, "both are there")
		}
	}
	return t, nil
}

// said says whether a field holds anything: callers fill templates, and leave what they do not need empty.
func said(v intake.Value) bool {
	return v.Kind != intake.Absent && (v.Kind != intake.String || strings.TrimSpace(v.Text) != "")
}

// apply sets a message's times, or says which of them the clock does not allow (any more).
func (t timing) apply(m *models.Message, now time.Time) error {
	m.NotBefore, m.ExpiresAt = time.Time{}, nil
	if !t.sendAt.IsZero() {
		switch ahead := t.sendAt.Sub(now); {
		case ahead < -pastTolerance:
			return problem.New(problem.SendAtInvalid, passed(t.sendAt, now))
		case ahead > maxAhead:
			return problem.New(problem.SendAtInvalid, t.sendAt.UTC().Format(time.RFC3339)+" is too far ahead")
		case ahead > 0:
			m.NotBefore = t.sendAt.UTC()
		}
	}
	end := t.expiresAt
	if t.expiresIn != 0 {
		end = now.Add(t.expiresIn)
	}
	switch {
	case end.IsZero():
		return nil
	case !end.After(now):
		return problem.New(problem.ExpiresInvalid, passed(end, now))
	case end.Sub(now) > maxAhead:
		return problem.New(problem.ExpiresInvalid, end.UTC().Format(time.RFC3339)+" is too far ahead")
	case !end.After(t.sendAt):
		return problem.New(problem.ExpiresInvalid, "it would expire before it is sent")
	}
	end = end.UTC()
	m.ExpiresAt = &end
	return nil
}

func passed(t, now time.Time) string {
	return t.UTC().Format(time.RFC3339) + " has passed; kurir's clock says " + now.UTC().Format(time.RFC3339)
}

// words is what contentHash takes of it: what was asked for, not what became of it, so that a repeat a minute later is
// still a repeat. Empty when nothing was asked for.
func (t timing) words() string {
	var b strings.Builder
	if !t.sendAt.IsZero() {
		_, _ = fmt.Fprintf(&b, "send_at=%d;", t.sendAt.UnixMilli())
	}
	if !t.expiresAt.IsZero() {
		_, _ = fmt.Fprintf(&b, "expires_at=%d;", t.expiresAt.UnixMilli())
	}
	if t.expiresIn != 0 {
		_, _ = fmt.Fprintf(&b, "expires_in=%d;", t.expiresIn.Milliseconds())
	}
	return b.String()
}

// zoneOf knows Indonesia's time zones by the words that stand behind a time there (none has summer time), and UTC.
func zoneOf(word string) *time.Location {
	switch strings.ToUpper(word) {
	case "WIB":
		return time.FixedZone("WIB", 7*60*60)
	case "WITA":
		return time.FixedZone("WITA", 8*60*60)
	case "WIT":
		return time.FixedZone("WIT", 9*60*60)
	case "UTC", "GMT", "Z":
		return time.UTC
	}
	return nil
}

// parseTime reads a point in time: Unix seconds or milliseconds, RFC 3339, or a local time, in the zone whose word
// stands behind it, else in the given one. It comes in whole milliseconds.
func parseTime(v intake.Value, zone *time.Location) (time.Time, error) {
	text := strings.TrimSpace(v.Text)
	if v.Kind != intake.String && v.Kind != intake.Number {
		return time.Time{}, fmt.Errorf("it is no time")
	}
	if strings.Trim(text, "0123456789.eE+") == "" {
		return parseEpoch(text)
	}
	named := false
	if i := strings.LastIndexByte(text, ' '); i > 0 {
		head, tail := strings.TrimSpace(text[:i]), text[i+1:]
		word := zoneOf(tail)
		switch {
		case word != nil:
			zone, text, named = word, head, true
		case strings.Trim(tail[:1], "+-") == "":
			text = head + tail
		case len(tail) == 5 && tail[2] == ':' && strings.Contains(head, ":"):
			text = head + "+" + tail // a plus that nobody encoded is a space in a form
		}
	}
	// 2026-12-01T08:00 and 2026-12-01 08:00 are the same, and so is 08.00, as Indonesia writes it.
	text = strings.Replace(strings.ToUpper(text), "T", " ", 1)
	layouts := []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02 15.04", "2006-01-02 15.04.05"}
	if !named {
		for _, offset := range []string{"Z07:00", "Z0700", "Z07"} {
			layouts = append(layouts, "2006-01-02 15:04:05"+offset, "2006-01-02 15:04"+offset)
		}
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.Truncate(time.Millisecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", clip(v.Text))
}

// parseEpoch reads seconds or milliseconds since 1970. As seconds the year 5138 begins at 10¹¹, as milliseconds that is
// 1973; neither is meant by anybody.
func parseEpoch(text string) (time.Time, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0) || f > 1e15 {
		return time.Time{}, fmt.Errorf("%q is no time", clip(text))
	}
	if f < 1e11 {
		f *= 1000
	}
	return time.UnixMilli(int64(math.Round(f))), nil
}

// parseDuration reads seconds, or a number with a unit: 90, 5m, 1h30m, 2d.
func parseDuration(v intake.Value) (time.Duration, error) {
	text := strings.ToLower(strings.TrimSpace(v.Text))
	bad := fmt.Errorf("%q is no duration", clip(v.Text))
	if v.Kind != intake.String && v.Kind != intake.Number {
		return 0, bad
	}
	var d time.Duration
	unit, digits := time.Second, text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		unit, digits = 24*time.Hour, days
	}
	if strings.Trim(digits, "0123456789.e+") == "" {
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil || !(f >= 0) {
			return 0, bad
		}
		d = time.Duration(min(f*float64(unit), float64(2*maxAhead)))
	} else {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			return 0, bad
		}
	}
	if d < minExpiry || d > maxAhead {
		return 0, fmt.Errorf("it must be from 1 second to 366 days")
	}
	return d.Truncate(time.Millisecond), nil
}

// clip shortens what a caller wrote so that it can be shown to him.
func clip(text string) string {
	if len(text) > 60 {
		return strings.ToValidUTF8(text[:60], "") + "…"
	}
	return text
}

// priority reads `priority`: a word, or the number that stands for it.
func priority(form *intake.Form) (int, error) {
	v := form.Get(intake.Priority)
	if !said(v) {
		return models.PriorityNormal, nil
	}
	switch strings.ToLower(strings.TrimSpace(form.Text(intake.Priority))) {
	case "high", "10":
		return models.PriorityHigh, nil
	case "normal", "0":
		return models.PriorityNormal, nil
	case "low", "-10":
		return models.PriorityLow, nil
	}
	return 0, problem.New(problem.PriorityInvalid, clip(v.Text))
}

// priorityWord is how a priority is shown; empty for the normal one.
func priorityWord(p int) string {
	switch {
	case p > models.PriorityNormal:
		return "high"
	case p < models.PriorityNormal:
		return "low"
	}
	return ""
}
