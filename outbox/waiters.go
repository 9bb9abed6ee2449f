package outbox

import (
	"sync"

	"kurir/models"
)

// waiters are those who wait for messages to be settled. The zero value is ready.
type waiters struct {
	mu  sync.Mutex
	all map[string]map[chan models.Message]struct{} // by message id
}

// enter registers one; the channel gets the settled message once.
func (w *waiters) enter(id string) (<-chan models.Message, func()) {
	ch := make(chan models.Message, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[string]map[chan models.Message]struct{})
	}
	if w.all[id] == nil {
		w.all[id] = make(map[chan models.Message]struct{})
	}
	w.all[id][ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all[id], ch)
		if len(w.all[id]) == 0 {
			delete(w.all, id)
		}
	}
}

// tell gives a message to those who wait for it, if it is settled.
func (w *waiters) tell(m models.Message) {
	if !settled(m) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.all[m.ID] {
		select {
		case ch <- m:
		default: // it was told of an earlier step already
		}
	}
}
