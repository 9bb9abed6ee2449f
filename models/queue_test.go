package models

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
)

func mustClaim(t *testing.T, db *DB, id string) Message {
	t.Helper()
	m, ok, err := db.Claim(context.Background(), id, PriorityLow)
	if err != nil || !ok {
		t.Fatalf("claim: %v, %v", ok, err)
	}
	return m
}

func TestClaimOrder(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id, other := instance(t, db, "a"), instance(t, db, "b")
	low := enqueue(t, db, textTo(id, "low"))
	later := textTo(id, "later")
	later.NotBefore = time.Now().Add(time.Hour)
	enqueue(t, db, later)
	enqueue(t, db, textTo(other, "other"))
	next := enqueue(t, db, textTo(id, "next"))
	urgent := textTo(id, "urgent")
	urgent.Priority = 10
	high := enqueue(t, db, urgent)

	if n, err := db.Queued(ctx, id); err != nil || n != 3 {
		t.Errorf("queued %d, %v", n, err)
	}
	m := mustClaim(t, db, id)
	if m.ID != high.ID || m.State != MessageSending || m.SendingAt == nil {
		t.Fatalf("first %+v", m)
	}
	if _, _, err := db.Claim(ctx, id, PriorityLow); !errors.Is(err, gorm.ErrDuplicatedKey) {
		t.Errorf("a second one in flight: %v", err)
	}
	if got, ok, err := db.InFlight(ctx, id); err != nil || !ok || got.ID != high.ID {
		t.Errorf("in flight %+v, %v, %v", got, ok, err)
	}
	_, n, err := db.Settle(ctx, Outcome{Seq: m.Seq, State: MessageSent, Ack: 1, Attempted: true}, true)
	if err != nil || n == nil || n.ID != low.ID {
		t.Fatalf("second %+v, %v", n, err)
	}
	// A retry keeps the head: nobody passes while it waits.
	back, n, err := db.Settle(ctx, Outcome{Seq: n.Seq, State: MessageQueued, Code: "SEND_REJECTED", RetryAt: time.Now().Add(time.Hour), Attempted: true}, true)
	if err != nil || n != nil || back.State != MessageQueued || back.Attempts != 1 || back.Code != "SEND_REJECTED" {
		t.Fatalf("retry %+v, %+v, %v", back, n, err)
	}
	if _, ok, err := db.Claim(ctx, id, PriorityLow); ok || err != nil {
		t.Errorf("the head was overtaken: %v, %v", ok, err)
	}
	if err := db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE messages SET retry_at = ? WHERE id = ?", time.Now(), low.ID).Error
	}); err != nil {
		t.Fatal(err)
	}
	m = mustClaim(t, db, id)
	if m.ID != low.ID {
		t.Errorf("after the wait %+v", m)
	}
	if _, n, err = db.Settle(ctx, Outcome{Seq: m.Seq, State: MessageFailed, Code: "NOT_ON_WHATSAPP"}, true); err != nil || n == nil || n.ID != next.ID {
		t.Fatalf("third %+v, %v", n, err)
	}
	if _, n, err = db.Settle(ctx, Outcome{Seq: n.Seq, State: MessageSent, Ack: 1}, true); err != nil || n != nil {
		t.Errorf("a scheduled row was claimed: %+v, %v", n, err)
	}
}

func TestClaimUsesTheIndex(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	var plan []struct{ Detail string }
	at := now()
	if err := db.read.Raw("EXPLAIN QUERY PLAN "+claimHead, at, "x", PriorityLow, at, at, at).Scan(&plan).Error; err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, p := range plan {
		text += p.Detail + "\n"
	}
	if !strings.Contains(text, "messages_queue") || strings.Contains(text, "TEMP B-TREE") || strings.Contains(text, "SCAN messages") {
		t.Errorf("the claim's plan:\n%s", text)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	for _, c := range []struct {
		state    MessageState
		keepFile bool
	}{{MessageSent, false}, {MessageFailed, false}, {MessageUnknown, true}} {
		m := textTo(id, string(c.state))
		m.FilePath = "outbox/f"
		enqueue(t, db, m)
		got, _, err := db.Settle(ctx, Outcome{Seq: mustClaim(t, db, id).Seq, State: c.state, Code: "C", Detail: "d", Attempted: true}, false)
		if err != nil || got.State != c.state || got.Attempts != 1 || (got.FilePath != "") != c.keepFile {
			t.Errorf("%s: %+v, %v", c.state, got, err)
		}
		if (got.SentAt != nil) != (c.state == MessageSent) || (got.EndedAt != nil) == (c.state == MessageSent) {
			t.Errorf("%s: sent %v, failed %v", c.state, got.SentAt, got.EndedAt)
		}
	}
	if got, _, err := db.Settle(ctx, Outcome{Seq: 12345, State: MessageSent}, true); err != nil || got.ID != "" {
		t.Errorf("a row that is gone: %+v, %v", got, err)
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	row := enqueue(t, db, textTo(id, "x"))
	claimed := mustClaim(t, db, id)
	at := now()
	steps := []struct {
		ack     int
		changed bool
		state   MessageState
	}{
		{0, false, ""}, {-1, false, ""}, {2, true, MessageDelivered}, {1, false, ""}, {2, false, ""}, {3, true, MessageRead}, {4, true, MessageRead}, {3, false, ""},
	}
	for _, s := range steps {
		m, _, changed, err := db.Acknowledge(ctx, id, row.WAID, s.ack, at)
		if err != nil || changed != s.changed || m.State != s.state {
			t.Errorf("ack %d: %s, %v, %v", s.ack, m.State, changed, err)
		}
	}
	// The send's own result comes last and must not turn it back.
	got, _, err := db.Settle(ctx, Outcome{Seq: claimed.Seq, State: MessageSent, Ack: 1}, true)
	if err != nil || got.State != MessageRead || got.Ack != 4 {
		t.Errorf("after a late result: %+v, %v", got, err)
	}
	if _, _, changed, err := db.Acknowledge(ctx, id, "3EB0NONE", 1, at); changed || err != nil {
		t.Errorf("a message of the phone: %v, %v", changed, err)
	}
	for _, state := range []MessageState{MessageUnknown, MessageFailed, MessageQueued} {
		row := enqueue(t, db, textTo(id, string(state)))
		if _, _, err := db.Settle(ctx, Outcome{Seq: mustClaim(t, db, id).Seq, State: state, Code: "SEND_TIMEOUT"}, false); err != nil {
			t.Fatal(err)
		}
		m, _, changed, err := db.Acknowledge(ctx, id, row.WAID, 1, at)
		if err != nil || !changed || m.State != MessageSent || m.Code != "" || m.EndedAt != nil || !m.SentAt.Equal(at) {
			t.Errorf("%s: %+v, %v", state, m, err)
		}
	}
}
