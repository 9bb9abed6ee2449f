package webhook

import (
	"context"
	"log/slog"
	"time"

	"kurir/events"
	"kurir/models"
	"kurir/problem"
)

// lookAgain bounds how long a worker sleeps without looking: a safety net, no wake is known to get lost.
const lookAgain = time.Minute

// eventGone is the failure of a delivery that waited for longer than events are kept.
const eventGone = "the event is no longer kept"

// diskPause is how long a worker waits when the database cannot be read or written.
const diskPause = time.Second

// worker delivers to one webhook, from one goroutine that starts calls and waits for them. It ends when there is
// nothing to deliver.
type worker struct {
	d    *Dispatcher
	id   string
	log  *slog.Logger
	wake chan struct{} // 1 slot
	done chan ended

	// Only the goroutine uses these.
	flying map[int64]struct{} // deliveries in flight
	caller *caller            // nil: not known yet. Neither a webhook's instance nor whether that is a sandbox ever changes
	streak int                // failures since the last success
	rest   time.Time          // nothing is started before
}

// ended is the end of a call.
type ended struct {
	id int64
	ok bool
}

func newWorker(d *Dispatcher, id string) *worker {
	return &worker{
		d: d, id: id, log: d.cfg.Log.With("webhook", id), wake: make(chan struct{}, 1), done: make(chan ended),
		flying: map[int64]struct{}{},
	}
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) run() {
	for {
		again := w.turn()
		if len(w.flying) == 0 && (w.closing() || again < 0) {
			if w.d.leave(w) {
				return
			}
			continue // the wake that leave took is of something that turn had not seen
		}
		w.wait(again)
	}
}

// turn starts what may be started and returns when to look again; negative: there is nothing to wait for.
func (w *worker) turn() time.Duration {
	now := time.Now()
	lanes := w.lanes()
	switch {
	case w.closing():
		return -1
	case now.Before(w.rest):
		return w.rest.Sub(now)
	case len(w.flying) >= lanes:
		return lookAgain
	}
	hook, err := w.d.db.Webhook(w.d.ctx, w.id)
	if problem.CodeOf(err) == problem.NotFound || err == nil && !hook.Enabled {
		return -1
	}
	var due []models.Due
	if err == nil {
		due, err = w.d.db.DueDeliveries(w.d.ctx, w.id, now, lanes, w.flying)
	}
	if err == nil && len(due) > 0 && w.caller == nil {
		w.caller, err = w.d.caller(w.d.ctx, hook)
	}
	if err != nil {
		w.log.Error("look for deliveries", "err", err)
		return diskPause
	}
	for _, delivery := range due {
		if len(w.flying) >= lanes {
			break
		}
		w.flying[delivery.ID] = struct{}{}
		go w.deliver(hook, w.caller, delivery)
	}
	if len(w.flying) >= lanes {
		return lookAgain
	}
	next, ok, err := w.d.db.NextDelivery(w.d.ctx, w.id, now)
	switch {
	case err != nil:
		w.log.Error("look for deliveries", "err", err)
		return diskPause
	case !ok:
		return -1
	}
	return min(max(time.Until(next), 0), lookAgain)
}

// lanes is how many calls may be under way. A receiver that fails at everything gets one at a time, and time between
// them: it is more likely to come back, and kurir has other work.
func (w *worker) lanes() int {
	if w.streak >= w.d.cfg.Lanes {
		return 1
	}
	return w.d.cfg.Lanes
}

// wait returns after a wake, the end of a call, or the given time (negative: no limit).
func (w *worker) wait(limit time.Duration) {
	var after <-chan time.Time
	if limit >= 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		after = t.C
	}
	closing := w.d.closing
	if w.closing() {
		closing = nil // seen; only the calls under way are waited for
	}
	select {
	case <-w.wake:
	case e := <-w.done:
		delete(w.flying, e.id)
		if w.streak++; e.ok {
			w.streak = 0
		}
		if w.streak >= w.d.cfg.Lanes {
			w.rest = time.Now().Add(w.d.cfg.Breath)
		}
	case <-after:
	case <-closing:
	}
}

func (w *worker) closing() bool {
	select {
	case <-w.d.closing:
		return true
	default:
		return false
	}
}

// deliver makes one call and writes down what came of it.
func (w *worker) deliver(hook models.Webhook, c *caller, due models.Due) {
	a := answer{failure: eventGone}
	if due.Event != nil {
		a = w.d.post(w.d.ctx, c, hook, events.Wrap(*due.Event))
	}
	if w.d.ctx.Err() == nil { // else it was cut off, which says nothing about the receiver
		w.store(due, a)
	}
	w.done <- ended{due.ID, a.ok()}
}

// store does not give up while the disk is full: else the same event would be sent again and again.
func (w *worker) store(due models.Due, a answer) {
	at := time.Now()
	t := models.Attempt{
		ID: due.ID, State: models.DeliveryDelivered, At: at, NextAt: at, Status: a.status, Error: a.failure, Response: a.snippet, Latency: a.latency,
	}
	switch {
	case due.Event == nil:
		t.State = models.DeliveryFailed
	case !a.ok():
		t.Judge = w.d.verdict(at, a.failure)
		t.Asked = a.retryAfter > 0
		pause, again := w.d.cfg.pause(due.Attempts+1, a.retryAfter)
		switch {
		case due.LaterAt != nil: // brought forward: back to its place in the schedule
			t.State, t.Extra, t.NextAt = models.DeliveryPending, true, at.Add(max(due.LaterAt.Sub(at), w.d.cfg.Schedule[0], a.retryAfter))
		case again:
			t.State, t.NextAt = models.DeliveryPending, at.Add(pause)
		default:
			t.State = models.DeliveryFailed
			w.log.Warn("a delivery is given up", "delivery", due.ID, "attempts", due.Attempts+1, "err", a.failure)
		}
	}
	for {
		err := w.d.db.FinishAttempt(context.WithoutCancel(w.d.ctx), t)
		if err == nil {
			return
		}
		w.log.Error("store an attempt to deliver", "delivery", due.ID, "err", err)
		timer := time.NewTimer(diskPause)
		select {
		case <-timer.C:
		case <-w.d.ctx.Done():
			timer.Stop()
			return
		}
	}
}
