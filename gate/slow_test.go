package gate

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An honest sender on a bad line takes many times the limit for standing still and arrives; so does its reader, and one
// that waits for an answer. In a bubble, on a pipe: on a real line the machine's own pauses are the sender's.
func TestSlowAndHonestIsServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{Header: 10 * time.Second, Body: time.Second, Rate: 2000, Write: time.Second}
		c := pipeTo(t, limits, func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				t.Errorf("after %d bytes: %v", n, err)
			}
			select { // longer than every limit: an answer that is waited for
			case <-time.After(time.Minute):
			case <-r.Context().Done():
				t.Error("the request was given up")
			}
			_, _ = fmt.Fprintf(w, "%d", n)
		})
		const pieces, size = 60, 1000
		_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: k\r\nContent-Length: %d\r\n\r\n", pieces*size)
		began := time.Now()
		for range pieces {
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(400 * time.Millisecond)
		}
		if took := time.Since(began); took < 5*limits.Body {
			t.Fatalf("sent in %s, which shows nothing", took)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if b, _ := io.ReadAll(resp.Body); string(b) != fmt.Sprint(pieces*size) {
			t.Errorf("answer %d %s", resp.StatusCode, b)
		}
		// The connection's next request has no time limit left from this one.
		if got := ask(c, hello); got != http.StatusOK {
			t.Errorf("the next request: %d", got)
		}
	})
}

func TestSlowReaderGetsAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		c := pipeTo(t, Limits{Write: time.Second}, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) })
		_, _ = io.WriteString(c, hello)
		var got int64
		for got < size {
			n, err := io.CopyN(io.Discard, c, 32<<10)
			if got += n; err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
			time.Sleep(400 * time.Millisecond) // the line is slow: longer in all than the limit
		}
	})
}

// One that takes a little less than it has to is ended, however long it goes on.
func TestSlowReaderIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := pipeTo(t, Limits{Write: time.Second}, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 4<<20)) })
		_, _ = io.WriteString(c, hello)
		var err error
		for began := time.Now(); err == nil; time.Sleep(400 * time.Millisecond) {
			if _, err = io.CopyN(io.Discard, c, 8<<10); time.Since(began) > time.Hour {
				t.Fatal("it is still served")
			}
		}
	})
}

// pipeTo starts a server behind the gate and returns the other end of a connection to it, in memory.
func pipeTo(t *testing.T, l Limits, handler http.HandlerFunc) net.Conn {
	t.Helper()
	l = l.WithDefaults()
	theirs, ours := net.Pipe()
	conns := Listen(&oneConn{conn: ours, closed: make(chan struct{})}, l, nil)
	s := &http.Server{
		Handler: &Handler{Next: handler, Limits: l}, ReadHeaderTimeout: l.Header, IdleTimeout: l.Idle, MaxHeaderBytes: MaxHeaderBytes, ConnState: conns.State,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(conns) // it ends with what Close does
	}()
	t.Cleanup(func() {
		_ = theirs.Close()
		_ = s.Close()
		<-done
	})
	return theirs
}

// oneConn is a listener to which one has come.
type oneConn struct {
	mu     sync.Mutex
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	c := l.conn
	l.conn = nil
	l.mu.Unlock()
	if c != nil {
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }
