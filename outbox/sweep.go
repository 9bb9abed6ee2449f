package outbox

import (
	"context"
	"time"

	"kurir/models"
)

// sweep does what the clock asks for, for instances that are stopped too: it queues scheduled messages whose time has
// come and ends those whose time is over. It runs from New to Drain.
func (o *Outbox) sweep() {
	defer close(o.swept)
	tick := time.NewTicker(o.cfg.Poll)
	defer tick.Stop()
	for {
		for o.sweepOnce() {
		}
		select {
		case <-tick.C:
		case <-o.closing.Done():
			return
		}
	}
}

// sweepOnce says whether there is more to do at once.
func (o *Outbox) sweepOnce() (more bool) {
	ctx, cancel := context.WithTimeout(o.closing, o.cfg.LookupTimeout)
	defer cancel()
	due, err := o.db.Due(ctx)
	if err != nil {
		if o.closing.Err() == nil {
			o.cfg.Log.Error("move messages that are due", "err", err)
		}
		return false
	}
	for i, m := range due.Expired {
		o.cfg.Log.Info("expired", "instance", m.InstanceID, "message", m.ID)
		o.Ended(m, due.Files[i])
	}
	for _, m := range due.Queued {
		o.depths.add(m.InstanceID, m.Priority, 1)
		o.Wake(m.InstanceID)
	}
	return due.More
}

// Ended tells everybody that a waiting message has ended without leaving: it expired, or the caller has cancelled it
// in the database. file is the path that its row has let go of.
func (o *Outbox) Ended(m models.Message, file string) {
	if !m.NotBefore.After(time.Now()) { // one that was scheduled took no place
		o.depths.add(m.InstanceID, m.Priority, -1)
	}
	o.removeFile(m, file)
	o.tell(m)
	o.Wake(m.InstanceID) // it may have been the head that the rest waits behind
}

// tell says what became of a message to those who wait for it and to the owner.
func (o *Outbox) tell(m models.Message) {
	o.waiters.tell(m)
	if o.cfg.OnChange != nil && m.ID != "" {
		o.cfg.OnChange(m)
	}
}
