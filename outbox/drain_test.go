package outbox

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
)

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		h.page.send = func(context.Context, browser.Outgoing, int) (browser.Sent, error) {
			time.Sleep(5 * time.Second)
			return browser.Sent{Ack: 1}, nil
		}
		a, b := h.enqueue("a"), h.enqueue("b")
		h.o.SetReady(h.id, true)
		time.Sleep(time.Second)
		start := time.Now()
		if err := h.o.Drain(context.Background()); err != nil || time.Since(start) != 4*time.Second {
			t.Errorf("drained after %v: %v", time.Since(start), err)
		}
		if got := h.row(a); got.State != models.MessageSent {
			t.Errorf("in flight: %s", got.State)
		}
		if got := h.row(b); got.State != models.MessageQueued || got.Attempts != 0 {
			t.Errorf("behind it: %s", got.State)
		}
		h.o.Attach(h.id, h.page, Pace{}) // too late: nothing starts
		h.o.SetReady(h.id, true)
		synctest.Wait()
		if err := h.db.Close(); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff([]string{"a"}, h.page.sent()); d != "" {
			t.Error(d)
		}
	})
}

func TestDrainGivesUpOnASendThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		h.page.send = func(ctx context.Context, _ browser.Outgoing, attempt int) (browser.Sent, error) {
			if attempt > 1 {
				return browser.Sent{Ack: 1}, nil
			}
			<-ctx.Done()
			return browser.Sent{}, ctx.Err()
		}
		m := h.enqueue("x")
		h.o.SetReady(h.id, true)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := h.o.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain: %v", err)
		}
		if got := h.row(m); got.State != models.MessageSending {
			t.Errorf("cut off: %s", got.State)
		}
		h.page.lookup = func(string, int) (browser.Presence, error) {
			return browser.Presence{Found: browser.FoundAbsent}, nil
		}
		h.start(Config{})
		h.o.SetReady(h.id, true)
		h.want(m, models.MessageSent, "")
		h.close()
	})
}

func TestDetachAndAttachAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		h.o.Attach(h.id, newPage(t), Pace{}) // refused: the first stays
		h.o.SetReady(h.id, true)
		h.want(h.enqueue("a"), models.MessageSent, "")
		if err := errors.Join(h.o.Detach(t.Context(), h.id), h.o.Detach(t.Context(), h.id)); err != nil {
			t.Fatal(err)
		}
		b := h.enqueue("b")
		synctest.Wait()
		if got := h.row(b); got.State != models.MessageQueued {
			t.Errorf("detached: %s", got.State)
		}
		h.o.Attach(h.id, h.page, Pace{})
		h.o.SetReady(h.id, true)
		h.want(b, models.MessageSent, "")
	})
}
