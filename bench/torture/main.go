// Command torture tries to break kurir's promise: what was accepted is never lost, never doubled, and nothing is said
// of it that is not so. It runs the built binary and a sandbox, each a process of its own, links instances, and
//
//   - kills kurir at each step of a send (steps.go), then
//   - sends from eight clients over HTTP while kurir, its Chromiums and their renderers are killed, stopped and reloaded
//     and the sandbox drops connections and acks at random (clients.go, chaos.go),
//
// and compares what kurir says with what the simulated phones received (judge.go). It exits with 1 when a promise is
// broken, and keeps its folder then. The seed it prints makes the same deeds in the same order; their moments are the
// machine's.
//
// Invariant: it signals only processes that it started itself, or that those started, and none of them outlives it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	chaos     time.Duration // of the random deeds; 0: none
	steps     int           // kills at each step of a send; 0: none
	stepsFor  time.Duration // for all of them
	settle    time.Duration // for the queue to empty at the end
	seed      uint64
	keep      bool
	instances int
	clients   int
	binary    string
}

func main() {
	var o options
	flag.DurationVar(&o.chaos, "for", 10*time.Minute, "how long kurir is tortured at random; 0: not at all")
	flag.IntVar(&o.steps, "steps", 100, "how often kurir is killed at each step of a send")
	flag.DurationVar(&o.stepsFor, "steps-for", 25*time.Minute, "how long these kills may take in all")
	flag.DurationVar(&o.settle, "settle", 4*time.Minute, "how long the queue may take to empty at the end")
	flag.Uint64Var(&o.seed, "seed", 0, "of the random deeds; 0: a new one")
	flag.BoolVar(&o.keep, "keep", false, "keep the data folder, also when all is well")
	flag.IntVar(&o.instances, "instances", 3, "how many instances")
	flag.IntVar(&o.clients, "clients", 8, "how many clients send at the same time")
	flag.StringVar(&o.binary, "binary", "bin/kurir", "the kurir to torture")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64N(1e9) + 1 //nolint:gosec // a seed is no secret
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// run does everything in a new folder, which goes when all is well.
func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "kurir-torture-")
	if err != nil {
		return err
	}
	fmt.Printf("torture: seed %d, data in %s\n", o.seed, dir)
	f := &findings{started: time.Now()}
	err = torture(ctx, o, dir, f)
	interrupted := ctx.Err() != nil && f.err() == nil
	if err != nil && !interrupted || o.keep {
		fmt.Printf("torture: everything is in %s (seed %d)\n", dir, o.seed)
		return err
	}
	return errors.Join(err, os.RemoveAll(dir))
}

func torture(ctx context.Context, o options, dir string, f *findings) (err error) {
	h, err := openHouse(ctx, o, dir, f)
	defer func() { err = errors.Join(err, h.close()) }()
	if err != nil {
		return err
	}
	w := watch(ctx, h)
	defer w.stop()
	var r report
	if o.steps > 0 {
		if r.steps, err = killAtSteps(ctx, h, o); err != nil {
			return fmt.Errorf("kills at the steps of a send: %w", err)
		}
	}
	if o.chaos > 0 {
		if r.chaos, err = chaos(ctx, h, w, o); err != nil {
			return fmt.Errorf("chaos: %w", err)
		}
	}
	r.print(o, h, f)
	return f.err()
}
