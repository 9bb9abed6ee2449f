package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// fate does things to kurir, one after the other, as its seed says.
type fate struct {
	h      *house
	r      *rand.Rand
	log    *os.File
	begun  time.Time
	until  time.Time
	counts map[string]int
	quiet  time.Duration  // nothing more happens for so long: kurir is to help itself
	later  sync.WaitGroup // of what is undone after a while

	mu      sync.Mutex
	stopped map[*chromium]bool
}

// chaos has the clients send while fate strikes, waits until kurir has come to rest, and judges.
func chaos(ctx context.Context, h *house, w *watcher, o options) (*chaosReport, error) {
	log, err := os.Create(filepath.Join(h.dir, "fate.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	fmt.Printf("chaos for %s: %d clients, %d instances\n", o.chaos, o.clients, len(h.instances))
	f := &fate{h: h, r: rand.New(rand.NewPCG(o.seed, 1)), log: log, begun: time.Now(), until: time.Now().Add(o.chaos), //nolint:gosec // to be repeated
		counts: map[string]int{}, stopped: map[*chromium]bool{}}
	stop, cancel := context.WithDeadline(ctx, f.until)
	defer cancel()
	patience, cancel2 := context.WithDeadline(ctx, f.until.Add(o.settle))
	defer cancel2()
	c := &crowd{h: h, w: w}
	sent := make(chan struct{})
	go func() { defer close(sent); c.send(patience, stop, o.clients) }()
	err = f.strike(ctx, stop)
	f.later.Wait()
	if err == nil {
		err = h.clearFaults(ctx)
	}
	if err != nil {
		cancel()
		cancel2()
		<-sent
		return nil, err
	}
	<-sent
	settled := time.Now()
	w.settle(patience)
	r := &chaosReport{counts: f.counts, took: o.chaos, settled: time.Since(settled), tries: c.tries.Load(), repeats: c.repeats.Load()}
	return r, judge(ctx, h, w, c, r)
}

// patienceWithUnknown is how long the end waits for kurir to look unknown messages up again.
const patienceWithUnknown = 100 * time.Second

// settle waits until nothing waits any more, and for a while until nothing is unknown; at most until ctx ends.
func (w *watcher) settle(ctx context.Context) {
	var empty time.Time
	_ = poll(ctx, time.Hour, 200*time.Millisecond, func() error {
		var waiting, unknown int
		if err := w.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM messages WHERE state IN ('queued', 'scheduled', 'sending')),
			(SELECT count(*) FROM messages WHERE state = 'unknown')`).Scan(&waiting, &unknown); err != nil {
			return err
		}
		switch {
		case waiting > 0:
			empty = time.Time{}
			return errors.New("the queue is not empty")
		case empty.IsZero():
			empty = time.Now()
		}
		if unknown > 0 && time.Since(empty) < patienceWithUnknown {
			return errors.New("something is unknown")
		}
		return nil
	})
}

// strike does one deed after the other until stop ends, and leaves kurir running.
func (f *fate) strike(ctx, stop context.Context) error {
	list, total := deeds(), 0
	for _, d := range list {
		total += d.weight
	}
	for pause(stop, f.quiet+time.Duration((0.3+min(f.r.ExpFloat64()*2, 8))*float64(time.Second))) {
		f.quiet = 0
		if f.h.running().gone() {
			if err := f.h.start(ctx); err != nil {
				return fmt.Errorf("start kurir, which ended by itself: %w", err)
			}
		}
		n := f.r.IntN(total)
		for _, d := range list {
			if n -= d.weight; n >= 0 {
				continue
			}
			// Each deed has dice of its own, so that what one finds does not change the next.
			what, err := d.do(f, ctx, rand.New(rand.NewPCG(f.h.seed, 1000+f.r.Uint64N(1<<32)))) //nolint:gosec // to be repeated
			_, _ = fmt.Fprintf(f.log, "%8.3f %s: %s %v\n", time.Since(f.begun).Seconds(), d.name, what, err)
			if errors.Is(err, errFatal) {
				return err
			}
			if err == nil {
				f.counts[d.name]++
			} else {
				f.counts[d.name+", in vain"]++
			}
			break
		}
	}
	return ctx.Err()
}

// afterwards undoes something after a while, at the latest when the time is up.
func (f *fate) afterwards(d time.Duration, undo func()) {
	f.later.Go(func() {
		time.Sleep(min(d, max(0, time.Until(f.until))))
		undo()
	})
}
