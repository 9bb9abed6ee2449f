package verify

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Handler checks every request to a server, and its answer; what is wrong fails the test. A benchmark gets next itself.
func (c *Contract) Handler(t testing.TB, next http.Handler) http.Handler {
	if _, ok := t.(*testing.B); ok {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := tap(r)
		out := &writer{ResponseWriter: w, c: c, status: http.StatusOK}
		next.ServeHTTP(out, r) // a panic passes: the connection is cut, and there is no answer
		x := exchange{req: r, status: out.status, header: out.header(), answer: out.kept, cut: out.cut}
		x.body, x.whole = body.bytes()
		if err := c.check(x); err != nil {
			t.Error(err)
		}
		if out.err != nil {
			t.Error(out.err)
		}
	})
}

// tap keeps what is read of a request's body.
func tap(r *http.Request) *tee {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	t := &tee{ReadCloser: r.Body, length: r.ContentLength}
	r.Body = t
	return t
}

// tee is a body that keeps what is read of it, up to maxRequest.
type tee struct {
	io.ReadCloser
	length int64 // -1: it did not say

	mu   sync.Mutex // a client's transport reads in a goroutine of its own
	kept []byte
	n    int64
	end  bool
}

// Read implements io.Reader.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += int64(n)
	t.kept = append(t.kept, p[:min(n, maxRequest-len(t.kept))]...)
	t.end = t.end || err == io.EOF
	return n, err
}

func (t *tee) bytes() (kept []byte, whole bool) {
	if t == nil {
		return nil, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept, (t.end || t.n == t.length) && t.n == int64(len(t.kept))
}

// writer is a ResponseWriter that keeps what is written when it is JSON, and checks it on its way when it is a stream.
type writer struct {
	http.ResponseWriter
	c      *Contract
	status int
	sent   http.Header // as it was when the answer began; nil: it has not
	kept   []byte
	cut    bool
	events *stream
	err    error
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher, which Gin asks for.
func (w *writer) Flush() {
	w.begin(http.StatusOK)
	_ = http.NewResponseController(w.ResponseWriter).Flush() // who cannot flush has nothing to flush
}

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if status >= 200 {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	switch {
	case w.events != nil && w.err == nil:
		w.err = w.events.pass(p)
	case isJSON(w.sent):
		w.kept = append(w.kept, p[:min(len(p), maxAnswer-len(w.kept))]...)
		w.cut = w.cut || len(w.kept) == maxAnswer
	case len(w.kept) == 0:
		w.kept = append(w.kept, p[:min(len(p), 64)]...) // that there is a body
	}
	return w.ResponseWriter.Write(p)
}

func (w *writer) begin(status int) {
	if w.sent != nil {
		return
	}
	w.status, w.sent = status, w.Header().Clone()
	if strings.HasPrefix(w.sent.Get("Content-Type"), "text/event-stream") {
		w.events = &stream{c: w.c}
	}
}

func (w *writer) header() http.Header {
	if w.sent == nil {
		return w.Header()
	}
	return w.sent
}
