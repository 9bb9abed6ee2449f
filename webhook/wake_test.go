package webhook

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// A delivery that comes at the very moment when a webhook's worker has found nothing and is about to end is not left for
// the next one.
func TestNoWakeIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	called := make(chan struct{}, 1000)
	w.d.local.client.Transport = &script{answer: func(*http.Request) (*http.Response, error) {
		called <- struct{}{}
		return status(200)
	}}
	w.start()
	w.hook("http://example.com/")
	for i := range 400 {
		w.say("1@c.us", 1)
		select {
		case <-called:
		case <-time.After(patience):
			t.Fatalf("message %d is not delivered", i)
		}
		time.Sleep(rand.N(3 * time.Millisecond)) //nolint:gosec // about as long as it takes to write down that it was delivered
	}
}
