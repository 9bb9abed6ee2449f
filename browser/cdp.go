package browser

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
	"github.com/go-rod/rod/lib/utils"
)

// conn is the debugging protocol of one Chromium: calls go in, events come out in order.
type conn struct {
	client *cdp.Client
	pipe   *pipe
	done   chan struct{} // closed when the pipe has ended and the last event was handed out
}

// newConn starts the protocol on the pipe. onEvent gets every event, one after the other, from one goroutine; it
// must not wait for an answer of Chromium, because answers come through the same reader.
func newConn(p *pipe, onEvent func(*cdp.Event), log *slog.Logger) *conn {
	c := &conn{client: cdp.New().Logger(utils.LoggerQuiet), pipe: p, done: make(chan struct{})}
	c.client.Start(p)
	go func() {
		defer close(c.done)
		// rod's channel has no buffer: left unread, it stops the answers too.
		for e := range c.client.Event() {
			onEvent(e)
		}
		log.Debug("the pipe to Chromium ended")
	}()
	return c
}

// Call sends one command and waits for its answer, for the end of ctx or for the end of the pipe. It makes conn
// a proto.Client.
func (c *conn) Call(ctx context.Context, sessionID, method string, params any) ([]byte, error) {
	// rod hands an answer over in a select with ctx.Done: without the cancel, an answer to a call that has
	// already failed at its Send would hold rod's reader for as long as the caller's ctx lives.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := c.client.Call(ctx, sessionID, method, params)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return res, nil
}

// target binds ctx and a session of the protocol to a conn, as proto's typed calls want it. The zero session is
// the browser itself.
type target struct {
	*conn
	ctx     context.Context //nolint:containedctx // rod's proto.Contextable: the target lives for one call
	session proto.TargetSessionID
}

// on returns the browser (session "") or one of its pages for typed calls under ctx.
func (c *conn) on(ctx context.Context, session proto.TargetSessionID) target {
	return target{conn: c, ctx: ctx, session: session}
}

// GetContext makes target a proto.Contextable.
func (t target) GetContext() context.Context { return t.ctx }

// GetSessionID makes target a proto.Sessionable.
func (t target) GetSessionID() proto.TargetSessionID { return t.session }
