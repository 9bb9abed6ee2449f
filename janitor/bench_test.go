package janitor

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"kurir/models"
)

// BenchmarkHolds deletes 50,000 old rows of each kind while four writers write as fast as they can, and tells how long
// the writer was kept through COMMIT: by batches, by everybody else meanwhile, and by everybody else before.
func BenchmarkHolds(b *testing.B) {
	for b.Loop() {
		db, id := openTestDB(b)
		fill(b, db, id, 50_000)
		var mu sync.Mutex
		var before, beside, batches, checkpoints []time.Duration
		busy := false
		db.OnHold(func(held time.Duration, by models.Holder) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case by == models.HoldChore:
				batches = append(batches, held)
			case by == models.HoldCheckpoint:
				checkpoints = append(checkpoints, held)
			case busy:
				beside = append(beside, held)
			default:
				before = append(before, held)
			}
		})
		ctx, stop := context.WithCancel(context.Background())
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for ctx.Err() == nil {
					m := models.Message{InstanceID: id, Chat: "6281@c.us", Phone: "6281", Kind: "text", Body: "x"}
					if _, _, err := db.Enqueue(context.Background(), m, models.AuditEntry{Action: "wa.send"}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		time.Sleep(5 * time.Second)
		mu.Lock()
		busy = true
		mu.Unlock()
		begun := time.Now()
		New(db, nil, Retention{Events: time.Hour, Deliveries: time.Hour, Messages: time.Hour, Audit: 200 * time.Hour}, slog.New(slog.DiscardHandler)).Clean(ctx)
		took := time.Since(begun)
		stop()
		group.Wait()
		mu.Lock()
		for name, list := range map[string][]time.Duration{"before": before, "beside": beside, "batches": batches, "checkpoints": checkpoints} {
			slices.Sort(list)
			n := len(list)
			if n == 0 {
				continue
			}
			b.Logf("%s: n=%d median %s p99 %s max %s", name, n, list[n/2], list[n*99/100], list[n-1])
		}
		b.Logf("cleaned in %s", took)
		mu.Unlock()
	}
}
