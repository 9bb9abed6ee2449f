package app_test

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kurir/events"
)

// What a receiver does with a call.
const (
	takes = int32(iota)
	refuses
	hangs
)

// receiver is a program that gets webhooks and is not well: it can refuse, hang, and be away.
type receiver struct {
	t    *testing.T
	addr string
	mode atomic.Int32

	mu      sync.Mutex
	server  *http.Server // nil: away
	order   []string     // ids in the order in which each was first seen
	bodies  map[string][sha256.Size]byte
	events  map[string]events.Envelope
	taken   map[string]int // how often each was answered 200
	calls   int
	took    map[string]time.Time // when each was first taken
	changed []string             // ids whose body was another one the second time
}

func openReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{
		t: t, addr: "127.0.0.1:0", bodies: map[string][sha256.Size]byte{}, events: map[string]events.Envelope{}, taken: map[string]int{}, took: map[string]time.Time{},
	}
	r.come()
	t.Cleanup(r.leave)
	return r
}

// come starts it, at the address that it had before.
func (r *receiver) come() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server != nil {
		return
	}
	l, err := new(net.ListenConfig).Listen(r.t.Context(), "tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.addr = l.Addr().String()
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) { _ = s.Serve(l) }(r.server)
}

// leave ends it in the middle of whatever it does.
func (r *receiver) leave() {
	r.mu.Lock()
	s := r.server
	r.server = nil
	r.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	if err := traffic.Delivery(req, body); err != nil {
		r.t.Error(err)
	}
	id := req.Header.Get("webhook-id")
	r.see(id, body)
	switch r.mode.Load() {
	case refuses:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case hangs:
		<-req.Context().Done()
		return
	}
	r.mu.Lock()
	r.taken[id]++
	if r.took[id].IsZero() {
		r.took[id] = time.Now()
	}
	r.mu.Unlock()
}

func (r *receiver) see(id string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	sum := sha256.Sum256(body)
	if before, known := r.bodies[id]; known {
		if before != sum {
			r.changed = append(r.changed, id)
		}
		return
	}
	r.bodies[id] = sum
	r.order = append(r.order, id)
	var e events.Envelope
	if err := json.Unmarshal(body, &e); err != nil || e.ID != id {
		r.t.Errorf("webhook-id %q with body %s: %v", id, body, err)
	}
	r.events[id] = e
}

// got is how many events were taken.
func (r *receiver) got() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.taken)
}
