package app

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

func (r Retention) validate() error {
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
	janitorEvery = 10 * time.Minute
	janitorFirst = time.Minute // after the start, when everybody else is busy

	batchMin, batchMax = 20, 2000
	holdAim            = 5 * time.Millisecond // how long a batch may keep the writer, on average
)

// janitor deletes what is older than it is to be kept: one goroutine, in batches whose size follows how long they keep
// the writer, with a pause after each that is longer than the batch was.
type janitor struct {
	db    *models.DB
	files *media.Store // nil: rows of files are left alone
	keep  Retention
	log   *slog.Logger
	stop  context.CancelFunc
	group sync.WaitGroup

	batch int
	held  time.Duration // the longest that the writer was kept
}

func startJanitor(db *models.DB, keep Retention, log *slog.Logger, change ...func(*janitor)) *janitor {
	ctx, cancel := context.WithCancel(context.Background())
	j := newJanitor(db, keep, log)
	j.stop = cancel
	for _, f := range change {
		f(j)
	}
	j.group.Go(func() {
		for pause := janitorFirst; j.rest(ctx, pause); pause = janitorEvery {
			j.clean(ctx)
		}
	})
	return j
}

func newJanitor(db *models.DB, keep Retention, log *slog.Logger) *janitor {
	return &janitor{db: db, keep: keep, log: log, batch: 100}
}

func (j *janitor) close() {
	j.stop()
	j.group.Wait()
}

// clean makes one pass over everything.
func (j *janitor) clean(ctx context.Context) {
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
func (j *janitor) cleanMedia(ctx context.Context, now time.Time) {
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

// withMedia has a janitor remove old files too.
func withMedia(files *media.Store) func(*janitor) { return func(j *janitor) { j.files = files } }

// expireMedia deletes rows and then the files that no other row needs. A crash between the two leaves files that the next
// start removes.
func (j *janitor) expireMedia(ctx context.Context, before time.Time, n int) (int64, time.Duration, bool, error) {
	hashes, held, more, err := j.db.ExpireMedia(ctx, before, n)
	for _, sum := range hashes {
		err = errors.Join(err, j.files.Remove(sum, func() (bool, error) { return j.db.MediaUsed(ctx, sum) }))
	}
	return int64(len(hashes)), held, more, err
}

// repeat does a step until there is nothing more to do.
func (j *janitor) repeat(ctx context.Context, name string, step func(n int) (int64, time.Duration, bool, error)) {
	total := int64(0)
	for {
		n, held, more, err := step(j.batch)
		if total += n; err != nil {
			if ctx.Err() == nil {
				j.log.Error("janitor", "what", name, "err", err)
			}
			break
		}
		j.held = max(j.held, held)
		j.adapt(held)
		if !more || !j.rest(ctx, max(2*held, 5*time.Millisecond)) {
			break
		}
	}
	if total > 0 {
		j.log.Info("janitor deleted old rows", "what", name, "rows", total)
	}
}

// adapt chooses the next batch's size by how long the last one took.
func (j *janitor) adapt(held time.Duration) {
	switch {
	case held > holdAim:
		j.batch = max(batchMin, j.batch/2)
	case held < holdAim/4:
		j.batch = min(batchMax, j.batch*5/4)
	}
}

// rest waits; false when kurir ends.
func (j *janitor) rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
