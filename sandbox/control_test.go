package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// api calls the control API.
type api struct {
	t   *testing.T
	url string
	tr  *http.Transport
}

func control(t *testing.T) (*Server, *api) {
	s := open(t, Config{ControlAddr: "127.0.0.1:0"})
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return s, &api{t, s.ControlURL(), tr}
}

func (a *api) call(method, path string, body any, change ...func(*http.Request)) (status int, answer string) {
	a.t.Helper()
	var b []byte
	if body != nil {
		b, _ = json.Marshal(body)
	}
	req, err := http.NewRequestWithContext(soon(a.t), method, a.url+path, bytes.NewReader(b))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	resp, err := a.tr.RoundTrip(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func (a *api) want(method, path string, body, out any) {
	a.t.Helper()
	status, text := a.call(method, path, body)
	if status != http.StatusOK {
		a.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(text), out); err != nil {
			a.t.Fatal(err)
		}
	}
}

func TestControlRefusesOtherNames(t *testing.T) {
	_, a := control(t)
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:99": 200, "localhost:8081": 200, "[::1]:8081": 200,
		"evil.example": 403, "evil.example:8081": 403, "127.0.0.1.nip.io": 403, "10.0.0.1": 403, "": 400,
	} {
		if host == "" {
			continue
		}
		if status, text := a.call("GET", "/phones", nil, func(r *http.Request) { r.Host = host }); status != want {
			t.Errorf("Host %q: %d %s", host, status, text)
		}
	}
	// A page of the web cannot make a browser post, not even to localhost.
	status, _ := a.call("POST", "/phones", PhoneSpec{Number: owner}, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
	if status != http.StatusForbidden {
		t.Errorf("cross-site post: %d", status)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, cfg := range []Config{{Addr: "0.0.0.0:0"}, {Addr: ":0"}, {ControlAddr: "0.0.0.0:0"}, {ControlAddr: "[::]:0"}, {Addr: "x"}} {
		if s, err := Open(t.Context(), cfg); err == nil {
			_ = s.Close()
			t.Errorf("%+v was opened", cfg)
		}
	}
}

func TestControlAPI(t *testing.T) {
	s, a := control(t)
	var info struct {
		ChromiumArgs []string `json:"chromium_args"`
		SPKI         string   `json:"spki"`
	}
	a.want("GET", "/info", nil, &info)
	if len(info.ChromiumArgs) != 2 || !strings.Contains(info.ChromiumArgs[0], s.Addr()) || !strings.Contains(info.ChromiumArgs[1], info.SPKI) || info.SPKI == "" {
		t.Errorf("info %+v", info)
	}
	var phone Phone
	a.want("POST", "/phones", map[string]any{"number": "+" + owner, "name": "Toko Maju"}, &phone)
	if phone.WID != widOf(owner) || phone.Name != "Toko Maju" {
		t.Errorf("%+v", phone)
	}
	p := dial(t, s)
	var hello helloPair
	p.do("hello", helloArgs{}, &hello)
	a.want("POST", "/phones/"+owner+"/scan", map[string]string{"qr": qr(hello.Pair.Refs[0])}, nil)
	var paired pairedPush
	p.pushed("paired", &paired)
	p = login(t, s, paired.Device)

	m := text("6281200000001", "lewat HTTP")
	p.do("message", m, nil)
	var inbox []Received
	a.want("GET", "/phones/6281200000001/inbox?count=1&wait=20", nil, &inbox)
	if len(inbox) != 1 || inbox[0].Body != "lewat HTTP" {
		t.Errorf("%+v", inbox)
	}
	a.want("POST", "/phones/6281200000001/read", map[string]string{"chat": owner}, nil)
	var r receiptArgs
	for r.Type != "read" {
		p.pushed("receipt", &r)
	}
	var sent struct{ ID string }
	a.want("POST", "/phones/6281200000001/send", map[string]any{"to": owner, "body": "balas", "data": []byte("isi"), "mimetype": "application/pdf", "filename": "a.pdf"}, &sent)
	var in WireMessage
	p.pushed("message", &in)
	if in.ID != sent.ID || in.Type != "document" || in.Media.Filename != "a.pdf" {
		t.Errorf("%+v", in)
	}
	if _, file := a.call("GET", "/phones/"+owner+"/inbox/1/file", nil); file != "isi" {
		t.Errorf("file %q", file)
	}
	var messages []WireMessage
	if a.want("GET", "/phones/"+owner+"/messages?chat=6281200000001@c.us", nil, &messages); len(messages) != 2 || messages[0].Ack != 3 {
		t.Errorf("messages %+v", messages)
	}

	a.want("POST", "/faults", Fault{Name: FaultHoldMessage, At: BeforeAck}, nil)
	n := p.ask("message", text("6281200000001", "tahan"))
	var held []Held
	if a.want("GET", "/held?wait=20", nil, &held); len(held) != 1 {
		t.Errorf("held %+v", held)
	}
	a.want("DELETE", "/faults", nil, nil)
	p.answer(n)
	a.want("POST", "/phones/"+owner+"/unlink", nil, nil)
	p.pushed("device_removed", nil)

	for _, bad := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"POST", "/phones", map[string]string{"number": "abc"}, 400},
		{"POST", "/phones", map[string]string{"numbr": owner}, 400},
		{"POST", "/phones", map[string]any{"number": owner, "chats": MaxChats + 1}, 400},
		{"POST", "/phones/" + owner + "/scan", map[string]string{"qr": "x"}, 400},
		{"POST", "/phones/" + owner + "/enter-code", map[string]string{"code": "ABCDEFGH"}, 404},
		{"POST", "/phones/6280000000000/unlink", nil, 404},
		{"POST", "/faults", map[string]string{"name": "x"}, 400},
		{"GET", "/phones/" + owner + "/inbox?wait=x", nil, 400},
		{"GET", "/nothing", nil, 404},
	} {
		if status, text := a.call(bad.method, bad.path, bad.body); status != bad.status {
			t.Errorf("%s %s: %d %s", bad.method, bad.path, status, text)
		}
	}
}
