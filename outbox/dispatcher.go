package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"kurir/models"
	"kurir/problem"
)

// dispatcher sends the messages of one instance, from one goroutine.
type dispatcher struct {
	o    *Outbox
	id   string // of the instance
	out  Sender
	log  *slog.Logger
	wake chan struct{} // 1 slot: a wake is kept, further ones add nothing
	done chan struct{} // closed when the goroutine ended

	pacer    pacer
	ready    atomic.Bool
	back     atomic.Bool   // the page came back: it may know of unknown messages now
	stopping chan struct{} // closed: claim nothing more
	stopOnce sync.Once
	ctx      context.Context // of the attempts; cancelled when a stop may wait no longer
	cancel   context.CancelFunc

	// Only the goroutine uses these.
	resolved bool          // no row is `sending` that this goroutine does not know
	dueAt    time.Time     // when the head may be tried again
	holdAt   time.Time     // the session said "not ready" against the app's word: ask nothing before
	lookAt   time.Time     // when to see whether an unknown message is to be looked up again
	absences map[int64]int // looks in a row that did not find an unknown message, by seq
	receipts []receipts    // to be looked up since the page came back
}

func newDispatcher(o *Outbox, id string, s Sender) *dispatcher {
	d := &dispatcher{
		o: o, id: id, out: s, log: o.cfg.Log.With("instance", id),
		wake: make(chan struct{}, 1), done: make(chan struct{}), stopping: make(chan struct{}), absences: map[int64]int{},
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

func (d *dispatcher) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *dispatcher) setReady(ready bool) {
	if was := d.ready.Swap(ready); ready && !was {
		d.back.Store(true)
	}
	d.poke()
}

func (d *dispatcher) stop() { d.stopOnce.Do(func() { close(d.stopping) }) }

func (d *dispatcher) stopped() bool {
	select {
	case <-d.stopping:
		return true
	default:
		return false
	}
}

// wait returns when the goroutine ended. When ctx ends before, the attempt in flight is cancelled.
func (d *dispatcher) wait(ctx context.Context) error {
	defer d.cancel()
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		d.cancel()
		<-d.done
		return ctx.Err()
	}
}

// idle returns after a wake, a stop, or the given time (0: no limit).
func (d *dispatcher) idle(limit time.Duration) {
	var after <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-d.wake:
	case <-d.stopping:
	case <-after:
	}
}

// run takes and sends until it is stopped. A row that was claimed together with the outcome of the one before, and
// not tried yet, is carried from turn to turn.
func (d *dispatcher) run() {
	defer close(d.done)
	var claimed *models.Message
	for {
		switch {
		case claimed != nil && (d.stopped() || !d.ready.Load()):
			d.putBack(*claimed)
			claimed = nil
		case claimed != nil:
			claimed = d.attempt(*claimed)
		case d.stopped():
			return
		case !d.ready.Load():
			d.idle(0)
		case time.Until(d.holdAt) > 0:
			d.idle(time.Until(d.holdAt))
		case !d.resolved:
			d.recover()
		case !time.Now().Before(d.lookAt):
			d.reconsider()
		default:
			claimed = d.claim()
		}
	}
}

// claim takes the head among those that the pace lets go, or waits a little when there is nothing to take.
func (d *dispatcher) claim() *models.Message {
	limit := d.o.cfg.Poll
	least, until, ok := d.admits()
	if !ok {
		d.idle(limit)
		return nil
	}
	if least > models.PriorityLow {
		limit = min(limit, time.Until(until))
	}
	m, ok, err := d.o.db.Claim(d.ctx, d.id, least)
	switch {
	case ok:
		d.o.depths.add(d.id, m.Priority, -1)
		return &m
	case errors.Is(err, gorm.ErrDuplicatedKey): // a row is in flight that we do not know
		d.resolved = false
		return nil
	case err != nil:
		d.log.Error("claim", "err", err)
		d.idle(limit)
		return nil
	}
	if due := time.Until(d.dueAt); due > 0 {
		limit = min(limit, due)
	} else if least == models.PriorityLow {
		d.o.depths.recount(d.id) // nobody is held back: the queue is empty
	}
	d.idle(max(limit, time.Millisecond))
	return nil
}

// admits asks the pacer, which may need the day's counts from the database first.
func (d *dispatcher) admits() (least int, until time.Time, ok bool) {
	now := time.Now()
	if since, missing := d.pacer.limited(now); missing {
		sent, first, err := d.o.db.SentSince(d.ctx, d.id, since)
		if err != nil {
			d.log.Error("count the day's messages", "err", err)
			return 0, until, false
		}
		d.pacer.counted(now, sent, first)
	}
	least, until, _ = d.pacer.admits(now)
	return least, until, true
}

// expect says when a message that comes now, with so many before it, will leave; nil while that cannot be said.
func (d *dispatcher) expect(now time.Time, before, priority int) *time.Time {
	if !d.ready.Load() {
		return nil
	}
	return d.pacer.expect(now, before, priority)
}

// putBack returns a row that was claimed ahead and may not be tried now.
func (d *dispatcher) putBack(m models.Message) {
	out := models.Outcome{Seq: m.Seq, State: models.MessageQueued}
	if !d.ready.Load() {
		out.Code = string(problem.InstanceNotReady)
	}
	d.settle(m, out, false)
}

// recover resolves the row that is `sending` without anybody sending it: after a start, or after an attempt whose
// outcome is not known.
func (d *dispatcher) recover() {
	m, ok, err := d.o.db.InFlight(d.ctx, d.id)
	switch {
	case err != nil:
		d.log.Error("look for a message in flight", "err", err)
		d.idle(d.o.cfg.Poll)
	case ok:
		d.resolve(m)
	default:
		d.resolved = true
	}
}

// settle stores an outcome and tells those who wait for it. It does not give up while the disk is full or the
// database locked: what is known of the message is known here only. When the dispatcher is cancelled before it could
// be stored, the row stays `sending` and is resolved by a look after the next start.
func (d *dispatcher) settle(m models.Message, out models.Outcome, claimNext bool) (next *models.Message) {
	for {
		now, next, err := d.o.db.Settle(context.WithoutCancel(d.ctx), out, claimNext)
		if err == nil {
			if d.dueAt = out.RetryAt; now.State == models.MessageQueued {
				d.o.depths.add(d.id, now.Priority, 1)
			}
			if next != nil {
				d.o.depths.add(d.id, next.Priority, -1)
			}
			d.o.removeFile(now, m.FilePath)
			d.o.tell(now)
			return next
		}
		d.log.Error("store an outcome", "message", m.ID, "state", out.State, "err", err)
		t := time.NewTimer(d.o.cfg.Poll)
		select {
		case <-t.C:
		case <-d.ctx.Done():
			t.Stop()
			return nil
		}
	}
}
