package browser

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// life is the state machine over one Chromium, from its launch to its end. Only the run's goroutine touches it:
// signals of the engine and results of calls come in through the inbox, time through deadlines.
type life struct {
	*run
	engine engine
	inbox  *queue[any] // signal or result
	calls  sync.WaitGroup
	leave  func() // gives the place among the starting sessions back; nil when given
	settle func() // says that Chromium has taken its memory; nil when said

	doc       *document
	seq       int        // of the last event of this document
	page      *pageState // the last state of this document; nil until there is one
	caps      map[string]Capability
	elsewhere bool // this document is not WhatsApp's
	qrSeen    bool // this document has shown a linking code

	unlinked   bool   // this Chromium has seen the page without a link, so a link that appears is fresh
	saved      bool   // the link is on disk
	logoutWhy  string // the page said that it was logged out
	loggedOut  bool
	bridgeless bool        // the page was loaded again because it had no bridge, and has told nothing since
	misses     int         // heartbeats in a row without an answer
	pinged     int         // seq as the page said at the heartbeat before
	crashes    []time.Time // of the renderer
	begun      time.Time   // of this document
	broken     time.Time   // since when there is no connection; zero: there is one
	outgrown   int64       // how many bytes Chromium holds, when it has outgrown its budget
	takebacks  []time.Time // when the page was loaded again because WhatsApp had ended its connection

	busy map[string]bool      // calls of the machine's own that are under way, by name
	at   map[string]time.Time // deadlines by name; see due
	end  *ending
}

// result is the outcome of a call that the machine made itself.
type result struct {
	name  string
	doc   *document
	value any
	err   error
}

func newLife(r *run) *life {
	return &life{run: r, inbox: newQueue[any](), saved: true, busy: map[string]bool{}, at: map[string]time.Time{}}
}

// live runs one Chromium until it is lost, logged out or the session is stopped.
func (l *life) live() ending {
	ctx, cancel := l.untilStop()
	defer cancel()
	if err := l.launch(ctx); err != nil {
		l.admitted()
		return ending{reason: err.Error(), failed: true}
	}
	l.load()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for l.end == nil {
		select {
		case <-l.stop:
			l.end = &ending{reason: errStopped.Error()}
			continue
		case <-l.inbox.wake:
			for _, m := range l.inbox.take() {
				l.handle(m)
			}
		case <-timer.C:
		}
		l.due()
		l.show()
		timer.Reset(l.sleep())
	}
	l.finish()
	return *l.end
}

// launch takes the profile and starts Chromium on it.
func (l *life) launch(ctx context.Context) (err error) {
	if l.profile == nil {
		if l.profile, err = openProfile(l.cfg.ProfileDir, l.log); err != nil {
			return err
		}
	}
	if l.leave, err = l.admit(); err != nil {
		return err
	}
	if l.settle, err = l.cfg.Memory.enter(); err != nil {
		return err
	}
	l.set(func(st *Status) { st.State, st.Reason = StateStarting, l.why("starting Chromium") })
	l.engine, err = l.open(ctx, func(s signal) { l.inbox.put(s) })
	return err
}

// admitted lets the next session start.
func (l *life) admitted() {
	if l.leave != nil {
		l.leave()
		l.leave = nil
	}
	if l.settle != nil {
		l.settle()
		l.settle = nil
	}
}

// finish ends the calls and the Chromium, in this order: calls hang on a Chromium that is frozen.
func (l *life) finish() {
	l.admitted()
	cause := errLost
	if l.stopped() {
		cause = errStopped
	}
	l.setDocument(nil, cause)
	l.closeEngine(l.engine)
	l.calls.Wait()
}

// over ends this life; the first reason stands.
func (l *life) over(e ending) {
	if l.end == nil {
		l.end = &e
	}
}

// load navigates. Everything known of the document before is void.
func (l *life) load() {
	l.begin()
	l.at["load"] = time.Now().Add(l.timing.load)
	l.at["beat"] = time.Now().Add(l.timing.heartbeat)
	l.do("load", l.timing.load, func(ctx context.Context) (any, error) { return nil, l.engine.load(ctx) })
}

// begin makes a new document the one that calls go to.
func (l *life) begin() {
	ctx, end := context.WithCancelCause(context.Background())
	l.doc = &document{engine: l.engine, ctx: ctx, end: end, tell: l.inbox.put}
	l.setDocument(l.doc, errLost)
	l.seq, l.page, l.caps, l.qrSeen, l.misses, l.pinged = 0, nil, nil, false, 0, 0
	l.elsewhere = false
	l.begun, l.broken = time.Now(), time.Time{}
	l.setQR(QR{})
	clear(l.busy)
	clear(l.at)
}

// do makes a call in the background; its result comes through the inbox. One call of a name at a time.
func (l *life) do(name string, limit time.Duration, call func(ctx context.Context) (any, error)) {
	if l.busy[name] {
		return
	}
	l.busy[name] = true
	doc := l.doc
	l.calls.Go(func() {
		ctx, cancel := context.WithTimeout(doc.ctx, limit)
		defer cancel()
		v, err := call(ctx)
		l.inbox.put(result{name: name, doc: doc, value: v, err: err})
	})
}

// ask calls a method of the bridge in the background.
func (l *life) ask(method string, limit time.Duration) {
	l.do(method, limit, func(ctx context.Context) (any, error) {
		answer, err := l.engine.call(ctx, method, nil)
		if err == nil && answer.Error != nil {
			err = fmt.Errorf("%s: %s %s", method, answer.Error.Code, answer.Error.Message)
		}
		return answer.OK, err
	})
}

// due does what its time has come for.
func (l *life) due() {
	now := time.Now()
	past := func(name string) bool {
		t, set := l.at[name]
		if set && !now.Before(t) {
			delete(l.at, name)
			return true
		}
		return false
	}
	if past("beat") {
		l.at["beat"] = now.Add(l.timing.heartbeat)
		if !l.busy["load"] {
			l.ask("ping", l.timing.heartbeat*9/10) // answered or not before the next one
		}
	}
	if past("reload") {
		l.load()
	}
	if past("takeback") {
		l.log.Warn("the page does not look for a connection by itself; it is loaded again")
		l.takebacks = append(l.takebacks, now)
		l.load()
	}
	if past("memory") {
		l.do("memory", l.timing.heartbeat, func(ctx context.Context) (any, error) { return l.engine.memory(ctx) })
	}
	if past("ack") {
		l.stillUnacked()
	}
	if past("load") {
		l.over(ending{reason: fmt.Sprintf("WhatsApp Web did not come up within %s", l.timing.load), failed: true})
	}
	if past("saveBy") {
		// What Chromium closes in order it writes in order: the sure way, only slower.
		l.over(ending{reason: "saving the link by closing Chromium", planned: true})
	}
	if past("logout") || l.loggedOut {
		l.over(ending{reason: "logged out", loggedOut: true})
	}
	past("show") // only wakes
}

// sleep returns the time until the next deadline.
func (l *life) sleep() time.Duration {
	next := time.Hour
	for name, t := range l.at {
		switch name {
		case "probe", "save", "reachAt", "lookAt": // only say how soon again; show asks
			continue
		}
		next = min(next, time.Until(t))
	}
	return max(next, 0)
}
