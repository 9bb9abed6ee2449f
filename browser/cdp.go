package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

	"github.com/go-rod/rod/lib/proto"
)

// conn is the debugging protocol of one Chromium: calls go in, events come out in order. It is a proto.Client, so
// rod's typed commands run on it.
//
// rod has a client too. It is not used: it panics on a frame that it cannot decode, stops for ever when nobody
// reads its events or when an answer comes to a call that has failed, and decodes each frame twice.
type conn struct {
	pipe *pipe
	done chan struct{} // closed when the pipe has ended and the last event was handed out

	mu      sync.Mutex
	last    int                // id of the last call
	waiting map[int]chan frame // nil when the pipe has ended
}

// newConn starts the protocol on the pipe. onEvent gets every event, one after the other, from one goroutine; it
// must not wait for an answer of Chromium, because answers come through the same reader.
func newConn(p *pipe, onEvent func(frame), log *slog.Logger) *conn {
	c := &conn{pipe: p, done: make(chan struct{}), waiting: map[int]chan frame{}}
	go func() {
		defer close(c.done)
		err := c.read(onEvent, log)
		log.Debug("the pipe to Chromium ended", "err", err)
		c.end()
	}()
	return c
}

// read hands frames to the calls that wait for them and to onEvent until the pipe ends.
func (c *conn) read(onEvent func(frame), log *slog.Logger) error {
	for {
		data, err := c.pipe.Read()
		if err != nil {
			return err
		}
		f, err := parseFrame(data)
		if err != nil {
			log.Error("Chromium sent what is not of its protocol; it is dropped", "err", err)
			continue
		}
		if f.Method != "" {
			onEvent(f)
			continue
		}
		c.mu.Lock()
		answer := c.waiting[f.ID]
		delete(c.waiting, f.ID)
		c.mu.Unlock()
		if answer != nil {
			answer <- f // has room for the one answer
		}
	}
}

// end fails the calls that wait, and those to come.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, answer := range c.waiting {
		close(answer)
	}
	c.waiting = nil
}

// Call sends one command and waits for its answer, for the end of ctx or for the end of the pipe.
func (c *conn) Call(ctx context.Context, sessionID, method string, params any) ([]byte, error) {
	res, err := c.call(ctx, sessionID, method, params)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return res, nil
}

func (c *conn) call(ctx context.Context, sessionID, method string, params any) ([]byte, error) {
	answer := make(chan frame, 1)
	c.mu.Lock()
	if c.waiting == nil {
		c.mu.Unlock()
		return nil, errPipeClosed
	}
	c.last++
	id := c.last
	c.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()

	data, err := json.Marshal(struct {
		ID        int    `json:"id"`
		SessionID string `json:"sessionId,omitempty"`
		Method    string `json:"method"`
		Params    any    `json:"params,omitempty"`
	}{id, sessionID, method, params})
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.pipe.Send(data); err != nil {
		return nil, err
	}
	select {
	case f, ok := <-answer:
		if !ok {
			return nil, errPipeClosed
		}
		if f.Error != nil {
			return nil, f.Error
		}
		return f.Result, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
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
