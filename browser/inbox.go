package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
)

// handle takes one message of the inbox: what the engine reports, or the result of a call that the machine made.
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
	case stuck:
		if m.doc == l.doc {
			l.log.Warn("a send does not end; the page is loaded again", "message", m.message)
			l.load()
		}
	case pending:
		l.pending(m)
	case wake:
	case result:
		if m.doc == l.doc { // else it is about a document that is gone
			l.busy[m.name] = false
			l.answer(m)
		}
	}
}

// stuck is the news of a caller that something is at work in its document that only the document's end ends.
type stuck struct {
	doc     *document
	message string
}

// wake has the state derived again.
type wake struct{}

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
	case err != nil || err2 != nil:
		l.log.Warn("the page went to no address; it is loaded again")
		l.elsewhere = true
		l.at["reload"] = time.Now().Add(l.timing.retry)
	case u.Host != home.Host || u.Scheme != home.Scheme:
		l.log.Warn("the page went elsewhere; it is loaded again", "scheme", u.Scheme, "host", u.Host)
		l.elsewhere = true
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
	if l.elsewhere {
		return // the word of another site
	}
	var e bridgeEvent
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		l.log.Error("read an event of the bridge", "err", err)
		return
	}
	if e.Seq != l.seq+1 {
		l.log.Warn("events of the bridge are missing", "after", l.seq, "got", e.Seq)
		l.ask("state", l.timing.heartbeat)
		l.events.put(Event{Type: EventMissed})
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
		if ack.Ack >= 1 {
			l.acked(ack.ID)
		}
		l.events.put(Event{Type: EventAck, Ack: &ack})
	case "history":
		l.events.put(Event{Type: EventMissed})
	case "unacked":
		var m struct {
			ID   string `json:"id"`
			Chat string `json:"chat"`
		}
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return err
		}
		l.unacked(m.ID, m.Chat)
	case "logout":
		var out struct {
			Reason string `json:"reason"`
		}
		if err := json.Unmarshal(e.Data, &out); err != nil {
			return err
		}
		l.logout(out.Reason)
	default:
		happened, known, err := decodeHappening(e.Type, e.Data)
		if err != nil {
			return err
		}
		if !known {
			l.log.Debug("an event of an unknown type", "type", e.Type)
			return nil
		}
		l.events.put(happened)
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
	l.page, l.bridgeless = &p, false
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
		l.forgetRestriction() // the next link may be another number's
		l.log.Warn("the session was logged out", "reason", reason)
	}
	// The page clears its credentials and then navigates; a page that is closed before keeps them.
	if _, waiting := l.at["logout"]; !waiting {
		l.at["logout"] = time.Now().Add(l.timing.logout)
	}
}

// answer takes the result of a call of the machine's own.
func (l *life) answer(r result) {
	if l.elsewhere && r.name != "load" {
		return // the word of another site
	}
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
	case "reach":
		l.reached(data, r.err)
	case "look":
		r.err = l.looked(data, r.err)
	case "memory":
		if used, _ := r.value.(int64); r.err == nil {
			l.measured(used)
		}
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

// patience is how many heartbeats in a row may go unanswered. A page that loads and decrypts a history is busy for
// long on a small machine, and to kill it would only start that again; one that has not come up at all is
// judged by the time limit of loading.
func (l *life) patience() int {
	switch l.Status().State {
	case StateStarting:
		return math.MaxInt
	case StateSyncing:
		return 6
	}
	return 2
}

// withoutBridge answers a document of which a heartbeat says that the bridge is not in it. The bridge comes before a
// page's own scripts, so it will not come any more: the page is loaded again, and when that does not help, Chromium is
// started again.
func (l *life) withoutBridge() {
	if l.bridgeless {
		l.over(ending{reason: "the bridge is not in the page, also after it was loaded again", failed: true})
		return
	}
	l.bridgeless = true
	l.log.Warn("the bridge is not in the page; it is loaded again")
	l.load()
}

// pong takes the answer to a heartbeat.
func (l *life) pong(data json.RawMessage, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		if l.misses++; l.misses >= l.patience() {
			l.engine.kill() // frozen: it would not hear a request to leave
			l.over(ending{reason: fmt.Sprintf("the page did not answer %d heartbeats", l.misses)})
		}
		return
	}
	l.misses = 0
	if errors.Is(err, errNoBridge) {
		l.withoutBridge()
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
	if l.seq < l.pinged {
		l.log.Warn("events of the bridge are missing", "after", l.seq, "sent", l.pinged)
		l.seq = l.pinged
		l.events.put(Event{Type: EventMissed})
		l.ask("state", l.timing.heartbeat)
	} else if l.page != nil && beat.Stream != l.page.Stream {
		l.ask("state", l.timing.heartbeat)
	}
	l.pinged = beat.Seq
}
