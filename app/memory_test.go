package app_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kurir/app"
	"kurir/sandbox"
)

// TestNoMemoryForOneMore: the start is refused with the reason, in the answer already, and done when there is memory.
func TestNoMemoryForOneMore(t *testing.T) {
	var free atomic.Int64
	free.Store(8 << 30)
	g := openGateway(t, t.TempDir(), func(c *app.Config) { c.FreeMemory = func() (int64, error) { return free.Load(), nil } })
	in := g.newInstance("penuh")
	g.waitState(in.ID, "SCAN_QR_CODE")
	if a := g.call("POST", "/v1/instances/"+in.ID+"/stop", nil); !a.Status {
		t.Fatalf("stop: %+v", a)
	}
	free.Store(300_000_000)
	a := g.call("POST", "/v1/instances/"+in.ID+"/start", nil)
	var s status
	a.into(t, &s)
	const why = "memory is short: 300 MB are free"
	if !a.Status || s.State != "FAILED" || !strings.Contains(s.Reason, why) || !strings.Contains(s.Reason, "256 MB have to stay free (KURIR_MEMORY_RESERVE)") {
		t.Errorf("start: %+v %+v", a, s)
	}
	if s := g.waitState(in.ID, "FAILED"); !strings.Contains(s.Reason, why) {
		t.Errorf("%+v", s)
	}
	if left := chromiumsOf(t, g.dir); len(left) > 0 {
		t.Errorf("started all the same: %v", left)
	}
	free.Store(8 << 30)
	g.waitState(in.ID, "SCAN_QR_CODE")
}

// TestRecycledForItsMemory: an instance whose Chromium has grown beyond its budget is restarted when nothing is under
// way. What was accepted before, meanwhile and after is sent once each, in order.
func TestRecycledForItsMemory(t *testing.T) {
	w := &ward{gateway: openGateway(t, t.TempDir(), impatient, func(c *app.Config) {
		c.MemoryBudgetMB, c.Waits.Browser.Memory = 500, 200*time.Millisecond
		c.Waits.Browser.Send, c.Waits.Browser.Ack = 20*time.Second, 10*time.Second // the page stands still while it grows
	})}
	w.in = w.newInstance("gemuk")
	w.link(&w.in, sandbox.PhoneSpec{Number: "6281100000341", Name: "Toko Gemuk", Contacts: 5, Chats: 5, Messages: 20, Seed: 1})
	before := chromiumsOf(t, w.dir)
	customer := w.stranger()
	var ids, texts []string
	post := func(n int) {
		for range n {
			text := fmt.Sprintf("pesan %d", len(texts))
			ids, texts = append(ids, w.post(customer, text)), append(texts, text)
		}
	}
	lines := w.open()
	// One message is on its way while Chromium grows: it is not cut off.
	w.fault(sandbox.Fault{Name: sandbox.FaultAckDelay, Number: customer, DelayMS: 900, Count: 1})
	post(5)
	w.pageFault("memory", map[string]any{"mb": 600})
	post(5)
	eventually(t, func() string {
		if all := strings.Join(lines(), "\n"); !strings.Contains(all, "more than its budget of 500 MB (KURIR_MEMORY_BUDGET); it is restarted") {
			return "not recycled: " + all
		}
		return ""
	})
	post(5)
	for _, id := range ids {
		w.isSent(id)
	}
	w.once(customer, texts...)
	w.says("WORKING", "")
	inOrder(t, lines(), "more than its budget", "STARTING Chromium holds", "WORKING")
	for _, pid := range chromiumsOf(t, w.dir) {
		for _, old := range before {
			if pid == old {
				t.Errorf("Chromium %d runs on", pid)
			}
		}
	}
	for _, id := range ids {
		if m := w.message(id); m.Attempts > 1 {
			t.Errorf("a message was cut off: %+v", m)
		}
	}
	if all := strings.Join(lines(), "\n"); strings.Count(all, "STARTING Chromium holds") != 1 {
		t.Errorf("recycled more than once:\n%s", all)
	}
}
