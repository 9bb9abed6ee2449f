package browser

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// run is a session from Start to Stop: one Chromium after the other, until it is stopped or logged out.
type run struct {
	*Session
	profile *profile // nil until its lock was taken
	events  *queue[Event]

	// The owner's, over the lives of several Chromiums.
	overdue  overdue
	recycled time.Time // when Chromium was restarted for its memory last

	stop    chan struct{}   // closed by Stop
	stopBy  context.Context //nolint:containedctx // set before stop is closed: the limit for an orderly end
	stopErr error           // set before done is closed
	done    chan struct{}   // closed when no process and no goroutine of the run is left
}

// ending says how the life of one Chromium ended.
type ending struct {
	reason    string // for people
	failed    bool   // it never got to a page: FAILED while waiting for the next attempt
	planned   bool   // kurir ended it for a reason of its own: no failure, the next one comes at once
	loggedOut bool   // stay down until somebody starts the session again
}

// loop is the owner of the session's state.
func (r *run) loop() {
	failures := 0
	for !r.stopped() {
		begun := time.Now()
		end := newLife(r).live()
		if r.stopped() || end.loggedOut {
			break
		}
		if time.Since(begun) > r.timing.stable {
			failures = 0
		}
		if end.planned {
			r.log.Info("Chromium is started again", "reason", end.reason)
			r.setQR(QR{})
			r.set(func(st *Status) {
				st.State, st.Reason, st.CanSend, st.Receiving = StateStarting, end.reason, false, false
			})
			continue
		}
		failures++
		state := StateStarting
		if end.failed || failures > 2 {
			state = StateFailed
		}
		r.log.Warn("the session's Chromium is lost", "reason", end.reason, "failures", failures)
		r.setQR(QR{})
		r.set(func(st *Status) { st.State, st.Reason, st.CanSend, st.Receiving = state, end.reason, false, false })
		r.pause(r.backoff(failures))
	}
	if !r.stopped() { // logged out: nothing runs, and nothing will by itself
		r.releaseProfile()
		<-r.stop
	}
	r.releaseProfile()
	r.emptyDownloads()
	r.setQR(QR{})
	r.set(func(st *Status) { *st = Status{State: StateStopped} })
	r.events.put(Event{}) // the last one: deliver ends and closes done
}

func (r *run) releaseProfile() {
	if r.profile != nil {
		r.profile.release()
		r.profile = nil
	}
}

// deliver hands events to the listener until the end of the run.
func (r *run) deliver() {
	defer close(r.done)
	for range r.events.wake {
		for _, e := range r.events.take() {
			if e.Type == "" {
				return
			}
			if r.cfg.OnEvent != nil {
				r.cfg.OnEvent(e)
			}
		}
	}
}

func (r *run) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// pause waits, or less when the session is stopped.
func (r *run) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.stop:
	}
}

// backoff is the wait before the next attempt: the first comes at once (Chromium does die for no lasting
// reason), later ones ever later and spread, so that instances that failed together do not start together.
func (r *run) backoff(failures int) time.Duration {
	if failures <= 1 {
		return r.timing.backoffMin / 10
	}
	d := r.timing.backoffMax
	if shift := failures - 2; shift < 16 {
		d = min(d, r.timing.backoffMin<<shift)
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // spread, no secret
}

// admit waits for a place among the sessions that are starting; the returned function gives it back.
func (r *run) admit() (leave func(), err error) {
	if r.cfg.Launches == nil {
		return func() {}, nil
	}
	select {
	case r.cfg.Launches <- struct{}{}:
		return func() { <-r.cfg.Launches }, nil
	case <-r.stop:
		return nil, errStopped
	}
}

// untilStop returns a context that ends when the session is stopped.
func (r *run) untilStop() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		select {
		case <-r.stop:
			cancel(errStopped)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// closeEngine ends Chromium in order, within the limit that Stop was given when it is a stop.
func (r *run) closeEngine(e engine) {
	ctx := context.Background()
	stopping := r.stopped()
	if stopping {
		ctx = r.stopBy
	}
	if err := e.close(ctx); err != nil {
		r.log.Warn("Chromium did not leave in order; what it had not written is lost", "err", err)
		if stopping {
			r.stopErr = errors.Join(r.stopErr, err)
		}
	}
}
