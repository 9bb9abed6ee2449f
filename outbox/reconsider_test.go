package outbox

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

// TestUnknownIsResolvedLater: the page could not tell what became of a message. When it can, the message ends, without
// anybody having to ask, and what was accepted after it has not waited.
func TestUnknownIsResolvedLater(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		later browser.Presence
		state models.MessageState
		sends []string
	}{
		{"it had left", present(2), models.MessageDelivered, []string{"x", "y"}},
		{"it had not left", absent, models.MessageSent, []string{"x", "y", "x"}},
		{"WhatsApp had refused it", present(-1), models.MessageSent, []string{"x", "y", "x"}},
		{"still nobody knows", browser.Presence{Found: browser.FoundUnknown}, models.MessageUnknown, []string{"x", "y"}},
		{"the page still holds it", present(0), models.MessageUnknown, []string{"x", "y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, Config{})
				defer h.close()
				var can atomic.Bool
				h.page.send = func(_ context.Context, m browser.Outgoing, n int) (browser.Sent, error) {
					if m.Body == "x" && n == 1 {
						return browser.Sent{}, problem.New(problem.SessionLost, "")
					}
					return browser.Sent{Ack: 1}, nil
				}
				h.page.lookup = func(string, int) (browser.Presence, error) {
					if can.Load() {
						return c.later, nil
					}
					return browser.Presence{Found: browser.FoundUnknown}, nil
				}
				x, y := h.enqueue("x"), h.enqueue("y")
				h.o.SetReady(h.id, true)
				first := h.want(x, models.MessageUnknown, problem.SessionLost)
				h.want(y, models.MessageSent, "")
				can.Store(true)
				time.Sleep(3 * time.Minute)
				got := h.row(x)
				if got.State != c.state || got.WAID != x.WAID {
					t.Errorf("%s %s (%s)", got.State, got.Code, got.Detail)
				}
				if got.State == models.MessageUnknown && (got.LookAt == nil || !got.EndedAt.Equal(*first.EndedAt)) {
					t.Errorf("%+v", got)
				}
				if d := cmp.Diff(c.sends, h.page.sent()); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// TestUnknownIsLookedUpWhenThePageIsBack: that is when it is most likely to know, however long the pause is by then.
func TestUnknownIsLookedUpWhenThePageIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{LookAgain: 24 * time.Hour, LookAgainMax: 24 * time.Hour})
		defer h.close()
		var can atomic.Bool
		h.page.send = doubtOnce(problem.New(problem.SessionLost, ""))
		h.page.lookup = func(string, int) (browser.Presence, error) {
			if can.Load() {
				return present(1), nil
			}
			return browser.Presence{Found: browser.FoundUnknown}, nil
		}
		x := h.enqueue("x")
		h.o.SetReady(h.id, true)
		h.want(x, models.MessageUnknown, problem.SessionLost)
		h.o.SetReady(h.id, false)
		time.Sleep(time.Second)
		can.Store(true)
		h.o.SetReady(h.id, true)
		time.Sleep(5 * time.Second)
		if got := h.row(x); got.State != models.MessageSent {
			t.Errorf("%+v", got)
		}
	})
}

// TestUnknownIsNotLookedUpForEver: the pauses grow, and end.
func TestUnknownIsNotLookedUpForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{Poll: 10 * time.Minute}) // eight days are many polls
		defer h.close()
		h.page.send = doubtOnce(problem.New(problem.SessionLost, ""))
		h.page.lookup = func(string, int) (browser.Presence, error) { return browser.Presence{Found: browser.FoundUnknown}, nil }
		x := h.enqueue("x")
		h.o.SetReady(h.id, true)
		h.want(x, models.MessageUnknown, problem.SessionLost)
		before := h.page.looked()
		time.Sleep(8 * 24 * time.Hour)
		if n := h.page.looked() - before; n < 10 || n > 60 {
			t.Errorf("%d looks in 8 days", n)
		}
		if got := h.row(x); got.State != models.MessageUnknown || got.LookAt != nil {
			t.Errorf("%+v", got)
		}
	})
}

// TestUnknownGetsItsTurnInALongQueue: a queue that never ends is no reason not to look.
func TestUnknownGetsItsTurnInALongQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{LookAgain: 2 * time.Second, MaxLooks: 1})
		defer h.close()
		h.page.send = func(_ context.Context, m browser.Outgoing, n int) (browser.Sent, error) {
			if m.Body == "x" {
				return browser.Sent{}, problem.New(problem.SessionLost, "")
			}
			time.Sleep(50 * time.Millisecond)
			return browser.Sent{Ack: 1}, nil
		}
		h.page.lookup = func(_ string, n int) (browser.Presence, error) {
			if n > 1 {
				return present(1), nil
			}
			return browser.Presence{Found: browser.FoundUnknown}, nil
		}
		x := h.enqueue("x")
		var last models.Message
		for range 200 { // ten seconds
			last = h.enqueue("rest")
		}
		h.o.SetReady(h.id, true)
		h.want(x, models.MessageUnknown, problem.SessionLost)
		time.Sleep(5 * time.Second)
		if got, rest := h.row(x), h.row(last); got.State != models.MessageSent || rest.State != models.MessageQueued {
			t.Errorf("%s, and the last of the queue %s", got.State, rest.State)
		}
	})
}

// TestMissedReceipts: what the page was told while kurir was away is asked for when it is back.
func TestMissedReceipts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.o.SetReady(h.id, true)
		a, b := h.enqueue("a"), h.enqueue("b")
		h.want(a, models.MessageSent, "")
		h.want(b, models.MessageSent, "")
		h.page.mu.Lock()
		h.page.acks[a.WAID] = 3
		h.page.mu.Unlock()
		if err := h.o.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.start(Config{})
		h.o.SetReady(h.id, true)
		time.Sleep(3 * time.Second)
		if got := h.row(a); got.State != models.MessageRead || got.ReadAt == nil || got.DeliveredAt == nil {
			t.Errorf("a: %+v", got)
		}
		if got := h.row(b); got.State != models.MessageSent {
			t.Errorf("b: %+v", got)
		}
	})
}
