package outbox

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

func expiresIn(d time.Duration) func(*models.Message) {
	at := time.Now().Add(d)
	return func(m *models.Message) { m.ExpiresAt = &at }
}

// TestExpiredNeverLeaves: a code that is late is expired at its time, also while the instance is down, with its file
// gone, its waiter told, and the rest not held up.
func TestExpiredNeverLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		changes := map[string]models.MessageState{}
		h := newHouse(t, Config{OnChange: func(m models.Message) {
			mu.Lock()
			defer mu.Unlock()
			changes[m.Body] = m.State
		}})
		defer h.close()
		if err := os.WriteFile(filepath.Join(h.dir, "a.pdf"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		code := h.enqueue("code", expiresIn(30*time.Second), func(m *models.Message) { m.Kind, m.FilePath = "document", "a.pdf" })
		scheduled := h.enqueue("scheduled", expiresIn(40*time.Second), func(m *models.Message) { m.NotBefore = time.Now().Add(time.Hour) })
		rest := h.enqueue("rest")
		start := time.Now()
		got := h.want(code, models.MessageExpired, problem.Expired)
		if waited := time.Since(start); waited < 30*time.Second || waited > 32*time.Second || got.EndedAt == nil || got.FilePath != "" {
			t.Errorf("after %v: %+v", waited, got)
		}
		if _, err := os.Stat(filepath.Join(h.dir, "a.pdf")); !os.IsNotExist(err) {
			t.Errorf("its file: %v", err)
		}
		h.want(scheduled, models.MessageExpired, problem.Expired)
		h.o.SetReady(h.id, true)
		h.want(rest, models.MessageSent, "")
		if d := cmp.Diff([]string{"rest"}, h.page.sent()); d != "" {
			t.Error(d)
		}
		mu.Lock()
		defer mu.Unlock()
		if changes["code"] != models.MessageExpired || changes["scheduled"] != models.MessageExpired || changes["rest"] != models.MessageSent {
			t.Errorf("told %v", changes)
		}
	})
}

// TestExpiredBetweenAttempts: a refused message whose time is over while it waits for its next try is not tried again.
func TestExpiredBetweenAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{BackoffMin: time.Minute})
		defer h.close()
		h.page.send = func(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
			if m.Body == "code" {
				return browser.Sent{}, problem.New(problem.SendRejected, "")
			}
			return browser.Sent{Ack: 1}, nil
		}
		code, rest := h.enqueue("code", expiresIn(10*time.Second)), h.enqueue("rest")
		start := time.Now()
		h.o.SetReady(h.id, true)
		h.want(code, models.MessageExpired, problem.Expired)
		h.want(rest, models.MessageSent, "")
		if waited := time.Since(start); waited > 13*time.Second {
			t.Errorf("the rest waited %v", waited)
		}
		if d := cmp.Diff([]string{"code", "rest"}, h.page.sent()); d != "" {
			t.Error(d)
		}
	})
}

// TestExpiredWhileResolving: an outcome that was not known, and then known to be "not sent", is no reason to send late.
func TestExpiredWhileResolving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.page.send = doubtOnce(problem.New(problem.SessionLost, ""))
		h.page.lookup = func(string, int) (browser.Presence, error) {
			time.Sleep(5 * time.Second)
			return absent, nil
		}
		code := h.enqueue("code", expiresIn(3*time.Second))
		h.o.SetReady(h.id, true)
		h.want(code, models.MessageExpired, problem.Expired)
		if n := len(h.page.sent()); n != 1 {
			t.Errorf("%d attempts", n)
		}
	})
}

// TestScheduledSurvivesARestart: what comes due while kurir is off leaves when it is back, in the order of acceptance.
func TestScheduledSurvivesARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		in := func(d time.Duration) func(*models.Message) {
			return func(m *models.Message) { m.NotBefore = time.Now().Add(d) }
		}
		a, b, c := h.enqueue("a", in(2*time.Minute)), h.enqueue("b", in(time.Minute)), h.enqueue("c", in(time.Hour))
		if err := h.o.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		h.start(Config{})
		synctest.Wait()
		h.o.SetReady(h.id, true)
		h.want(a, models.MessageSent, "")
		h.want(b, models.MessageSent, "")
		if got := h.row(c); got.State != models.MessageScheduled {
			t.Errorf("%+v", got)
		}
		if d := cmp.Diff([]string{"a", "b"}, h.page.sent()); d != "" {
			t.Error(d)
		}
	})
}
