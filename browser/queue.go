package browser

import "sync"

// queue hands values from many goroutines to one, in order. It has no bound: who puts must never wait, because
// it is the reader of Chromium's pipe or the owner of a session.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	wake  chan struct{} // has a value when there may be items
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

// put appends v.
func (q *queue[T]) put(v T) {
	q.mu.Lock()
	q.items = append(q.items, v)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default: // the reader will look anyway
	}
}

// take returns all items and empties the queue.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}
