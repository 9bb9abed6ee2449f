package webhook

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kurir/events"
	"kurir/models"
	"kurir/models/modelstest"
)

const patience = time.Minute

// world is a database with a sandbox instance, and a dispatcher.
type world struct {
	t        testing.TB
	db       *models.DB
	log      *events.Log
	instance string
	d        *Dispatcher
	n        int // of messages
}

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	return openWorld(t, filepath.Join(t.TempDir(), "kurir.db"), cfg)
}

func openWorld(t testing.TB, path string, cfg Config) *world {
	t.Helper()
	ctx := context.Background()
	db := modelstest.Open(t, models.Config{URL: path, Outcomes: events.Outcomes})
	in := models.Instance{Name: "toko", Region: "ID", Sandbox: true}
	if err := db.CreateInstance(ctx, &in); err != nil {
		if in, err = db.InstanceByName(ctx, "toko"); err != nil {
			t.Fatal(err)
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w := &world{t: t, db: db, log: events.NewLog(db, 0), instance: in.ID, d: New(db, cfg)}
	t.Cleanup(w.close)
	return w
}

func (w *world) start() {
	w.t.Helper()
	if err := w.d.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	if w.db == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.d.Close(ctx); err != nil {
		w.t.Error(err)
	}
	if err := w.db.Close(); err != nil {
		w.t.Error(err)
	}
	w.db = nil
}

// hook makes a webhook of the instance.
func (w *world) hook(url string, types ...string) models.Webhook {
	w.t.Helper()
	h := models.Webhook{InstanceID: w.instance, URL: url, Events: models.JoinEventTypes(types)}
	if err := w.db.CreateWebhook(context.Background(), &h); err != nil {
		w.t.Fatal(err)
	}
	return h
}

// say appends n messages to a chat and returns their event ids.
func (w *world) say(chat string, n int) []string {
	w.t.Helper()
	var list []events.Payload
	for range n {
		w.n++
		list = append(list, &events.Message{Content: events.Content{ID: fmt.Sprint("M", w.n), Chat: chat, Kind: "chat", Body: fmt.Sprint(w.n), Time: time.Now()}})
	}
	added, err := w.log.Append(context.Background(), w.instance, list...)
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []string
	for _, e := range added {
		ids = append(ids, e.ID)
	}
	return ids
}

// states counts the deliveries of a webhook by state.
func (w *world) states(id string) map[models.DeliveryState]int {
	w.t.Helper()
	list, err := w.db.Deliveries(context.Background(), id, "", 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[models.DeliveryState]int{}
	for _, d := range list {
		out[d.State]++
	}
	return out
}

func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// call is what a receiver got.
type call struct {
	header http.Header
	length int64
	body   []byte
	id     string
}

// receiver is an HTTP server that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(c call, n int) int // status of the n-th call, from 1; nil: 200
}

func newReceiver(t testing.TB, answer func(call, int) int) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		c := call{req.Header.Clone(), req.ContentLength, body, req.Header.Get("webhook-id")}
		r.mu.Lock()
		r.calls = append(r.calls, c)
		n := len(r.calls)
		r.mu.Unlock()
		status := 200
		if r.answer != nil {
			status = r.answer(c, n)
		}
		rw.WriteHeader(status)
		_, _ = fmt.Fprintf(rw, "answer %d", status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]call{}, r.calls...)
}

// firsts returns the ids in the order in which each came first.
func (r *receiver) firsts() []string {
	seen := map[string]bool{}
	var ids []string
	for _, c := range r.got() {
		if !seen[c.id] {
			seen[c.id] = true
			ids = append(ids, c.id)
		}
	}
	return ids
}
