package gate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurir/gate/acmetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, acmetest.Leaks()) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// house is a server behind the gate, on a real socket.
type house struct {
	t     *testing.T
	addr  string
	conns *Conns
}

// open starts a server with these limits. handler may be nil.
func open(t *testing.T, l Limits, handler http.HandlerFunc) *house {
	t.Helper()
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if handler == nil {
		handler = func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			_, _ = fmt.Fprintf(w, "%d bytes", n)
		}
	}
	l = l.WithDefaults()
	h := &house{t: t, addr: inner.Addr().String(), conns: Listen(inner, l, nil)}
	s := &http.Server{
		Handler: &Handler{Next: handler, Limits: l}, ReadHeaderTimeout: l.Header, IdleTimeout: l.Idle, MaxHeaderBytes: MaxHeaderBytes, ConnState: h.conns.State,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(h.conns) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended: %v", err)
		}
	})
	return h
}

// dial opens a connection from an address of loopback.
func (h *house) dial(from string) net.Conn {
	h.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(h.t.Context(), "tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// ask sends a whole request and returns the status; 0: no answer.
func ask(c net.Conn, request string) int {
	if _, err := io.WriteString(c, request); err != nil {
		return 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

const hello = "GET / HTTP/1.1\r\nHost: k\r\n\r\n"

// ended waits until the other side closes the connection and says how long that took.
func ended(c net.Conn) (time.Duration, error) {
	began := time.Now()
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, err
	}
	return time.Since(began), nil
}

func TestAThousandIdleConnectionsDoNotStopOthers(t *testing.T) {
	h := open(t, Limits{Conns: 300, PerAddress: 100}, nil)
	for range 1000 {
		h.dial("127.0.0.2")
	}
	for _, from := range []string{"127.0.0.3", "127.0.0.2"} { // another, and even the same
		if got := ask(h.dial(from), hello); got != http.StatusOK {
			t.Errorf("%s is answered %d", from, got)
		}
	}
	if n := h.count(); n > 102 {
		t.Errorf("%d connections are open", n)
	}
	// From many addresses too: the bound for all of them.
	for i := range 600 {
		h.dial(fmt.Sprintf("127.0.1.%d", i%200+1))
	}
	if got := ask(h.dial("127.0.0.9"), hello); got != http.StatusOK {
		t.Errorf("among connections from many addresses: %d", got)
	}
	if n := h.count(); n > 300 {
		t.Errorf("%d connections are open", n)
	}
}

func (h *house) count() int {
	h.conns.mu.Lock()
	defer h.conns.mu.Unlock()
	return h.conns.open
}

// A connection that works is never ended for one that comes; the one that comes is refused.
func TestWorkIsNotEndedForNewConnections(t *testing.T) {
	release, busy := make(chan struct{}), make(chan struct{}, 4)
	h := open(t, Limits{Conns: 4, PerAddress: 2}, func(w http.ResponseWriter, _ *http.Request) {
		busy <- struct{}{}
		<-release
		w.WriteHeader(http.StatusNoContent)
	})
	answers := make(chan int, 2)
	for range 2 {
		c := h.dial("127.0.0.2")
		go func() { answers <- ask(c, hello) }()
		<-busy
	}
	if got := ask(h.dial("127.0.0.2"), hello); got != 0 {
		t.Errorf("a third connection is answered %d", got)
	}
	close(release)
	for range 2 {
		if got := <-answers; got != http.StatusNoContent {
			t.Errorf("one that worked is answered %d", got)
		}
	}
}

// The books are right after connections came and went in every way.
func TestConnectionsAreCountedOnce(t *testing.T) {
	h := open(t, Limits{Conns: 10, PerAddress: 5}, nil)
	for range 50 {
		c := h.dial("127.0.0.2")
		ask(c, hello)
		_ = c.Close()
	}
	for end := time.Now().Add(patience); h.count() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are still counted", h.count())
		}
	}
	h.conns.mu.Lock()
	defer h.conns.mu.Unlock()
	if len(h.conns.by) != 0 || h.conns.waiting.Len() != 0 {
		t.Errorf("left: %v, %d waiting", h.conns.by, h.conns.waiting.Len())
	}
}

func TestSlowAttackersAreEnded(t *testing.T) {
	quick := Limits{Header: 300 * time.Millisecond, Idle: 300 * time.Millisecond, Body: 300 * time.Millisecond, Write: 300 * time.Millisecond}
	never := func(http.ResponseWriter, *http.Request) {} // does not read the body: the server does
	reads := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			t.Error("a body that never ended was taken for a whole one")
		}
		http.Error(w, "slow", http.StatusBadRequest)
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}
	tests := []struct {
		name, begin, drip string
		handler           http.HandlerFunc
		mute              bool // reads nothing either
	}{
		{name: "header", begin: "GET / HTTP/1.1\r\n", drip: "X-A: b\r\n", handler: never},
		{name: "nothing at all", handler: never},
		{name: "after a request", begin: hello, handler: never},
		{name: "body that is read", begin: "POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 100000\r\n\r\n", drip: "a", handler: reads},
		{name: "body that is not read", begin: "POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 100000\r\n\r\n", drip: "a", handler: never},
		{name: "chunks", begin: "POST / HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n", drip: "1\r\na\r\n", handler: reads},
		{name: "head start", begin: "POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("a", 1<<20), drip: "a", handler: reads},
		{name: "reader", begin: hello, handler: endless, mute: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			over := make(chan struct{})
			h := open(t, quick, func(w http.ResponseWriter, r *http.Request) {
				tt.handler(w, r)
				if tt.mute {
					close(over)
				}
			})
			c := h.dial("127.0.0.1")
			if _, err := io.WriteString(c, tt.begin); err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			defer close(stop)
			if tt.drip != "" {
				go drip(c, tt.drip, stop)
			}
			if tt.mute {
				select {
				case <-over:
				case <-time.After(patience):
					t.Fatal("one that reads nothing is still written to")
				}
				return
			}
			if took, err := ended(c); err != nil {
				t.Fatalf("not ended: %v", err)
			} else if took > patience/2 {
				t.Errorf("ended after %s", took)
			}
		})
	}
}

// drip writes a little every 20 ms: more often than any limit, less than any rate.
func drip(c net.Conn, what string, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if _, err := io.WriteString(c, what); err != nil {
				return
			}
		}
	}
}

func TestHeaderIsBounded(t *testing.T) {
	h := open(t, Limits{}, nil)
	if got := ask(h.dial("127.0.0.1"), "GET / HTTP/1.1\r\nHost: k\r\nX: "+strings.Repeat("a", 2*MaxHeaderBytes)+"\r\n\r\n"); got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of %d bytes is answered %d", 2*MaxHeaderBytes, got)
	}
	if got := ask(h.dial("127.0.0.1"), "GET / HTTP/1.1\r\nHost: k\r\nX: "+strings.Repeat("a", MaxHeaderBytes/2)+"\r\n\r\n"); got != http.StatusOK {
		t.Errorf("a header of %d bytes is answered %d", MaxHeaderBytes/2, got)
	}
}

// Where one reader could go by a length and another by the chunks, what comes behind is read by nobody.
func TestNothingIsReadBehindChunks(t *testing.T) {
	h := open(t, Limits{}, nil)
	const begin, hidden = "POST / HTTP/1.1\r\nHost: k\r\n", "GET /hidden HTTP/1.1\r\nHost: k\r\n\r\n"
	for _, head := range []string{
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding: chunked\r\n",
	} {
		c := h.dial("127.0.0.2")
		if _, err := io.WriteString(c, begin+head+"\r\n0\r\n\r\n"+hidden); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(c) // to its end
		if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%q: %d answers, %v", head, n, err)
		}
	}
}
