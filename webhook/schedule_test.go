package webhook

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kurir/events"
	"kurir/models"
)

// script answers calls without a network, so that a synctest bubble knows when everybody waits.
type script struct {
	answer func(*http.Request) (*http.Response, error)
	mu     sync.Mutex
	at     []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
	return s.answer(r)
}

func status(code int, header ...string) (*http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1]) //nolint:gosec // pairs: there is always one more
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader("no"))}, nil
}

// bubble runs a test against a scripted receiver on a clock that jumps.
func bubble(t *testing.T, answer func(*http.Request) (*http.Response, error), test func(*testing.T, *world, *script)) {
	path := filepath.Join(t.TempDir(), "kurir.db")
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: answer}
		w := openWorld(t, path, Config{})
		defer w.close()
		w.d.local.client.Transport = s
		w.start()
		test(t, w, s)
	})
}

func TestSchedule(t *testing.T) {
	bubble(t, func(*http.Request) (*http.Response, error) { return status(500) }, func(t *testing.T, w *world, s *script) {
		hook := w.hook("http://example.com/")
		begun := time.Now()
		w.say("1@c.us", 1)
		time.Sleep(40 * time.Hour)
		synctest.Wait()
		want := []time.Duration{0, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}
		if len(s.at) != len(want) {
			t.Fatalf("%d attempts, want %d", len(s.at), len(want))
		}
		last := begun
		for i, at := range s.at {
			if gap := at.Sub(last); gap < want[i]*9/10 || gap > want[i]*11/10+50*time.Millisecond {
				t.Errorf("attempt %d after %s, want about %s", i+1, gap, want[i])
			}
			last = at
		}
		if got := w.states(hook.ID); got["failed"] != 1 {
			t.Errorf("%v", got)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	first := true
	bubble(t, func(*http.Request) (*http.Response, error) {
		if first {
			first = false
			return status(429, "Retry-After", "3600")
		}
		return status(200)
	}, func(t *testing.T, w *world, s *script) {
		hook := w.hook("http://example.com/")
		w.say("1@c.us", 1)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if len(s.at) != 2 || s.at[1].Sub(s.at[0]) < time.Hour || s.at[1].Sub(s.at[0]) > time.Hour+time.Second {
			t.Errorf("%v", s.at)
		}
		if got := w.states(hook.ID); got["delivered"] != 1 {
			t.Errorf("%v", got)
		}
	})
}

func TestAWebhookThatFailsForDaysIsSwitchedOff(t *testing.T) {
	bad := true
	bubble(t, func(*http.Request) (*http.Response, error) {
		if bad {
			return nil, fmt.Errorf("connection refused")
		}
		return status(200)
	}, func(t *testing.T, w *world, s *script) {
		hook := w.hook("http://example.com/in?token=secret", events.TypeMessage)
		for range 20 { // something to deliver every four hours
			w.say(fmt.Sprint(w.n%7, "@c.us"), 1)
			time.Sleep(4 * time.Hour)
		}
		synctest.Wait()
		off, err := w.db.Webhook(t.Context(), hook.ID)
		if err != nil || off.Enabled || !strings.Contains(off.DisabledReason, "connection refused") {
			t.Fatalf("%+v, %v", off, err)
		}
		if lived := off.DisabledAt.Sub(hook.CreatedAt); lived < 72*time.Hour || lived > 77*time.Hour {
			t.Errorf("switched off after %s", lived)
		}
		list, err := w.db.Events(t.Context(), w.instance, 0, []string{events.TypeWebhookDisabled}, 10)
		if err != nil || len(list) != 1 || strings.Contains(string(list[0].Payload), "secret") || !strings.Contains(string(list[0].Payload), hook.ID) {
			t.Fatalf("%v, %v", list, err)
		}
		n := len(s.at)
		w.say("1@c.us", 1) // not for this webhook any more
		time.Sleep(48 * time.Hour)
		if len(s.at) != n {
			t.Error("it was called while switched off")
		}
		bad = false
		if _, err := w.db.UpdateWebhook(t.Context(), hook.ID, map[string]any{"enabled": true}); err != nil {
			t.Fatal(err)
		}
		w.d.Wake(hook.ID)
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		got := w.states(hook.ID)
		if got["pending"] != 0 || got["delivered"] == 0 {
			t.Errorf("after it was switched on: %v", got)
		}
	})
}

// A single failure after a quiet week is not a week of failures.
func TestQuietDaysAreNotFailures(t *testing.T) {
	bubble(t, func(*http.Request) (*http.Response, error) { return status(500) }, func(t *testing.T, w *world, _ *script) {
		hook := w.hook("http://example.com/")
		w.say("1@c.us", 1)
		time.Sleep(40 * time.Hour) // it is given up
		time.Sleep(7 * 24 * time.Hour)
		w.say("1@c.us", 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if now, err := w.db.Webhook(t.Context(), hook.ID); err != nil || !now.Enabled || time.Since(*now.FailingSince) > 2*time.Hour {
			t.Errorf("%+v, %v", now, err)
		}
	})
}

func TestPausesGrowAndEnd(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	if _, again := c.pause(8, 0); again {
		t.Error("a ninth attempt")
	}
	if p, again := c.pause(1, time.Minute); !again || p != time.Minute {
		t.Error(p, again)
	}
	now := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "999999": 24 * time.Hour,
		"Mon, 23 Nov 2026 01:01:00 GMT": time.Minute, "Mon, 23 Nov 2026 00:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := withoutQuery("https://u:p@example.com/a?b=c#d"); got != "https://example.com/a" {
		t.Error(got)
	}
	if got := (models.Webhook{Events: models.JoinEventTypes([]string{"message", "call.received"})}).EventTypes(); len(got) != 2 || got[1] != "call.received" {
		t.Error(got)
	}
}
