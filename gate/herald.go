package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// requestLimit is how long the ACME server may take for one answer.
	requestLimit = 30 * time.Second
	// maxAnswer bounds an answer of the ACME server; a chain of certificates has some 6 kB.
	maxAnswer = 1 << 20
	// maxRetries is how often a request with a nonce that was used up is made again.
	maxRetries = 3
	// maxPoll is how many seconds at most to wait between two looks at an order, whatever the ACME server asks for: Close
	// waits for who waits.
	maxPoll = 5
	// echo is how long a refusal is not told again: an order's is heard several times.
	echo = time.Minute
)

// herald carries the requests for one name to the ACME server and hears why that one refuses: autocert keeps to itself
// what a failed validation or a failed renewal was about.
type herald struct {
	way  http.RoundTripper
	open context.Context //nolint:containedctx // of the Certificates: its end ends a request
	log  *slog.Logger
	name string

	mu        sync.Mutex
	listening bool      // somebody asks heard; else the log is told
	words     string    // the last refusal
	at        time.Time // of words
}

// RoundTrip is part of http.RoundTripper.
func (h *herald) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel() // the body is read in here
	defer context.AfterFunc(h.open, cancel)()
	resp, err := h.way.RoundTrip(r.WithContext(ctx))
	if err != nil {
		h.hear("cannot be reached: " + err.Error())
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	if err != nil {
		h.hear("broke off: " + err.Error())
		return nil, err
	}
	h.hear(refusal(resp.StatusCode, body))
	if resp.StatusCode < 300 && tooLong(resp.Header.Get("Retry-After")) {
		resp.Header.Set("Retry-After", strconv.Itoa(maxPoll))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// tooLong says whether a Retry-After, in seconds or as a date, is more than maxPoll.
func tooLong(after string) bool {
	if seconds, err := strconv.Atoi(after); err == nil {
		return seconds > maxPoll
	}
	date, err := http.ParseTime(after)
	return err == nil && time.Until(date) > maxPoll*time.Second
}

// complaint is a problem document (RFC 7807), as ACME uses it.
type complaint struct{ Type, Detail string }

func (c *complaint) String() string {
	return strings.TrimPrefix(c.Type, "urn:ietf:params:acme:error:") + ": " + c.Detail
}

// refusal is what an answer says against kurir: it is a complaint itself, or an order or an authorization with one. "": nothing.
func refusal(status int, body []byte) string {
	var a struct {
		complaint
		Error      *complaint
		Challenges []struct{ Error *complaint }
	}
	if json.Unmarshal(body, &a) != nil && status < 400 {
		return "" // a certificate, or nothing
	}
	for _, c := range a.Challenges {
		if c.Error != nil {
			return c.Error.String()
		}
	}
	switch {
	case a.Error != nil:
		return a.Error.String()
	case status < 400 || strings.HasSuffix(strings.ToLower(a.Type), ":badnonce"), strings.HasSuffix(a.Type, ":accountDoesNotExist"):
		return "" // both are part of the way: another nonce is taken, an account is made
	case a.Type == "":
		return fmt.Sprintf("answers %d", status)
	}
	return a.String()
}

// hear keeps words for who listens, or tells the log: a renewal has failed, which is tried again within the hour.
func (h *herald) hear(words string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if words == "" || h.open.Err() != nil {
		return
	}
	if !h.listening && (h.words != words || time.Since(h.at) > echo) {
		h.log.Warn("the ACME server refuses", "name", h.name, "err", words)
	}
	h.words, h.at = words, time.Now()
}

// listen has refusals kept for heard from now on, and not told to the log.
func (h *herald) listen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listening, h.words = true, ""
}

// speak has refusals told to the log from now on.
func (h *herald) speak() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listening = false
}

func (h *herald) heard() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.words
}

// backoff is acme.Client.RetryBackoff: how long to wait before the nth try; 0: no more, there is another order later.
func (h *herald) backoff(n int, _ *http.Request, resp *http.Response) time.Duration {
	switch {
	case h.open.Err() != nil || resp.StatusCode == http.StatusTooManyRequests:
		return 0
	case resp.StatusCode < 500 && n <= maxRetries:
		return 50 * time.Millisecond // the next nonce is there already
	case resp.StatusCode >= 500 && n == 1:
		return time.Second
	}
	return 0
}
