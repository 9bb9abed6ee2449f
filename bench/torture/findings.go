package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// findings collects what broke a promise.
type findings struct {
	started time.Time
	mu      sync.Mutex
	list    []string
	counts  map[string]int
}

// bad takes note of a broken promise, by kind, and says so at once.
func (f *findings) bad(kind, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[kind]++
	text := fmt.Sprintf("%s: %s", kind, fmt.Sprintf(format, args...))
	f.list = append(f.list, text)
	if f.counts[kind] <= 20 {
		fmt.Fprintf(os.Stderr, "  BROKEN after %s: %s\n", time.Since(f.started).Round(time.Millisecond), text)
	}
}

func (f *findings) count(kind string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[kind]
}

func (f *findings) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 {
		return nil
	}
	return fmt.Errorf("%d promises were broken, the first: %s", len(f.list), f.list[0])
}

// The kinds of broken promises.
const (
	lost        = "accepted and lost"
	doubled     = "received twice"
	disordered  = "order violation"
	wrongState  = "wrong state"
	damaged     = "received with other content"
	refused     = "refused without cause"
	notTheSame  = "same key, other answer"
	orphan      = "process outlived kurir"
	endedItself = "kurir ended by itself"
	stray       = "received, never sent"
)

func kinds() []string {
	return []string{lost, doubled, disordered, wrongState, damaged, refused, notTheSame, orphan, endedItself, stray}
}
