package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
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

	doc    *document
	seq    int        // of the last event of this document
	page   *pageState // the last state of this document; nil until there is one
	caps   map[string]Capability
	qrSeen bool // this document has shown a linking code

	unlinked  bool   // this Chromium has seen the page without a link, so a link that appears is fresh
	saved     bool   // the link is on disk
	logoutWhy string // the page said that it was logged out
	loggedOut bool
	misses    int         // heartbeats in a row without an answer
	pinged    int         // seq as the page said at the heartbeat before
	crashes   []time.Time // of the renderer
	begun     time.Time   // of this document
	broken    time.Time   // since when there is no connection; zero: there is one

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
	l.set(func(st *Status) { st.State, st.Reason = StateStarting, "starting Chromium" })
	l.engine, err = l.open(ctx, func(s signal) { l.inbox.put(s) })
	return err
}

// admitted lets the next session start.
func (l *life) admitted() {
	if l.leave != nil {
		l.leave()
		l.leave = nil
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
	l.doc = &document{engine: l.engine, ctx: ctx, end: end}
	l.setDocument(l.doc, errLost)
	l.seq, l.page, l.caps, l.qrSeen, l.misses, l.pinged = 0, nil, nil, false, 0, 0
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

func (l *life) handle(m any) {
	switch m := m.(type) {
	case signal:
		switch m.kind {
		case signalEvent:
			l.event(m.text)
		case signalDocument:
			l.document(m.text)
		case signalCrash:
			l.crashed()
		case signalExit:
			l.over(ending{reason: "Chromium ended by itself"})
		}
	case result:
		if m.doc == l.doc { // else it is about a document that is gone
			l.busy[m.name] = false
			l.answer(m)
		}
	}
}

// document takes note of a new document: ours, one that the page went to by itself, or somebody else's.
func (l *life) document(address string) {
	loading, loadBy := l.busy["load"], l.at["load"]
	if strings.HasPrefix(address, "chrome-error:") {
		if !loading { // else the answer to our own navigation says why
			l.over(ending{reason: "WhatsApp Web could not be loaded again", failed: true})
		}
		return
	}
	l.begin()
	l.at["beat"] = time.Now().Add(l.timing.heartbeat)
	l.at["load"] = time.Now().Add(l.timing.load)
	if loading {
		l.at["load"] = loadBy
	}
	u, err := url.Parse(address)
	home, err2 := url.Parse(l.cfg.URL)
	switch {
	case err != nil || err2 != nil || u.Host != home.Host || u.Scheme != home.Scheme:
		l.log.Warn("the page went elsewhere; it is loaded again", "scheme", u.Scheme, "host", u.Host)
		l.at["load"] = time.Now().Add(l.timing.load)
		l.at["reload"] = time.Now().Add(l.timing.retry)
	case u.Query().Get("post_logout") != "":
		l.logout(u.Query().Get("logout_reason"))
		l.loggedOut = true
	}
}

// crashed answers the end of a renderer: the page is loaded again once, then Chromium is restarted.
func (l *life) crashed() {
	now := time.Now()
	recent := l.crashes[:0]
	for _, t := range l.crashes {
		if now.Sub(t) < l.timing.crashes {
			recent = append(recent, t)
		}
	}
	l.crashes = append(recent, now)
	l.log.Warn("the page crashed", "times", len(l.crashes))
	if len(l.crashes) > 1 {
		l.over(ending{reason: fmt.Sprintf("the page crashed twice within %s", l.timing.crashes)})
		return
	}
	l.load()
}

// event takes one event of the bridge.
func (l *life) event(payload string) {
	var e bridgeEvent
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		l.log.Error("read an event of the bridge", "err", err)
		return
	}
	if e.Seq != l.seq+1 {
		l.log.Warn("events of the bridge are missing", "after", l.seq, "got", e.Seq)
		l.ask("state", l.timing.heartbeat)
	}
	l.seq = e.Seq
	if err := l.take(e); err != nil {
		l.log.Error("read an event of the bridge", "type", e.Type, "err", err)
	}
}

func (l *life) take(e bridgeEvent) error {
	switch e.Type {
	case "state":
		return l.state(e.Data)
	case "qr":
		var qr struct {
			Text string `json:"text"`
			TTL  int64  `json:"ttl_ms"`
		}
		if err := json.Unmarshal(e.Data, &qr); err != nil {
			return err
		}
		if qr.Text == "" || qr.TTL <= 0 {
			l.setQR(QR{})
			return nil
		}
		l.qrSeen = true
		l.setQR(QR{Text: qr.Text, Expires: time.Now().Add(time.Duration(qr.TTL) * time.Millisecond)})
	case "ack":
		var ack Ack
		if err := json.Unmarshal(e.Data, &ack); err != nil {
			return err
		}
		l.events.put(Event{Type: EventAck, Ack: &ack})
	case "message":
		var m Message
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return err
		}
		l.events.put(Event{Type: EventMessage, Message: &m})
	case "logout":
		var out struct {
			Reason string `json:"reason"`
		}
		if err := json.Unmarshal(e.Data, &out); err != nil {
			return err
		}
		l.logout(out.Reason)
	default:
		l.log.Debug("an event of an unknown type", "type", e.Type)
	}
	return nil
}

// state takes what the page says of itself, from an event or from a call.
func (l *life) state(data json.RawMessage) error {
	var p pageState
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	if p.Mode == "" {
		return nil // WhatsApp's modules are not there yet; that says nothing
	}
	before := l.page
	l.page = &p
	delete(l.at, "load")
	l.admitted()
	if !p.Registered {
		l.saved = false
		if !l.unlinked || before == nil {
			l.unlinked = true
			l.do("baseline", l.timing.heartbeat, func(ctx context.Context) (any, error) { return nil, l.engine.baseline(ctx) })
		}
	}
	if before != nil && before.Ready != p.Ready {
		l.caps = nil // wa-js has come: look again at what can be done
	}
	return nil
}

// logout takes the news that the phone or somebody at the page ended the link.
func (l *life) logout(reason string) {
	if reason == "" {
		reason = "unknown"
	}
	if l.logoutWhy == "" {
		l.logoutWhy = reason
		l.log.Warn("the session was logged out", "reason", reason)
	}
	// The page clears its credentials and then navigates; a page that is closed before keeps them.
	if _, waiting := l.at["logout"]; !waiting {
		l.at["logout"] = time.Now().Add(l.timing.logout)
	}
}

// answer takes the result of a call of the machine's own.
func (l *life) answer(r result) {
	data, _ := r.value.(json.RawMessage)
	switch r.name {
	case "load":
		if r.err != nil {
			l.over(ending{reason: r.err.Error(), failed: true})
		}
	case "ping":
		l.pong(data, r.err)
	case "state":
		if r.err == nil {
			r.err = l.state(data)
		}
	case "probe":
		if r.err == nil {
			r.err = json.Unmarshal(data, &l.caps)
		}
		l.at["probe"] = time.Now().Add(l.timing.retry)
	case "unsaved":
		if left, _ := r.value.(int); r.err == nil && left == 0 {
			l.saved = true
			delete(l.at, "saveBy")
			l.log.Info("the link is on disk")
		}
		l.at["save"] = time.Now().Add(l.timing.save)
	}
	if r.err != nil && r.name != "ping" {
		l.log.Warn("a call into the page failed", "method", r.name, "err", r.err)
	}
}

// pong takes the answer to a heartbeat.
func (l *life) pong(data json.RawMessage, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		if l.misses++; l.misses > 1 {
			l.engine.kill() // frozen: it would not hear a request to leave
			l.over(ending{reason: "the page did not answer two heartbeats"})
		}
		return
	}
	l.misses = 0
	if errors.Is(err, errNoBridge) && l.page != nil {
		l.log.Warn("the bridge is gone from the page; it is loaded again")
		l.load()
		return
	}
	var beat struct {
		Stream string `json:"stream"`
		Seq    int    `json:"seq"`
	}
	if err != nil || json.Unmarshal(data, &beat) != nil {
		return // alive; the time limit of loading watches over the rest
	}
	// Events can overtake the answer or come after it, so only what the page had sent by the last heartbeat counts.
	if l.seq < l.pinged || (l.page != nil && beat.Stream != l.page.Stream) {
		l.ask("state", l.timing.heartbeat)
	}
	l.pinged = beat.Seq
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
	if past("load") {
		l.over(ending{reason: fmt.Sprintf("WhatsApp Web did not come up within %s", l.timing.load), failed: true})
	}
	if past("saveBy") {
		// What Chromium closes in order it writes in order: the sure way, only slower.
		l.over(ending{reason: "saving the link by closing Chromium"})
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
		if name == "probe" || name == "save" { // only say how soon again; show asks
			continue
		}
		next = min(next, time.Until(t))
	}
	return max(next, 0)
}
