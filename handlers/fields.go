package handlers

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"kurir/gate"
	"kurir/handlers/intake"
	"kurir/phone"
	"kurir/problem"
)

const (
	maxText      = 1 << 20          // bytes of a body without a file, and of the fields around a file
	readTimeout  = 30 * time.Second // for such a body to arrive
	defaultLimit = 100
	maxLimit     = 10000
	maxWait      = 50 * time.Second // callers in PHP give up after 60 s
	maxKeyLen    = 200              // of an idempotency key
	maxBulk      = 4 << 20          // bytes of a body with several messages
	maxItems     = 1000             // messages in one request
)

// fields reads the body of a call without a file.
func (c *call) fields() (intake.Form, error) {
	defer c.readWithin(readTimeout)()
	return intake.Read(c.Request.Body, intake.Options{ContentType: c.GetHeader("Content-Type"), MaxText: maxText})
}

// bulkFields reads the body of a call that may hold several messages.
func (c *call) bulkFields() (intake.Form, error) {
	defer c.readWithin(readTimeout)()
	return intake.Read(c.Request.Body, intake.Options{
		ContentType: c.GetHeader("Content-Type"), MaxText: maxText, MaxBulk: maxBulk, MaxItems: maxItems,
	})
}

// readWithin bounds how long the body may take. The returned function lifts the bound: while an answer is waited
// for, the connection is silent with good cause.
func (c *call) readWithin(d time.Duration) func() {
	if body, ok := c.Request.Body.(*gate.Body); ok {
		return body.Within(d)
	}
	rc := http.NewResponseController(c.Writer)
	if rc.SetReadDeadline(time.Now().Add(d)) != nil {
		return func() {} // not a real connection
	}
	return func() { _ = rc.SetReadDeadline(time.Time{}) }
}

// target reads `phone`.
func (s *server) target(form *intake.Form, t tenant) (phone.Target, error) {
	v := form.Get(intake.Phone)
	text := form.Text(intake.Phone)
	if v.Kind == intake.Number {
		text = wholeNumber(text)
	}
	if strings.TrimSpace(text) == "" {
		return phone.Target{}, problem.New(problem.PhoneRequired, "")
	}
	return phone.Parse(text, t.region(s.Region))
}

// wholeNumber prints a JSON number without point and exponent when it is whole: a phone number that went through
// a spreadsheet or a float arrives as 6.281234567890e12.
func wholeNumber(literal string) string {
	if !strings.ContainsAny(literal, ".eE") {
		return literal
	}
	if f, ok := whole(literal); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return literal
}

// whole parses a number that a float64 holds exactly as an integer.
func whole(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// limit reads `limit`: absent, a number or a string.
func limit(form *intake.Form) (int, error) {
	v := form.Get(intake.Limit)
	text := strings.TrimSpace(v.Text)
	if v.Kind == intake.Absent || text == "" {
		return defaultLimit, nil
	}
	return parseLimit(text, maxLimit)
}

func parseLimit(text string, most int) (int, error) {
	f, ok := whole(text)
	if !ok || f < 1 || f > float64(most) || strings.ContainsAny(text, "xXpP_") {
		return 0, problem.New(problem.LimitInvalid, "")
	}
	return int(f), nil
}

// wait reads `wait`: true, or seconds; at most maxWait. Zero means not to wait.
func wait(form *intake.Form) (time.Duration, error) {
	return parseWait(form.Get(intake.Wait).Text)
}

func parseWait(text string) (time.Duration, error) {
	switch text := strings.ToLower(strings.TrimSpace(text)); text {
	case "", "false", "no", "off":
		return 0, nil
	case "true", "yes", "on":
		return maxWait, nil
	default:
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds >= 0) { // NaN is not
			return 0, problem.New(problem.BadRequest, "`wait` must be true or a number of seconds")
		}
		return time.Duration(min(seconds, maxWait.Seconds()) * float64(time.Second)), nil
	}
}

// idempotencyKey reads it from the body or the header; nil when there is none.
func (c *call) idempotencyKey(form *intake.Form) (*string, error) {
	k := strings.TrimSpace(form.Text(intake.IdempotencyKey))
	if k == "" {
		k = strings.TrimSpace(c.GetHeader("Idempotency-Key"))
	}
	switch {
	case k == "":
		return nil, nil
	case len(k) > maxKeyLen:
		return nil, problem.New(problem.BadRequest, "`idempotency_key` may have 200 characters")
	}
	return &k, nil
}
