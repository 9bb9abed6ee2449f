package outbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

// world is a WhatsApp with a page that keeps what it was given, also when kurir dies. Its faults are drawn from rng
// until calm. It knows the truth that kurir has to find out.
type world struct {
	mu       sync.Mutex
	t        *testing.T
	rng      *rand.Rand
	calm     bool
	h        *house
	pending  map[string]bool // in the page, not on the wire
	arrived  map[string]int  // copies that reached the receiver
	order    []string        // ids as they arrived
	doubted  map[string]bool // ids that were unknown once: the queue went on without them
	attempts int
}

func (w *world) changed(m models.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.State == models.MessageUnknown {
		w.doubted[m.WAID] = true
	}
}

func (w *world) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return 0
	}
	return w.rng.IntN(n)
}

func (w *world) arrive(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pending, id)
	w.arrived[id]++
	w.order = append(w.order, id)
}

func (w *world) send(ctx context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
	w.mu.Lock()
	w.attempts++
	if w.pending[m.ID] || w.arrived[m.ID] > 0 {
		w.t.Errorf("%s (%s) was sent again, though the page has it", m.ID, m.Body)
	}
	w.mu.Unlock()
	time.Sleep(time.Duration(w.draw(20)) * time.Millisecond)
	switch w.draw(14) {
	case 1:
		return browser.Sent{}, problem.New(problem.SendRejected, "")
	case 2:
		return browser.Sent{}, problem.New(problem.InstanceNotReady, "")
	case 3:
		return browser.Sent{}, problem.New(problem.NotOnWhatsApp, "")
	case 4: // it never got so far
		return browser.Sent{}, problem.New(problem.SessionLost, "")
	case 5:
		return browser.Sent{}, problem.New(problem.PageError, "")
	case 6: // the page holds it
		w.mu.Lock()
		w.pending[m.ID] = true
		w.mu.Unlock()
		return browser.Sent{}, problem.New(problem.SessionLost, "")
	case 7: // it left, and the answer got lost
		w.arrive(m.ID)
		return browser.Sent{}, problem.New(problem.SendTimeout, "")
	case 8: // nothing happens until somebody gives up
		<-ctx.Done()
		return browser.Sent{}, ctx.Err()
	case 9: // it left, and nobody says so before somebody gives up
		w.arrive(m.ID)
		<-ctx.Done()
		return browser.Sent{}, ctx.Err()
	case 10: // the ack is faster than the result
		w.arrive(m.ID)
		if err := w.h.o.Ack(context.WithoutCancel(ctx), w.h.id, m.ID, 1+w.draw(3)); err != nil {
			w.t.Error(err)
		}
		time.Sleep(time.Millisecond)
		return browser.Sent{Ack: 1}, nil
	}
	w.arrive(m.ID)
	return browser.Sent{Ack: 1}, nil
}

func (w *world) lookup(id string, _ int) (browser.Presence, error) {
	switch w.draw(6) {
	case 1:
		return browser.Presence{Found: browser.FoundUnknown}, nil
	case 2:
		return browser.Presence{}, problem.New(problem.InstanceNotReady, "")
	}
	w.mu.Lock()
	held, there := w.pending[id], w.arrived[id] > 0
	w.mu.Unlock()
	if held && w.draw(2) == 0 { // it gets through by itself
		w.arrive(id)
		return present(1), nil
	}
	if held {
		return present(0), nil
	}
	if there {
		return present(1), nil
	}
	return absent, nil
}

func TestRandomWorld(t *testing.T) {
	t.Parallel()
	runs := 20
	if testing.Short() {
		runs = 10
	}
	count := map[models.MessageState]int{}
	attempts, restarts, doubted := 0, 0, 0
	for seed := range runs {
		synctest.Test(t, func(t *testing.T) {
			w, rows, again := randomRun(t, uint64(seed)) //nolint:gosec // a small number of the test, which fits
			for s, n := range w.check(rows) {
				count[s] += n
			}
			attempts, restarts, doubted = attempts+w.attempts, restarts+again, doubted+len(w.doubted)
			w.h.close()
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d runs, %d attempts, %d restarts, %d unknown for a while: %v", runs, attempts, restarts, doubted, count)
	if count[models.MessageSent] == 0 || count[models.MessageFailed] == 0 || restarts == 0 || doubted == 0 {
		t.Error("the world was too kind to prove anything")
	}
}

// randomRun lets messages in while the session comes and goes and kurir is killed, and then lets it all settle.
func randomRun(t *testing.T, seed uint64) (w *world, rows []models.Message, restarts int) {
	w = &world{t: t, rng: rand.New(rand.NewPCG(seed, 2)), pending: map[string]bool{}, arrived: map[string]int{}, doubted: map[string]bool{}} //nolint:gosec // chance that can be repeated is what is wanted
	cfg := Config{SendTimeout: 5 * time.Second, MaxLooks: 2, AckWait: 3 * time.Second, OnChange: w.changed}                                  // it gives up soon
	h := newHouse(t, cfg)
	w.h = h
	h.page.send, h.page.lookup = w.send, w.lookup
	for i := range 60 {
		switch w.draw(10) {
		case 1, 2, 3:
			h.o.SetReady(h.id, true)
		case 4:
			h.o.SetReady(h.id, false)
		case 5: // the end of kurir, in the middle of whatever it does
			now, cancel := context.WithCancel(context.Background())
			cancel()
			_ = h.o.Drain(now)
			h.start(cfg)
			restarts++
		}
		time.Sleep(time.Duration(w.draw(2000)) * time.Millisecond)
		rows = append(rows, h.enqueue(fmt.Sprint(i), func(m *models.Message) { m.Priority = 5 * w.draw(2) }))
	}
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	h.o.SetReady(h.id, true)
	for i, m := range rows {
		rows[i] = h.wait(m)
	}
	time.Sleep(10 * time.Minute) // the page can tell now: what is unknown does not stay so
	return w, rows, restarts
}

// check compares what kurir says with what happened.
func (w *world) check(rows []models.Message) map[models.MessageState]int {
	count := map[models.MessageState]int{}
	want := map[int][]string{} // by priority
	known := map[string]int{}
	for _, m := range rows {
		m = w.h.row(m)
		state := m.State
		switch copies := w.arrived[m.WAID]; m.State {
		case models.MessageSent, models.MessageDelivered, models.MessageRead:
			state = models.MessageSent
			if copies != 1 {
				w.t.Errorf("%s is %s and %d copies arrived", m.Body, m.State, copies)
			}
			if !w.doubted[m.WAID] {
				want[m.Priority] = append(want[m.Priority], m.WAID)
				known[m.WAID] = m.Priority
			}
		case models.MessageFailed:
			if copies != 0 {
				w.t.Errorf("%s is failed and %d copies arrived", m.Body, copies)
			}
		default:
			w.t.Errorf("%s is still %s", m.Body, m.State)
		}
		count[state]++
	}
	got := map[int][]string{}
	for _, id := range w.order {
		if p, ok := known[id]; ok {
			got[p] = append(got[p], id)
		}
	}
	for p := range want {
		if !slices.Equal(want[p], got[p]) {
			w.t.Errorf("priority %d: out of order\n%v\n%v", p, want[p], got[p])
		}
	}
	return count
}
