package app

import (
	"context"
	"sync"
	"time"

	"kurir/browser"
)

// dbTimeout bounds the writes that an event causes.
const dbTimeout = 10 * time.Second

// onEvent carries what happened in a session to the outbox, the database and the watchers. The session calls it in
// order, from one goroutine.
func (s *Sessions) onEvent(id string, e browser.Event) {
	ctx, cancel := context.WithTimeout(context.Background(), dbTimeout)
	defer cancel()
	switch e.Type {
	case browser.EventState:
		s.onState(ctx, id, *e.Status)
		s.inflowOf(id).state(ctx, *e.Status)
		s.watchers.tell(id)
		s.noteState(ctx, id, *e.Status)
		s.noteQR(ctx, id)
	case browser.EventQR:
		s.watchers.tell(id)
		s.noteQR(ctx, id)
	case browser.EventAck:
		if err := s.out.Ack(ctx, id, e.Ack.ID, e.Ack.Ack); err != nil {
			s.log.Error("ack is not stored", "instance", id, "message", e.Ack.ID, "err", err)
		}
		if e.Ack.Ack >= 2 { // 1 is that it was sent
			s.inflowOf(id).put(e)
		}
	default:
		s.inflowOf(id).put(e)
	}
}

func (s *Sessions) onState(ctx context.Context, id string, st browser.Status) {
	s.out.SetReady(id, st.CanSend)
	s.keepRestriction(ctx, id, st.RestrictedUntil)
	var change map[string]any
	switch st.State {
	case browser.StateWorking:
		s.files.Wake(id)
		change = map[string]any{"linked": true, "phone": st.Phone, "lid": st.LID, "pushname": st.Pushname}
	case browser.StateLoggedOut, browser.StateScanQR:
		change = map[string]any{"linked": false}
	default:
		return
	}
	if err := s.db.UpdateInstance(ctx, id, change); err != nil {
		s.log.Error("state is not stored", "instance", id, "err", err)
	}
}

// keepRestriction stores until when WhatsApp restricts the account, so that kurir obeys it after a restart too.
func (s *Sessions) keepRestriction(ctx context.Context, id string, until *time.Time) {
	var now time.Time
	if until != nil {
		now = until.UTC().Round(0)
	}
	s.mu.Lock()
	same := s.restricted[id].Equal(now)
	s.mu.Unlock()
	if same {
		return
	}
	change := map[string]any{"restricted_until": nil}
	if until != nil {
		change["restricted_until"] = now
	}
	if err := s.db.UpdateInstance(ctx, id, change); err != nil {
		s.log.Error("restriction is not stored", "instance", id, "err", err)
		return // the next state tries again
	}
	s.mu.Lock()
	s.restricted[id] = now
	s.mu.Unlock()
}

// watchers are those who want to know which instances change. The zero value is ready.
type watchers struct {
	mu     sync.Mutex
	all    map[*watcher]struct{}
	closed bool
}

// watcher collects ids until its reader takes them, so that a slow reader holds nobody up and misses no last change.
type watcher struct {
	mu      sync.Mutex
	pending map[string]struct{}
	wake    chan struct{} // 1 slot
	out     chan string
	done    chan struct{}
	once    sync.Once
}

func (w *watchers) add() (<-chan string, func()) {
	n := &watcher{pending: map[string]struct{}{}, wake: make(chan struct{}, 1), out: make(chan string), done: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		close(n.out)
		return n.out, func() {}
	}
	if w.all == nil {
		w.all = map[*watcher]struct{}{}
	}
	w.all[n] = struct{}{}
	go n.run()
	return n.out, func() {
		w.mu.Lock()
		delete(w.all, n)
		w.mu.Unlock()
		n.end()
	}
}

func (w *watchers) tell(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := range w.all {
		n.add(id)
	}
}

func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for n := range w.all {
		n.end()
	}
	w.all = nil
}

func (n *watcher) add(id string) {
	n.mu.Lock()
	n.pending[id] = struct{}{}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *watcher) take() map[string]struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	ids := n.pending
	n.pending = map[string]struct{}{}
	return ids
}

func (n *watcher) run() {
	defer close(n.out)
	for {
		select {
		case <-n.wake:
		case <-n.done:
			return
		}
		for id := range n.take() {
			select {
			case n.out <- id:
			case <-n.done:
				return
			}
		}
	}
}

func (n *watcher) end() { n.once.Do(func() { close(n.done) }) }
