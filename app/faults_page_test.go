package app_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"kurir/app"
	"kurir/sandbox"
)

// TestFaultsOfThePage are those that concern the connection, the page and its process.
func TestFaultsOfThePage(t *testing.T) {
	t.Parallel() // waits most of its time
	w := openWard(t, "6281100000302", sandbox.PhoneSpec{Contacts: 5, Chats: 5, Messages: 20, Seed: 1})
	w.run(t, "socket down", socketDown)
	w.run(t, "replaced", func(t *testing.T, w *ward) {
		w.fault(sandbox.Fault{Name: sandbox.FaultReplaced})
		takenOver(w)
	})
	w.run(t, "second tab", func(t *testing.T, w *ward) {
		w.pageFault("second_tab", nil)
		takenOver(w)
	})
	w.run(t, "reload", func(t *testing.T, w *ward) {
		customer := w.stranger()
		w.pageFault("reload", nil)
		w.isSent(w.post(customer, "sesudah dimuat ulang"))
		w.once(customer, "sesudah dimuat ulang")
	})
	both := []string{sandbox.BeforeWire, sandbox.BeforeAck}
	for _, c := range []struct {
		what string
		at   []string
		do   func()
	}{
		{"reload", both, func() { w.pageFault("reload", nil) }},
		{"crash", both, func() { w.pageFault("crash", nil) }},
		{"Chromium killed", both, func() { killChromium(w.t, w.dir) }},
		{"Chromium stopped", both[:1], func() { stopChromium(w.t, w.dir) }}, // seconds until it is noticed
		{"renderer stopped", both[1:], func() { signalRenderers(w.t, w.dir, syscall.SIGSTOP) }},
	} {
		for _, at := range c.at {
			w.run(t, c.what+" "+at, func(t *testing.T, w *ward) { goneInTheMiddle(t, w, at, c.do) })
		}
	}
	w.run(t, "renderer killed", func(t *testing.T, w *ward) {
		customer := w.stranger()
		killRenderer(t, w.dir)
		w.isSent(w.post(customer, "sesudah mati"))
		w.once(customer, "sesudah mati")
	})
	w.run(t, "frozen", func(t *testing.T, w *ward) {
		customer := w.stranger()
		w.pageFault("freeze", map[string]any{"ms": 120_000})
		id := w.post(customer, "beku")
		eventually(t, func() string {
			if s := w.status(w.in.ID); s.State == "WORKING" || !strings.Contains(s.Reason, "did not answer 2 heartbeats") {
				return s.State + " " + s.Reason
			}
			return ""
		})
		w.isSent(id)
		w.once(customer, "beku")
	})
	w.run(t, "slow", func(t *testing.T, w *ward) {
		customer := w.stranger()
		w.pageFault("slow", map[string]any{"percent": 80, "ms": 4000})
		w.isSent(w.post(customer, "pelan"))
		w.isSent(w.post(customer, "sekali"))
		w.once(customer, "pelan", "sekali")
		w.says("WORKING", "")
	})
	w.run(t, "memory", func(t *testing.T, w *ward) {
		customer := w.stranger()
		w.pageFault("memory", map[string]any{"mb": 300})
		w.isSent(w.post(customer, "gemuk"))
		w.once(customer, "gemuk")
		w.says("WORKING", "")
	})
	const sending = "WAWebSendMsgChatAction"
	for page, args := range map[string]map[string]any{
		"remove_module": {"module": sending},
		"rename_module": {"module": sending, "to": sending + "V2"},
		"remove_export": {"module": sending, "export": "addAndSendMsgToChat"},
	} {
		w.run(t, page, func(t *testing.T, w *ward) { cannotSend(t, w, page, args) })
	}
	w.run(t, "module missing that only reading needs", otherModuleMissing)
	w.run(t, "_serialized renamed", serializedRenamed)
	w.run(t, "device removed", deviceRemoved) // last: it is another link after it
}

// socketDown: the connection is gone for some seconds, a message is on its way, and calls hang.
func socketDown(t *testing.T, w *ward) {
	customer := w.stranger()
	w.fault(sandbox.Fault{Name: sandbox.FaultDropSocket, Seconds: 4})
	id, behind := w.post(customer, "tanpa koneksi"), w.post(customer, "di belakang")
	w.says("DEGRADED", "no connection to WhatsApp")
	if m := w.message(id); m.State != "sending" && m.State != "queued" {
		t.Errorf("%+v without a connection", m)
	}
	if a := w.wa("/wa/chats", map[string]any{"key": w.in.Key}); !a.Status {
		t.Errorf("chats without a connection: %+v", a)
	}
	w.says("WORKING", "")
	w.isSent(id)
	w.isSent(behind)
	w.once(customer, "tanpa koneksi", "di belakang")
}

// takenOver: WhatsApp has given the connection to somebody else. Nothing on the page shows it but the stream; kurir
// says so, and takes it back.
func takenOver(w *ward) {
	customer := w.stranger()
	w.says("DEGRADED", "for another one that uses the same link")
	id := w.post(customer, "diambil alih")
	w.says("WORKING", "")
	w.isSent(id)
	w.once(customer, "diambil alih")
}

// goneInTheMiddle: the page goes away while WhatsApp's server holds a message. What the page had stored it sends again
// by itself under the same id; a receiver who had it keeps one.
func goneInTheMiddle(t *testing.T, w *ward, at string, do func()) {
	customer := w.stranger()
	w.fault(sandbox.Fault{Name: sandbox.FaultHoldMessage, At: at, Number: customer, Count: 1})
	id, behind := w.post(customer, "di tengah"), w.post(customer, "di belakang")
	held, err := w.sandbox().WaitHeld(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.leaves(do)
	if m := w.message(id); m.State != "sending" {
		t.Errorf("%+v before anybody knows", m)
	}
	w.sandbox().Release(held.MessageID)
	w.isSent(id)
	w.isSent(behind)
	list := w.inbox(customer, 2)
	if len(list) != 2 || list[0].Body != "di tengah" || list[1].Body != "di belakang" || list[0].ID == list[1].ID {
		t.Errorf("the phone received %+v", list)
	}
	if list[0].Copies != 1 && at == sandbox.BeforeWire {
		t.Errorf("it came %d times", list[0].Copies)
	}
}

// build has the page loaded again, as a build with something wrong.
func (w *ward) build(page string, args map[string]any) (mend func()) {
	w.t.Helper()
	clear := w.fault(sandbox.Fault{Name: sandbox.FaultPageStart, Page: page, Args: args})
	w.leaves(func() { w.pageFault("reload", nil) })
	return func() {
		w.t.Helper()
		clear()
		if a := w.call("POST", "/v1/instances/"+w.in.ID+"/restart", nil); !a.Status {
			w.t.Errorf("restart: %+v", a)
		}
		w.says("WORKING", "")
	}
}

// cannotSend: what sending needs is not where it was. The instance names what is missing, the rest works, and nothing
// is tried.
func cannotSend(t *testing.T, w *ward, page string, args map[string]any) {
	customer := w.stranger()
	mend := w.build(page, args)
	s := w.says("DEGRADED", "this WhatsApp Web cannot send: missing: ")
	if s.Capabilities["send_text"].OK || !s.Capabilities["chats"].OK || !s.Capabilities["state"].OK {
		t.Errorf("capabilities %+v", s.Capabilities)
	}
	id := w.post(customer, "menunggu versi baru")
	if a := w.wa("/wa/chats", map[string]any{"key": w.in.Key}); !a.Status || len(a.Data) < 100 {
		t.Errorf("chats: %+v", a)
	}
	if m := w.message(id); m.State != "queued" || m.Attempts != 0 {
		t.Errorf("%+v", m)
	}
	w.nothing(customer)
	mend()
	w.isSent(id)
	w.once(customer, "menunggu versi baru")
}

func otherModuleMissing(t *testing.T, w *ward) {
	mend := w.build("remove_module", map[string]any{"module": "WAWebDBMessageFindLocal"})
	s := w.says("WORKING", "")
	if s.Capabilities["messages"].OK || !s.Capabilities["send_text"].OK || !s.Capabilities["chats"].OK {
		t.Errorf("capabilities %+v", s.Capabilities)
	}
	customer := w.stranger()
	w.isSent(w.post(customer, "tanpa riwayat"))
	w.once(customer, "tanpa riwayat")
	mend()
}

// serializedRenamed: nothing that kurir needs depends on how the page calls the field.
func serializedRenamed(t *testing.T, w *ward) {
	customer := w.stranger()
	mend := w.build("rename_serialized", nil)
	if s := w.says("WORKING", ""); s.Phone != w.in.Number {
		t.Errorf("own number %q", s.Phone)
	}
	w.isSent(w.post(customer, "teks"))
	w.isSent(w.post(customer, "berkas", randomBytes(5, 1000)...))
	w.once(customer, "teks", "berkas")
	var chats []struct{ WID, Phone string }
	w.wa("/wa/chats", map[string]any{"key": w.in.Key}).into(t, &chats)
	if len(chats) == 0 || chats[0].WID != customer+"@c.us" || chats[0].Phone != customer {
		t.Errorf("chats %+v", chats)
	}
	for _, path := range []string{"/wa/contacts", "/wa/messages"} {
		if a := w.wa(path, map[string]any{"key": w.in.Key, "phone": customer}); !a.Status {
			t.Errorf("%s: %+v", path, a)
		}
	}
	mend()
}

// deviceRemoved: the phone ended the link. Messages wait until somebody links it again.
func deviceRemoved(t *testing.T, w *ward) {
	w.fault(sandbox.Fault{Name: sandbox.FaultRemoveDevice, Account: w.in.Number})
	customer := w.stranger()
	id := w.post(customer, "menunggu tautan")
	w.says("LOGGED_OUT", "the link to the phone was ended")
	if m := w.message(id); m.State != "queued" && m.State != "sending" {
		t.Errorf("%+v", m)
	}
	w.nothing(customer)
	if a := w.call("POST", "/v1/instances/"+w.in.ID+"/start", nil); !a.Status {
		t.Fatalf("start: %+v", a)
	}
	w.says("SCAN_QR_CODE", "")
	if err := w.sandbox().Scan(w.in.Number, w.qrText(w.in.ID)); err != nil {
		t.Fatal(err)
	}
	w.says("WORKING", "")
	w.isSent(id)
	w.once(customer, "menunggu tautan")
}

// TestFaultsOfLinking: nobody scans, and WhatsApp asks for a passkey.
func TestFaultsOfLinking(t *testing.T) {
	short := make([]time.Duration, 6)
	for i := range short {
		short[i] = 300 * time.Millisecond
	}
	world := openWorldWith(t, short)
	w := &ward{gateway: openGateway(t, t.TempDir(), impatient, func(c *app.Config) { c.SandboxControl = world.ControlURL() })}
	w.in = w.newInstance("tautan")
	w.says("SCAN_QR_CODE", "")
	seen, texts, states := time.Now(), map[string]bool{}, map[string]bool{}
	eventually(t, func() string { // more codes than a round has: kurir has asked for another round
		if qr, ok := w.qr(w.in.ID); ok {
			texts[qr] = true
		}
		states[w.status(w.in.ID).State] = true
		if len(texts) > 7 {
			return ""
		}
		return "only a round of codes"
	})
	if len(states) != 1 {
		t.Errorf("states while nobody scans: %v", states)
	}
	t.Logf("%d codes in %s", len(texts), time.Since(seen))

	id, err := world.SetFault(sandbox.Fault{Name: sandbox.FaultPasskey})
	if err != nil {
		t.Fatal(err)
	}
	w.in.Number = "6281100000303"
	if _, err := world.CreatePhone(sandbox.PhoneSpec{Number: w.in.Number, Name: "Toko Kunci"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { // a code may end while it is on its way
		qr, ok := w.qr(w.in.ID)
		if !ok {
			return "no code"
		}
		if err := world.Scan(w.in.Number, qr); err != nil {
			return err.Error()
		}
		return ""
	})
	w.says("PASSKEY_REQUIRED", "passkey")
	world.ClearFault(id)
	w.says("WORKING", "")
	customer := w.stranger()
	w.isSent(w.post(customer, "tertaut"))
	if got := waitInbox(t, world, customer, 1); len(got) != 1 || got[0].Copies != 1 {
		t.Errorf("the phone received %+v", got)
	}
}
