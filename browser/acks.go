package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// overdue is a message that WhatsApp's server has not acknowledged in time, and what was done about it. It belongs to
// the run, not to one Chromium: a restart is one of the steps. While a step is not over the queue is paused, because
// a message behind one of which nothing is known could overtake it.
//
// The steps: ask the server something cheap, load the page again, restart Chromium, the last two once each. A page that
// is back sends by itself what it holds in its database (waweb notes), so a step is over when the ack has come or has
// not come for as long as an ack may take. Then the session gives up on this message only: the next one tells whether
// acks flow, or one dead message would block a number for ever.
type overdue struct {
	id, chat string // "" when acks come
	step     ackStep
	did      []string // for people
	givenUp  []string // ids of the last messages that nothing helped: for them nothing is loaded or restarted again

	waiting string    // a message that looks find without an ack
	since   time.Time // the first of them
	looked  time.Time // the last of them
}

type ackStep int

const (
	ackAsking    ackStep = iota // the server is asked
	ackReloaded                 // the page was loaded again
	ackRestarted                // Chromium was restarted
	ackGivenUp                  // the queue goes on without this message's ack
)

// keptGivenUp bounds overdue.givenUp.
const keptGivenUp = 100

// paused says whether the queue waits for an ack.
func (o *overdue) paused() bool { return o.id != "" && o.step != ackGivenUp }

// reason tells people what is wrong and what was done about it, in order.
func (o *overdue) reason(patience time.Duration) string {
	did := strings.Join(o.did, ", ")
	switch {
	case o.step == ackGivenUp:
		return fmt.Sprintf("WhatsApp has not acknowledged a message for %s; %s; that one is still not acknowledged, the next one will show whether acks are back", patience, did)
	case did == "":
		did = "asking WhatsApp's server"
	}
	return fmt.Sprintf("WhatsApp has not acknowledged a message for %s; the queue waits for it; %s", patience, did)
}

// why adds to a reason that the page or Chromium was ended for want of an ack, where it was.
func (l *life) why(reason string) string {
	if !l.overdue.paused() {
		return reason
	}
	return reason + " (" + l.overdue.reason(l.timing.ack) + ")"
}

// unacked takes the page's news that a message is on the wire for too long.
func (l *life) unacked(id, chat string) {
	o := &l.overdue
	if o.paused() || slices.Contains(o.givenUp, id) {
		return
	}
	l.log.Warn("WhatsApp does not acknowledge", "message", id)
	o.id, o.chat, o.step, o.did = id, chat, ackAsking, nil
}

// pending is the news of a caller that the page holds a message without an ack.
type pending struct {
	doc      *document
	id, chat string
}

// pending notes since when a message that nobody's Send waits for any more, for example after a restart of kurir, is
// without an ack: the page tells only of those that a Send is waiting for. Who waits for it looks often. A look now and
// then is at a message that was given up long ago, and no sign of anything.
func (l *life) pending(p pending) {
	o := &l.overdue
	switch {
	case p.doc != l.doc || !l.broken.IsZero():
		return
	case o.waiting != p.id || time.Since(o.looked) > l.timing.ack/2:
		o.waiting, o.since = p.id, time.Now()
	case time.Since(o.since) >= l.timing.ack:
		o.waiting = ""
		l.unacked(p.id, p.chat)
	}
	o.looked = time.Now()
}

// acked takes the news that WhatsApp's server acknowledges, whatever message it is about: acks flow again.
func (l *life) acked() {
	l.overdue.waiting = ""
	if l.overdue.id == "" {
		return
	}
	l.log.Info("WhatsApp acknowledges again", "message", l.overdue.id, "did", strings.Join(l.overdue.did, ", "))
	l.overdue.id, l.overdue.did = "", nil
	delete(l.at, "ack")
}

// awaitAck starts what the current step waits for. It is called while there is a connection: time without one does
// not count, and what a message without a connection needs is not a reload.
func (l *life) awaitAck(now time.Time) {
	switch l.overdue.step {
	case ackAsking:
		l.again("reachAt", "reach", func() { l.ask("reach", l.timing.reach) })
	case ackReloaded, ackRestarted:
		if _, set := l.at["ack"]; !set {
			l.at["ack"] = now.Add(l.timing.ack)
		}
		// The page may have got the ack before the bridge listened: then no event tells, only the message itself.
		l.again("lookAt", "look", l.look)
	case ackGivenUp:
	}
}

// reached takes the server's answer, or that there was none, and loads the page again. A page without a connection
// is another matter, see disconnected; the server is asked again when it has one.
func (l *life) reached(data json.RawMessage, err error) {
	var r struct {
		Stream   string `json:"stream"`
		Answered bool   `json:"answered"`
		Detail   string `json:"detail"`
		MS       int    `json:"ms"`
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	l.at["reachAt"] = time.Now().Add(l.timing.retry)
	if l.overdue.id == "" || l.overdue.step != ackAsking {
		return // the ack has come meanwhile
	}
	words := fmt.Sprintf("asked WhatsApp's server: it answered in %d ms", r.MS)
	switch {
	case err != nil:
		words = fmt.Sprintf("asked WhatsApp's server: no answer within %s", l.timing.reach)
	case r.Stream != "CONNECTED":
		l.ask("state", l.timing.heartbeat)
		return
	case !r.Answered:
		words = "asked WhatsApp's server: no answer (" + r.Detail + ")"
	}
	l.overdue.step = ackReloaded
	l.overdue.did = []string{words, "loaded the page again"}
	l.log.Warn("the page is loaded again for want of an ack", "message", l.overdue.id, "server", words)
	l.setDocument(nil, errUnacked)
	l.load()
}

// stillUnacked goes to the next step: the last one did not bring the ack.
func (l *life) stillUnacked() {
	o := &l.overdue
	switch o.step {
	case ackReloaded:
		o.step, o.did = ackRestarted, append(o.did, "restarted Chromium")
		l.over(ending{reason: o.reason(l.timing.ack), planned: true})
	case ackRestarted:
		l.giveUp()
	case ackAsking, ackGivenUp:
	}
}

// giveUp lets the queue go on without the ack.
func (l *life) giveUp() {
	o := &l.overdue
	l.log.Warn("a message is not acknowledged, whatever was done", "message", o.id)
	o.step = ackGivenUp
	o.givenUp = append(o.givenUp, o.id)
	o.givenUp = o.givenUp[max(0, len(o.givenUp)-keptGivenUp):]
	delete(l.at, "ack")
}

// look asks the page for the ack of the message that it is about.
func (l *life) look() {
	id, chat := l.overdue.id, l.overdue.chat
	l.do("look", l.timing.reach, func(ctx context.Context) (any, error) {
		answer, err := l.engine.call(ctx, "lookup", map[string]any{"chat": chat, "ids": []string{id}})
		if err == nil && answer.Error != nil {
			err = fmt.Errorf("lookup: %s %s", answer.Error.Code, answer.Error.Message)
		}
		return answer.OK, err
	})
}

// looked takes what the page knows of the message. An ack counts as if its event had come. A message that WhatsApp
// refused is answered, and one that the page does not have will get no ack: what becomes of both is the queue's to say.
func (l *life) looked(data json.RawMessage, err error) error {
	l.at["lookAt"] = time.Now().Add(l.timing.retry)
	if err != nil || !l.overdue.paused() {
		return err
	}
	var found map[string]Presence
	if err := json.Unmarshal(data, &found); err != nil {
		return err
	}
	switch p := found[l.overdue.id]; {
	case p.Found == FoundPresent && p.Ack >= 1:
		l.events.put(Event{Type: EventAck, Ack: &Ack{ID: l.overdue.id, Chat: l.overdue.chat, Ack: p.Ack}})
		l.acked()
	case p.Found == FoundPresent && p.Ack < 0:
		l.acked()
	case p.Found == FoundAbsent:
		l.overdue.did = append(l.overdue.did, "the page does not have the message any more")
		l.giveUp()
	}
	return nil
}
