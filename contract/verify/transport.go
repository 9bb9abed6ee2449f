package verify

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
)

// Transport checks every request of a client, and its answer. What is wrong is the error of the call, or of reading the
// answer when that is a stream; calls that failed are not looked at.
func (c *Contract) Transport(next http.RoundTripper) http.RoundTripper { return transport{c, next} }

type transport struct {
	c    *Contract
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.c.isOurs(path.Clean(req.URL.Path)) {
		return t.next.RoundTrip(req)
	}
	sent := req.Clone(req.Context())
	body := tap(sent)
	resp, err := t.next.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	x := exchange{req: req, status: resp.StatusCode, header: resp.Header}
	x.body, x.whole = body.bytes()
	switch {
	case isJSON(resp.Header):
		x.answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		x.cut = len(x.answer) == maxAnswer
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(x.answer), failing{err}, resp.Body), resp.Body}
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		resp.Body = &streamBody{resp.Body, stream{c: t.c}}
	}
	if err != nil {
		return resp, nil //nolint:nilerr // the answer ends early, which is for the caller to find out
	}
	if err := t.c.check(x); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// failing reads nothing and returns its error, or the end.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// streamBody is the body of an event stream, checked as it is read.
type streamBody struct {
	io.ReadCloser
	events stream
}

// Read implements io.Reader.
func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if wrong := b.events.pass(p[:n]); wrong != nil {
		return 0, fmt.Errorf("%w", wrong)
	}
	return n, err
}
