// Package gate is what stands between the network and kurir's handlers: how many connections there may be, how slow
// their other ends may be, who they are, and TLS.
//
// Invariants: nobody who is slow or silent holds anything for longer than a limit, and a request that moves, or an
// answer that is waited for, is never ended; a connection that waits gives its place to one that comes. What a request
// says about its own origin (X-Forwarded-For and the like) is believed from the proxies that the operator named and
// taken away from everybody else's, so that nothing behind the gate can believe it by mistake.
package gate

import (
	"context"
	"net/http"
	"time"
)

// Limits are the patience and the size of the gate. Zero fields are the defaults.
type Limits struct {
	Header time.Duration // for the header of a request to arrive, and for a TLS handshake; 10 s
	Idle   time.Duration // a connection may wait for its next request; 2 min
	Body   time.Duration // a body may stand still, and may be late at most; 30 s
	Rate   int64         // bytes per second that a body must have over time; 4,096
	Write  time.Duration // a reader may take for 64 KB of an answer; 30 s

	Conns      int // connections at a time; 4,096
	PerAddress int // of them from one address (IPv6: one /64); 1,024. Proxies that are trusted have no such bound
}

// MaxHeaderBytes bounds the header of a request. The longest that callers send is a signed link or a cookie.
const MaxHeaderBytes = 32 << 10

// WithDefaults returns l with nothing left at zero.
func (l Limits) WithDefaults() Limits {
	orElse(&l.Header, 10*time.Second)
	orElse(&l.Idle, 2*time.Minute)
	orElse(&l.Body, 30*time.Second)
	orElse(&l.Rate, 4<<10)
	orElse(&l.Write, 30*time.Second)
	orElse(&l.Conns, 4096)
	orElse(&l.PerAddress, 1024)
	return l
}

func orElse[T time.Duration | int64 | int](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// Handler is the gate of requests.
type Handler struct {
	Next    http.Handler
	Proxies Proxies
	Limits  Limits // with defaults
}

// secureKey marks the context of a request that a trusted proxy took by TLS.
type secureKey struct{}

// Secure says whether the caller's connection is encrypted, up to kurir or up to a proxy that is trusted.
func Secure(r *http.Request) bool {
	return r.TLS != nil || r.Context().Value(secureKey{}) != nil
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, secure := h.Proxies.Caller(r)
	ctx := r.Context()
	if secure {
		ctx = context.WithValue(ctx, secureKey{}, true)
	}
	r = r.WithContext(ctx) // a copy: the server keeps its own
	r.Header, r.RemoteAddr = forget(r.Header), from
	if r.TLS != nil { // browsers come by TLS alone from now on
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	out := &writer{ResponseWriter: w, rc: http.NewResponseController(w), limit: h.Limits.Write}
	_ = out.rc.SetWriteDeadline(time.Time{}) // that of the request before
	if len(r.TransferEncoding) > 0 {
		// It may have had a Content-Length too, which the server drops without a word: a proxy in front that went by that
		// one would take what comes next for the next caller's (RFC 9112 §6.1).
		w.Header().Set("Connection", "close")
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = newBody(r.Body, out.rc, h.Limits)
	}
	h.Next.ServeHTTP(out, r)
	_ = out.rc.SetWriteDeadline(time.Now().Add(h.Limits.Write)) // for what is still in the server's buffer
}

// writer gives each piece of an answer a time of its own, unless the handler sets its own times: an answer that is large
// or that is waited for takes as long as it takes, a reader that takes nothing is cut off.
type writer struct {
	http.ResponseWriter
	rc    *http.ResponseController
	limit time.Duration
	own   bool // the handler sets the times
}

// maxPiece is how much of an answer has one time limit.
const maxPiece = 64 << 10

func (w *writer) Write(b []byte) (n int, err error) {
	for first := true; first || len(b) > 0; first = false {
		piece := b[:min(len(b), maxPiece)]
		if !w.own {
			_ = w.rc.SetWriteDeadline(time.Now().Add(w.limit)) // not every writer (of a test) has deadlines
		}
		m, err := w.ResponseWriter.Write(piece)
		if n += m; err != nil {
			return n, err
		}
		b = b[len(piece):]
	}
	return n, nil
}

// Flush is part of http.Flusher, which Gin asks for.
func (w *writer) Flush() { _ = w.rc.Flush() }

// FlushError is what http.ResponseController asks for.
func (w *writer) FlushError() error { return w.rc.Flush() }

// SetWriteDeadline is what http.ResponseController asks for.
func (w *writer) SetWriteDeadline(t time.Time) error {
	w.own = true
	return w.rc.SetWriteDeadline(t)
}

// Unwrap is what http.ResponseController asks for.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
