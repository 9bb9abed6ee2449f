package outbox

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

// Messages that are accepted together are counted once each, whether or not the count was known before.
func TestPositionAfterMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		ctx := context.Background()
		many := func(n int) []models.Message {
			list := make([]models.Message, n)
			for i := range list {
				list[i] = models.Message{InstanceID: h.id, Chat: "6281234567890@c.us", Kind: "text", Body: "a"}
			}
			list[0].NotBefore = time.Now().Add(time.Hour) // which takes no place
			rows, _, err := h.db.EnqueueAll(ctx, list, models.AuditEntry{Action: "wa.send"})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		h.o.AcceptedAll(ctx, nil)
		for _, want := range []int{10, 20} {
			rows := many(10)
			h.o.AcceptedAll(ctx, rows)
			m, file, err := h.db.Cancel(ctx, h.id, rows[0].ID, models.AuditEntry{Action: "wa.cancel"}) // which frees none
			if err != nil {
				t.Fatal(err)
			}
			h.o.Ended(m, file)
			if got := h.o.Accepted(ctx, h.enqueue("next")).Position; got != want {
				t.Errorf("position %d, want %d", got, want)
			}
		}
	})
}

// A cancelled head, which others wait behind, lets them go at once.
func TestCancelledHead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{BackoffMin: time.Hour, BackoffMax: time.Hour})
		defer h.close()
		h.page.send = func(_ context.Context, m browser.Outgoing, _ int) (browser.Sent, error) {
			if m.Body == "head" {
				return browser.Sent{}, problem.New(problem.SendRejected, "")
			}
			return browser.Sent{Ack: 1}, nil
		}
		head := h.enqueue("head")
		h.o.SetReady(h.id, true)
		synctest.Wait()
		behind := h.enqueue("behind")
		begun := time.Now()
		m, file, err := h.db.Cancel(context.Background(), h.id, head.ID, models.AuditEntry{Action: "wa.cancel"})
		if err != nil {
			t.Fatal(err)
		}
		h.o.Ended(m, file)
		h.want(behind, models.MessageSent, "")
		h.want(head, models.MessageCancelled, "CANCELLED")
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it waited %s", took)
		}
	})
}

// What is sent again is sent under its id, and the page is told that it may know it.
func TestResent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Config{})
		defer h.close()
		var ids []string
		var first []bool
		h.page.send = func(_ context.Context, m browser.Outgoing, n int) (browser.Sent, error) {
			ids, first = append(ids, m.ID), append(first, m.First)
			if len(ids) == 1 {
				return browser.Sent{}, problem.New(problem.NotOnWhatsApp, "")
			}
			return browser.Sent{Ack: 1}, nil
		}
		m := h.enqueue("a")
		h.o.SetReady(h.id, true)
		h.want(m, models.MessageFailed, problem.NotOnWhatsApp)
		again, err := h.db.Resend(context.Background(), h.id, m.ID, models.AuditEntry{Action: "message.resend"})
		if err != nil {
			t.Fatal(err)
		}
		h.o.Accepted(context.Background(), again)
		if got := h.want(m, models.MessageSent, ""); got.Attempts != 1 || got.EndedAt != nil {
			t.Errorf("%+v", got)
		}
		if d := cmp.Diff([]string{m.WAID, m.WAID}, ids); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]bool{true, false}, first); d != "" {
			t.Error(d)
		}
	})
}
