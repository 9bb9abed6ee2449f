package outbox

import (
	"context"
	"testing"

	"kurir/models"
)

// BenchmarkCycle is accept, claim, send (a page that takes no time), outcome, and the waiter's answer, one message
// after the other: what kurir adds to each send with wait. synchronous=FULL.
func BenchmarkCycle(b *testing.B) {
	h := newHouse(b, Config{})
	defer h.close()
	h.o.SetReady(h.id, true)
	for b.Loop() {
		if m := h.wait(h.enqueue("hello")); m.State != models.MessageSent {
			b.Fatal(m.State)
		}
	}
}

// BenchmarkBacklog is the same without a client: outcome and next claim share a transaction.
func BenchmarkBacklog(b *testing.B) { backlog(b, 0) }

// BenchmarkBacklog100k shows that a claim costs the same with 100,000 rows behind it.
func BenchmarkBacklog100k(b *testing.B) { backlog(b, 100_000) }

func backlog(b *testing.B, behind int) {
	h := newHouse(b, Config{})
	defer h.close()
	n := b.N
	var last models.Message
	fill(b, h, n+behind, func(i int, m models.Message) {
		if i == n-1 {
			last = m
		}
	})
	b.ResetTimer()
	h.o.SetReady(h.id, true)
	if m, err := h.o.Wait(context.Background(), last.ID); err != nil || m.State != models.MessageSent {
		b.Fatal(m.State, err)
	}
	b.StopTimer()
	h.o.SetReady(h.id, false)
}

// fill enqueues n messages from 64 clients at once; see gets those in order of their seq.
func fill(b *testing.B, h *house, n int, see func(i int, m models.Message)) {
	b.Helper()
	const clients = 64
	rows := make(chan models.Message, n)
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	for range clients {
		go func() {
			for range work {
				rows <- h.enqueue("hello")
			}
		}()
	}
	for range n {
		m := <-rows
		see(int(m.Seq)-1, m)
	}
}
