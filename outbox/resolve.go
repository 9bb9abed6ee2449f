package outbox

import (
	"context"
	"time"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

// sureAbsent is how many looks in a row must find nothing after an attempt that a time limit cut off: what it started
// in the page may still be at work there.
const sureAbsent = 3

// looks counts what the looks at one message found.
type looks struct{ pending, absent, nothing int }

// resolve finds out what became of a row that is `sending`, by asking the page for its id. It returns when the row is
// settled, by itself or by an ack, or when the dispatcher is stopped. Time in which the instance is not ready does
// not count.
func (d *dispatcher) resolve(m models.Message) {
	var seen looks
	var last time.Time
	d.log.Info("resolve a message whose outcome is not known", "message", m.ID, "cause", m.Code)
	for !d.stopped() {
		if !d.ready.Load() {
			d.idle(0)
			continue
		}
		now, ok, err := d.o.db.InFlight(d.ctx, d.id) // an ack may have settled it
		if err == nil && (!ok || now.Seq != m.Seq) {
			return
		}
		if pause := time.Until(last.Add(d.o.cfg.LookEvery)); pause > 0 {
			d.idle(pause) // a wake is not a reason to look again, only to see whether an ack came
			continue
		}
		if last = time.Now(); err != nil {
			d.log.Error("read the message in flight", "message", m.ID, "err", err)
			continue
		}
		p, asked := d.look(now)
		if !asked {
			continue
		}
		if out, ok := d.conclude(now, p, &seen); ok {
			d.log.Info("resolved", "message", m.ID, "found", p.Found, "ack", p.Ack, "state", out.State)
			d.settle(now, out, false)
			return
		}
	}
}

// look asks the page once. asked is false when the session was not there to be asked.
func (d *dispatcher) look(m models.Message) (p browser.Presence, asked bool) {
	ctx, cancel := context.WithTimeout(d.ctx, d.o.cfg.LookupTimeout)
	defer cancel()
	found, err := d.out.Lookup(ctx, m.Chat, []string{m.WAID})
	if err != nil {
		d.log.Warn("look a message up", "message", m.ID, "err", err)
		switch problem.CodeOf(err) {
		case problem.InstanceNotReady, problem.SessionLost:
			return p, false
		}
		return browser.Presence{Found: browser.FoundUnknown}, d.ctx.Err() == nil
	}
	return found[m.WAID], true // a missing answer is none: Found is empty
}

// conclude returns the outcome that a look proves, if it proves one.
func (d *dispatcher) conclude(m models.Message, p browser.Presence, seen *looks) (models.Outcome, bool) {
	if p.Found != browser.FoundAbsent {
		seen.absent = 0
	}
	switch {
	case p.Found == browser.FoundPresent && p.Ack >= 1:
		return models.Outcome{Seq: m.Seq, State: models.MessageSent, Ack: p.Ack, Attempted: true}, true
	case p.Found == browser.FoundPresent && p.Ack < 0:
		return d.again(m, string(problem.SendRejected), "WhatsApp refused the message", d.o.cfg.MaxAttempts), true
	case p.Found == browser.FoundPresent:
		seen.pending++
		over := time.Duration(seen.pending)*d.o.cfg.LookEvery > d.o.cfg.AckWait
		return d.unknown(m, "WhatsApp Web holds the message and may still send it"), over
	case p.Found == browser.FoundAbsent:
		seen.absent++
		return d.absent(m, seen.absent)
	default:
		seen.nothing++
		return d.unknown(m, "WhatsApp Web could not say whether it has the message"), seen.nothing >= d.o.cfg.MaxLooks
	}
}

// absent decides about a message that the page does not have: it goes out again with the same id.
func (d *dispatcher) absent(m models.Message, times int) (models.Outcome, bool) {
	switch problem.Code(m.Code) {
	case "": // kurir ended between claim and result, and the page with it: nobody is to blame
		return models.Outcome{Seq: m.Seq, State: models.MessageQueued}, true
	case problem.SessionLost:
		// Twice the attempts: most of the time it is not the message that ends the browser, but it may be.
		out := d.again(m, m.Code, m.Detail, 2*d.o.cfg.MaxAttempts)
		out.RetryAt = time.Time{}
		return out, true
	case problem.SendTimeout, problem.PageTimeout, problem.Internal:
		return d.again(m, m.Code, m.Detail, d.o.cfg.MaxAttempts), times >= sureAbsent
	}
	return d.again(m, m.Code, m.Detail, d.o.cfg.MaxAttempts), true
}

func (d *dispatcher) unknown(m models.Message, detail string) models.Outcome {
	code := m.Code
	if code == "" {
		code = string(problem.SessionLost)
	}
	return models.Outcome{Seq: m.Seq, State: models.MessageUnknown, Code: code, Detail: detail, Attempted: true, LookAt: time.Now().Add(d.o.cfg.LookAgain)}
}
