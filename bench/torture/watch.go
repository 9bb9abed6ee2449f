package main

import (
	"bufio"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver, to read kurir's database beside it
)

// watcher looks into kurir's database from outside, read-only: how much waits, and which messages were unknown, if only
// for a while. What was unknown may be overtaken.
type watcher struct {
	h    *house
	db   *sql.DB
	done chan struct{}
	end  context.CancelFunc

	mu      sync.Mutex
	waiting int
	unknown map[string]bool // ids that were ever
}

func watch(ctx context.Context, h *house) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{h: h, done: make(chan struct{}), end: cancel, unknown: map[string]bool{}}
	w.db, _ = sql.Open("sqlite", "file:"+filepath.Join(h.data(), "kurir.db")+"?mode=ro&_pragma=busy_timeout(2000)") // opens nothing yet
	w.db.SetMaxOpenConns(1)
	go func() {
		defer close(w.done)
		for pause(ctx, 100*time.Millisecond) {
			w.look(ctx)
		}
	}()
	return w
}

func (w *watcher) stop() {
	w.end()
	<-w.done
	_ = w.db.Close()
}

// look reads the figures. While kurir is being killed it may fail; the next look is soon.
func (w *watcher) look(ctx context.Context) {
	var n int
	err := w.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM messages WHERE state = 'queued') + (SELECT count(*) FROM messages WHERE state = 'sending')`).Scan(&n)
	if err != nil {
		return
	}
	ids, err := w.ids(ctx, `SELECT id FROM messages WHERE state = 'unknown'`)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = n
	if err == nil {
		for _, id := range ids {
			w.unknown[id] = true
		}
	}
}

// backlog is how many messages wait or are on their way.
func (w *watcher) backlog() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

func (w *watcher) ids(ctx context.Context, query string) (list []string, err error) {
	rows, err := w.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// order is every message's place in the order of acceptance, as kurir stored it.
func (w *watcher) order(ctx context.Context) (map[string]int, error) {
	list, err := w.ids(ctx, `SELECT id FROM messages ORDER BY seq`)
	place := make(map[string]int, len(list))
	for i, id := range list {
		place[id] = i
	}
	return place, err
}

var resolvedUnknown = regexp.MustCompile(`msg=resolved .*message=(msg_\w+).* state=unknown`)

// everUnknown are the ids that were unknown at any time: seen in the database, or told by kurir's log for those that
// were only between two looks.
func (w *watcher) everUnknown() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.h.scanLog(func(line string) {
		if m := resolvedUnknown.FindStringSubmatch(line); m != nil {
			w.unknown[m[1]] = true
		}
	})
	return w.unknown
}

func (h *house) scanLog(see func(line string)) {
	f, err := os.Open(filepath.Join(h.dir, "kurir.log"))
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		see(s.Text())
	}
}

// logErrors counts the lines that kurir logged as errors, by what they say.
func (h *house) logErrors() map[string]int {
	counts := map[string]int{}
	h.scanLog(func(line string) {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			h.f.bad(endedItself, "%s", line)
		}
		if _, rest, ok := strings.Cut(line, "level=ERROR msg="); ok {
			end := " "
			if strings.HasPrefix(rest, `"`) {
				rest, end = rest[1:], `"`
			}
			rest, _, _ = strings.Cut(rest, end)
			counts[rest]++
		}
	})
	return counts
}
