package gate

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"kurir/problem"
)

// Body is the body of a request that must keep moving: it has patience to spend, spends it while it is waited for, and
// earns it with what arrives. So a large file may take hours and a trickle may not.
//
// The connection's deadline stays set until the end of the body, because the server itself reads what a handler leaves.
// Then it is lifted: while an answer is waited for, the connection is silent with good cause.
type Body struct {
	body     io.ReadCloser
	rc       *http.ResponseController
	still    time.Duration // the longest wait at a time
	rate     int64
	patience time.Duration
	until    time.Time // for all of it; zero: no such limit
	slow     bool
}

func newBody(body io.ReadCloser, rc *http.ResponseController, l Limits) *Body {
	_ = rc.SetReadDeadline(time.Now().Add(l.Body))
	return &Body{body: body, rc: rc, still: l.Body, rate: l.Rate, patience: l.Body}
}

// Within bounds the time for the rest of the body; the returned function lifts the bound.
func (b *Body) Within(d time.Duration) func() {
	before := b.until
	b.until = time.Now().Add(d)
	return func() { b.until = before }
}

// Read is part of io.Reader. A body that is too slow ends with BAD_REQUEST.
func (b *Body) Read(p []byte) (int, error) {
	began := time.Now()
	wait := min(b.still, b.patience)
	if !b.until.IsZero() {
		wait = min(wait, b.until.Sub(began))
	}
	if b.slow || wait <= 0 {
		return 0, b.tooSlow(nil)
	}
	_ = b.rc.SetReadDeadline(began.Add(wait)) // not every body (of a test) has deadlines
	n, err := b.body.Read(p)
	// The most that can be saved up is a second stillness: after a fast start a trickle is still a trickle.
	earned := time.Duration(n) * time.Second / time.Duration(b.rate)
	b.patience = min(b.patience-time.Since(began)+earned, 2*b.still)
	switch {
	case errors.Is(err, io.EOF):
		_ = b.rc.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, b.tooSlow(err)
	}
	return n, err
}

func (b *Body) tooSlow(err error) error {
	b.slow = true
	_ = b.rc.SetReadDeadline(time.Now()) // nor does the server wait for the rest
	return problem.Wrap(problem.BadRequest, "it came too slowly", err)
}

// Close is part of io.Closer.
func (b *Body) Close() error { return b.body.Close() }
