package app_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// diary is every state and reason that the sessions of a gateway went through, as kurir's log tells them: asking for
// the state now and then would miss those that are short.
type diary struct {
	mu    sync.Mutex
	lines []string
}

// watchHandler writes the sessions' lines of the log into a diary, too.
type watchHandler struct {
	slog.Handler
	diary *diary
}

func (h watchHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return watchHandler{Handler: h.Handler.WithAttrs(attrs), diary: h.diary}
}

func (h watchHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "session" {
		line := ""
		r.Attrs(func(a slog.Attr) bool { line += a.Value.String() + " "; return true })
		h.diary.mu.Lock()
		h.diary.lines = append(h.diary.lines, strings.TrimSpace(line))
		h.diary.mu.Unlock()
	}
	return h.Handler.Handle(ctx, r)
}

// open returns what is written from now on.
func (d *diary) open() func() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := len(d.lines)
	return func() []string {
		d.mu.Lock()
		defer d.mu.Unlock()
		return slices.Clone(d.lines[from:])
	}
}

// inOrder checks that lines with these words occur, in this order.
func inOrder(t *testing.T, lines []string, words ...string) {
	t.Helper()
	rest := lines
	for _, want := range words {
		i := slices.IndexFunc(rest, func(line string) bool { return strings.Contains(line, want) })
		if i < 0 {
			t.Errorf("no %q where it belongs in\n%s", want, strings.Join(lines, "\n"))
			return
		}
		rest = rest[i+1:]
	}
}
