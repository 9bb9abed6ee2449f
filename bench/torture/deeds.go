package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"kurir/sandbox"
)

// deed is one kind of thing that happens, and how often among the others.
type deed struct {
	name   string
	weight int
	do     func(*fate, context.Context, *rand.Rand) (what string, err error)
}

func deeds() []deed {
	return []deed{
		{"kurir SIGKILL", 4, (*fate).killKurir},
		{"Chromium SIGKILL", 4, (*fate).killChromium},
		{"renderer SIGKILL", 4, (*fate).killRenderer},
		{"Chromium SIGSTOP", 3, (*fate).stopChromium},
		{"page reload", 4, (*fate).reload},
		{"sockets dropped", 4, (*fate).dropSockets},
		{"acks late", 3, (*fate).lateAcks},
		{"acks lost", 2, (*fate).loseAcks},
	}
}

// How long kurir is left alone with what it has to notice itself: two heartbeats of 10 s that were missed; an ack that
// does not come in 8 s (see openHouse), and each thing that is done about it in turn.
const (
	frozenFor  = 35 * time.Second
	unackedFor = time.Minute
)

// leave has nothing else happen for a while, in one of two cases and only while there is much time left.
func (f *fate) leave(r *rand.Rand, d time.Duration) bool {
	if r.IntN(2) == 0 || time.Until(f.until) < 2*d {
		return false
	}
	f.quiet = d
	return true
}

// errFatal ends the torture: it cannot go on.
var errFatal = errors.New("the torture cannot go on")

// between is a random duration.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

func (f *fate) instance(r *rand.Rand) *instance { return f.h.instances[r.IntN(len(f.h.instances))] }

func (f *fate) killKurir(ctx context.Context, r *rand.Rand) (string, error) {
	down := time.Duration(0)
	if r.IntN(3) == 0 {
		down = between(r, 0, 2*time.Second)
	}
	f.h.chromiums()
	f.h.running().kill()
	f.goOn() // what is stopped cannot notice that its parent is gone
	f.h.expectNoChromium(ctx)
	pause(ctx, down)
	if err := f.h.start(ctx); err != nil {
		return "", errors.Join(errFatal, fmt.Errorf("start kurir again: %w", err))
	}
	return fmt.Sprintf("down for %s", down.Round(time.Millisecond)), nil
}

func (f *fate) killChromium(_ context.Context, r *rand.Rand) (string, error) {
	in := f.instance(r)
	return in.id, f.h.killBrowser(in)
}

func (f *fate) killRenderer(_ context.Context, r *rand.Rand) (string, error) {
	in := f.instance(r)
	return in.id, f.h.killRenderer(in)
}

func (f *fate) reload(ctx context.Context, r *rand.Rand) (string, error) {
	in := f.instance(r)
	return in.id, f.h.reload(ctx, in)
}

// stopChromium freezes a browser with all its processes, mostly for a moment, sometimes until kurir ends it.
func (f *fate) stopChromium(_ context.Context, r *rand.Rand) (string, error) {
	c, err := f.h.chromium(f.instance(r))
	if err != nil {
		return "", err
	}
	d := between(r, time.Second, 9*time.Second)
	if r.IntN(4) == 0 {
		d = 40 * time.Second
		f.leave(r, frozenFor)
	}
	f.mu.Lock()
	f.stopped[c] = true
	f.mu.Unlock()
	for _, p := range append(c.children, c.browser) {
		p.signal(syscall.SIGSTOP)
	}
	f.afterwards(d, func() { f.goOnWith(c) })
	return fmt.Sprintf("%s for %s", c.instance.id, d.Round(time.Millisecond)), nil
}

func (f *fate) goOnWith(c *chromium) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopped[c] {
		return
	}
	delete(f.stopped, c)
	for _, p := range append(c.children, c.browser) {
		p.signal(syscall.SIGCONT)
	}
}

// goOn lets everything go on that is stopped.
func (f *fate) goOn() {
	f.mu.Lock()
	var all []*chromium
	for c := range f.stopped {
		all = append(all, c)
	}
	f.mu.Unlock()
	for _, c := range all {
		f.goOnWith(c)
	}
}

// dropSockets ends the connections of one instance, or of all, and refuses new ones for a while.
func (f *fate) dropSockets(ctx context.Context, r *rand.Rand) (string, error) {
	x := sandbox.Fault{Name: sandbox.FaultDropSocket, Seconds: 1 + r.IntN(7), Account: f.instance(r).number}
	if r.IntN(4) == 0 {
		x.Account = ""
	}
	return fmt.Sprintf("of %q for %d s", x.Account, x.Seconds), f.h.fault(ctx, x)
}

func (f *fate) lateAcks(ctx context.Context, r *rand.Rand) (string, error) {
	x := sandbox.Fault{Name: sandbox.FaultAckDelay, Account: f.instance(r).number, Count: 1 + r.IntN(3), DelayMS: 200 + r.IntN(6000)}
	return fmt.Sprintf("%d by %d ms", x.Count, x.DelayMS), f.h.fault(ctx, x)
}

// loseAcks has WhatsApp never acknowledge a few messages. Mostly the connection ends soon after, so that the page sends
// them again; else it is for kurir to do something.
func (f *fate) loseAcks(ctx context.Context, r *rand.Rand) (string, error) {
	in := f.instance(r)
	x := sandbox.Fault{Name: sandbox.FaultNoAck, Account: in.number, Count: 1 + r.IntN(3)}
	forGood, d := r.IntN(3) == 0, between(r, time.Second, 8*time.Second)
	if forGood = forGood && f.leave(r, unackedFor); !forGood {
		f.afterwards(d, func() {
			_ = f.h.fault(ctx, sandbox.Fault{Name: sandbox.FaultDropSocket, Account: in.number, Seconds: 1}) // else: the run is ending
		})
	}
	return fmt.Sprintf("%d, for good: %v", x.Count, forGood), f.h.fault(ctx, x)
}
