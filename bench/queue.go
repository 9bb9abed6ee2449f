package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"kurir/models"
)

// benchQueue measures one turn of the queue in the database, the outcome of a message and the claim of the next, with
// few and with many messages waiting behind it, and as many scheduled ones beside it. The turns alternate between the
// queues, so that both see the same machine.
func benchQueue(ctx context.Context, b *bench) error {
	const turns = 1000
	depths := []int{10, 100_000}
	queues := make([]*queue, 0, len(depths))
	for _, n := range depths {
		q, err := openQueue(ctx, n+turns)
		if err != nil {
			return err
		}
		defer q.close()
		queues = append(queues, q)
	}
	took := make([]times, len(depths))
	for range turns {
		for i, q := range queues {
			begun := time.Now()
			if err := q.turn(ctx); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(begun))
		}
	}
	for i, n := range depths {
		b.add(fmt.Sprintf("turn of the queue, %d behind", n), "flat", "%s", took[i])
	}
	return nil
}

// queue is a database of its own with one instance and its messages.
type queue struct {
	dir      string
	db       *models.DB
	instance string
	flight   models.Message
}

func openQueue(ctx context.Context, n int) (*queue, error) {
	dir, err := os.MkdirTemp("", "kurir-bench-queue-")
	if err != nil {
		return nil, err
	}
	q := &queue{dir: dir}
	if q.db, err = models.Open(ctx, models.Config{URL: filepath.Join(dir, "kurir.db"), Log: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	if err := q.db.Migrate(ctx); err != nil {
		return nil, err
	}
	in := models.Instance{Name: "bench"}
	if err := q.db.CreateInstance(ctx, &in); err != nil {
		return nil, err
	}
	q.instance = in.ID
	for left := n; left > 0; left -= 1000 {
		var batch []models.Message
		for range min(left, 1000) {
			m := models.Message{InstanceID: q.instance, Chat: "6281234567890@c.us", Phone: "6281234567890", Kind: "text", Body: "hello"}
			later := m
			later.NotBefore = time.Now().Add(time.Hour)
			batch = append(batch, m, later)
		}
		if _, _, err := q.db.EnqueueAll(ctx, batch, models.AuditEntry{Action: "bench"}); err != nil {
			return nil, err
		}
	}
	first, ok, err := q.db.Claim(ctx, q.instance, models.PriorityLow)
	if err == nil && !ok {
		err = fmt.Errorf("the queue of %d is empty", n)
	}
	q.flight = first
	return q, err
}

// turn ends the message in flight and claims the next.
func (q *queue) turn(ctx context.Context) error {
	_, next, err := q.db.Settle(ctx, models.Outcome{Seq: q.flight.Seq, State: models.MessageSent, Ack: 1, Attempted: true}, true)
	if err == nil && next == nil {
		err = fmt.Errorf("nothing to claim")
	}
	if err != nil {
		return err
	}
	q.flight = *next
	return nil
}

func (q *queue) close() {
	_ = q.db.Close()
	_ = os.RemoveAll(q.dir)
}
