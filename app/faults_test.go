package app_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kurir/app"
	"kurir/browser"
	"kurir/outbox"
	"kurir/sandbox"
)

// The faults of the sandbox, and what kurir makes of each: the instance says what is wrong within 30 s, nothing is
// called sent that was not, nothing is sent twice, and the queue goes on when the fault ends.

// noticed is how long an instance may take to say what is wrong.
const noticed = 30 * time.Second

// impatient shortens kurir's waits, so that a test of a fault takes seconds.
func impatient(c *app.Config) {
	c.Waits = app.Waits{
		Outbox: outbox.Config{
			SendTimeout: 10 * time.Second, MaxAttempts: 3, BackoffMin: 50 * time.Millisecond, BackoffMax: 200 * time.Millisecond,
			LookEvery: 200 * time.Millisecond, AckWait: 2 * time.Second,
		},
		Browser: browser.Limits{Send: 3 * time.Second, Ack: time.Second, Grace: time.Second, Takeback: 2 * time.Second, Heartbeat: 3 * time.Second},
	}
}

// ward is a gateway with one linked instance, for faults.
type ward struct {
	*gateway
	in       instance
	customer int // the last that was made up
}

// openWard opens a gateway whose instance is linked; the sandbox is the test's own.
func openWard(t *testing.T, number string, spec sandbox.PhoneSpec) *ward {
	t.Helper()
	w := &ward{gateway: openGateway(t, t.TempDir(), impatient)}
	w.in = w.newInstance("gangguan")
	spec.Number, spec.Name = number, "Toko Gangguan"
	w.link(&w.in, spec)
	return w
}

// run is t.Run for a fault: before it the instance works, and after it the queue goes on.
func (w *ward) run(t *testing.T, name string, test func(t *testing.T, w *ward)) {
	t.Run(name, func(t *testing.T) {
		outer := w.t
		w.t = t
		defer func() { w.t = outer }()
		began := time.Now()
		test(t, w)
		w.sandbox().ClearFaults()
		w.goesOn()
		t.Logf("%s in %s", name, time.Since(began).Round(100*time.Millisecond))
	})
}

// stranger is a number that nobody has written to.
func (w *ward) stranger() string {
	w.customer++
	return fmt.Sprintf("62812555%05d", w.customer)
}

func (w *ward) fault(f sandbox.Fault) (clear func()) {
	w.t.Helper()
	id, err := w.sandbox().SetFault(f)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() { w.sandbox().ClearFault(id) }
}

func (w *ward) pageFault(name string, args map[string]any) {
	w.t.Helper()
	w.fault(sandbox.Fault{Name: sandbox.FaultPage, Page: name, Args: args})
}

// post accepts a text, or a file when content is not nil, and returns the message's id.
func (w *ward) post(customer, text string, content ...byte) string {
	w.t.Helper()
	path, fields := "/wa/send", map[string]any{"key": w.in.Key, "phone": customer, "body": text}
	if content != nil {
		path = "/wa/sendfile"
		fields["body"], fields["filename"], fields["caption"] = base64.StdEncoding.EncodeToString(content), "berkas.bin", text
	}
	a := w.wa(path, fields)
	if !a.Status {
		w.t.Fatalf("%s: %+v", path, a)
	}
	return a.ID
}

type sentMessage struct {
	State    string `json:"state"`
	Code     string `json:"code"`
	Detail   string `json:"detail"`
	Attempts int    `json:"attempts"`
}

func (w *ward) message(id string) (m sentMessage) {
	w.t.Helper()
	w.call("GET", "/v1/messages/"+id, nil).into(w.t, &m)
	return m
}

func (w *ward) waitMessage(id string, states ...string) (m sentMessage) {
	w.t.Helper()
	eventually(w.t, func() string {
		if m = w.message(id); slices.Contains(states, m.State) {
			return ""
		}
		return fmt.Sprintf("message is %+v, not %v; instance: %+v", m, states, w.status(w.in.ID))
	})
	return m
}

func (w *ward) isSent(id string) { w.t.Helper(); w.waitMessage(id, "sent", "delivered", "read") }

// says waits until the instance is in a state with these words as its reason, and no longer than it may take.
func (w *ward) says(state, words string) status {
	w.t.Helper()
	began := time.Now()
	var s status
	eventually(w.t, func() string {
		if s = w.status(w.in.ID); s.State == state && strings.Contains(s.Reason, words) {
			return ""
		}
		return fmt.Sprintf("instance is %s (%s), not %s (…%s…)", s.State, s.Reason, state, words)
	})
	if took := time.Since(began); took > noticed {
		w.t.Errorf("it took %s until %s", took, state)
	}
	return s
}

// leaves does what ends the page, and waits until the instance has left its state for it: it may be back by then.
func (w *ward) leaves(end func()) {
	w.t.Helper()
	before := w.status(w.in.ID).Since
	end()
	eventually(w.t, func() string {
		if s := w.status(w.in.ID); s.Since.After(before) {
			return ""
		}
		return "the instance has noticed nothing"
	})
}

// once checks that a phone got these texts, in this order, each once.
func (w *ward) once(customer string, texts ...string) []sandbox.Received {
	w.t.Helper()
	list := w.inbox(customer, len(texts))
	var got []string
	for _, r := range list {
		got = append(got, r.Body+r.Caption)
		if r.Copies != 1 {
			w.t.Errorf("%s came %d times", r.Body+r.Caption, r.Copies)
		}
	}
	if !slices.Equal(got, texts) {
		w.t.Errorf("the phone received %q, want %q", got, texts)
	}
	return list
}

// nothing checks that a phone got nothing.
func (w *ward) nothing(customer string) {
	w.t.Helper()
	if list, err := w.sandbox().Inbox(customer); err != nil || len(list) > 0 {
		w.t.Errorf("the phone received %+v %v", list, err)
	}
}

// goesOn checks that the queue is at work and the instance says so.
func (w *ward) goesOn() {
	w.t.Helper()
	customer := w.stranger()
	w.isSent(w.post(customer, "jalan terus"))
	w.once(customer, "jalan terus")
	if s := w.waitState(w.in.ID, "WORKING"); s.Reason != "" {
		w.t.Errorf("WORKING with a reason: %s", s.Reason)
	}
}

// TestFaultsOfASend are those that concern one message.
func TestFaultsOfASend(t *testing.T) {
	t.Parallel() // waits most of its time
	w := openWard(t, "6281100000301", sandbox.PhoneSpec{Contacts: 5, Chats: 5, Messages: 20, Seed: 1})
	w.run(t, "not on WhatsApp", func(t *testing.T, w *ward) {
		if m := w.waitMessage(w.post(notOnWhatsApp, "x"), "failed"); m.Code != "NOT_ON_WHATSAPP" || m.Attempts != 1 {
			t.Errorf("%+v", m)
		}
		w.nothing(notOnWhatsApp)
	})
	w.run(t, "never acknowledged", neverAcknowledged)
	w.run(t, "acknowledged late", acknowledgedLate)
	w.run(t, "refused for good", refusedForGood)
	w.run(t, "phone off", phoneOff)
	w.run(t, "existence unanswered", existenceUnanswered)
	w.run(t, "refused once", func(t *testing.T, w *ward) {
		customer := w.stranger()
		w.fault(sandbox.Fault{Name: sandbox.FaultSendError, Number: customer, Code: 503, Count: 1})
		id := w.post(customer, "sekali ditolak")
		second := w.post(customer, "yang kedua")
		w.isSent(id)
		w.isSent(second)
		w.once(customer, "sekali ditolak", "yang kedua")
	})
	w.run(t, "upload fails", uploadFails)
	w.run(t, "upload hangs", uploadHangs)
	w.run(t, "download gone", downloadGone)
	w.run(t, "restricted", restricted) // last: the page remembers it
}

// neverAcknowledged: the receiver has it, WhatsApp does not say so. It is unknown, not sent, and what waits behind it
// goes out, which shows that acks are back.
func neverAcknowledged(t *testing.T, w *ward) {
	const silent = "6281100000002"
	id, customer := w.post(silent, "tanpa balasan"), w.stranger()
	behind := w.post(customer, "di belakang")
	w.says("DEGRADED", "has not acknowledged a message for 1s")
	if m := w.message(id); m.State != "sending" {
		t.Errorf("%+v while there is no ack", m)
	}
	if m := w.waitMessage(id, "unknown"); m.Code != "SEND_TIMEOUT" || !strings.Contains(m.Detail, "may still send it") {
		t.Errorf("%+v", m)
	}
	w.isSent(behind)
	w.kept(silent, "tanpa balasan")
	w.once(customer, "di belakang")
}

// acknowledgedLate: after the attempt's limit. TestAcksThatDoNotCome shows what kurir says and does meanwhile.
func acknowledgedLate(t *testing.T, w *ward) {
	customer := w.stranger()
	w.fault(sandbox.Fault{Name: sandbox.FaultAckDelay, Number: customer, DelayMS: 4000, Count: 1})
	id, behind := w.post(customer, "terlambat"), w.post(customer, "di belakang")
	w.isSent(id)
	w.isSent(behind)
	w.kept(customer, "terlambat", "di belakang")
}

func refusedForGood(t *testing.T, w *ward) {
	for number, code := range map[string]string{"6281100000003": "error 500", "6281100000008": "error 429"} {
		m := w.waitMessage(w.post(number, "x"), "failed")
		if m.Code != "SEND_REJECTED" || m.Attempts != 3 || !strings.Contains(m.Detail, code) {
			t.Errorf("%s: %+v", code, m)
		}
		w.nothing(number)
	}
}

// phoneOff: WhatsApp has it and the receiver's phone does not: sent, and no more than that.
func phoneOff(t *testing.T, w *ward) {
	const off = "6281100000006"
	id, customer := w.post(off, "nanti saja"), w.stranger()
	behind := w.post(customer, "di belakang")
	w.waitMessage(behind, "delivered") // receipts are told in the order of the messages
	if m := w.message(id); m.State != "sent" {
		t.Errorf("%+v", m)
	}
	w.says("WORKING", "")
}

// existenceUnanswered: WhatsApp does not say whether the number exists. That is not "not on WhatsApp", nothing goes out,
// and the queue goes on.
func existenceUnanswered(t *testing.T, w *ward) {
	const mute = "6281100000007"
	id, customer := w.post(mute, "ada orang?"), w.stranger()
	behind := w.post(customer, "di belakang")
	m := w.waitMessage(id, "failed", "unknown")
	if m.State != "failed" || m.Code != "PAGE_TIMEOUT" || m.Attempts != 3 {
		t.Errorf("%+v", m)
	}
	w.nothing(mute)
	w.isSent(behind)
	w.once(customer, "di belakang")
}

func uploadFails(t *testing.T, w *ward) {
	file, customer := randomBytes(3, 50_000), w.stranger()
	w.fault(sandbox.Fault{Name: sandbox.FaultUploadFail, Count: 1})
	w.isSent(w.post(customer, "gagal sekali", file...))
	if got := w.once(customer, "gagal sekali"); got[0].SHA256 != sha(file) {
		t.Errorf("the phone received %+v", got)
	}
	w.fault(sandbox.Fault{Name: sandbox.FaultUploadFail})
	other := w.stranger()
	if m := w.waitMessage(w.post(other, "gagal terus", file...), "failed"); m.Code != "UPLOAD_FAILED" || m.Attempts != 3 {
		t.Errorf("%+v", m)
	}
	w.nothing(other)
}

// uploadHangs: the upload cannot be called off, so the page is loaded again; then the message is certainly not sent,
// and goes out under the same id.
func uploadHangs(t *testing.T, w *ward) {
	file, customer := randomBytes(4, 50_000), w.stranger()
	clear := w.fault(sandbox.Fault{Name: sandbox.FaultUploadHang})
	var id, behind string
	w.leaves(func() { id, behind = w.post(customer, "menggantung", file...), w.post(customer, "di belakang") })
	clear()
	w.isSent(id)
	w.isSent(behind)
	if got := w.once(customer, "menggantung", "di belakang"); got[0].SHA256 != sha(file) {
		t.Errorf("the phone received %+v", got)
	}
}

// downloadGone: a picture that arrived and is not to be had; reading goes on.
func downloadGone(t *testing.T, w *ward) {
	customer := w.stranger()
	w.fault(sandbox.Fault{Name: sandbox.FaultDownloadGone})
	for _, m := range []sandbox.Message{{Body: "lihat", Mimetype: "image/png", Data: pngBytes(t)}, {Body: "sudah?"}} {
		if err := w.sandbox().SendFrom(customer, w.in.Number, m); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() string {
		var list []struct{ Type, Body, Caption string }
		a := w.wa("/wa/messages", map[string]any{"key": w.in.Key, "phone": customer})
		if !a.Status {
			return fmt.Sprintf("messages: %+v", a)
		}
		a.into(t, &list)
		if len(list) == 2 && list[0].Type == "image" && list[0].Caption == "lihat" && list[1].Body == "sudah?" {
			return ""
		}
		return "messages: " + string(a.Data)
	})
	w.says("WORKING", "")
}

// restricted: WhatsApp lets the account write to nobody new. Those who have written are answered at once, first
// messages wait for the end that WhatsApp stated, and then all of them go out.
func restricted(t *testing.T, w *ward) {
	friend, first, second := w.stranger(), w.stranger(), w.stranger()
	if err := w.sandbox().SendFrom(friend, w.in.Number, sandbox.Message{Body: "halo toko"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if a := w.wa("/wa/messages", map[string]any{"key": w.in.Key, "phone": friend}); !strings.Contains(string(a.Data), "halo toko") {
			return "not arrived"
		}
		return ""
	})
	const lasts = 8
	w.fault(sandbox.Fault{Name: sandbox.FaultSendError, Number: first, Code: 463, UntilIn: lasts, Count: 1})
	began := time.Now()
	ids := []string{w.post(first, "pertama"), w.post(friend, "jawaban"), w.post(second, "kedua")}
	s := w.says("RESTRICTED", "only to people it has a conversation with, until 20")
	if left := time.Until(s.Until); left < 0 || left > lasts*time.Second {
		t.Errorf("restricted until %s", s.Until)
	}
	w.isSent(ids[1])
	w.once(friend, "jawaban")
	if m := w.waitMessage(ids[2], "scheduled"); time.Since(began) < (lasts-2)*time.Second && m.Code != "RESTRICTED" {
		t.Errorf("a first message: %+v", m)
	}
	w.nothing(first)
	w.nothing(second)
	w.says("WORKING", "")
	if took := time.Since(began); took < (lasts-2)*time.Second {
		t.Errorf("it ended after %s", took)
	}
	w.isSent(ids[0])
	w.isSent(ids[2])
	w.once(first, "pertama")
	w.once(second, "kedua")
}
