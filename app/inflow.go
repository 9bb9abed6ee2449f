package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"kurir/browser"
	"kurir/events"
	"kurir/models"
	"kurir/problem"
)

const (
	inflowBatch = 200              // events of one write
	inflowMost  = 10_000           // events that wait; what comes beyond is found in the page later, see put
	markEvery   = 10 * time.Second // how often the mark is stored while events flow
	retryAfter  = time.Second      // when the log or the page refused
	maxCatchUps = 3                // failed ones in a row; then what comes is told without what came before
	againAfter  = 10 * time.Minute // when that is tried again
)

// page is what an inflow asks of WhatsApp Web. browser.Session is one.
type page interface {
	Changed(ctx context.Context, from time.Time) (browser.Changed, error)
	Backlog(ctx context.Context, chats []string, from, known time.Time) (list []browser.Event, done, cut int, err error)
	AskPresence(ctx context.Context, on bool) error
}

// inflow brings what happens on one instance's phone into the event log, in the order of each chat.
//
// Invariant: what comes while the page is not known to be complete waits until the catch-up has written down what came
// before it. The mark (models.Instance.HeardAt) never passes anything that is not in the log, so that whoever kills
// kurir at any moment takes nothing away: the page has it, and the next catch-up looks from the mark on.
//
// One goroutine writes; the session's goroutine puts and never waits.
type inflow struct {
	s    *Sessions
	id   string
	page page
	log  *slog.Logger
	stop context.CancelFunc
	done chan struct{}
	wake chan struct{} // one slot

	most                   int // the constants, but in tests
	retryAfter, againAfter time.Duration

	mu        sync.Mutex
	items     []item
	receiving bool
	since     time.Time // when it began to receive
	lost      bool      // something was dropped for want of room, and all that came since
	ask       bool      // the page is to be told whether presence is wanted
	due       int       // catch-ups that are due before the items
	heard     time.Time // the mark; zero: never linked
	from      time.Time // what is older is not told
	phone     string    // whose mark it is

	stored  time.Time // when the mark was stored last; of the goroutine only
	failed  int       // catch-ups in a row
	opening bool      // the catch-up is the one that begins receiving, not one for what was lost
	blind   bool      // the last catch-up failed: the mark stays where it is
	again   time.Time // when a catch-up that was given up is tried again; zero: none was
}

// item is an event of the page, or the place where a catch-up is due.
type item struct {
	event    browser.Event
	replayed bool
	catchUp  bool
}

func startInflow(s *Sessions, in models.Instance, p page) *inflow {
	f := newInflow(s, in, p)
	f.start()
	return f
}

func newInflow(s *Sessions, in models.Instance, p page) *inflow {
	f := &inflow{
		s: s, id: in.ID, page: p, log: s.log.With("instance", in.ID), stop: func() {},
		done: make(chan struct{}), wake: make(chan struct{}, 1), phone: in.Phone, most: inflowMost, retryAfter: retryAfter, againAfter: againAfter,
	}
	if in.HeardAt != nil {
		f.heard = *in.HeardAt
	}
	if in.HeardFrom != nil {
		f.from = *in.HeardFrom
	}
	return f
}

func (f *inflow) start() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() {
		defer close(f.done)
		f.run(ctx)
	}()
}

// close ends the inflow and waits for it. What waits is not written: it is found again.
func (f *inflow) close() {
	f.stop()
	<-f.done
}

// inflowOf returns the inflow of an instance that runs; the session that calls outlives it by its last events only.
func (s *Sessions) inflowOf(id string) *inflow {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inflows[id]
}

// put takes an event of the page. When there is no room it is dropped, and so is all that follows until there is, so that
// nothing is told before what came before it: the page has the messages and what was done to them, and a catch-up behind
// what waits finds them. What the page keeps nothing of is lost then: presence, and acks of messages that were not sent
// through kurir. With KURIR_CATCH_UP=0 all of it is.
func (f *inflow) put(e browser.Event) {
	if f == nil {
		return
	}
	f.mu.Lock()
	switch {
	case f.lost:
	case len(f.items) >= f.most:
		f.lost = true
		f.log.Warn("more happens than is written down; what comes now is looked for in the page later", "waiting", len(f.items))
	case e.Type == browser.EventMissed:
		f.items = append(f.items, item{catchUp: true})
	default:
		f.items = append(f.items, item{event: e, replayed: !f.receiving})
	}
	f.mu.Unlock()
	f.tell()
}

func (f *inflow) tell() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// state takes the session's state: whether the page receives, and whose phone it is linked to.
func (f *inflow) state(ctx context.Context, st browser.Status) {
	if f == nil {
		return
	}
	f.linkedTo(ctx, st.Phone)
	f.mu.Lock()
	if st.Receiving && !f.receiving {
		f.due++
		if f.since = st.Since; st.State != browser.StateWorking {
			f.since = time.Now()
		}
		f.ask = true // it may be another document
	}
	f.receiving = st.Receiving
	f.mu.Unlock()
	f.tell()
}

// linkedTo starts the mark of a number that was not linked before: from now on, or from as far back as is wanted.
func (f *inflow) linkedTo(ctx context.Context, phone string) {
	f.mu.Lock()
	known := phone == "" || !f.heard.IsZero() && f.phone == phone
	f.mu.Unlock()
	if known {
		return
	}
	from := time.Now().Add(-f.s.cfg.CatchUpFirst).UTC().Truncate(time.Second)
	if err := f.s.db.UpdateInstance(ctx, f.id, map[string]any{"heard_at": from, "heard_from": from, "phone": phone}); err != nil {
		f.log.Error("the mark of the event log is not stored", "err", err) // the next state tries again
		return
	}
	f.mu.Lock()
	f.heard, f.from, f.phone = from, from, phone
	f.mu.Unlock()
}

func (f *inflow) run(ctx context.Context) {
	for {
		again := f.step(ctx)
		if ctx.Err() != nil {
			return
		}
		if again {
			continue
		}
		var due <-chan time.Time
		if !f.again.IsZero() {
			due = time.After(time.Until(f.again))
		}
		select {
		case <-f.wake:
		case <-due:
			f.again = time.Time{}
			f.put(browser.Event{Type: browser.EventMissed})
		case <-ctx.Done():
			return
		}
	}
}

// step does what is next; false when there is nothing to do.
func (f *inflow) step(ctx context.Context) bool {
	f.mu.Lock()
	if f.lost && len(f.items) < f.most/2 {
		f.items, f.lost = append(f.items, item{catchUp: true}), false
	}
	n := 0
	for n < len(f.items) && n < inflowBatch && !f.items[n].catchUp {
		n++
	}
	ask := f.ask && f.receiving
	f.ask = f.ask && !ask
	batch, due, ready := f.items[:n:n], f.due, f.receiving && (f.due > 0 || len(f.items) > 0)
	f.mu.Unlock()
	if ask {
		f.askPresence(ctx)
	}
	if !ready {
		return false
	}
	var err error
	f.opening = due > 0
	switch {
	case due > 0:
		n, err = 0, f.catchUpOrNot(ctx)
	case n == 0:
		n, err = 1, f.catchUpOrNot(ctx)
	default:
		err = f.write(ctx, batch)
	}
	if err != nil {
		if ctx.Err() == nil {
			f.log.Warn("what happened is not in the event log yet", "waiting", len(batch), "err", err)
		}
		return rest(ctx, f.retryAfter)
	}
	f.mu.Lock()
	f.due -= due
	if f.items = f.items[n:]; len(f.items) == 0 {
		f.items = nil
	}
	f.mu.Unlock()
	return true
}

// write appends events that the page told, and moves the mark to the newest of their messages.
func (f *inflow) write(ctx context.Context, batch []item) error {
	payloads := make([]events.Payload, 0, len(batch))
	newest := int64(0)
	for _, it := range batch {
		if p := f.s.payload(ctx, f.id, it.event, it.replayed); p != nil {
			payloads = append(payloads, p)
		}
		if it.event.Type == browser.EventMessage {
			newest = max(newest, it.event.Message.Time)
		}
	}
	if _, err := f.s.events.Append(ctx, f.id, payloads...); err != nil {
		return err
	}
	return f.mark(ctx, newest, markEvery)
}

// mark moves the mark to a time of WhatsApp, and stores it when it was not for a while.
func (f *inflow) mark(ctx context.Context, newest int64, every time.Duration) error {
	to := time.Unix(newest, 0).UTC()
	if limit := time.Now().UTC(); to.After(limit) {
		to = limit // a clock that is wrong must not hide what comes later
	}
	f.mu.Lock()
	if to.After(f.heard) && !f.blind {
		f.heard = to
	}
	to = f.heard
	f.mu.Unlock()
	if newest == 0 || time.Since(f.stored) < every {
		return nil
	}
	if err := f.s.db.UpdateInstance(ctx, f.id, map[string]any{"heard_at": to}); err != nil {
		return err
	}
	f.stored = time.Now()
	return nil
}

// catchUpOrNot catches up; an error means that it is to be tried again. When the page is lost meanwhile the next state
// asks again. When it fails maxCatchUps times what comes is not held up any longer: it is told without what came before,
// the mark stays where it is, and the catch-up is tried again after againAfter, or when there is a cause before that.
func (f *inflow) catchUpOrNot(ctx context.Context) error {
	err := f.catchUp(ctx)
	if err == nil || ctx.Err() != nil {
		f.failed, f.again = 0, time.Time{}
		return ctx.Err()
	}
	f.blind = true
	f.mu.Lock()
	away := !f.receiving
	f.mu.Unlock()
	if code := problem.CodeOf(err); away || code == problem.SessionLost || code == problem.InstanceNotReady {
		return fmt.Errorf("catch up: %w", err)
	}
	if f.failed++; f.failed < maxCatchUps {
		return fmt.Errorf("catch up: %w", err)
	}
	f.failed, f.again = 0, time.Now().Add(f.againAfter)
	f.log.Error("what came while the page was away cannot be found; what comes now is told without it", "tries", maxCatchUps, "again", f.againAfter, "err", err)
	return nil
}

// rest waits; true when the wait was not cut short.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
