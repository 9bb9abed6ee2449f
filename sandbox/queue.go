package sandbox

import (
	"context"
	"errors"
	"sync"
)

const (
	// maxQueued is how many bytes may wait for a page that does not read before its connection is ended.
	maxQueued = 64 << 20
	// historyAhead is how many bytes of history may wait: the rest is made when the page has read.
	historyAhead = 4 << 20
)

var errQueueFull = errors.New("the page does not read")

// item is a frame on its way to a page, or the end of the connection.
type item struct {
	frame  []byte
	s      int64 // number of a push that must not be lost, else 0
	close  bool
	reason string
}

// queue holds what one connection still has to write. Adding never blocks.
type queue struct {
	mu      sync.Mutex
	items   []item
	bytes   int
	filled  chan struct{} // one slot: there is something to write
	drained chan struct{} // one slot: there is room for history
}

func newQueue() *queue {
	return &queue{filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// add puts an item at the end. It fails when the page is too far behind.
func (q *queue) add(it item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(it.frame) > maxQueued {
		return errQueueFull
	}
	q.items = append(q.items, it)
	q.bytes += len(it.frame)
	signal(q.filled)
	return nil
}

// addWhenRoom waits until the page is not far behind and then adds. For one caller at a time.
func (q *queue) addWhenRoom(ctx context.Context, it item) error {
	for {
		q.mu.Lock()
		room := q.bytes < historyAhead
		q.mu.Unlock()
		if room {
			return q.add(it)
		}
		select {
		case <-q.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take waits for the next item.
func (q *queue) take(ctx context.Context) (item, error) {
	for {
		q.mu.Lock()
		if len(q.items) > 0 {
			it := q.items[0]
			q.items[0] = item{}
			q.items = q.items[1:]
			q.mu.Unlock()
			return it, nil
		}
		q.mu.Unlock()
		select {
		case <-q.filled:
		case <-ctx.Done():
			return item{}, ctx.Err()
		}
	}
}

// written says that an item that was taken is on the wire.
func (q *queue) written(it item) {
	q.mu.Lock()
	q.bytes -= len(it.frame)
	room := q.bytes < historyAhead
	q.mu.Unlock()
	if room {
		signal(q.drained)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
