package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience ends a test that would wait for ever; nothing is timed by it.
const patience = time.Minute

const owner = "6281234567890"

func open(t testing.TB, cfg Config) *Server {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// page is a websocket client that talks like the sandbox's page.
type page struct {
	t    testing.TB
	ws   *websocket.Conn
	http *http.Client
	n    int64

	mu      sync.Mutex
	frames  []frame // pushes not yet looked at
	answers map[int64]frame
	order   []frame // everything, in order
	changed chan struct{}
	err     error
}

type frame struct {
	N     int64           `json:"n"`
	OK    json.RawMessage `json:"ok"`
	Error *Error          `json:"error"`
	Op    string          `json:"op"`
	S     int64           `json:"s"`
	Args  json.RawMessage `json:"args"`
}

// client is an HTTP client for which the server is web.whatsapp.com, and which trusts its certificate by SPKI only
// as far as tests need: the test checks the hash elsewhere.
func client(t testing.TB, s *Server) *http.Client {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.Addr())
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the sandbox's certificate is its own
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func dial(t testing.TB, s *Server) *page {
	t.Helper()
	p := &page{t: t, http: client(t, s), answers: map[int64]frame{}, changed: make(chan struct{})}
	ws := socket(t, p.http)
	ws.SetReadLimit(-1)
	p.ws = ws
	done := make(chan struct{})
	go func() { defer close(done); p.read() }()
	t.Cleanup(func() { _ = ws.CloseNow(); <-done })
	return p
}

// socket opens the socket of a page, as its client does.
func socket(t testing.TB, client *http.Client) *websocket.Conn {
	t.Helper()
	ws, resp, err := websocket.Dial(soon(t), "wss://web.whatsapp.com/ws/chat", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body != nil { // Dial has taken it for the socket
		t.Error("the answer has a body beside the socket")
		_ = resp.Body.Close()
	}
	return ws
}

func (p *page) read() {
	for {
		_, data, err := p.ws.Read(context.Background())
		var f frame
		if err == nil {
			err = json.Unmarshal(data, &f)
		}
		p.mu.Lock()
		switch {
		case err != nil:
			p.err = err
		case f.Op != "":
			p.frames = append(p.frames, f)
			p.order = append(p.order, f)
		default:
			p.answers[f.N] = f
			p.order = append(p.order, f)
		}
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// wait asks f under the lock after every frame until it is satisfied.
func (p *page) wait(what string, f func() bool) {
	p.t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		ok, err, changed := f(), p.err, p.changed
		p.mu.Unlock()
		if ok {
			return
		}
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", what, err)
		}
		select {
		case <-changed:
		case <-limit:
			p.t.Fatalf("no %s", what)
		}
	}
}

// heard is what has come so far, in order.
func (p *page) heard() []frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.order)
}

// closed waits until the server has ended the connection.
func (p *page) closed() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.err == nil {
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(patience):
			p.t.Error("the connection stays open")
		}
		p.mu.Lock()
	}
}

// ask sends a request without waiting for its answer.
func (p *page) ask(op string, args any) int64 {
	p.t.Helper()
	p.n++
	b, _ := json.Marshal(map[string]any{"n": p.n, "op": op, "args": args})
	if err := p.ws.Write(soon(p.t), websocket.MessageText, b); err != nil {
		p.t.Fatal(err)
	}
	return p.n
}

func (p *page) answer(n int64) frame {
	p.t.Helper()
	var f frame
	p.wait("answer", func() bool {
		var ok bool
		f, ok = p.answers[n]
		return ok
	})
	return f
}

// do sends a request and reads its ok into out.
func (p *page) do(op string, args, out any) {
	p.t.Helper()
	f := p.answer(p.ask(op, args))
	if f.Error != nil {
		p.t.Fatalf("%s: %v", op, f.Error)
	}
	if out != nil {
		if err := json.Unmarshal(f.OK, out); err != nil {
			p.t.Fatal(err)
		}
	}
}

// pushed waits for the next push of that kind and reads its args.
func (p *page) pushed(op string, out any) frame {
	p.t.Helper()
	var got frame
	p.wait("push "+op, func() bool {
		for i, f := range p.frames {
			if f.Op == op {
				got = f
				p.frames = append(p.frames[:i:i], p.frames[i+1:]...)
				return true
			}
		}
		return false
	})
	if out != nil {
		if err := json.Unmarshal(got.Args, out); err != nil {
			p.t.Fatal(err)
		}
	}
	return got
}

func key32() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

func qr(ref string) string { return strings.Join([]string{ref, key32(), key32(), key32(), "1"}, ",") }

// pair says hello without a device and has the phone scan the QR.
func pair(t testing.TB, s *Server, number string) wireDevice {
	t.Helper()
	p := dial(t, s)
	var hello helloPair
	p.do("hello", helloArgs{Platform: "web", Version: "2.3000"}, &hello)
	if err := s.Scan(number, qr(hello.Pair.Refs[0])); err != nil {
		t.Fatal(err)
	}
	var paired pairedPush
	p.pushed("paired", &paired)
	return paired.Device
}

// login connects a linked device.
func login(t testing.TB, s *Server, d wireDevice) *page {
	t.Helper()
	p := dial(t, s)
	var ok helloSuccess
	p.do("hello", helloArgs{Device: &d, Platform: "web", Version: "2.3000"}, &ok)
	if ok.Success.DBKey == "" || ok.Success.WID == "" {
		t.Fatalf("no success: %+v", ok)
	}
	return p
}

// linked makes a phone and a page that is linked to it.
func linked(t testing.TB, s *Server) (*page, wireDevice) {
	t.Helper()
	if _, err := s.CreatePhone(PhoneSpec{Number: owner, Name: "Toko Maju"}); err != nil {
		t.Fatal(err)
	}
	d := pair(t, s, owner)
	p := login(t, s, d)
	p.pushed("offline", nil)
	return p, d
}

func text(to, body string) WireMessage {
	return WireMessage{ID: NewMessageID(), Chat: widOf(to), FromMe: true, Type: "chat", Body: body}
}

// upload encrypts a file as a page does and returns what goes into the message.
func (p *page) upload(kind string, data []byte) *WireMedia {
	p.t.Helper()
	var host mediaConnOK
	p.do("media_conn", none{}, &host)
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	keys, err := expandKeys(kind, key)
	if err != nil {
		p.t.Fatal(err)
	}
	sealed, err := newSealer(bytes.NewReader(data), keys)
	if err != nil {
		p.t.Fatal(err)
	}
	cipher, err := io.ReadAll(sealed)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.post(host.UploadPath+"/"+kind+"?auth="+host.Auth, cipher)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct {
		DirectPath string `json:"direct_path"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("upload: %v %v", resp.Status, err)
	}
	return &WireMedia{
		Mimetype: "application/pdf", Filename: "faktur.pdf", Size: int64(len(data)), MediaKey: base64.StdEncoding.EncodeToString(key),
		FileSHA256: b64(sha(data)), FileEncSHA256: b64(sha(cipher)), DirectPath: out.DirectPath,
	}
}

func (p *page) get(path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(soon(p.t), http.MethodGet, "https://web.whatsapp.com"+path, nil)
	if err != nil {
		return nil, err
	}
	return p.http.Do(req)
}

func (p *page) post(path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(soon(p.t), http.MethodPost, "https://web.whatsapp.com"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return p.http.Do(req)
}

func wantCode(t testing.TB, err error, code int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("error %v, want code %d", err, code)
	}
}
