package outbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
	"kurir/models/modelstest"
	"kurir/problem"
)

var absent = browser.Presence{Found: browser.FoundAbsent}

// doubtOnce fails the first attempt of every message with err, after which nobody knows.
func doubtOnce(err error) func(context.Context, browser.Outgoing, int) (browser.Sent, error) {
	return func(_ context.Context, _ browser.Outgoing, attempt int) (browser.Sent, error) {
		if attempt == 1 {
			return browser.Sent{}, err
		}
		return browser.Sent{Ack: 1}, nil
	}
}

func TestUnknownOutcomeIsLookedUp(t *testing.T) {
	t.Parallel()
	type step = browser.Presence
	for _, c := range []struct {
		name  string
		err   error
		looks []step // the last one is repeated
		state models.MessageState
		code  problem.Code
		sends []string
	}{
		{"present", problem.New(problem.SendTimeout, ""), []step{present(1)}, models.MessageSent, "", []string{"x", "y"}},
		{"read meanwhile", problem.New(problem.PageError, ""), []step{present(3)}, models.MessageRead, "", []string{"x", "y"}},
		{"pending, then acked", problem.New(problem.SessionLost, ""), []step{present(0), present(0), present(1)}, models.MessageSent, "", []string{"x", "y"}},
		{"pending for ever", problem.New(problem.SendTimeout, ""), []step{present(0)}, models.MessageUnknown, problem.SendTimeout, []string{"x", "y"}},
		{"refused in the page", problem.New(problem.SessionLost, ""), []step{present(-1)}, models.MessageSent, "", []string{"x", "x", "y"}},
		{"absent after a crash of the page", problem.New(problem.SessionLost, ""), []step{absent}, models.MessageSent, "", []string{"x", "x", "y"}},
		{"absent after an exception", problem.New(problem.PageError, ""), []step{absent}, models.MessageSent, "", []string{"x", "x", "y"}},
		{"absent, then it came", problem.New(problem.SendTimeout, ""), []step{absent, absent, present(0), present(1)}, models.MessageSent, "", []string{"x", "y"}},
		{"absent for good after a time limit", problem.New(problem.PageTimeout, ""), []step{absent}, models.MessageSent, "", []string{"x", "x", "y"}},
		{"not told once", problem.New(problem.SessionLost, ""), []step{{Found: browser.FoundUnknown}, absent}, models.MessageSent, "", []string{"x", "x", "y"}},
		{"never told", problem.New(problem.SessionLost, ""), []step{{Found: browser.FoundUnknown}}, models.MessageUnknown, problem.SessionLost, []string{"x", "y"}},
		{"an answer without the id", problem.New(problem.SessionLost, ""), []step{{}}, models.MessageUnknown, problem.SessionLost, []string{"x", "y"}},
		{"an error without a code", errors.New("boom"), []step{present(1)}, models.MessageSent, "", []string{"x", "y"}},
		{"a result without an ack", nil, []step{present(1)}, models.MessageSent, "", []string{"x", "y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, Config{})
				defer h.close()
				h.page.send = func(ctx context.Context, m browser.Outgoing, n int) (browser.Sent, error) {
					if m.Body == "x" && n == 1 {
						return browser.Sent{}, c.err
					}
					return browser.Sent{Ack: 1}, nil
				}
				h.page.lookup = func(_ string, n int) (browser.Presence, error) {
					return c.looks[min(n, len(c.looks))-1], nil
				}
				x, y := h.enqueue("x"), h.enqueue("y")
				h.o.SetReady(h.id, true)
				got := h.want(x, c.state, c.code)
				h.want(y, models.MessageSent, "")
				if got.WAID != x.WAID || h.page.tries[x.WAID] != len(c.sends)-1 {
					t.Errorf("the id changed: %v", h.page.tries)
				}
				if d := cmp.Diff(c.sends, h.page.sent()); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

func TestUnknownIsPatientButBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.page.send = doubtOnce(problem.New(problem.SendTimeout, ""))
		h.page.lookup = func(string, int) (browser.Presence, error) { return present(0), nil }
		start := time.Now()
		x := h.enqueue("x")
		h.o.SetReady(h.id, true)
		for range 100 { // wakes must not make it look faster
			h.o.Wake(h.id)
			time.Sleep(100 * time.Millisecond)
		}
		if n := h.page.looked(); n > 6 {
			t.Errorf("%d looks in 10 s", n)
		}
		got := h.want(x, models.MessageUnknown, problem.SendTimeout)
		if waited := time.Since(start); waited < 58*time.Second || waited > 65*time.Second || got.EndedAt == nil {
			t.Errorf("after %v: %+v", waited, got)
		}
		if err := h.o.Ack(t.Context(), h.id, x.WAID, 1); err != nil { // the page sent it after all
			t.Fatal(err)
		}
		if got := h.want(x, models.MessageSent, ""); got.EndedAt != nil || got.SentAt == nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestAckEndsTheResolving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.page.send = doubtOnce(problem.New(problem.SendTimeout, ""))
		h.page.lookup = func(string, int) (browser.Presence, error) { return present(0), nil }
		x, y := h.enqueue("x"), h.enqueue("y")
		h.o.SetReady(h.id, true)
		time.Sleep(time.Second)
		start := time.Now()
		if err := h.o.Ack(t.Context(), h.id, x.WAID, 2); err != nil {
			t.Fatal(err)
		}
		h.want(x, models.MessageDelivered, "")
		synctest.Wait()
		if len(h.page.sent()) != 2 || time.Since(start) > 0 {
			t.Errorf("the next one waited %v: %v", time.Since(start), h.page.sent())
		}
		_ = y
	})
}

func TestResolvingWaitsForTheInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.page.send = func(_ context.Context, _ browser.Outgoing, n int) (browser.Sent, error) {
			h.o.SetReady(h.id, n > 1) // the session goes down with the send
			return browser.Sent{Ack: n - 1}, map[bool]error{true: problem.New(problem.SessionLost, "")}[n == 1]
		}
		var gone atomic.Bool
		h.page.lookup = func(string, int) (browser.Presence, error) {
			if gone.Load() {
				return absent, problem.New(problem.InstanceNotReady, "")
			}
			return absent, nil
		}
		x := h.enqueue("x")
		h.o.SetReady(h.id, true)
		time.Sleep(time.Hour)
		if got := h.row(x); got.State != models.MessageSending || got.Code != string(problem.SessionLost) || h.page.looked() != 0 {
			t.Errorf("down: %s %s, %d looks", got.State, got.Code, h.page.looked())
		}
		gone.Store(true) // up by the app's word, not by the session's
		h.o.SetReady(h.id, true)
		time.Sleep(time.Minute)
		if got := h.row(x); got.State != models.MessageSending {
			t.Errorf("not there to be asked: %s", got.State)
		}
		gone.Store(false)
		h.want(x, models.MessageSent, "")
	})
}

func TestMessageThatKillsThePageIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{MaxAttempts: 3})
		defer h.close()
		h.page.send = func(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
			if m.Body == "x" {
				return browser.Sent{}, problem.New(problem.SessionLost, "")
			}
			return browser.Sent{Ack: 1}, nil
		}
		h.page.lookup = func(string, int) (browser.Presence, error) { return absent, nil }
		x, y := h.enqueue("x"), h.enqueue("y")
		h.o.SetReady(h.id, true)
		if got := h.want(x, models.MessageFailed, problem.SessionLost); got.Attempts != 6 {
			t.Errorf("%d attempts", got.Attempts)
		}
		h.want(y, models.MessageSent, "")
	})
}

// copyHouse is what the disk holds at this moment, as a kill -9 would leave it, with a new kurir on it.
func (h *house) copyHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"kurir.db", "kurir.db-wal"} {
		b, err := os.ReadFile(filepath.Join(h.dir, name)) //nolint:gosec // a file whose name the test itself made or knows
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600) //nolint:gosec // a file whose name the test itself made or knows
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	n := &house{t: t, db: modelstest.Open(t, models.Config{URL: filepath.Join(dir, "kurir.db")}), id: h.id, page: newPage(t), dir: dir}
	n.start(Config{})
	return n
}

// crash is a kill of kurir at a step of the message x, and what the next kurir must make of it.
type crash struct {
	at    string           // accepted, sending, sent, stored, doubt
	found browser.Presence // the page's word about x after the start
	state models.MessageState
	sends []string // of the next kurir
}

func TestCrashAtEachStep(t *testing.T) {
	t.Parallel()
	steps := map[string]crash{
		"accepted":                             {"accepted", browser.Presence{}, models.MessageSent, []string{"x", "y"}},
		"claimed, the page never heard of it":  {"sending", absent, models.MessageSent, []string{"x", "y"}},
		"claimed, the page had it and sent it": {"sending", present(1), models.MessageSent, []string{"y"}},
		"claimed, it has arrived":              {"sending", present(2), models.MessageDelivered, []string{"y"}},
		"claimed, WhatsApp refused it":         {"sending", present(-1), models.MessageSent, []string{"x", "y"}},
		"claimed, the page holds it":           {"sending", present(0), models.MessageUnknown, []string{"y"}},
		"claimed, the page cannot say":         {"sending", browser.Presence{Found: browser.FoundUnknown}, models.MessageUnknown, []string{"y"}},
		"the result is not stored":             {"sent", present(1), models.MessageSent, []string{"y"}},
		"the result is stored":                 {"stored", browser.Presence{}, models.MessageSent, []string{"y"}},
		"the cause of the doubt is stored":     {"doubt", absent, models.MessageSent, []string{"x", "y"}},
	}
	for name, c := range steps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, x := c.kill(t)
				defer n.close()
				c.check(t, n, x)
			})
		})
	}
}

// kill brings x to the step and returns a new kurir on what the disk held then.
func (c crash) kill(t *testing.T) (*house, models.Message) {
	h := newHouse(t, Config{})
	gate := make(chan struct{})
	h.page.send = func(context.Context, browser.Outgoing, int) (browser.Sent, error) {
		switch c.at {
		case "sending", "sent": // the database cannot tell these two apart: the answer is not in it yet
			<-gate
		case "doubt":
			h.o.SetReady(h.id, false)
			return browser.Sent{}, problem.New(problem.SessionLost, "")
		}
		return browser.Sent{Ack: 1}, nil
	}
	x := h.enqueue("x")
	if c.at != "accepted" {
		h.o.SetReady(h.id, true)
	}
	synctest.Wait() // x is where it is to be
	n := h.copyHouse(t)
	close(gate)
	h.close()
	return n, x
}

func (c crash) check(t *testing.T, n *house, x models.Message) {
	n.page.lookup = func(string, int) (browser.Presence, error) { return c.found, nil }
	y := n.enqueue("y")
	synctest.Wait()
	if len(n.page.sent()) > 0 || n.page.looked() > 0 {
		t.Errorf("before it was ready: sent %v", n.page.sent())
	}
	n.o.SetReady(n.id, true)
	got := n.wait(x)
	n.want(y, models.MessageSent, "")
	if got.State != c.state || got.WAID != x.WAID {
		t.Errorf("%s %s (%s), want %s", got.State, got.Code, got.Detail, c.state)
	}
	if c.found == absent && c.at == "sending" && got.Attempts != 1 {
		t.Errorf("the crash of kurir counted as an attempt: %d", got.Attempts)
	}
	if d := cmp.Diff(c.sends, n.page.sent()); d != "" {
		t.Error(d)
	}
}

// TestNotReadyAfterTheNextWasClaimed: the outcome's transaction has claimed the next row when the session goes down.
func TestNotReadyAfterTheNextWasClaimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		locked := make(chan func(), 1)
		h.page.send = func(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
			if m.Body == "a" {
				locked <- h.lock() // so that the outcome is still to be stored when the session goes
			}
			return browser.Sent{Ack: 1}, nil
		}
		a, b := h.enqueue("a"), h.enqueue("b")
		h.o.SetReady(h.id, true)
		time.Sleep(2500 * time.Millisecond)
		h.o.SetReady(h.id, false)
		(<-locked)()
		h.want(a, models.MessageSent, "")
		synctest.Wait()
		if got := h.row(b); got.State != models.MessageQueued || got.Code != string(problem.InstanceNotReady) || len(h.page.sent()) != 1 {
			t.Errorf("%s %s, sent %v", got.State, got.Code, h.page.sent())
		}
		h.o.SetReady(h.id, true)
		h.want(b, models.MessageSent, "")
	})
}

func TestOutcomeSurvivesALockedDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		locked := make(chan func(), 1)
		h.page.send = func(context.Context, browser.Outgoing, int) (browser.Sent, error) {
			locked <- h.lock()
			return browser.Sent{Ack: 1}, nil
		}
		x := h.enqueue("x")
		h.o.SetReady(h.id, true)
		time.Sleep(10 * time.Second)
		if got := h.row(x); got.State != models.MessageSending {
			t.Errorf("%s", got.State)
		}
		(<-locked)()
		h.want(x, models.MessageSent, "")
		if d := cmp.Diff([]string{"x"}, h.page.sent()); d != "" {
			t.Error(d)
		}
	})
}
