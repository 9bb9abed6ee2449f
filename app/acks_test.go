package app_test

import (
	"slices"
	"strings"
	"testing"

	"kurir/sandbox"
)

// kept checks what a phone keeps: each of these texts once, in this order. A page that is back sends what it holds under
// the same id again, so a text may have come more often; a phone keeps one of an id.
func (w *ward) kept(customer string, texts ...string) {
	w.t.Helper()
	var got []string
	for _, r := range w.inbox(customer, len(texts)) {
		got = append(got, r.Body+r.Caption)
	}
	if !slices.Equal(got, texts) {
		w.t.Errorf("the phone keeps %q, want %q", got, texts)
	}
}

// TestAcksThatDoNotCome is promise 4: the instance says what is wrong and what it did, nothing is called sent that was
// not acknowledged, nothing comes twice, and the queue goes on.
func TestAcksThatDoNotCome(t *testing.T) {
	t.Parallel() // waits most of its time
	w := openWard(t, "6281100000321", sandbox.PhoneSpec{Contacts: 2, Chats: 2, Messages: 5, Seed: 1})
	for _, c := range []struct {
		name  string
		fault sandbox.Fault
	}{
		// The page that was loaded again sends what it holds, and that is acknowledged.
		{"the first time only", sandbox.Fault{Name: sandbox.FaultNoAck, Count: 1}},
		// Still under way when the page goes; the answer to the first sending is lost.
		{"late", sandbox.Fault{Name: sandbox.FaultAckDelay, DelayMS: 4000, Count: 1}},
		// Not before Chromium was restarted.
		{"after the restart", sandbox.Fault{Name: sandbox.FaultNoAck, Count: 2}},
	} {
		w.run(t, c.name, func(t *testing.T, w *ward) {
			customer, f := w.stranger(), c.fault
			f.Number = customer
			w.fault(f)
			lines := w.open()
			id, behind := w.post(customer, "terlambat"), w.post(customer, "di belakang")
			w.isSent(id)
			w.isSent(behind)
			w.says("WORKING", "")
			want := []string{"DEGRADED WhatsApp has not acknowledged", "STARTING", "WORKING"}
			if f.Count == 2 {
				want = slices.Insert(want, 2, "restarted Chromium")
			}
			inOrder(t, lines(), want...)
			w.kept(customer, "terlambat", "di belakang")
		})
	}
	w.run(t, "without a connection", func(t *testing.T, w *ward) {
		customer := w.stranger()
		w.fault(sandbox.Fault{Name: sandbox.FaultHoldMessage, At: sandbox.BeforeAck, Number: customer, Count: 1})
		lines := w.open()
		id := w.post(customer, "terputus")
		if _, err := w.sandbox().WaitHeld(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.fault(sandbox.Fault{Name: sandbox.FaultDropSocket, Seconds: 4})
		w.isSent(id)
		w.says("WORKING", "")
		inOrder(t, lines(), "DEGRADED no connection to WhatsApp", "WORKING")
		if all := strings.Join(lines(), "\n"); strings.Contains(all, "STARTING") {
			t.Errorf("the page was loaded for want of a connection:\n%s", all)
		}
		w.kept(customer, "terputus")
	})
	w.run(t, "never", neverAcked) // last: when the fault is gone the page sends it again, and an ack comes after all
}

func neverAcked(t *testing.T, w *ward) {
	customer, other := w.stranger(), w.stranger()
	w.fault(sandbox.Fault{Name: sandbox.FaultNoAck, Number: customer})
	lines := w.open()
	id, behind := w.post(customer, "tanpa balasan"), w.post(other, "di belakang")
	w.says("DEGRADED", "the queue waits for it")
	if m := w.message(id); m.State != "sending" {
		t.Errorf("%+v while there is no ack", m)
	}
	w.says("DEGRADED", "that one is still not acknowledged")
	w.nothing(other) // it waited
	w.waitMessage(id, "unknown")
	w.isSent(behind)
	w.says("WORKING", "")
	const silent = "WhatsApp has not acknowledged a message for 1s; "
	inOrder(t, lines(), "DEGRADED "+silent+"the queue waits for it; asking WhatsApp's server",
		"STARTING loading WhatsApp Web ("+silent,
		"DEGRADED "+silent+"the queue waits for it; asked WhatsApp's server: it answered in ",
		"STARTING "+silent+"the queue waits for it; asked WhatsApp's server: it answered in ",
		"STARTING loading WhatsApp Web ("+silent,
		"DEGRADED "+silent+"the queue waits for it; asked WhatsApp's server: it answered in ",
		"DEGRADED "+silent+"asked WhatsApp's server: it answered in ",
		"WORKING")
	if all := strings.Join(lines(), "\n"); strings.Count(all, "STARTING loading WhatsApp Web") != 2 {
		t.Errorf("the page was loaded more than twice:\n%s", all)
	}
	w.kept(other, "di belakang")
	w.kept(customer, "tanpa balasan")
}
