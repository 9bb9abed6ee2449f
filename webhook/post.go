package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"kurir/events"
	"kurir/fetch"
	"kurir/models"
	"kurir/problem"
)

const (
	maxURL      = 2000
	maxSnippet  = 500      // bytes of an answer that are kept
	maxDrain    = 64 << 10 // bytes of an answer that are read, so that its connection can be used again
	maxPatience = 24 * time.Hour
)

// loopback is what webhooks of sandbox instances may reach: a receiver on the developer's own machine.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// caller makes calls to receivers that one rule of addresses allows.
type caller struct {
	guard  fetch.Guard
	client http.Client
}

// newCaller keeps as many connections to a receiver as are used at the same time.
func newCaller(allow []netip.Prefix, names *net.Resolver, lanes int) *caller {
	c := &caller{guard: fetch.Guard{Allow: allow}}
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: c.guard.Control, Resolver: names}
	c.client = http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would connect for us, unchecked
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxIdleConns:           100,
			MaxIdleConnsPerHost:    lanes,
			IdleConnTimeout:        60 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		},
	}
	return c
}

// answer is what came of one call.
type answer struct {
	status     int // 0: no answer
	failure    string
	snippet    string
	retryAfter time.Duration // what the receiver asked for
	latency    time.Duration
}

func (a answer) ok() bool { return a.failure == "" }

// post makes one call.
func (d *Dispatcher) post(ctx context.Context, c *caller, w models.Webhook, e events.Envelope) answer {
	e.Metadata, e.Data = w.MetadataJSON(), d.linked(e)
	body, err := e.JSON()
	if err != nil {
		return answer{failure: "the event could not be encoded"}
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body)) // sets Content-Length
	if err != nil {
		return answer{failure: "the url is not an address"}
	}
	now := time.Now()
	if err := sign(req.Header, w.Secrets(now), e.ID, now, body); err != nil {
		return answer{failure: err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "kurir")
	if err := c.guard.CheckURL(req.URL); err != nil {
		return answer{failure: d.explain(err)}
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return answer{failure: d.explain(err), latency: time.Since(now)}
	}
	defer func() { _ = resp.Body.Close() }()
	return read(resp, now)
}

// linked is the data of an event with a signed link to its file. It is made anew for each attempt, so that it lasts as
// long from a late delivery as from an early one; the id of the event, by which a receiver knows a repeat, stays.
func (d *Dispatcher) linked(e events.Envelope) json.RawMessage {
	if d.cfg.MediaLink == nil || !bytes.Contains(e.Data, []byte(events.MediaPath(""))) {
		return e.Data
	}
	var data, file map[string]json.RawMessage
	var id string
	if json.Unmarshal(e.Data, &data) != nil || json.Unmarshal(data["media"], &file) != nil || json.Unmarshal(file["id"], &id) != nil {
		return e.Data // a text that only speaks of one
	}
	link, err := json.Marshal(d.cfg.MediaLink(id))
	if err != nil {
		return e.Data
	}
	file["url"] = link
	if data["media"], err = json.Marshal(file); err != nil {
		return e.Data
	}
	with, err := json.Marshal(data)
	if err != nil {
		return e.Data
	}
	return with
}

// read takes what is of use from an answer. The status is the answer; a body that breaks off changes nothing.
func read(resp *http.Response, begun time.Time) answer {
	a := answer{status: resp.StatusCode}
	start, _ := io.ReadAll(io.LimitReader(resp.Body, maxSnippet))
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	a.latency = time.Since(begun)
	a.snippet = strings.ToValidUTF8(strings.ReplaceAll(string(start), "\x00", ""), "")
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return a
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		a.failure = "it redirects, and redirects are not followed: give the address that it leads to"
	default:
		a.failure = "it answered " + strconv.Itoa(resp.StatusCode)
	}
	a.retryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return a
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); 0 when there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
		return min(time.Duration(max(seconds, 0))*time.Second, maxPatience)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxPatience)
	}
	return 0
}

// caller returns the one whose rule fits the webhook: loopback is for webhooks of sandbox instances.
func (d *Dispatcher) caller(ctx context.Context, w models.Webhook) (*caller, error) {
	if w.InstanceID == "" {
		return d.public, nil
	}
	in, err := d.db.Instance(ctx, w.InstanceID)
	if err != nil {
		return nil, err
	}
	return d.callerFor(in.Sandbox), nil
}

func (d *Dispatcher) callerFor(sandbox bool) *caller {
	if sandbox {
		return d.local
	}
	return d.public
}

// CheckURL says whether a webhook may have that address, as far as that can be said without calling it; its error is
// WEBHOOK_URL_INVALID. sandbox says that its instance is one.
func (d *Dispatcher) CheckURL(raw string, sandbox bool) error {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURL || strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return problem.New(problem.WebhookURLInvalid, "")
	}
	if u.Fragment != "" {
		return problem.New(problem.WebhookURLInvalid, "it must not have a # part")
	}
	if host := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		u.Host = "127.0.0.1" // judged as what it stands for
	}
	if err := d.callerFor(sandbox).guard.CheckURL(u); err != nil {
		var p *problem.Error
		errors.As(err, &p)
		return problem.New(problem.WebhookURLInvalid, p.Detail)
	}
	return nil
}

// explain says in words why there was no answer, without the address: it may hold what the operator keeps to itself.
func (d *Dispatcher) explain(err error) string {
	var p *problem.Error
	var dns *net.DNSError
	var wrapped *url.Error
	switch {
	case errors.As(err, &p):
		return p.Detail
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", d.cfg.Timeout)
	case errors.As(err, &dns):
		return "its host name was not found"
	case errors.As(err, &wrapped):
		return wrapped.Err.Error()
	}
	return err.Error()
}
