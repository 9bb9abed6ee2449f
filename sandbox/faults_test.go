package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"
)

func TestMagicNumbersAreValid(t *testing.T) {
	for _, m := range MagicNumbers() {
		n, err := phonenumbers.Parse("+"+m.Number, "ID")
		if err != nil || !phonenumbers.IsPossibleNumber(n) || !phonenumbers.IsValidNumber(n) {
			t.Errorf("%s (%s): %v", m.Number, m.Meaning, err)
		}
		if phonenumbers.GetNumberType(n) != phonenumbers.MOBILE {
			t.Errorf("%s is no mobile number", m.Number)
		}
	}
}

func TestMagicNumbers(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)

	var answer struct{ Users []usyncUser }
	p.do("usync", map[string]any{"wids": []string{"6281100000001@c.us", "6281200000001@s.whatsapp.net", "12@c.us", lidOf("6281200000001")}}, &answer)
	exists := []bool{}
	for _, u := range answer.Users {
		exists = append(exists, u.Exists)
	}
	if !slices.Equal(exists, []bool{false, true, false, true}) || answer.Users[1].WID != "6281200000001@c.us" || answer.Users[3].WID != "6281200000001@c.us" {
		t.Errorf("usync %+v", answer.Users)
	}
	refused := map[string]int{"6281100000001": 404, "6281100000003": 500, "6281100000005": 463, "6281100000008": 429}
	for number, code := range refused {
		f := p.answer(p.ask("message", text(number, "x")))
		if f.Error == nil || f.Error.Code != code {
			t.Errorf("%s: %+v", number, f)
		}
		if code == 463 && f.Error.Until < time.Now().Unix()+3000 {
			t.Errorf("463 until %d", f.Error.Until)
		}
		if inbox, _ := s.Inbox(number); len(inbox) != 0 {
			t.Errorf("%s got a message that was refused", number)
		}
	}

	silent := p.ask("message", text("6281100000002", "tanpa balasan"))
	late, begun := p.ask("message", text("6281100000004", "terlambat")), time.Now()
	off := text("6281100000006", "mati")
	p.do("message", off, nil) // answered while the two before it are not
	if _, err := s.WaitInbox(soon(t), "6281100000002", func(l []Received) bool { return len(l) == 1 }); err != nil {
		t.Error(err)
	}
	p.do("ping", none{}, nil)
	p.mu.Lock()
	_, gotSilent := p.answers[silent]
	_, gotLate := p.answers[late]
	p.mu.Unlock()
	if gotSilent || gotLate && time.Since(begun) < 5*time.Second {
		t.Errorf("acknowledged: silent %v, late %v", gotSilent, gotLate)
	}
	for _, f := range p.heard() {
		if f.Op == "receipt" && time.Since(begun) < 5*time.Second {
			t.Errorf("receipt %s", f.Args)
		}
	}
}

func TestAckDelay(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	const delay = 150 * time.Millisecond
	if _, err := s.SetFault(Fault{Name: FaultAckDelay, Number: "6281200000001", DelayMS: int(delay.Milliseconds()), Count: 1}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	p.do("message", text("6281200000001", "x"), nil)
	if took := time.Since(start); took < delay {
		t.Errorf("acknowledged after %v", took)
	}
	p.pushed("receipt", nil)
	if len(s.Faults()) != 0 {
		t.Errorf("the fault was for one message: %+v", s.Faults())
	}
}

func TestFaultScopeAndCount(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	id, err := s.SetFault(Fault{Name: FaultSendError, Number: "6281200000001", Account: owner, Code: 503, Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetFault(Fault{Name: FaultSendError, Account: "6289999999999"}); err != nil {
		t.Fatal(err)
	}
	code := func(number string) int {
		if f := p.answer(p.ask("message", text(number, "x"))); f.Error != nil {
			return f.Error.Code
		}
		return 0
	}
	got := []int{code("6281200000002"), code("6281200000001"), code("6281200000001"), code("6281200000001")}
	if !slices.Equal(got, []int{0, 503, 503, 0}) {
		t.Errorf("codes %v", got)
	}
	s.ClearFault(id)
	s.ClearFaults()
	if list := s.Faults(); len(list) != 0 {
		t.Errorf("left: %+v", list)
	}
	if code("6281100000003") != 500 {
		t.Error("a magic number lost its fault")
	}
	for _, f := range []Fault{{}, {Name: "x"}, {Name: FaultHoldMessage}, {Name: FaultHoldMessage, At: "x"}, {Name: FaultAckDelay}, {Name: FaultOpHang}, {Name: FaultPage}} {
		if _, err := s.SetFault(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func TestDropSocket(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	id, err := s.SetFault(Fault{Name: FaultDropSocket, Seconds: 600})
	if err != nil {
		t.Fatal(err)
	}
	p.closed()
	resp, err := p.get("/ws/chat")
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("not refused: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	s.ClearFault(id)
	dial(t, s)
}

func TestDropSocketOfOneAccount(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	other := login(t, s, pair(t, s, "6281200000005"))
	if _, err := s.SetFault(Fault{Name: FaultDropSocket, Account: owner, Seconds: 600}); err != nil {
		t.Fatal(err)
	}
	p.closed()
	again := dial(t, s)
	again.ask("hello", helloArgs{Device: &d})
	again.closed()
	other.do("ping", none{}, nil)
}

func TestPasskey(t *testing.T) {
	s := open(t, Config{})
	if _, err := s.SetFault(Fault{Name: FaultPasskey}); err != nil {
		t.Fatal(err)
	}
	p := dial(t, s)
	var hello helloPair
	p.do("hello", helloArgs{}, &hello)
	if err := s.Scan(owner, qr(hello.Pair.Refs[0])); err != nil {
		t.Fatal(err)
	}
	p.pushed("passkey", nil)
	if phone, _ := s.Phone(owner); len(phone.Devices) != 0 {
		t.Error("linked without the passkey")
	}
	s.ClearFaults()
	p.pushed("paired", nil)
}

// A link that waits for a passkey goes on when the fault's time is over, though nothing else happens.
func TestPasskeyForATime(t *testing.T) {
	s := open(t, Config{})
	if _, err := s.SetFault(Fault{Name: FaultPasskey, Seconds: 1}); err != nil {
		t.Fatal(err)
	}
	p := dial(t, s)
	var hello helloPair
	p.do("hello", helloArgs{}, &hello)
	if err := s.Scan(owner, qr(hello.Pair.Refs[0])); err != nil {
		t.Fatal(err)
	}
	p.pushed("paired", nil)
}

func TestRequestAndMediaFaults(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	media := p.upload("image", []byte("gambar"))
	set := func(f Fault) {
		t.Helper()
		if _, err := s.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	set(Fault{Name: FaultOpError, Op: "media_conn", Code: 507, Count: 1})
	if f := p.answer(p.ask("media_conn", none{})); f.Error == nil || f.Error.Code != 507 {
		t.Errorf("op_error: %+v", f)
	}
	set(Fault{Name: FaultOpHang, Op: "history", Count: 1})
	hanging := p.ask("history", none{})
	p.do("ping", none{}, nil)
	if _, ok := p.answers[hanging]; ok {
		t.Error("op_hang was answered")
	}
	var host mediaConnOK
	p.do("media_conn", none{}, &host)
	set(Fault{Name: FaultUploadFail, Code: 507, Count: 1})
	resp, err := p.post(host.UploadPath+"/image?auth="+host.Auth, []byte("x"))
	if err != nil || resp.StatusCode != http.StatusInsufficientStorage {
		t.Fatalf("upload_fail: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	set(Fault{Name: FaultDownloadGone, Count: 1})
	resp, err = p.get(media.DirectPath)
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Fatalf("download_gone: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	set(Fault{Name: FaultDownloadFail, Code: 503, Count: 1})
	resp, err = p.get(media.DirectPath)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("download_fail: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	set(Fault{Name: FaultUploadHang})
	// More than lies between the two: it is sent when the server takes it, and then it hangs there.
	body := &told{Reader: bytes.NewReader(make([]byte, 32<<20)), end: make(chan struct{})}
	req, err := http.NewRequestWithContext(soon(t), http.MethodPost, "https://web.whatsapp.com"+host.UploadPath+"/image?auth="+host.Auth, body)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		resp, err := p.http.Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("upload_hang was answered: %v", err)
	case <-body.end:
	}
	s.ClearFaults()
	if err := <-done; err == nil {
		t.Error("the hanging upload ended well")
	}
}

// told is a body that tells when it was read to its end.
type told struct {
	io.Reader
	once sync.Once
	end  chan struct{}
}

func (r *told) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil {
		r.once.Do(func() { close(r.end) })
	}
	return n, err
}

// TestPageStartFault: what a build has wrong comes with the page itself, for as long as the fault is set.
func TestPageStartFault(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	get := func() string {
		resp, err := p.get("/?post_logout=1")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if strings.Contains(get(), "faultsAtStart") {
		t.Error("a fault that is not set")
	}
	id, err := s.SetFault(Fault{Name: FaultPageStart, Page: "remove_module", Args: map[string]any{"module": "</script>"}})
	if err != nil {
		t.Fatal(err)
	}
	if page := get(); !strings.Contains(page, `<script>faultsAtStart=[{"name":"remove_module","args":{"module":"\u003c/script\u003e"}}]</script>`) {
		t.Errorf("page %s", page)
	}
	s.ClearFault(id)
	if strings.Contains(get(), "faultsAtStart") {
		t.Error("a fault that was cleared")
	}
	for _, f := range []Fault{{Name: FaultPage, Page: "nonsense"}, {Name: FaultPageStart}} {
		if _, err := s.SetFault(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

// TestReplacedFault: the page is told and let go; it can come back.
func TestReplacedFault(t *testing.T) {
	s := open(t, Config{})
	p, d := linked(t, s)
	if _, err := s.SetFault(Fault{Name: FaultReplaced, Account: owner}); err != nil {
		t.Fatal(err)
	}
	p.pushed("replaced", nil)
	p.closed()
	if list := s.Faults(); len(list) != 0 {
		t.Errorf("it stays: %+v", list)
	}
	login(t, s, d).do("ping", none{}, nil)
}

func TestPageFault(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	if _, err := s.SetFault(Fault{Name: FaultPage, Account: owner, Page: "freeze", Args: map[string]any{"ms": 5}}); err != nil {
		t.Fatal(err)
	}
	f := p.pushed("fault", nil)
	var got faultPush
	if err := json.Unmarshal(f.Args, &got); err != nil || got.Name != "freeze" || got.Args["ms"] != 5.0 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := s.SetFault(Fault{Name: FaultRemoveDevice, Account: owner}); err != nil {
		t.Fatal(err)
	}
	p.pushed("device_removed", nil)
}
