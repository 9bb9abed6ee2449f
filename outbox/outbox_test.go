package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

func TestOrderAndOneInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.page.send = func(context.Context, browser.Outgoing, int) (browser.Sent, error) {
			time.Sleep(5 * time.Millisecond)
			return browser.Sent{Ack: 1}, nil
		}
		var want []string
		var rows []models.Message
		for i := range 20 {
			rows = append(rows, h.enqueue(fmt.Sprint(i)))
			want = append(want, fmt.Sprint(i))
		}
		synctest.Wait()
		if got := h.page.sent(); len(got) != 0 {
			t.Fatalf("sent %v while not ready", got)
		}
		h.o.SetReady(h.id, true)
		for _, m := range rows {
			got := h.want(m, models.MessageSent, "")
			if got.Ack != 1 || got.Attempts != 1 || got.SentAt == nil || got.WAID != m.WAID {
				t.Errorf("%+v", got)
			}
		}
		if d := cmp.Diff(want, h.page.sent()); d != "" {
			t.Error(d)
		}
	})
}

func TestPriorityOvertakesAndScheduleWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		a := h.enqueue("a")
		later := h.enqueue("later", func(m *models.Message) { m.NotBefore = time.Now().Add(time.Minute) })
		b := h.enqueue("b")
		otp := h.enqueue("otp", func(m *models.Message) { m.Priority = 10 })
		h.o.SetReady(h.id, true)
		for _, m := range []models.Message{otp, a, b} {
			h.want(m, models.MessageSent, "")
		}
		start := time.Now()
		h.want(later, models.MessageSent, "")
		if waited := time.Since(start); waited < 59*time.Second || waited > 62*time.Second {
			t.Errorf("the scheduled one went after %v", waited)
		}
		if d := cmp.Diff([]string{"otp", "a", "b", "later"}, h.page.sent()); d != "" {
			t.Error(d)
		}
	})
}

func TestPassingErrorKeepsTheHead(t *testing.T) {
	t.Parallel()
	for _, code := range []problem.Code{problem.SendRejected, problem.UploadFailed} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, Config{})
			defer h.close()
			h.page.send = func(_ context.Context, m browser.Outgoing, attempt int) (browser.Sent, error) {
				if m.Body == "first" && attempt <= 3 {
					return browser.Sent{}, problem.New(code, "463")
				}
				return browser.Sent{Ack: 1}, nil
			}
			start := time.Now()
			first, second := h.enqueue("first"), h.enqueue("second")
			h.o.SetReady(h.id, true)
			time.Sleep(10 * time.Millisecond)
			if got := h.row(first); got.State != models.MessageQueued || got.Code != string(code) || got.Detail != "463" || got.Attempts != 1 {
				t.Errorf("between attempts: %+v", got)
			}
			got := h.want(first, models.MessageSent, "")
			h.want(second, models.MessageSent, "")
			if got.Attempts != 4 {
				t.Errorf("%d attempts, want 4", got.Attempts)
			}
			// 1 + 2 + 4 seconds, half of each fixed
			if waited := time.Since(start); waited < 3500*time.Millisecond || waited > 8*time.Second {
				t.Errorf("three pauses took %v", waited)
			}
			if d := cmp.Diff([]string{"first", "first", "first", "first", "second"}, h.page.sent()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRefusedTooOftenFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{MaxAttempts: 3})
		defer h.close()
		h.page.send = func(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
			if m.Body == "first" {
				return browser.Sent{}, problem.New(problem.SendRejected, "")
			}
			return browser.Sent{Ack: 1}, nil
		}
		first, second := h.enqueue("first"), h.enqueue("second")
		h.o.SetReady(h.id, true)
		if got := h.want(first, models.MessageFailed, problem.SendRejected); got.Attempts != 3 || got.EndedAt == nil {
			t.Errorf("%+v", got)
		}
		h.want(second, models.MessageSent, "")
	})
}

func TestPermanentErrorsEndTheRow(t *testing.T) {
	t.Parallel()
	for _, code := range []problem.Code{problem.NotOnWhatsApp, problem.FileTooLarge, problem.ChatNotFound, problem.BadRequest} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, Config{})
			defer h.close()
			h.page.send = func(context.Context, browser.Outgoing, int) (browser.Sent, error) {
				return browser.Sent{}, fmt.Errorf("send: %w", problem.New(code, "d"))
			}
			m := h.enqueue("x")
			h.o.SetReady(h.id, true)
			if got := h.want(m, models.MessageFailed, code); got.Detail != "d" || got.Attempts != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestNotReadyWaitsForTheInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		working := false
		h.page.send = func(context.Context, browser.Outgoing, int) (browser.Sent, error) {
			if !working {
				return browser.Sent{}, problem.New(problem.InstanceNotReady, "SYNCING")
			}
			return browser.Sent{Ack: 1}, nil
		}
		m := h.enqueue("x")
		h.o.SetReady(h.id, true)
		time.Sleep(10 * time.Second)
		if n := len(h.page.sent()); n < 5 || n > 12 {
			t.Errorf("asked %d times in 10 s", n)
		}
		h.o.SetReady(h.id, false)
		synctest.Wait()
		working = true
		before := len(h.page.sent())
		time.Sleep(time.Minute)
		if got := h.row(m); got.State != models.MessageQueued || got.Code != string(problem.InstanceNotReady) || got.Attempts != 0 || len(h.page.sent()) != before {
			t.Errorf("while not ready: %+v, asked %d times", got, len(h.page.sent())-before)
		}
		h.o.SetReady(h.id, true)
		h.want(m, models.MessageSent, "")
	})
}

func TestRestrictedPausesLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.page.send = func(_ context.Context, _ browser.Outgoing, attempt int) (browser.Sent, error) {
			if attempt <= 10 {
				return browser.Sent{}, problem.New(problem.Restricted, "")
			}
			return browser.Sent{Ack: 1}, nil
		}
		start := time.Now()
		m := h.enqueue("x")
		h.o.SetReady(h.id, true)
		if got := h.want(m, models.MessageSent, ""); got.Attempts != 1 || time.Since(start) < 10*time.Minute {
			t.Errorf("after %v: %+v", time.Since(start), got)
		}
	})
}

// TestRestrictedLetsExistingChatsPass: a first message waits until the stated end, the others do not wait for it, and
// it is asked for once only.
func TestRestrictedLetsExistingChatsPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		end := time.Now().Add(time.Hour).Truncate(time.Second)
		h.page.send = func(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
			if m.Body == "first" && time.Now().Before(end) {
				return browser.Sent{}, &problem.Error{Code: problem.Restricted, Until: end}
			}
			return browser.Sent{Ack: 1}, nil
		}
		first, second := h.enqueue("first"), h.enqueue("second")
		h.o.SetReady(h.id, true)
		h.want(second, models.MessageSent, "")
		if got := h.row(first); got.State != models.MessageScheduled || got.Code != string(problem.Restricted) || got.Attempts != 0 {
			t.Errorf("%+v", got)
		}
		h.want(first, models.MessageSent, "")
		if time.Now().Before(end) || len(h.page.sent()) != 3 {
			t.Errorf("sent %v before the end; asked %v", time.Until(end), h.page.sent())
		}
	})
}

func TestNotReadyPutsBackWhatWasClaimedAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.page.send = func(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
			time.Sleep(time.Millisecond)
			return browser.Sent{Ack: 1}, nil
		}
		var rows []models.Message
		for i := range 50 {
			rows = append(rows, h.enqueue(fmt.Sprint(i)))
		}
		for range 30 { // on and off in the middle of things
			h.o.SetReady(h.id, true)
			time.Sleep(1500 * time.Microsecond)
			h.o.SetReady(h.id, false)
			synctest.Wait()
			time.Sleep(time.Second)
			if _, flying, err := h.db.InFlight(t.Context(), h.id); err != nil || flying {
				t.Fatalf("in flight while not ready: %v, %v", flying, err)
			}
		}
		h.o.SetReady(h.id, true)
		for i, m := range rows {
			if got := h.want(m, models.MessageSent, ""); got.Attempts != 1 || h.page.sent()[i] != m.Body {
				t.Errorf("%d: %+v, page got %s", i, got, h.page.sent()[i])
			}
		}
	})
}

func TestAckBeforeResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.page.send = func(ctx context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
			for _, ack := range []int{0, 1, 2} {
				if err := h.o.Ack(ctx, h.id, m.ID, ack); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Second)
			if m.Body == "lost" {
				return browser.Sent{}, problem.New(problem.SessionLost, "")
			}
			return browser.Sent{Ack: 1}, nil
		}
		m, lost := h.enqueue("x"), h.enqueue("lost")
		h.o.SetReady(h.id, true)
		h.want(m, models.MessageSent, "") // the waiter hears of the first ack
		synctest.Wait()
		time.Sleep(3 * time.Second)
		for _, m := range []models.Message{m, lost} { // no look was needed for the lost one
			if got := h.row(m); got.State != models.MessageDelivered || got.Ack != 2 || got.Attempts != 1 || got.DeliveredAt == nil {
				t.Errorf("%+v", got)
			}
		}
		if err := h.o.Ack(t.Context(), h.id, m.WAID, 3); err != nil {
			t.Fatal(err)
		}
		h.want(m, models.MessageRead, "")
		if err := h.o.Ack(t.Context(), h.id, "3EB0FROMTHEPHONE", 1); err != nil {
			t.Errorf("an ack of a foreign message: %v", err)
		}
	})
}

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		m := h.enqueue("x")
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if got, err := h.o.Wait(ctx, m.ID); err != nil || got.State != models.MessageQueued || time.Since(start) != 3*time.Second {
			t.Errorf("at the limit: %+v, %v after %v", got, err, time.Since(start))
		}
		_, err := h.o.Wait(context.Background(), "msg_none")
		if problem.CodeOf(err) != problem.NotFound {
			t.Errorf("no such message: %v", err)
		}
		ended := make(chan models.Message)
		for range 2 {
			go func() { ended <- h.wait(m) }()
		}
		synctest.Wait()
		defer h.close()
		if err := h.o.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		for range 2 {
			if got := <-ended; got.State != models.MessageQueued {
				t.Errorf("after Drain: %+v", got)
			}
		}
		if len(h.o.waiters.all) != 0 {
			t.Errorf("%d waiters are left", len(h.o.waiters.all))
		}
	})
}

func TestFileIsHandedOverAndRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		file := filepath.Join(h.dir, "x", "f.bin")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		h.page.send = func(ctx context.Context, m browser.Outgoing, attempt int) (browser.Sent, error) {
			want := browser.Outgoing{ID: m.ID, Chat: "6281234567890@c.us", Kind: "document", Body: "caption", FilePath: file, FileName: "f.pdf", MimeType: "application/pdf", First: attempt == 1}
			if d := cmp.Diff(want, m); d != "" {
				t.Error(d)
			}
			if _, err := os.Stat(m.FilePath); err != nil {
				t.Error(err)
			}
			if end, ok := ctx.Deadline(); !ok || time.Until(end) != 60*time.Second+64*2*time.Second {
				t.Errorf("deadline in %v", time.Until(end))
			}
			if attempt == 1 {
				return browser.Sent{}, problem.New(problem.UploadFailed, "")
			}
			return browser.Sent{Ack: 1}, nil
		}
		m := h.enqueue("caption", func(m *models.Message) {
			m.Kind, m.FilePath, m.FileName, m.MimeType, m.FileSize = "document", "x/f.bin", "f.pdf", "application/pdf", 64_000_000
		})
		h.o.SetReady(h.id, true)
		if got := h.want(m, models.MessageSent, ""); got.FilePath != "" {
			t.Errorf("%+v", got)
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
	})
}
