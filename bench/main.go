// Command bench measures kurir on this machine: the built binary and a sandbox, each a process of its own, over HTTP
// on loopback. It prints a table; nothing here passes or fails.
//
// Ratios against wa-js alone come from the same run, because the machine's speed is not a constant.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// section is one part of the table. Sections run in order and can be chosen by name.
type section struct {
	name string
	run  func(context.Context, *bench) error
}

// bench is what the sections share.
type bench struct {
	world *world
	kurir *kurir
	rows  []row
}

// row is a line of the table.
type row struct{ what, goal, got string }

func (b *bench) add(what, goal, format string, args ...any) {
	r := row{what, goal, fmt.Sprintf(format, args...)}
	b.rows = append(b.rows, r)
	fmt.Fprintf(os.Stderr, "  %s: %s\n", r.what, r.got)
}

func run(ctx context.Context, only []string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "kurir-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{}
	if b.world, err = startWorld(ctx, dir); err != nil {
		return err
	}
	defer b.world.stop()
	if b.kurir, err = startKurir(ctx, dir, b.world.control); err != nil {
		return err
	}
	defer func() { b.kurir.stop() }()

	sections := []section{
		{"start", benchStart}, {"accept", benchAccept}, {"queue", benchQueue}, {"janitor", benchJanitor}, {"send", benchSend},
		{"lists", benchLists}, {"files", benchFiles}, {"events", benchEvents}, {"soak", benchSoak}, {"sandbox", benchSandbox}, {"memory", benchMemory},
	}
	for _, s := range sections {
		if len(only) > 0 && !strings.Contains(strings.Join(only, ","), s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", s.name)
		if err := s.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	b.print()
	return nil
}

func (b *bench) print() {
	fmt.Printf("\nkurir bench, %s, %d cores, %s\n\n", time.Now().Format(time.DateOnly), runtime.NumCPU(), runtime.Version())
	w := tabwriter.NewWriter(os.Stdout, 2, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "what\tgoal\tmeasured")
	for _, r := range b.rows {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", r.what, r.goal, r.got)
	}
	_ = w.Flush()
}
