package outbox

import (
	"context"
	"sync"
	"time"

	"kurir/models"
)

// Place is where a message that was just accepted stands.
type Place struct {
	Position int        // 1: the next to be sent; 0: it waits for its own time
	ETA      *time.Time // when it is expected to leave; nil while that cannot be said
}

// depths counts the messages that wait, by instance and priority, so that telling a position costs no query. It is an
// estimate: read once from the database and kept up from then on. What leaves before it was counted, as a message does
// that the dispatcher takes between its being stored and Accepted, makes it wrong by one; so it is read anew when the
// dispatcher finds the queue empty although something is counted.
type depths struct {
	mu sync.Mutex
	n  map[string]map[int]int
}

func (d *depths) add(instance string, priority, by int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.n[instance]; c != nil {
		c[priority] = max(0, c[priority]+by)
	}
}

// position returns how many wait in front of a message of that priority that comes now, and whether that is known.
func (d *depths) position(instance string, priority int) (n int, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.n[instance]
	for p, k := range c {
		if p >= priority {
			n += k
		}
	}
	return n, c != nil
}

func (d *depths) set(instance string, counted map[int]int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == nil {
		d.n = make(map[string]map[int]int)
	}
	c := make(map[int]int, len(counted))
	for p, k := range counted {
		c[p] = int(k)
	}
	d.n[instance] = c
}

// recount has an instance counted anew with the next message, unless nothing is counted.
func (d *depths) recount(instance string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.n[instance] {
		if n > 0 {
			delete(d.n, instance)
			return
		}
	}
}

func (d *depths) forget(instance string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.n, instance)
}

// Accepted tells the dispatcher of a message that was just stored, and says where it stands. It never blocks for long.
func (o *Outbox) Accepted(ctx context.Context, m models.Message) Place {
	defer o.Wake(m.InstanceID)
	if m.State != models.MessageQueued {
		at := m.NotBefore
		return Place{ETA: &at}
	}
	before, known := o.depths.position(m.InstanceID, m.Priority)
	if known {
		o.depths.add(m.InstanceID, m.Priority, 1)
	} else if counted, err := o.db.Depth(ctx, m.InstanceID); err == nil { // it counts m, unless it has left already
		o.depths.set(m.InstanceID, counted)
		before, _ = o.depths.position(m.InstanceID, m.Priority)
		before = max(0, before-1)
	}
	p := Place{Position: before + 1}
	if d := o.dispatcher(m.InstanceID); d != nil {
		p.ETA = d.expect(time.Now(), before, m.Priority)
	}
	return p
}

// AcceptedAll is Accepted for messages of one instance that were stored together. (One by one the first that is not
// counted yet would count them all, and the others count themselves again.)
func (o *Outbox) AcceptedAll(ctx context.Context, list []models.Message) {
	if len(list) == 0 {
		return
	}
	id := list[0].InstanceID
	defer o.Wake(id)
	if _, known := o.depths.position(id, models.PriorityNormal); !known {
		if counted, err := o.db.Depth(ctx, id); err == nil {
			o.depths.set(id, counted)
		}
		return
	}
	for _, m := range list {
		if m.State == models.MessageQueued {
			o.depths.add(id, m.Priority, 1)
		}
	}
}
