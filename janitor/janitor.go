// Package janitor deletes what is older than it is to be kept.
//
// Invariant: rows go in batches, each a transaction of its own, and after one that kept the writer from others for long
// the next is at once smaller. A batch ends when its time is over, whatever its size (models.DB), and its COMMIT brings
// no checkpoint; what is aimed at is far below Hold, which leaves room for a disk or a machine that is busy for once. How
// large a batch may be is found out for each kind of row anew, because a row of one table says nothing about another's.
package janitor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"kurir/media"
	"kurir/models"
)

// Retention is how long things are kept. Zero is for ever.
type Retention struct {
	// Events: what GET /v1/events reaches back to, and how long a message is known to be one that was told already.
	Events time.Duration `env:"KURIR_RETENTION_EVENTS" envDefault:"720h"`
	// Deliveries of webhooks: their list.
	Deliveries time.Duration `env:"KURIR_RETENTION_DELIVERIES" envDefault:"336h"`
	// Messages that were sent or failed; their idempotency keys go with them.
	Messages time.Duration `env:"KURIR_RETENTION_MESSAGES" envDefault:"2160h"`
	// Media: the files of messages, from when no webhook waits for an event that mentions them.
	Media time.Duration `env:"KURIR_RETENTION_MEDIA" envDefault:"168h"`
	// Audit: the log of who did what. Never less than a week.
	Audit time.Duration `env:"KURIR_RETENTION_AUDIT" envDefault:"8760h"`
}

// Validate says what cannot be meant.
func (r Retention) Validate() error {
	for _, d := range []time.Duration{r.Events, r.Deliveries, r.Messages, r.Media, r.Audit} {
		if d != 0 && d < time.Hour {
			return errors.New("KURIR_RETENTION_*: must be 0 (for ever) or at least 1h; 720h are 30 days")
		}
	}
	if r.Audit != 0 && r.Audit < 7*24*time.Hour {
		return errors.New("KURIR_RETENTION_AUDIT: must be 0 (for ever) or at least 168h, a week")
	}
	return nil
}

const (
	every = 10 * time.Minute
	first = time.Minute // after the start, when everybody else is busy
	least = 5 * time.Millisecond
)

// Hold is how long a batch may keep the writer, from its BEGIN until after its COMMIT.
const Hold = 50 * time.Millisecond

// Janitor is one goroutine that works in batches, with a pause after each that is longer than the batch was.
type Janitor struct {
	db    *models.DB
	files *media.Store // nil: rows of files are left alone
	keep  Retention
	log   *slog.Logger
	stop  context.CancelFunc
	group sync.WaitGroup
	rest  func(context.Context, time.Duration) bool // false when kurir ends
}

// New returns a Janitor that does nothing before Start. Without files the rows of files are left alone.
func New(db *models.DB, files *media.Store, keep Retention, log *slog.Logger) *Janitor {
	return &Janitor{db: db, files: files, keep: keep, log: log, rest: rest, stop: func() {}}
}

// Start lets it work now and then until Close.
func (j *Janitor) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	j.stop = cancel
	j.group.Go(func() {
		for pause := first; j.rest(ctx, pause); pause = every {
			j.Clean(ctx)
		}
	})
}

// Close ends it and waits.
func (j *Janitor) Close() {
	j.stop()
	j.group.Wait()
}

// Clean makes one pass over everything.
func (j *Janitor) Clean(ctx context.Context) {
	now := time.Now()
	var sweeps []*models.Sweep
	add := func(keep time.Duration, sweep func(time.Time) *models.Sweep) {
		if keep > 0 {
			sweeps = append(sweeps, sweep(now.Add(-keep)))
		}
	}
	// Deliveries before their events.
	add(j.keep.Deliveries, j.db.SweepDeliveries)
	add(j.keep.Events, j.db.SweepEvents)
	add(j.keep.Messages, j.db.SweepMessages)
	add(j.keep.Audit, j.db.SweepAudit)
	for _, s := range sweeps {
		j.repeat(ctx, s.Name, func(n int) (int64, time.Duration, bool, error) { return s.Step(ctx, n) })
	}
	if j.files != nil {
		j.cleanMedia(ctx, now)
	}
	j.repeat(ctx, "what is gone", func(n int) (int64, time.Duration, bool, error) { return j.db.SweepGone(ctx, n) })
	j.repeat(ctx, "free pages", func(n int) (int64, time.Duration, bool, error) {
		held, more, err := j.db.Vacuum(ctx, n)
		return 0, held, more, err
	})
}

// cleanMedia makes one pass over the files of messages.
func (j *Janitor) cleanMedia(ctx context.Context, now time.Time) {
	j.repeat(ctx, "media to keep for now", func(n int) (int64, time.Duration, bool, error) {
		_, held, more, err := j.db.ReleaseMedia(ctx, n)
		return 0, held, more, err
	})
	before := time.Time{} // for ever: what deleted instances have left goes all the same
	if j.keep.Media > 0 {
		before = now.Add(-j.keep.Media)
	}
	j.repeat(ctx, "media", func(n int) (int64, time.Duration, bool, error) { return j.expireMedia(ctx, before, n) })
}

// expireMedia deletes rows and then the files that no other row needs. A crash between the two leaves files that the next
// start removes.
func (j *Janitor) expireMedia(ctx context.Context, before time.Time, n int) (int64, time.Duration, bool, error) {
	hashes, held, more, err := j.db.ExpireMedia(ctx, before, n)
	for _, sum := range hashes {
		err = errors.Join(err, j.files.Remove(sum, func() (bool, error) { return j.db.MediaUsed(ctx, sum) }))
	}
	return int64(len(hashes)), held, more, err
}

// repeat does a step until there is nothing more to do.
func (j *Janitor) repeat(ctx context.Context, name string, step func(n int) (int64, time.Duration, bool, error)) {
	total := int64(0)
	for size := batch(batchFirst); ; {
		n, held, more, err := step(int(size))
		if total += n; err != nil {
			if ctx.Err() == nil {
				j.log.Error("janitor", "what", name, "err", err)
			}
			break
		}
		size = size.after(held)
		if !more || !j.rest(ctx, max(2*held, least)) {
			break
		}
	}
	if total > 0 {
		j.log.Info("janitor deleted old rows", "what", name, "rows", total)
	}
}

func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
