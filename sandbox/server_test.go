package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func sha(b []byte) []byte   { s := sha256.Sum256(b); return s[:] }
func b64(b []byte) string   { return base64.StdEncoding.EncodeToString(b) }
func hexed(b []byte) string { return hex.EncodeToString(b) }

func TestLinkBySendAndReceive(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	if err := s.WaitLinked(soon(t), owner); err != nil {
		t.Fatal(err)
	}
	m := text("6281200000001", "Selamat pagi")
	var ok messageOK
	n := p.ask("message", m)
	if err := json.Unmarshal(p.answer(n).OK, &ok); err != nil || ok.T == 0 || ok.Chat != m.Chat {
		t.Fatalf("ack %+v %v", ok, err)
	}
	var r receiptArgs
	p.pushed("receipt", &r)
	if r.Type != "delivery" || r.Chat != m.Chat || !slices.Equal(r.IDs, []string{m.ID}) {
		t.Errorf("receipt %+v", r)
	}
	inbox, err := s.Inbox("6281200000001")
	if err != nil || len(inbox) != 1 || inbox[0].Body != "Selamat pagi" || inbox[0].From != widOf(owner) || inbox[0].N != 1 || inbox[0].Copies != 1 || inbox[0].ID != m.ID {
		t.Fatalf("inbox %+v %v", inbox, err)
	}
	if err := s.Read("6281200000001", owner); err != nil {
		t.Fatal(err)
	}
	p.pushed("receipt", &r)
	if r.Type != "read" || !slices.Equal(r.IDs, []string{m.ID}) {
		t.Errorf("receipt %+v", r)
	}
	// The acknowledgement comes before any receipt.
	for _, f := range p.heard() {
		if f.Op == "receipt" {
			t.Error("a receipt came before the acknowledgement")
		}
		if f.N == n {
			break
		}
	}
}

func TestSameIDIsDeliveredOnce(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	m := text("6281200000001", "sekali saja")
	var first, again messageOK
	p.do("message", m, &first)
	p.do("message", m, &again)
	if first != again {
		t.Errorf("acks differ: %+v %+v", first, again)
	}
	p = login(t, s, d)
	p.do("message", m, &again)
	inbox, err := s.Inbox("6281200000001")
	if err != nil || len(inbox) != 1 || inbox[0].Copies != 3 {
		t.Errorf("inbox %+v %v", inbox, err)
	}
}

func TestOfflineQueue(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	_ = p.ws.CloseNow()
	if err := s.await(soon(t), func() bool { return s.world.findDevice(d.ID).conn == nil }); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"satu", "dua"} { // with who it is that writes: three pushes
		if err := s.SendFrom("6281200000001", owner, Message{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	p = login(t, s, d)
	var a, b WireMessage
	p.pushed("message", &a)
	p.pushed("message", &b)
	var off struct{ Count int }
	p.pushed("offline", &off)
	if a.Body != "satu" || b.Body != "dua" || off.Count != 3 || a.FromMe || a.Chat != "6281200000001@c.us" {
		t.Errorf("%+v %+v %+v", a, b, off)
	}
	// What it has got is not sent again.
	p = login(t, s, d)
	p.pushed("offline", &off)
	if off.Count != 0 {
		t.Errorf("%d pushes came twice", off.Count)
	}
}

func TestReplacedConnection(t *testing.T) {
	s := open(t, Config{})
	old, d := linked(t, s)
	fresh := login(t, s, d)
	old.pushed("replaced", nil)
	old.closed()
	fresh.do("ping", none{}, nil)
}

func TestJournalSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	p, d := linked(t, s)
	_ = p.ws.CloseNow()
	if err := s.await(soon(t), func() bool { return s.world.findDevice(d.ID).conn == nil }); err != nil {
		t.Fatal(err)
	}
	p = login(t, s, d)
	m := text("6281200000001", "sebelum mati")
	p.do("message", m, nil)
	_ = p.ws.CloseNow()
	if err := s.await(soon(t), func() bool { return s.world.findDevice(d.ID).conn == nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.SendFrom("6281200000002", owner, Message{Body: "menunggu"}); err != nil {
		t.Fatal(err)
	}
	spki := s.id.spki
	// A copy of the folder as it is now is what a SIGKILL leaves, with half a line as if it struck during a write.
	killed := killedCopy(t, dir)
	for round := range 2 { // the second start reads what the first has compacted
		again, err := Open(t.Context(), Config{Dir: killed})
		if err != nil {
			t.Fatal(err)
		}
		if again.id.spki != spki {
			t.Error("the TLS key changed")
		}
		inbox, err := again.Inbox("6281200000001")
		if err != nil || len(inbox) != 1 || inbox[0].ID != m.ID {
			t.Errorf("round %d: inbox %+v %v", round, inbox, err)
		}
		if round == 1 {
			p := login(t, again, d)
			var w WireMessage
			p.pushed("message", &w)
			if w.Body != "menunggu" {
				t.Errorf("waiting message %+v", w)
			}
			p.do("message", m, nil)
			if inbox, _ = again.Inbox("6281200000001"); len(inbox) != 1 || inbox[0].Copies != 2 {
				t.Errorf("after the kill the same id was delivered again: %+v", inbox)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwoServersDoNotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	open(t, Config{Dir: dir})
	if s, err := Open(t.Context(), Config{Dir: dir}); err == nil {
		_ = s.Close()
		t.Error("a second server opened the same folder")
	}
}

func TestMedia(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		s := open(t, Config{Dir: dir})
		p, d := linked(t, s)
		data := make([]byte, 300_001)
		for i := range data {
			data[i] = byte(i * i) //nolint:gosec // a small number of the test, which fits
		}
		m := text("6281200000001", "Faktur bulan ini")
		m.Type, m.Media = "document", p.upload("document", data)
		p.do("message", m, nil)
		inbox, err := s.Inbox("6281200000001")
		if err != nil || len(inbox) != 1 {
			t.Fatal(inbox, err)
		}
		r := inbox[0]
		if r.SHA256 != hexed(sha(data)) || r.Size != int64(len(data)) || r.MediaError != "" || r.Caption != "Faktur bulan ini" || r.Body != "" ||
			r.Filename != "faktur.pdf" || r.Mimetype != "application/pdf" {
			t.Errorf("received %+v", r)
		}
		var plain strings.Builder
		if err := s.WriteFile(&plain, "6281200000001", 1); err != nil || plain.String() != string(data) {
			t.Errorf("file: %d bytes, %v", plain.Len(), err)
		}
		broken := *m.Media
		broken.MediaKey = key32()
		bad := text("6281200000001", "")
		bad.Type, bad.Media = "document", &broken
		p.do("message", bad, nil)
		if inbox, err = s.Inbox("6281200000001"); err != nil || inbox[1].MediaError == "" || inbox[1].SHA256 != "" {
			t.Errorf("a wrong key was not noticed: %+v %v", inbox[1], err)
		}
		_ = d
	}
}

func TestFileFromAPhone(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	data := []byte("isi gambar")
	if err := s.SendFrom("6281200000001", owner, Message{Body: "lihat", Mimetype: "image/png", Data: data}); err != nil {
		t.Fatal(err)
	}
	var m WireMessage
	p.pushed("message", &m)
	if m.Type != "image" || m.Media == nil || m.Pushname == "" {
		t.Fatalf("%+v", m)
	}
	req, _ := http.NewRequestWithContext(soon(t), http.MethodGet, "https://web.whatsapp.com"+m.Media.DirectPath, nil)
	resp, err := p.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var plain strings.Builder
	if _, err := decryptFile(&plain, resp.Body, resp.ContentLength, "image", *m.Media); err != nil || plain.String() != string(data) {
		t.Errorf("%q %v", plain.String(), err)
	}
}

func TestUploadNeedsAToken(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	for _, auth := range []string{"", "x", s.uploadToken("6281200000001:AAAA"), s.uploadToken(d.ID) + "A"} {
		resp, err := p.post(uploadPath+"/image?auth="+auth, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("auth %q: %s", auth, resp.Status)
		}
	}
}

func TestScanRefusesWhatIsNoQR(t *testing.T) {
	s := open(t, Config{RefLifetimes: []time.Duration{time.Hour, time.Hour}})
	p := dial(t, s)
	var hello helloPair
	p.do("hello", helloArgs{}, &hello)
	ref := hello.Pair.Refs[0]
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for _, text := range []string{
		"", ref, strings.Join([]string{ref, key32(), key32(), key32()}, ","), strings.Join([]string{ref, key32(), key32(), key32(), ""}, ","),
		strings.Join([]string{ref, short, key32(), key32(), "1"}, ","), strings.Join([]string{ref, key32(), "!", key32(), "1"}, ","),
	} {
		wantCode(t, s.Scan(owner, text), 400)
	}
	wantCode(t, s.Scan(owner, qr("2@other")), 404)
	if err := s.Scan(owner, qr(ref)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Scan(owner, qr(ref)), 404) // used up
}

func TestExpiredReference(t *testing.T) {
	s := open(t, Config{})
	p := dial(t, s)
	var hello helloPair
	p.do("hello", helloArgs{}, &hello)
	if len(hello.Pair.Refs) != 6 || !slices.Equal(hello.Pair.TTLsMS, []int64{60000, 20000, 20000, 20000, 20000, 20000}) {
		t.Errorf("refs %+v", hello.Pair.TTLsMS)
	}
	s.mu.Lock()
	for c := range s.conns {
		c.pairing.expires[0] = time.Now().Add(-time.Minute)
	}
	s.mu.Unlock()
	wantCode(t, s.Scan(owner, qr(hello.Pair.Refs[0])), 404)
	var fresh refsOK
	p.do("refs", none{}, &fresh)
	wantCode(t, s.Scan(owner, qr(hello.Pair.Refs[1])), 404)
	if err := s.Scan(owner, qr(fresh.Refs[0])); err != nil {
		t.Error(err)
	}
}

func TestPairingCode(t *testing.T) {
	s := open(t, Config{})
	p := dial(t, s)
	p.do("hello", helloArgs{Platform: "web"}, nil)
	p.do("pairing_code", map[string]string{"phone": owner, "code": "ABCD1234"}, nil)
	wantCode(t, s.EnterCode(owner, "ABCD-1235"), 404)
	wantCode(t, s.EnterCode("6281200000009", "ABCD-1234"), 404)
	if err := s.EnterCode(owner, "abcd-1234"); err != nil {
		t.Fatal(err)
	}
	var paired pairedPush
	p.pushed("paired", &paired)
	login(t, s, paired.Device)
}

func TestFourDevices(t *testing.T) {
	s := open(t, Config{})
	var pages []*page
	for range maxDevices {
		pages = append(pages, login(t, s, pair(t, s, owner)))
	}
	p := dial(t, s)
	var hello helloPair
	p.do("hello", helloArgs{}, &hello)
	wantCode(t, s.Scan(owner, qr(hello.Pair.Refs[0])), 409)

	m := text("6281200000001", "dari perangkat pertama")
	pages[0].do("message", m, nil)
	for _, other := range pages[1:] {
		var echo WireMessage
		other.pushed("message", &echo)
		if echo.ID != m.ID || !echo.FromMe || echo.Ack != 1 {
			t.Errorf("echo %+v", echo)
		}
	}
	pages[0].do("ping", none{}, nil)
	for _, f := range pages[0].order {
		if f.Op == "message" {
			t.Error("a device got its own message back")
		}
	}
}

func TestUnlink(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	if err := s.Unlink(owner); err != nil {
		t.Fatal(err)
	}
	p.pushed("device_removed", nil)
	again := dial(t, s)
	f := again.answer(again.ask("hello", helloArgs{Device: &d}))
	if f.Error == nil || f.Error.Code != 401 {
		t.Errorf("hello of a removed device: %+v", f)
	}
	f = p.answer(p.ask("message", text("6281200000001", "x")))
	if f.Error == nil || f.Error.Code != 401 {
		t.Errorf("message of a removed device: %+v", f)
	}
}
