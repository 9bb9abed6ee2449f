package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

const (
	maxFrame     = 8 << 20          // bytes a page may send in one frame
	writeTimeout = 30 * time.Second // a page that takes longer for one frame is gone
	laneLength   = 256              // messages of one page that may wait behind a held one
)

// conn is one websocket of a page. Three goroutines serve it: one reads, one writes what is queued, one carries out
// messages in their order, so that a held message does not hold the rest of the traffic.
type conn struct {
	s      *Server
	ws     *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	out    *queue
	lane   chan request

	// Guarded by s.mu.
	device  *device         // after hello of a linked device
	pairing *pairing        // after hello without a device
	watches map[string]bool // whose presence it asked for, by wid
	got     bool            // the page answers numbered pushes
	written int64           // last numbered push on the wire
	saved   int64           // the same, in the journal

	stepsTold, stepsKnown int64 // numbers of the last push "steps", and of the last that the page has answered
}

// serveChat takes a page's websocket and serves it until either side ends it.
func (s *Server) serveChat(w http.ResponseWriter, r *http.Request) {
	if s.refuses() {
		http.Error(w, "the sandbox refuses connections (fault drop_socket)", http.StatusServiceUnavailable)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(maxFrame)
	c := &conn{s: s, ws: ws, out: newQueue(), lane: make(chan request, laneLength)}
	c.ctx, c.cancel = context.WithCancel(s.ctx) // it outlives the request that opened it
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	ok := s.spawn(func() {
		c.serve()
	})
	if !ok {
		c.cancel()
		_ = ws.CloseNow()
	}
}

func (c *conn) serve() {
	c.s.spawn(c.write)
	laneDone := make(chan struct{})
	if !c.s.spawn(func() { defer close(laneDone); c.runLane() }) {
		close(laneDone)
	}
	err := c.read()
	c.cancel()
	close(c.lane)
	<-laneDone
	_ = c.ws.CloseNow()
	c.s.detach(c)
	c.s.log.Debug("sandbox page left", "err", err)
}

func (c *conn) read() error {
	for {
		kind, data, err := c.ws.Read(c.ctx)
		if err != nil {
			return err
		}
		var req request
		if kind != websocket.MessageText {
			err = errors.New("not a text frame")
		} else if err = json.Unmarshal(data, &req); err == nil && req.Op == "" {
			err = errors.New("no op")
		}
		if err != nil {
			c.end(websocket.StatusUnsupportedData, "frame: "+err.Error())
			return fmt.Errorf("read frame: %w", err)
		}
		if req.Op == "message" || req.Op == "message_action" {
			select {
			case c.lane <- req:
			case <-c.ctx.Done():
				return c.ctx.Err()
			}
			continue
		}
		c.handle(req)
	}
}

// runLane carries out messages in their order. What the page had sent before its connection ended is still carried
// out: it had reached the server.
func (c *conn) runLane() {
	for req := range c.lane {
		c.handle(req)
	}
}

func (c *conn) write() {
	defer c.cancel()
	for {
		it, err := c.out.take(c.ctx)
		if err != nil {
			return
		}
		if it.close {
			// Waits for the page's answer for at most 5 s, or until the connection is ended otherwise.
			_ = c.ws.Close(websocket.StatusNormalClosure, it.reason)
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
		err = c.ws.Write(ctx, websocket.MessageText, it.frame)
		cancel()
		if err != nil {
			return
		}
		c.out.written(it)
		if it.s > 0 {
			c.s.wrote(c, it.s)
		}
	}
}

// end closes the connection with a reason, at once.
func (c *conn) end(code websocket.StatusCode, reason string) {
	_ = c.ws.Close(code, reason[:min(len(reason), 120)])
	c.cancel()
}

// sendFrame queues an encoded frame; a page that is too far behind loses its connection.
func (c *conn) sendFrame(it item) {
	if err := c.out.add(it); err != nil {
		c.s.log.Warn("sandbox ends a connection", "err", err)
		c.cancel()
	}
}

// push queues a push that need not survive the connection.
func (c *conn) push(op string, args any) { c.sendFrame(item{frame: encode(push{Op: op, Args: args})}) }

func (c *conn) ok(n int64, v any) { c.sendFrame(item{frame: encode(reply{N: n, OK: v})}) }

func (c *conn) fail(n int64, err error) {
	var e *Error
	if !errors.As(err, &e) {
		c.s.log.Error("sandbox request failed", "err", err)
		e = errorf(500, "internal error")
	}
	c.sendFrame(item{frame: encode(reply{N: n, Error: e})})
}

// encode makes a frame. All frames are made of plain structs, which always encode.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sandbox: encode frame: %v", err))
	}
	return b
}

// decode reads the args of a request.
func decode[T any](raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, errorf(400, "args: %v", err)
	}
	return v, nil
}
