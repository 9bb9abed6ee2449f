package sandbox

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// A page that does not read must not keep others waiting, nor make the server hold its whole history in memory.
func TestSlowPage(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	const busy = "6281200000077"
	if _, err := s.CreatePhone(PhoneSpec{Number: busy, Chats: 100, Messages: 100_000}); err != nil {
		t.Fatal(err)
	}
	d := pair(t, s, busy)
	slow := socket(t, client(t, s))
	defer func() { _ = slow.CloseNow() }()
	for n, args := range []any{helloArgs{Device: &d}, none{}} {
		b, _ := json.Marshal(map[string]any{"n": n + 1, "op": []string{"hello", "history"}[n], "args": args})
		if err := slow.Write(soon(t), websocket.MessageText, b); err != nil {
			t.Fatal(err)
		}
	}
	queued := func() (bytes int) {
		for c := range s.conns {
			c.out.mu.Lock()
			bytes = max(bytes, c.out.bytes)
			c.out.mu.Unlock()
		}
		return bytes
	}
	p.do("ping", none{}, nil)
	for i := range 50 {
		p.do("message", text(busy, strings.Repeat("x", i)), nil)
	}
	s.mu.Lock()
	if n := queued(); n > 2*historyAhead {
		t.Errorf("%d bytes wait for a page that does not read", n)
	}
	s.mu.Unlock()
}

func TestFramesThatAreRefused(t *testing.T) {
	s := open(t, Config{})
	for name, data := range map[string][]byte{"no JSON": []byte("{"), "no op": []byte("{}"), "too long": bytes.Repeat([]byte("x"), maxFrame+1)} {
		p := dial(t, s)
		if err := p.ws.Write(soon(t), websocket.MessageText, data); err != nil {
			t.Logf("%s: %v", name, err)
		}
		p.closed()
	}
	p := dial(t, s)
	if f := p.answer(p.ask("nonsense", nil)); f.Error == nil || f.Error.Code != 501 {
		t.Errorf("%+v", f)
	}
	if f := p.answer(p.ask("hello", "text")); f.Error == nil || f.Error.Code != 400 {
		t.Errorf("%+v", f)
	}
	for _, op := range []string{"message", "usync", "history", "media_conn", "receipt", "group", "logout"} {
		args := any(none{})
		if op == "message" {
			args = text("6281200000001", "x")
		}
		if f := p.answer(p.ask(op, args)); f.Error == nil || f.Error.Code != 401 {
			t.Errorf("%s without a link: %+v", op, f)
		}
	}
}

func TestCloseDuringAnUpload(t *testing.T) {
	s, err := Open(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, d := linked(t, s)
	body, feed := io.Pipe()
	req, _ := http.NewRequestWithContext(soon(t), http.MethodPost, "https://web.whatsapp.com"+uploadPath+"/image?auth="+s.uploadToken(d.ID), body)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := p.http.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	if _, err := feed.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_ = feed.Close()
	<-done
	if err := s.SendFrom("6281200000001", owner, Message{Body: "x"}); err != nil {
		t.Logf("after Close: %v", err) // must not panic; either answer will do
	}
}

// What Chromium is told to accept is the key of this server, and the key stays.
func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: pageHost}} //nolint:gosec // the sandbox's certificate is its own
	conn, err := d.DialContext(soon(t), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	cert := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	if err := cert.VerifyHostname(pageHost); err != nil {
		t.Error(err)
	}
	if args := strings.Join(s.ChromiumArgs(), " "); !strings.Contains(args, b64(sha(cert.RawSubjectPublicKeyInfo))) {
		t.Errorf("%s", args)
	}
}
