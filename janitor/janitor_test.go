package janitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"kurir/events"
	"kurir/models"
	"kurir/models/modelstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTestDB(t testing.TB) (*models.DB, string) {
	t.Helper()
	return modelstest.OpenInstance(t, models.Config{Outcomes: events.Outcomes})
}

// fill makes n old lines of everything that is deleted by age.
func fill(t testing.TB, db *models.DB, instance string, n int) {
	t.Helper()
	old := time.Now().Add(-400 * 24 * time.Hour).UnixMicro()
	err := db.Write(context.Background(), func(tx *gorm.DB) error {
		for _, q := range []string{
			`INSERT INTO events (id, instance_id, seq, type, time, chat, key, payload, created_at)
				SELECT 'evt_' || i, '%[2]s', i, 'message', %[3]d, 'c', i, printf('%%200s', i), %[3]d FROM n`,
			`INSERT INTO deliveries (webhook_id, event_pos, instance_id, chat, state, next_at, created_at) SELECT 'wh', i, '%[2]s', 'c', 'delivered', %[3]d, %[3]d FROM n`,
			`INSERT INTO audit_log (time, action) SELECT %[3]d, 'wa.send' FROM n`,
			`INSERT INTO messages (id, instance_id, wa_id, chat, kind, body, state, not_before, retry_at, created_at)
				SELECT 'msg_' || i, '%[2]s', i, 'c', 'text', printf('%%200s', i), 'read', %[3]d, %[3]d, %[3]d FROM n`,
		} {
			q = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d) " + q
			if err := tx.Exec(fmt.Sprintf(q, n, instance, old)).Error; err != nil {
				return err
			}
		}
		return tx.Exec("INSERT INTO event_heads (instance_id, seq) VALUES (?, ?)", instance, n).Error
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheJanitorDeletesWhatIsOldAndNothingElse(t *testing.T) {
	t.Parallel()
	db, id := openTestDB(t)
	fill(t, db, id, 3000)
	young, err := events.NewLog(db, 0).Append(t.Context(), id, &events.CallReceived{ID: "1", Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	New(db, nil, Retention{Events: time.Hour, Deliveries: time.Hour, Messages: time.Hour, Audit: 200 * time.Hour}, slog.New(slog.DiscardHandler)).Clean(t.Context())
	st, err := db.Stats(t.Context())
	if err != nil || st.Events.Count != 1 || st.Deliveries["delivered"] != 0 || st.Messages["read"] != 0 || st.Audit.Count != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	if list, err := db.Events(t.Context(), id, 0, nil, 10); err != nil || len(list) != 1 || list[0].ID != young[0].ID || list[0].Seq != 3001 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestTheJanitorKeepsForEver(t *testing.T) {
	t.Parallel()
	db, id := openTestDB(t)
	fill(t, db, id, 10)
	j := New(db, nil, Retention{}, slog.New(slog.DiscardHandler))
	j.Start()
	j.Clean(t.Context())
	j.Close()
	if st, err := db.Stats(t.Context()); err != nil || st.Events.Count != 10 || st.Audit.Count != 10 || st.Messages["read"] != 10 {
		t.Errorf("%+v, %v", st, err)
	}
	for _, r := range []Retention{{Audit: 24 * time.Hour}, {Events: time.Minute}, {Messages: -5 * time.Hour}} {
		if err := r.Validate(); err == nil {
			t.Errorf("%+v was accepted", r)
		}
	}
}

// room is a table whose rows cost what they cost, on a clock that stands still but for what is done.
type room struct {
	rows   int
	commit time.Duration // of each batch
	row    time.Duration // of each row
	hiccup map[int]time.Duration
	sizes  []int
	held   []time.Duration
}

func (r *room) step(n int) (int64, time.Duration, bool, error) {
	n = min(n, r.rows)
	r.rows -= n
	held := r.commit + time.Duration(n)*r.row + r.hiccup[len(r.sizes)]
	r.sizes, r.held = append(r.sizes, n), append(r.held, held)
	return int64(n), held, r.rows > 0, nil
}

// cleaned has a janitor clear rooms one after the other, and returns what it rested after each batch.
func cleaned(t *testing.T, rooms ...*room) (rests []time.Duration) {
	j := New(nil, nil, Retention{}, slog.New(slog.DiscardHandler))
	j.rest = func(_ context.Context, d time.Duration) bool { rests = append(rests, d); return true }
	for i, r := range rooms {
		j.repeat(t.Context(), fmt.Sprint(i), r.step)
		if r.rows != 0 {
			t.Errorf("room %d: %d rows are left", i, r.rows)
		}
	}
	return rests
}

// 200,000 rows of each kind, one two hundred times as dear as the other: no batch is longer than it may be, none carries
// its size over, and the writer is not held more often than it has to be.
func TestABatchIsAsLargeAsItsKindAllows(t *testing.T) {
	t.Parallel()
	const rows = 200_000
	cheap := &room{rows: rows, commit: 2 * time.Millisecond, row: 3 * time.Microsecond}
	dear := &room{rows: rows, commit: 2 * time.Millisecond, row: time.Millisecond}
	slow := &room{rows: rows, commit: 15 * time.Millisecond, row: 50 * time.Microsecond} // a slow disk
	rests := cleaned(t, cheap, dear, slow)
	for i, r := range []*room{cheap, dear, slow} {
		if r.sizes[0] != batchFirst {
			t.Errorf("room %d began with %d rows", i, r.sizes[0])
		}
		if longest := slices.Max(r.held); longest > Hold {
			t.Errorf("room %d: the writer was kept for %s", i, longest)
		}
	}
	if n := slices.Max(cheap.sizes); n != batchMost {
		t.Errorf("the cheap rows went by at most %d", n)
	}
	if most := rows/8 + 20; len(dear.sizes) > most { // 10 ms have 8 rows of a millisecond
		t.Errorf("%d batches for the dear rows, want at most %d", len(dear.sizes), most)
	}
	all := slices.Concat(cheap.held, dear.held, slow.held)
	last := []int{len(cheap.held) - 1, len(cheap.held) + len(dear.held) - 1, len(all) - 1} // there was no more to do
	for i := range slices.Backward(last) {
		all = slices.Delete(all, last[i], last[i]+1)
		last = last[:i]
	}
	if len(rests) != len(all) {
		t.Fatalf("%d rests after %d batches", len(rests), len(all))
	}
	for i, d := range rests {
		if d < 2*all[i] {
			t.Fatalf("batch %d took %s, and the rest after it %s", i, all[i], d)
		}
	}
}

// One long hold shrinks the next batch at once, to what would have fit; then it grows again.
func TestALongHoldShrinksTheNextBatch(t *testing.T) {
	t.Parallel()
	r := &room{rows: 100_000, commit: time.Millisecond, row: 5 * time.Microsecond, hiccup: map[int]time.Duration{20: 390 * time.Millisecond}}
	cleaned(t, r)
	before, next := r.sizes[20], r.sizes[21]
	if before != batchMost || next > before/30 {
		t.Errorf("%d rows took %s, and %d came next", before, r.held[20], next)
	}
	if r.sizes[35] < 500 {
		t.Errorf("it did not grow again: %v", r.sizes[20:36])
	}
	for range 50 {
		if got := batch(batchLeast).after(time.Second); got != batchLeast {
			t.Fatal(got)
		}
	}
}

func TestAStepThatFailsEndsItsKindOnly(t *testing.T) {
	t.Parallel()
	j := New(nil, nil, Retention{}, slog.New(slog.DiscardHandler))
	n := 0
	j.repeat(t.Context(), "x", func(int) (int64, time.Duration, bool, error) { n++; return 0, 0, true, errors.New("disk full") })
	if n != 1 {
		t.Errorf("tried %d times", n)
	}
}

// The rows go in batches while others write: what each is told it held is what the writer was kept, COMMIT included.
func TestTheJanitorWorksBesideWriters(t *testing.T) {
	t.Parallel()
	db, id := openTestDB(t)
	fill(t, db, id, 1500)
	var mu sync.Mutex
	chores, writes := 0, 0
	db.OnHold(func(held time.Duration, by models.Holder) {
		mu.Lock()
		defer mu.Unlock()
		if held <= 0 {
			t.Error("a transaction in no time")
		}
		switch by {
		case models.HoldChore:
			chores++
		case models.HoldWriters:
			writes++
		case models.HoldCheckpoint:
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	wrote := 0
	group.Go(func() {
		for ctx.Err() == nil {
			m := models.Message{InstanceID: id, Chat: "6281@c.us", Phone: "6281", Kind: "text", Body: "x"}
			if _, _, err := db.Enqueue(t.Context(), m, models.AuditEntry{Action: "wa.send"}); err != nil {
				t.Error(err)
				return
			}
			wrote++
		}
	})
	j := New(db, nil, Retention{Events: time.Hour, Deliveries: time.Hour, Messages: time.Hour, Audit: 200 * time.Hour}, slog.New(slog.DiscardHandler))
	j.rest = func(context.Context, time.Duration) bool { return true }
	j.Clean(t.Context())
	stop()
	group.Wait()
	mu.Lock()
	defer mu.Unlock()
	if chores < 8 || writes != wrote { // each a transaction of its own
		t.Errorf("%d batches, %d transactions of %d writers", chores, writes, wrote)
	}
	st, err := db.Stats(t.Context())
	if err != nil || st.Events.Count != 0 || st.Messages["read"] != 0 || st.Messages["queued"] != int64(wrote) {
		t.Errorf("%+v, %v", st, err)
	}
}
