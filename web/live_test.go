package web

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
)

// listen opens an event stream and returns what it sends, event by event; comments are events too. The channel is
// closed when the stream ends.
func (d *desk) listen(path string) (events <-chan string, leave func()) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.server.URL+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") ||
		resp.Header.Get("Cache-Control") != "no-store" {
		d.t.Fatalf("%s: %d %v", path, resp.StatusCode, resp.Header)
	}
	ch := make(chan string, 100)
	go func() {
		defer close(ch)
		var event strings.Builder
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if lines.Text() != "" {
				event.WriteString(strings.TrimPrefix(lines.Text(), "data: ") + "\n")
				continue
			}
			select {
			case ch <- event.String():
			case <-ctx.Done():
				return
			}
			event.Reset()
		}
	}()
	d.t.Cleanup(cancel)
	return ch, cancel
}

func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case e, open := <-events:
		if !open {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event came")
	}
	return ""
}

// targets are the elements that an event replaces.
func targets(event string) []string {
	var all []string
	for part := range strings.SplitSeq(event, `<hx-partial hx-target="#`) {
		if target, _, ok := strings.Cut(part, `"`); ok && strings.Contains(part, "</hx-partial>") {
			all = append(all, target)
		}
	}
	return all
}

func expect(t *testing.T, events <-chan string, want ...string) string {
	t.Helper()
	e := next(t, events)
	if diff := cmp.Diff(want, targets(e)); diff != "" {
		t.Fatalf("the event replaces (-want +got):\n%s\n%s", diff, e)
	}
	return e
}

func TestListIsLive(t *testing.T) {
	t.Parallel()
	d := newDesk(t,
		View{ID: "inst_1", Name: "Toko", Status: browser.Status{State: browser.StateStarting}},
		View{ID: "inst_2", Name: "Klinik", Status: browser.Status{State: browser.StateStopped}}).signIn()
	events, _ := d.listen("/console/events")
	if e := expect(t, events, "list"); !strings.Contains(e, "Toko") || !strings.Contains(e, "Klinik") {
		t.Errorf("the first event is %s", e)
	}
	d.instances.become("inst_1", browser.Status{State: browser.StateWorking, Phone: "6281234567890", Pushname: "Budi"})
	e := expect(t, events, "card-inst_1", "announce")
	if !strings.Contains(e, "Connected") || !strings.Contains(e, "Toko: Connected: Budi: ") {
		t.Errorf("the new state: %s", e)
	}
	d.instances.tell("inst_1") // nothing new: the next event is of the next change
	if _, _, err := d.instances.Create(t.Context(), "Baru", false); err != nil {
		t.Fatal(err)
	}
	expect(t, events, "list")
	if err := d.instances.Delete(t.Context(), "inst_1"); err != nil {
		t.Fatal(err)
	}
	if e := expect(t, events, "list"); strings.Contains(e, "Toko") {
		t.Error("a deleted instance is still listed")
	}
}

func TestInstanceIsLive(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Status: browser.Status{State: browser.StateStarting}},
		View{ID: "inst_2", Name: "Klinik"}).signIn()
	events, _ := d.listen("/console/events?instance=inst_1")
	expect(t, events, "head", "panel")
	d.instances.showQR("inst_2", qrTwo, time.Minute) // not looked at here
	d.instances.showQR("inst_1", qrOne, time.Minute)
	d.instances.become("inst_1", browser.Status{State: browser.StateScanQR})
	if e := expect(t, events, "head", "panel", "announce"); !strings.Contains(e, `data-left="`) {
		t.Errorf("no code in %s", e)
	}
	d.instances.showQR("inst_1", qrTwo, 20*time.Second)
	if e := expect(t, events, "qr"); strings.Contains(e, "pairing") || strings.Contains(e, qrTwo) {
		t.Errorf("a new code brings more than the picture: %s", e)
	}
	d.instances.become("inst_1", browser.Status{State: browser.StateWorking, Pushname: hostile, Phone: "6281234567890"})
	e := expect(t, events, "head", "panel", "announce")
	if strings.Contains(e, "<svg class=\"qr\"") || strings.Contains(e, "<script>") || !strings.Contains(e, "&lt;script&gt;") {
		t.Errorf("linked: %s", e)
	}
	if err := d.instances.Delete(t.Context(), "inst_1"); err != nil {
		t.Fatal(err)
	}
	if e := expect(t, events, "panel"); !strings.Contains(e, "was deleted") {
		t.Errorf("deleted: %s", e)
	}
}

func TestStreamPingsAndHealsALostNotice(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Status: browser.Status{State: browser.StateStarting}}).signIn()
	d.console.ping = 5 * time.Millisecond
	events, _ := d.listen("/console/events")
	expect(t, events, "list")
	if e := next(t, events); e != ": ping\n" {
		t.Fatalf("a quiet stream sends %q", e)
	}
	d.instances.mu.Lock()
	d.instances.views[0].Status.State = browser.StateFailed // and nobody is told
	d.instances.mu.Unlock()
	waitFor(t, "the state that nobody was told of", func() bool {
		e := next(t, events)
		return strings.Contains(e, "Not working")
	})
}

func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(d *desk, leave func()){
		"the reader leaves": func(_ *desk, leave func()) { leave() },
		"kurir shuts down":  func(d *desk, _ func()) { d.console.Close(); d.console.Close() },
		"signed out elsewhere": func(d *desk, _ func()) {
			d.post("/logout", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, View{ID: "inst_1", Name: "Toko"}).signIn()
			d.console.ping = 5 * time.Millisecond
			events, leave := d.listen("/console/events")
			expect(t, events, "list")
			end(d, leave)
			waitFor(t, "the end of the subscription", func() bool { return d.instances.subscribers() == 0 })
			for range events { // until it is closed
			}
		})
	}
}
