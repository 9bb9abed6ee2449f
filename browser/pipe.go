package browser

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// writeLimit bounds one write to Chromium. A stopped Chromium reads nothing: once the kernel's buffer is
	// full, a write without a limit would block for ever.
	writeLimit = 10 * time.Second
	// frameLimit bounds one frame from Chromium, so that a page cannot make kurir eat the machine's memory.
	frameLimit = 128 << 20
	// pipeBuffer is what a pipe's reader keeps between frames.
	pipeBuffer = 64 << 10
)

// errPipeClosed is what calls get once the pipe to Chromium is gone.
var errPipeClosed = errors.New("the pipe to Chromium is closed")

// pipe carries frames of the debugging protocol, each ended by a NUL, over two OS pipes. A failed write leaves
// half a frame behind and so closes the pipe for good. After a failed Read every Send fails too.
type pipe struct {
	r     *os.File
	w     *os.File
	limit time.Duration // of one write
	max   int           // bytes of one frame
	log   *slog.Logger

	buf        []byte // read ahead; buf[start:end] is unread. Only Read touches it
	start, end int

	mu     sync.Mutex // one frame at a time
	closed atomic.Bool
}

// newPipe takes ownership of both files. They must be ends of os.Pipe, which know deadlines.
func newPipe(r, w *os.File, log *slog.Logger) *pipe {
	if raw, err := r.SyscallConn(); err == nil {
		// Fewer turns for large answers. Refused where the user has used up his share; then it stays at 64 KB.
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
	return &pipe{r: r, w: w, limit: writeLimit, max: frameLimit, log: log, buf: make([]byte, pipeBuffer)}
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
		return fmt.Errorf("%w: write: %w", errPipeClosed, err)
	}
	return nil
}

// Read returns the next frame, which is the caller's. It fails when the pipe ends, and then for ever.
func (p *pipe) Read() ([]byte, error) {
	frame, err := p.next()
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("%w: read: %w", errPipeClosed, err)
	}
	return frame, nil
}

// next reads up to the next NUL. Of a frame beyond the bound it keeps the head, to answer the call that asked.
func (p *pipe) next() ([]byte, error) {
	var head []byte // of a frame that is too large
	size, scanned := 0, p.start
	for {
		if i := bytes.IndexByte(p.buf[scanned:p.end], 0); i >= 0 {
			frame := p.buf[p.start : scanned+i]
			if size += len(frame); size > p.max {
				p.log.Error("Chromium sent a frame beyond the limit; its call fails", "bytes", size, "limit", p.max)
				frame = tooLarge(append(head, frame...))
			}
			frame = bytes.Clone(frame)
			p.start = scanned + i + 1
			p.compact()
			return frame, nil
		}
		if p.end-p.start > p.max {
			if head == nil {
				head = bytes.Clone(p.buf[p.start : p.start+headBytes])
			}
			size += p.end - p.start
			p.start, p.end = 0, 0
		}
		scanned = p.room()
		n, err := p.r.Read(p.buf[p.end:])
		p.end += n
		if err != nil {
			return nil, err
		}
	}
}

// headBytes is how much of a frame that is too large is kept: enough for its id. No limit is below it.
const headBytes = 32

// room makes room for a read and returns where the unread bytes end.
func (p *pipe) room() int {
	if p.start > 0 {
		p.end = copy(p.buf, p.buf[p.start:p.end])
		p.start = 0
	}
	if p.end == len(p.buf) {
		p.buf = append(p.buf, make([]byte, len(p.buf))...)
	}
	return p.end
}

// compact gives the memory of a large frame back.
func (p *pipe) compact() {
	if len(p.buf) > pipeBuffer && p.end-p.start <= pipeBuffer {
		buf := make([]byte, pipeBuffer)
		p.end = copy(buf, p.buf[p.start:p.end])
		p.buf, p.start = buf, 0
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
