package outbox

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"kurir/browser"
	"kurir/models"
	"kurir/models/modelstest"
	"kurir/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is a WhatsApp Web made of two functions. It records what it is asked and that sends never overlap.
type page struct {
	t      testing.TB
	send   func(ctx context.Context, m browser.Outgoing, attempt int) (browser.Sent, error)
	lookup func(id string, look int) (browser.Presence, error)

	mu    sync.Mutex
	busy  bool
	sends []string       // bodies, in order
	tries map[string]int // by WhatsApp id
	looks map[string]int
	acks  map[string]int // of what was sent, as the page knows them
}

func ok(context.Context, browser.Outgoing, int) (browser.Sent, error) {
	return browser.Sent{Ack: 1, Time: 946684800}, nil
}

func newPage(t testing.TB) *page {
	return &page{t: t, send: ok, tries: map[string]int{}, looks: map[string]int{}, acks: map[string]int{}}
}

func (p *page) Send(ctx context.Context, m browser.Outgoing) (browser.Sent, error) {
	p.mu.Lock()
	if p.busy {
		p.t.Error("two messages in flight")
	}
	p.busy = true
	p.sends = append(p.sends, m.Body)
	p.tries[m.ID]++
	n := p.tries[m.ID]
	if m.First && n > 1 {
		p.t.Errorf("%s: the page has heard of the id, and is told that it has not", m.ID)
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.busy = false
		p.mu.Unlock()
	}()
	sent, err := p.send(ctx, m, n)
	if err == nil && sent.Ack > 0 {
		p.mu.Lock()
		p.acks[m.ID] = sent.Ack
		p.mu.Unlock()
	}
	return sent, err
}

// receipts answers a look at messages that were sent; ok is false when it is about others.
func (p *page) receipts(ids []string) (found map[string]browser.Presence, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found = map[string]browser.Presence{}
	for _, id := range ids {
		if p.acks[id] == 0 {
			return nil, false
		}
		found[id] = present(p.acks[id])
	}
	return found, true
}

func (p *page) Lookup(_ context.Context, chat string, ids []string) (map[string]browser.Presence, error) {
	if found, ok := p.receipts(ids); ok {
		return found, nil
	}
	if p.lookup == nil {
		p.t.Error("unexpected look at", ids)
		return nil, problem.New(problem.PageError, "")
	}
	p.mu.Lock()
	p.looks[ids[0]]++
	n := p.looks[ids[0]]
	p.mu.Unlock()
	if chat != "6281234567890@c.us" {
		p.t.Errorf("look in chat %q", chat)
	}
	found, err := p.lookup(ids[0], n)
	return map[string]browser.Presence{ids[0]: found}, err
}

func (p *page) sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.sends...)
}

func (p *page) looked() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.looks {
		n += l
	}
	return n
}

func present(ack int) browser.Presence {
	return browser.Presence{Found: browser.FoundPresent, Ack: ack}
}

// house is a database with one instance and its outbox.
type house struct {
	t    testing.TB
	db   *models.DB
	o    *Outbox
	id   string
	page *page
	dir  string
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newHouse opens a database in a new folder, with an instance that is attached and not ready.
func newHouse(t testing.TB, cfg Config) *house {
	t.Helper()
	dir := t.TempDir()
	in := models.Instance{Name: "a"}
	db := modelstest.Open(t, models.Config{URL: filepath.Join(dir, "kurir.db")})
	if err := db.CreateInstance(context.Background(), &in); err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, id: in.ID, dir: dir, page: newPage(t)}
	h.start(cfg)
	return h
}

func (h *house) start(cfg Config) {
	cfg.Log = quiet()
	if cfg.FilesDir == "" {
		cfg.FilesDir = h.dir
	}
	h.o = New(h.db, cfg)
	h.o.Attach(h.id, h.page, Pace{})
}

func (h *house) close() {
	h.t.Helper()
	if err := h.o.Drain(context.Background()); err != nil {
		h.t.Error(err)
	}
	if err := h.db.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *house) enqueue(body string, change ...func(*models.Message)) models.Message {
	h.t.Helper()
	m := models.Message{InstanceID: h.id, Chat: "6281234567890@c.us", Kind: "text", Body: body, ContentHash: body}
	for _, f := range change {
		f(&m)
	}
	row, _, err := h.db.Enqueue(context.Background(), m, models.AuditEntry{Action: "wa.send"})
	if err != nil {
		h.t.Fatal(err)
	}
	h.o.Wake(h.id)
	return row
}

func (h *house) row(m models.Message) models.Message {
	h.t.Helper()
	got, err := h.db.MessageByID(context.Background(), m.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

func (h *house) wait(m models.Message) models.Message {
	h.t.Helper()
	got, err := h.o.Wait(context.Background(), m.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

func (h *house) want(m models.Message, state models.MessageState, code problem.Code) models.Message {
	h.t.Helper()
	got := h.wait(m)
	if got.State != state || got.Code != string(code) {
		h.t.Errorf("%s: %s %q (%s), want %s %q", m.Body, got.State, got.Code, got.Detail, state, code)
	}
	return got
}

// lock makes the database unwritable, as another process in the middle of a write does, until unlock is called.
func (h *house) lock() (unlock func()) {
	h.t.Helper()
	err := h.db.Write(context.Background(), func(tx *gorm.DB) error { return tx.Exec("PRAGMA busy_timeout = 1").Error })
	if err != nil {
		h.t.Fatal(err)
	}
	other := modelstest.Open(h.t, models.Config{URL: h.db.Path()})
	entered, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- other.Write(context.Background(), func(*gorm.DB) error { close(entered); <-gate; return nil })
	}()
	<-entered
	return func() {
		close(gate)
		if err := errors.Join(<-done, other.Close()); err != nil {
			h.t.Error(err)
		}
	}
}
