package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-rod/rod/lib/cdp"
)

const (
	// writeLimit bounds one write to Chromium. A stopped Chromium reads nothing: once the kernel's 64 KB are
	// full, a write without a limit would block for ever.
	writeLimit = 10 * time.Second
	// frameLimit bounds one frame from Chromium, so that a page cannot make kurir eat the machine's memory.
	frameLimit = 128 << 20
)

// errPipeClosed is what calls get once the pipe to Chromium is gone.
var errPipeClosed = errors.New("the pipe to Chromium is closed")

// pipe carries frames of the debugging protocol, each ended by a NUL, over two OS pipes. It is a
// cdp.WebSocketable: rod sees only frames that rod can decode, because rod panics on others.
//
// A failed write leaves half a frame behind and so closes the pipe for good. Once Read has failed every Send
// fails too: rod's client tells its waiting calls about a failed Read once, and a call made after that would
// wait for an answer that nobody can give.
type pipe struct {
	r      *os.File
	frames *bufio.Reader
	w      *os.File
	limit  time.Duration // of one write
	max    int           // bytes of one frame
	log    *slog.Logger

	mu     sync.Mutex // one frame at a time
	closed atomic.Bool
}

var _ cdp.WebSocketable = (*pipe)(nil)

// newPipe takes ownership of both files. They must be ends of os.Pipe, which know deadlines.
func newPipe(r, w *os.File, log *slog.Logger) *pipe {
	return &pipe{r: r, frames: bufio.NewReaderSize(r, 64<<10), w: w, limit: writeLimit, max: frameLimit, log: log}
}

// Send writes one frame. It fails after the write limit, and then for ever.
func (p *pipe) Send(data []byte) error {
	frame := make([]byte, len(data)+1)
	copy(frame, data)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return errPipeClosed
	}
	err := p.w.SetWriteDeadline(time.Now().Add(p.limit))
	if err == nil {
		_, err = p.w.Write(frame)
	}
	if err != nil {
		p.Close()
		return fmt.Errorf("write to Chromium: %w", err)
	}
	return nil
}

// Read returns the next frame that rod can decode. It fails when the pipe ends, and then for ever.
func (p *pipe) Read() ([]byte, error) {
	for {
		frame, err := p.next()
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("read from Chromium: %w", err)
		}
		if err := decodable(frame); err != nil {
			p.log.Error("Chromium sent a frame that is not of the protocol; it is dropped", "bytes", len(frame), "err", err)
			continue
		}
		return frame, nil
	}
}

// next reads up to the next NUL. Of a frame beyond the bound it keeps the head, to answer the call that asked.
func (p *pipe) next() ([]byte, error) {
	var frame []byte
	size := 0
	for {
		part, err := p.frames.ReadSlice(0)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if size += len(part); size <= p.max || frame == nil {
			frame = append(frame, part...)
		}
		if err != nil {
			continue
		}
		if size > p.max {
			p.log.Error("Chromium sent a frame beyond the limit; its call fails", "bytes", size, "limit", p.max)
			return tooLarge(frame), nil
		}
		return frame[:len(frame)-1], nil
	}
}

// Close closes both ends; a blocked Read or Send returns. It may be called more than once.
func (p *pipe) Close() {
	if p.closed.Swap(true) {
		return
	}
	for _, f := range []*os.File{p.w, p.r} {
		if err := f.Close(); err != nil {
			p.log.Debug("close a pipe to Chromium", "err", err)
		}
	}
}

// decodable says whether rod's client can decode the frame: it does so in three steps and panics when one fails.
// This decodes into the union of its types, so what passes here passes there.
func decodable(frame []byte) error {
	var f struct {
		ID        int             `json:"id"`
		SessionID string          `json:"sessionId"`
		Method    string          `json:"method"`
		Params    json.RawMessage `json:"params"`
		Result    json.RawMessage `json:"result"`
		Error     *cdp.Error      `json:"error"`
	}
	return json.Unmarshal(frame, &f)
}

// tooLarge makes the error answer for a response that begins with head, or an event nobody listens to when head
// is not the beginning of a response. Chromium writes {"id":7,… first.
func tooLarge(head []byte) []byte {
	id := 0
	if rest, ok := bytes.CutPrefix(head, []byte(`{"id":`)); ok {
		for _, c := range rest {
			if c < '0' || c > '9' || id > 1<<40 {
				break
			}
			id = id*10 + int(c-'0')
		}
	}
	return fmt.Appendf(nil, `{"id":%d,"error":{"code":-32000,"message":"the answer is larger than kurir takes"}}`, id)
}
