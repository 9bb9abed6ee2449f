package webhook

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"kurir/events"
)

// BenchmarkAppendToReceived is the way from "it happened" to "the receiver has it", at 50 events a second in 20 chats,
// with a disk that syncs. b.N is the number of events: run it with -benchtime 1000x.
func BenchmarkAppendToReceived(b *testing.B) {
	w := newWorld(b, Config{})
	var mu sync.Mutex
	came := map[string]time.Time{}
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if id := req.Header.Get("webhook-id"); came[id].IsZero() {
			came[id] = time.Now()
		}
	}))
	b.Cleanup(r.Close)
	w.start()
	w.hook(r.URL, events.TypeMessage)
	w.say("warm@c.us", 5)
	time.Sleep(500 * time.Millisecond)
	begun := map[string]time.Time{}
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	b.ResetTimer()
	for i := range b.N {
		<-tick.C
		at := time.Now()
		begun[w.say(string(rune('a'+i%20))+"@c.us", 1)[0]] = at
	}
	w.until("all", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(came) == b.N+5
	})
	var took []time.Duration
	for id, at := range begun {
		took = append(took, came[id].Sub(at))
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
}

// BenchmarkDeliver is how many events a second one receiver gets that has a backlog in 20 chats.
func BenchmarkDeliver(b *testing.B) {
	w := newWorld(b, Config{})
	r := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(r.Close)
	hook := w.hook(r.URL, events.TypeMessage)
	for i := range b.N/10 + 1 {
		w.say(string(rune('a'+i%20))+"@c.us", 10)
	}
	b.ResetTimer()
	w.start()
	w.until("all", func() bool {
		at, waiting, err := w.db.NextDelivery(b.Context(), hook.ID, time.Time{})
		return err == nil && !waiting && at.IsZero()
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
