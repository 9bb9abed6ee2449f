package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"kurir/janitor"
	"kurir/models"
)

// benchJanitor measures how long the janitor keeps the writer, batch by batch and through COMMIT, while four callers
// accept messages as fast as they can, and what they see of it.
func benchJanitor(ctx context.Context, b *bench) error {
	const old = 20_000
	q, err := openQueue(ctx, old)
	if err != nil {
		return err
	}
	defer q.close()
	for left := old; left > 0; left -= 100 {
		list := make([]models.NewEvent, 100)
		for i := range list {
			list[i] = models.NewEvent{InstanceID: q.instance, Type: "message", Chat: "c", Key: fmt.Sprint(left, "-", i), Payload: []byte(`{"body":"halo"}`)}
		}
		if _, err := q.db.AppendEvents(ctx, list...); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	held := map[models.Holder]times{}
	var before times
	busy := false
	q.db.OnHold(func(d time.Duration, by models.Holder) {
		mu.Lock()
		defer mu.Unlock()
		if busy {
			held[by] = append(held[by], d)
		} else {
			before = append(before, d)
		}
	})
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	errs := make(chan error, 4)
	for range 4 {
		group.Go(func() {
			for writing.Err() == nil {
				m := models.Message{InstanceID: q.instance, Chat: "6281234567890@c.us", Phone: "6281234567890", Kind: "text", Body: "halo"}
				if _, _, err := q.db.Enqueue(context.WithoutCancel(ctx), m, models.AuditEntry{Action: "bench"}); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	if err := rest(ctx, 3*time.Second); err != nil {
		return err
	}
	mu.Lock()
	busy = true
	mu.Unlock()
	janitor.New(q.db, nil, janitor.Retention{Events: time.Nanosecond}, slog.New(slog.DiscardHandler)).Clean(ctx)
	stop()
	group.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	mu.Lock()
	defer mu.Unlock()
	line := func(what, goal string, t times) {
		if len(t) > 0 {
			b.add(what, goal, "%s, max %.1f ms, load %s", t, float64(slices.Max(t).Microseconds())/1000, load())
		}
	}
	line("the writer is kept by callers, no janitor", "", before)
	line("the writer is kept by callers, beside the janitor", "", held[models.HoldWriters])
	line("the writer is kept by a batch of the janitor", "≤ 50 ms", held[models.HoldChore])
	line("the writer is kept by the rest of a checkpoint", "≤ 50 ms", held[models.HoldCheckpoint])
	return nil
}
