package outbox

import (
	"time"

	"kurir/browser"
	"kurir/models"
)

// reconsider looks an unknown message up again, if the time of one has come. The page may answer today what it could
// not tell before: it was locked, or held the message. The queue does not wait for it, and so what turns out not to
// have left goes out late, after messages that were accepted later.
func (d *dispatcher) reconsider() {
	d.lookAt = time.Now().Add(d.o.cfg.Poll)
	if d.back.Swap(false) {
		err := d.o.db.LookSoon(d.ctx, d.id)
		if err == nil {
			err = d.missedReceipts()
		}
		if err != nil {
			d.back.Store(true)
			d.log.Error("look messages up again", "err", err)
			return
		}
	}
	d.lookForReceipts()
	m, ok, err := d.o.db.UnknownDue(d.ctx, d.id)
	if err != nil {
		d.log.Error("look for unknown messages", "err", err)
		return
	}
	if !ok {
		return
	}
	p, asked := d.look(m)
	if !asked {
		return
	}
	out := d.rethink(m, p)
	d.log.Info("an unknown message was looked up again", "message", m.ID, "found", p.Found, "ack", p.Ack, "state", out.State)
	out.From = models.MessageUnknown
	d.settle(m, out, false)
}

// rethink is the outcome of a look at an unknown message.
func (d *dispatcher) rethink(m models.Message, p browser.Presence) models.Outcome {
	seen := looks{absent: d.absences[m.Seq]}
	out, sure := d.conclude(m, p, &seen)
	if p.Found == browser.FoundAbsent && !sure {
		d.absences[m.Seq] = seen.absent
		return d.still(m, time.Now().Add(d.o.cfg.LookEvery))
	}
	delete(d.absences, m.Seq)
	if sure && out.State != models.MessageUnknown {
		return out
	}
	now := time.Now()
	since := now
	if m.EndedAt != nil {
		since = *m.EndedAt
	}
	if now.Sub(since) > d.o.cfg.LookFor {
		return d.still(m, time.Time{})
	}
	return d.still(m, now.Add(min(max(now.Sub(since), d.o.cfg.LookAgain), d.o.cfg.LookAgainMax)))
}

// still leaves a message unknown, to be looked up again at the given time; zero: not again.
func (d *dispatcher) still(m models.Message, lookAt time.Time) models.Outcome {
	out := models.Outcome{Seq: m.Seq, State: models.MessageUnknown, Code: m.Code, Detail: m.Detail, LookAt: lookAt}
	if m.EndedAt != nil {
		out.At = *m.EndedAt
	}
	return out
}
