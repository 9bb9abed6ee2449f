package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// chromiumEnd is the other side of a pipe under test.
type chromiumEnd struct{ in, out *os.File }

func testPipe(t *testing.T) (*pipe, chromiumEnd) {
	t.Helper()
	e, err := pipes()
	if err != nil {
		t.Fatal(err)
	}
	p := newPipe(e.answersR, e.commandsW, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		p.Close()
		_ = e.commandsR.Close()
		_ = e.answersW.Close()
	})
	return p, chromiumEnd{in: e.commandsR, out: e.answersW}
}

func TestPipeFrames(t *testing.T) {
	t.Parallel()
	p, far := testPipe(t)
	p.max = 300 << 10
	large := `{"id":1,"result":{"v":"` + strings.Repeat("x", 200<<10) + `"}}`
	beyond := `{"id":42,"result":{"v":"` + strings.Repeat("x", 400<<10) + `"}}`
	go func() {
		_, _ = far.out.WriteString("{}\x00" + large + "\x00" + beyond + "\x00" + `{"id":2}` + "\x00" + `{"id"`)
		_ = far.out.Close()
	}()
	for _, want := range []string{"{}", large, string(tooLarge([]byte(beyond))), `{"id":2}`} {
		got, err := p.Read()
		if err != nil || string(got) != want {
			t.Fatalf("got %.60q, %v; want %.60q", got, err, want)
		}
	}
	if len(p.buf) > pipeBuffer {
		t.Errorf("the memory of a large frame is kept: %d bytes", len(p.buf))
	}
	if got, err := p.Read(); !errors.Is(err, errPipeClosed) {
		t.Errorf("half a frame at the end: %q, %v", got, err)
	}
	if err := p.Send([]byte("{}")); !errors.Is(err, errPipeClosed) {
		t.Errorf("send after a failed read: %v", err)
	}
}

// A stopped Chromium reads nothing. The write must end, and the pipe with it: half a frame was written.
func TestPipeWriteLimit(t *testing.T) {
	t.Parallel()
	p, _ := testPipe(t)
	p.limit = 20 * time.Millisecond
	if err := p.Send(bytes.Repeat([]byte("x"), 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, errPipeClosed) {
		t.Errorf("first: %v", err)
	}
	if err := p.Send([]byte("{}")); !errors.Is(err, errPipeClosed) {
		t.Errorf("second: %v", err)
	}
	if _, err := p.Read(); !errors.Is(err, errPipeClosed) {
		t.Errorf("read: %v", err)
	}
}

func TestConn(t *testing.T) {
	t.Parallel()
	p, far := testPipe(t)
	events := make(chan string, 10)
	c := newConn(p, func(f frame) { events <- f.Method + string(f.Params) }, p.log)

	// Answers arrive in any order, between events and rubbish that would make rod's client panic.
	go func() {
		_, _ = far.out.WriteString(`[1]` + "\x00" + `not json` + "\x00" + `{"method":"A","params":{"n":1}}` + "\x00" + `{"id":99,"result":{}}` + "\x00")
		dec := newFrameReader(far.in)
		first, second := dec(), dec()
		_, _ = fmt.Fprintf(far.out, `{"id":%d,"error":{"code":-1,"message":"no"}}`+"\x00"+`{"id":%d,"result":{"ok":1},"sessionId":"AB"}`+"\x00", second, first)
		_, _ = far.out.WriteString(`{"method":"B"}` + "\x00")
		dec() // a call that gets no answer
		_ = far.out.Close()
	}()
	first := make(chan error, 1)
	go func() {
		res, err := c.Call(t.Context(), "", "One", nil)
		if err == nil && string(res) != `{"ok":1}` {
			err = fmt.Errorf("result %s", res)
		}
		first <- err
	}()
	second := make(chan error, 1)
	go func() {
		_, err := c.Call(t.Context(), "S", "Two", map[string]int{"x": 1})
		second <- err
	}()
	a, b := <-first, <-second
	// Which of the two came first is the scheduler's choice: one succeeds, the other is refused.
	if (a == nil) == (b == nil) {
		t.Errorf("one answer and one refusal: %v, %v", a, b)
	}
	if got := <-events + <-events; got != `A{"n":1}B` {
		t.Errorf("events %s", got)
	}
	if _, err := c.Call(context.Background(), "", "Three", nil); !errors.Is(err, errPipeClosed) {
		t.Errorf("a call when the pipe ends: %v", err)
	}
	<-c.done
	if _, err := c.Call(context.Background(), "", "Four", nil); !errors.Is(err, errPipeClosed) {
		t.Errorf("a call after the pipe has ended: %v", err)
	}
}

// newFrameReader returns a function that reads the next command and returns its id.
func newFrameReader(f *os.File) func() int {
	var rest []byte
	return func() int {
		for {
			if frame, after, ok := bytes.Cut(rest, []byte{0}); ok {
				rest = after
				var cmd struct{ ID int }
				if json.Unmarshal(frame, &cmd) != nil {
					return -1
				}
				return cmd.ID
			}
			buf := make([]byte, 4096)
			n, err := f.Read(buf)
			if err != nil {
				return -1
			}
			rest = append(rest, buf[:n]...)
		}
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p, _ := testPipe(t)
	c := newConn(p, func(frame) {}, p.log)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Call(ctx, "", "Never", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	p.Close()
	<-c.done
	if len(c.waiting) != 0 {
		t.Errorf("%d calls still wait", len(c.waiting))
	}
}

func TestParseFrame(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"id":7,"result":{}}`,
		`{"id":7,"result":{"a":1},"sessionId":"0AF1"}`,
		`{"id":7,"result":{"a":1,"sessionId":"0AF1"}}`,
		`{"id":7,"result":{"a":"x,\"sessionId\":\"0AF1"},"sessionId":"0AF1"}`,
		`{"id":7,"result":{"a":",\"sessionId\":\"0AF1\"}"}}`,
		`{"id":7,"result":{"a":{"sessionId":"0AF1"}}}`,
		`{"id":7,"result":null}`,
		`{"id":7,"error":{"code":-32000,"message":"m"},"sessionId":"0AF1"}`,
		`{"method":"A.b","params":{"id":1,"result":{}},"sessionId":"0AF1"}`,
		`{"result":{"a":1},"id":7}`,
	} {
		got, err := parseFrame([]byte(data))
		var want frame
		if err2 := json.Unmarshal([]byte(data), &want); err != nil || err2 != nil {
			t.Fatalf("%s: %v, %v", data, err, err2)
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) && got.Error == nil {
			t.Errorf("%s: %+v, want %+v", data, got, want)
		}
	}
	for _, data := range []string{``, `[]`, `7`, `{"id":"x"}`, `{"id":7,"result":{`, `{"id":7,"error":"x"}`} {
		if f, err := parseFrame([]byte(data)); err == nil {
			t.Errorf("%q passes as %+v", data, f)
		}
	}
}

func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`""`, `"a\"b\\\/\b\f\n\r\t"`, `"\u00e9\ud83d\ude00"`, `"\ud83d"`, `"\ud83d\u0041"`, `"é"`, `"\ud83d\ud83d\ude00"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var want string
		if !utf8.Valid(in) || json.Unmarshal(in, &want) != nil || in[0] != '"' {
			return // Chromium sends valid JSON; what is not is found by whoever decodes the text
		}
		got, err := unquote(bytes.TrimSpace(in))
		if err != nil || strings.ToValidUTF8(string(got), "\ufffd") != strings.ToValidUTF8(want, "\ufffd") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	})
}

func TestStderrIsBounded(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &stderrLog{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	_, _ = s.Write([]byte("half "))
	_, _ = s.Write([]byte("line\n" + strings.Repeat("y", 5000) + "\n"))
	for range 10_000 {
		_, _ = s.Write([]byte("again\nlast\n"))
	}
	if lines := strings.Count(out.String(), "\n"); lines != stderrLines {
		t.Errorf("%d lines were logged, want %d", lines, stderrLines)
	}
	if !strings.Contains(out.String(), "half line") || strings.Contains(out.String(), strings.Repeat("y", stderrLine+1)) {
		t.Error("a line was cut wrongly")
	}
	if got := s.tail(); !strings.HasSuffix(got, "again | last") {
		t.Errorf("tail %q", got)
	}
}
