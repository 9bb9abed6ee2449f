package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"kurir/browser"
	"kurir/events"
	"kurir/models"
	"kurir/outbox"
	"kurir/problem"
)

// fakePage has messages, and fails as often as it is told to.
type fakePage struct {
	mu    sync.Mutex
	has   map[string][]browser.Event // by chat
	chats []string
	fails int
	err   error
	calls int
}

func (p *fakePage) add(chat string, n int, at time.Time) browser.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := browser.Event{Type: browser.EventMessage, Message: &browser.Message{
		ID: fmt.Sprint("M", n), Chat: chat, Type: "chat", Body: fmt.Sprint(n), Time: at.Unix(),
	}}
	if p.has == nil {
		p.has = map[string][]browser.Event{}
	}
	if p.has[chat] == nil {
		p.chats = append(p.chats, chat)
	}
	p.has[chat] = append(p.has[chat], e)
	return e
}

func (p *fakePage) fail(times int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails, p.err, p.calls = times, err, 0
}

func (p *fakePage) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

func (p *fakePage) Changed(context.Context, time.Time) (browser.Changed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls++; p.calls <= p.fails {
		return browser.Changed{}, p.err
	}
	return browser.Changed{Chats: p.chats}, nil
}

func (p *fakePage) Backlog(_ context.Context, chats []string, from, _ time.Time) (list []browser.Event, done, cut int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.has[chats[0]] {
		if e.Message.Time >= from.Unix() {
			list = append(list, e)
		}
	}
	return list, 1, 0, nil
}

func (*fakePage) AskPresence(context.Context, bool) error { return nil }

// text is a log that a test reads.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

func (t *text) count(words string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Count(t.b.String(), words)
}

const room = 600 // for what waits, as ten thousand take a minute to be written on a small machine

// flowOf makes the inflow of an instance that was linked an hour ago and heard everything until heard; it receives.
func flowOf(t *testing.T, p page, heard time.Time) (f *inflow, db *models.DB, log *text) {
	t.Helper()
	db, id := openTestDB(t)
	log = &text{}
	l := slog.New(slog.NewTextHandler(log, nil))
	out := outbox.New(db, outbox.Config{Log: l, FilesDir: t.TempDir()})
	t.Cleanup(func() {
		if err := out.Drain(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s := newSessions(Config{MediaMaxMB: 1, CatchUp: 24 * time.Hour}, db, events.NewLog(db, 0), out, nil, "", nil, l)
	from := heard.Add(-time.Hour).UTC()
	heard = heard.UTC()
	if err := db.UpdateInstance(t.Context(), id, map[string]any{"heard_at": heard, "heard_from": from, "phone": "6289"}); err != nil {
		t.Fatal(err)
	}
	f = newInflow(s, models.Instance{ID: id, Phone: "6289", HeardAt: &heard, HeardFrom: &from}, p)
	f.receiving, f.since, f.retryAfter = true, time.Now(), time.Millisecond
	f.most = room
	return f, db, log
}

type line struct {
	Chat, Body string
	Replayed   bool
}

// told waits until the log has n events, and reads them.
func told(t *testing.T, db *models.DB, id string, n int) []line {
	t.Helper()
	var all []line
	var after int64
	for end := time.Now().Add(2 * time.Minute); len(all) < n && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		list, err := db.Events(t.Context(), id, after, nil, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			var x line
			if err := json.Unmarshal(e.Payload, &x); err != nil {
				t.Fatal(err)
			}
			all, after = append(all, x), e.Seq
		}
	}
	if len(all) != n {
		t.Fatalf("the log has %d events, want %d", len(all), n)
	}
	return all
}

// TestMoreThanHasRoom puts more into an inflow than may wait. What was dropped is found in the page: everything is told
// once, in the order of each chat, and what was dropped is marked.
func TestMoreThanHasRoom(t *testing.T) {
	t.Parallel()
	const chats, beyond = 3, 300
	begin := time.Now().Add(-30 * time.Minute)
	p := &fakePage{}
	f, db, log := flowOf(t, p, begin)
	n := 0
	for range room + beyond {
		f.put(p.add(fmt.Sprint(n%chats, "@g.us"), n, begin.Add(time.Duration(n/20)*time.Second)))
		n++
	}
	f.start()
	t.Cleanup(f.close)
	next := map[string]int{}
	for i, x := range told(t, db, f.id, n) {
		k := next[x.Chat]
		if next[x.Chat]++; x.Body != fmt.Sprint(k*chats+int(x.Chat[0]-'0')) || x.Replayed != (i >= room) {
			t.Fatalf("event %d is %+v, the message %d of its chat", i, x, k)
		}
	}
	if log.count("more happens than is written down") != 1 || p.asked() != 1 {
		t.Errorf("%d catch-ups; the log says %s", p.asked(), log.b.String())
	}
	f.put(p.add("0@g.us", n, time.Now())) // and on
	if last := told(t, db, f.id, n+1)[n]; last.Body != fmt.Sprint(n) || last.Replayed {
		t.Errorf("then: %+v", last)
	}
}

// TestWhatComesWhileThereIsNoRoomWaitsForTheCatchUp drops what comes between an overflow and its catch-up, although there is
// room again: told at once, it would come before what was dropped.
func TestWhatComesWhileThereIsNoRoomWaitsForTheCatchUp(t *testing.T) {
	t.Parallel()
	p := &fakePage{}
	begin := time.Now().Add(-time.Minute)
	f, db, _ := flowOf(t, p, begin)
	for n := range room + 1 {
		f.put(p.add("0@g.us", n, begin))
	}
	f.mu.Lock()
	f.items = f.items[:10] // the others were written meanwhile, in the same order
	f.mu.Unlock()
	f.put(p.add("0@g.us", room+1, begin))
	f.start()
	t.Cleanup(f.close)
	for i, x := range told(t, db, f.id, room+2) {
		if x.Body != fmt.Sprint(i) {
			t.Fatalf("event %d is %+v", i, x)
		}
	}
}

// TestACatchUpThatFails fails as often as an inflow tries: what comes now is told all the same, the mark stays, and the
// log of kurir says so. A later try finds everything.
func TestACatchUpThatFails(t *testing.T) {
	t.Parallel()
	begin := time.Now().Add(-30 * time.Minute).Truncate(time.Second)
	p := &fakePage{}
	f, db, log := flowOf(t, p, begin)
	f.againAfter = time.Hour
	p.fail(maxCatchUps, problem.New(problem.PageTimeout, "reading messages"))
	p.add("1@g.us", 1, begin.Add(time.Minute)) // while kurir was away
	f.due = 1
	f.put(p.add("1@g.us", 2, time.Now()))
	f.start()
	if got := told(t, db, f.id, 1); got[0] != (line{"1@g.us", "2", false}) {
		t.Errorf("live: %+v", got)
	}
	if p.asked() != maxCatchUps || log.count("level=ERROR") != 1 || log.count("cannot be found; what comes now is told without it") != 1 {
		t.Errorf("tried %d times; the log says %s", p.asked(), log.b.String())
	}
	f.close() // a mark is stored at the latest now
	in, err := db.Instance(t.Context(), f.id)
	if err != nil || in.HeardAt == nil || !in.HeardAt.Equal(begin) {
		t.Errorf("the mark is %v, want %v: %v", in.HeardAt, begin, err)
	}

	// By itself after a while; and as well when kurir is started again, as the mark is where it was.
	flow := func() *inflow {
		f := newInflow(f.s, in, p)
		f.receiving, f.since, f.retryAfter, f.due = true, time.Now(), time.Millisecond, 1
		return f
	}
	restarted := flow()
	p.fail(0, nil)
	restarted.start()
	if got := told(t, db, f.id, 2); got[1] != (line{"1@g.us", "1", true}) {
		t.Errorf("restarted: %+v", got)
	}
	restarted.close()

	p.fail(maxCatchUps, problem.New(problem.PageTimeout, ""))
	p.add("1@g.us", 3, time.Now().Add(-2*time.Minute))
	later := flow()
	later.againAfter = time.Millisecond
	later.start()
	if got := told(t, db, f.id, 3); got[2] != (line{"1@g.us", "3", true}) || p.asked() != maxCatchUps+1 {
		t.Errorf("after a while: %+v, asked %d times", got, p.asked())
	}
	later.close()

	// A page that is away is waited for, however long it takes.
	p.fail(3*maxCatchUps, problem.New(problem.SessionLost, ""))
	p.add("1@g.us", 4, time.Now().Add(-time.Minute))
	away := flow()
	away.put(p.add("1@g.us", 5, time.Now()))
	away.start()
	if got := told(t, db, f.id, 5); got[3] != (line{"1@g.us", "4", true}) || got[4] != (line{"1@g.us", "5", false}) || log.count("level=ERROR") != 2 {
		t.Errorf("after a page that was away: %+v", got)
	}
	away.close()
}
