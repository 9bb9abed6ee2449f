package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"kurir/browser"
	"kurir/events"
	"kurir/models"
	"kurir/problem"
)

// Source is where the files of an instance come from. browser.Session is one.
type Source interface {
	Download(ctx context.Context, w browser.Wanted) (browser.File, error)
}

// Config has what a Fetcher needs. A zero field of the second part is its default.
type Config struct {
	DB    *models.DB
	Store *Store
	// MaxBytes is the largest file, whatever an instance's settings say.
	MaxBytes int64
	// Source returns where an instance's files come from; false while there is nowhere.
	Source func(instanceID string) (Source, bool)

	Log *slog.Logger
	// Schedule has the pauses after the first, second, … failed attempt; after as many and one more a file is failed.
	// 5 s, 30 s, 2 m, 10 m, 1 h, 6 h.
	Schedule []time.Duration
	// Rest is how long an instance that is not ready is left alone, unless Wake comes before; 10 s.
	Rest time.Duration
	// Parallel is how many instances fetch at the same time; 2: the page holds a whole file in memory.
	Parallel int
}

// Fetcher fetches the files that are pending, for each instance one after the other, in the order in which they came.
type Fetcher struct {
	cfg    Config
	wake   chan struct{}   // 1 slot
	ctx    context.Context //nolint:containedctx // of the work; ends with Close
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu      sync.Mutex
	busy    map[string]bool
	resting map[string]time.Time // until when
}

// Start starts a Fetcher with what an earlier kurir left.
func Start(cfg Config) *Fetcher {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Schedule == nil {
		cfg.Schedule = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}
	}
	if cfg.Rest == 0 {
		cfg.Rest = 10 * time.Second
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 2
	}
	f := &Fetcher{cfg: cfg, wake: make(chan struct{}, 1), busy: map[string]bool{}, resting: map[string]time.Time{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	cfg.DB.OnMedia(f.Wake)
	f.group.Go(f.run)
	return f
}

// Close ends the work; what is under way is fetched again when kurir is back.
func (f *Fetcher) Close() {
	f.cancel()
	f.group.Wait()
}

// Wake has the files of an instance looked at: the instance is ready. For files that are added the database calls it. It
// never blocks.
func (f *Fetcher) Wake(instanceID string) {
	f.mu.Lock()
	delete(f.resting, instanceID)
	f.mu.Unlock()
	f.poke()
}

func (f *Fetcher) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

const safetyPoll = time.Minute

func (f *Fetcher) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-f.wake:
		case <-timer.C:
		case <-f.ctx.Done():
			return
		}
		next, err := f.startDue()
		if err != nil && f.ctx.Err() == nil {
			f.cfg.Log.Error("look for files to fetch", "err", err)
			next = f.cfg.Rest
		}
		timer.Reset(next)
	}
}

// startDue starts what is due as far as there is room, and returns when to look again.
func (f *Fetcher) startDue() (time.Duration, error) {
	for {
		except, room := f.excluded()
		if !room {
			return safetyPoll, nil // the next end wakes
		}
		m, next, ok, err := f.cfg.DB.DueMedia(f.ctx, time.Now(), except)
		if err != nil {
			return 0, err
		}
		if !ok {
			return f.pause(next), nil
		}
		source, ok := f.cfg.Source(m.InstanceID)
		f.mu.Lock()
		if ok {
			f.busy[m.InstanceID] = true
		} else {
			f.resting[m.InstanceID] = time.Now().Add(f.cfg.Rest)
		}
		f.mu.Unlock()
		if !ok {
			if err := f.orphaned(m); err != nil {
				return 0, err
			}
			continue
		}
		f.group.Go(func() {
			f.fetch(m, source)
			f.mu.Lock()
			delete(f.busy, m.InstanceID)
			f.mu.Unlock()
			f.poke()
		})
	}
}

// excluded lists the instances that are at work or rest; room is false when no more may start.
func (f *Fetcher) excluded() (list []string, room bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(f.resting, func(_ string, until time.Time) bool { return !now.Before(until) })
	return slices.AppendSeq(slices.Collect(maps.Keys(f.busy)), maps.Keys(f.resting)), len(f.busy) < f.cfg.Parallel
}

// pause is how long until something may be due: the next file, if there is one, or an instance that has rested.
func (f *Fetcher) pause(next time.Time) time.Duration {
	d := safetyPoll
	if !next.IsZero() {
		d = min(d, time.Until(next))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, until := range f.resting {
		d = min(d, time.Until(until))
	}
	return max(d, time.Millisecond)
}

// orphaned ends the wait for a file of an instance that was deleted.
func (f *Fetcher) orphaned(m models.Media) error {
	_, err := f.cfg.DB.Instance(f.ctx, m.InstanceID)
	if problem.CodeOf(err) != problem.NotFound {
		return err
	}
	// Without an event: nobody listens to that instance any more.
	return f.cfg.DB.FinishMedia(f.ctx, models.MediaOutcome{ID: m.ID, State: models.MediaFailed, Error: "the instance was deleted"})
}

// fetch makes one attempt at a file and writes down what came of it.
func (f *Fetcher) fetch(m models.Media, source Source) {
	err := f.attempt(m, source)
	if err == nil || f.ctx.Err() != nil {
		return
	}
	o := f.judge(m, err)
	f.cfg.Log.Info("file is not fetched", "instance", m.InstanceID, "message", m.MessageID, "media", m.ID, "state", o.State, "err", err)
	if err := f.finish(o); err != nil && f.ctx.Err() == nil {
		f.cfg.Log.Error("what became of a file is not stored", "instance", m.InstanceID, "media", m.ID, "err", err)
		f.mu.Lock()
		f.resting[m.InstanceID] = time.Now().Add(f.cfg.Rest)
		f.mu.Unlock()
	}
}

// attempt fetches a file into the store, and writes that down.
func (f *Fetcher) attempt(m models.Media, source Source) error {
	limit := f.cfg.MaxBytes
	if !m.Asked {
		in, err := f.cfg.DB.Instance(f.ctx, m.InstanceID)
		if err != nil {
			return err
		}
		limit = in.MediaWanted().Limit(limit)
	}
	if m.ToldSize > limit {
		return problem.New(problem.MediaTooLarge, "")
	}
	if !f.cfg.Store.Room(m.ToldSize) {
		return ErrFull
	}
	file, err := source.Download(f.ctx, browser.Wanted{
		ID: m.MessageID, Chat: m.Chat, FromMe: m.FromMe, Author: m.Author, MaxBytes: limit, Size: m.ToldSize,
	})
	if err != nil {
		return err
	}
	if file.Size > limit { // the source has checked it; a bound is worth a second look
		return errors.Join(problem.New(problem.MediaTooLarge, ""), os.Remove(file.Path))
	}
	return f.cfg.Store.Take(f.ctx, file.Path, func(sum string, size int64) error {
		return f.finish(models.MediaOutcome{
			ID: m.ID, State: models.MediaStored, Counted: true, SHA256: sum, Size: size,
			Kind: file.Kind, MimeType: file.MimeType, FileName: file.Name,
		})
	})
}

func (f *Fetcher) finish(o models.MediaOutcome) error {
	o.Event = events.MediaRow
	return f.cfg.DB.FinishMedia(f.ctx, o)
}

// judge says what follows from an attempt that failed.
func (f *Fetcher) judge(m models.Media, err error) models.MediaOutcome {
	o := models.MediaOutcome{ID: m.ID, State: models.MediaPending, Error: words(err)}
	switch code := problem.CodeOf(err); code {
	case problem.MediaGone:
		o.State, o.Counted = models.MediaGone, true
		return o
	case problem.MediaTooLarge:
		o.State, o.Counted = models.MediaTooLarge, true
		return o
	case problem.InstanceNotReady, problem.SessionLost: // nothing was tried, or it says nothing of the file
		// It is the instance that has to wait, which Wake ends; the file only goes behind those that wait as well, because it
		// may be what ends the page.
		o.NextAt = time.Now()
		f.mu.Lock()
		f.resting[m.InstanceID] = o.NextAt.Add(f.cfg.Rest)
		f.mu.Unlock()
		return o
	}
	o.Counted = true
	if m.Attempts >= len(f.cfg.Schedule) {
		o.State = models.MediaFailed
		return o
	}
	o.NextAt = time.Now().Add(f.cfg.Schedule[m.Attempts])
	return o
}

// words are what people are told of an error: its code and detail, never more.
func words(err error) string {
	if errors.Is(err, ErrFull) {
		return ErrFull.Error() + " (KURIR_MEDIA_TOTAL_MB)"
	}
	var p *problem.Error
	if errors.As(err, &p) {
		if p.Detail == "" {
			return string(p.Code)
		}
		return fmt.Sprintf("%s (%s)", p.Code, p.Detail)
	}
	return "the file could not be written; kurir's log says why"
}
