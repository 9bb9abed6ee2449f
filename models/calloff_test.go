package models

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"kurir/problem"
)

// put stores a message and sets columns of its row by hand.
func put(t *testing.T, db *DB, m Message, columns map[string]any) Message {
	t.Helper()
	row := enqueue(t, db, m)
	if len(columns) > 0 {
		if err := db.Write(context.Background(), func(tx *gorm.DB) error {
			return tx.Model(&Message{}).Where("id = ?", row.ID).Updates(columns).Error
		}); err != nil {
			t.Fatal(err)
		}
	}
	row, err := db.MessageByID(context.Background(), row.ID)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id, other := instance(t, db, "a"), instance(t, db, "b")
	file := textTo(id, "x")
	file.Kind, file.FilePath, file.NotBefore = "image", "file-1", time.Now().Add(time.Hour)
	queued, scheduled := put(t, db, textTo(id, "x"), nil), put(t, db, file, nil)
	if _, path, err := db.Cancel(ctx, "", scheduled.ID, AuditEntry{Action: "message.cancel", Actor: "admin"}); err != nil || path != "file-1" {
		t.Errorf("%q, %v", path, err)
	}
	m, path, err := db.Cancel(ctx, id, queued.ID, AuditEntry{Action: "wa.cancel", Actor: "key_1", Code: "OK"})
	if err != nil || path != "" || m.State != MessageCancelled || m.Code != "CANCELLED" || m.EndedAt == nil || m.ID != queued.ID {
		t.Errorf("%+v, %q, %v", m, path, err)
	}
	got, err := db.MessageByID(ctx, scheduled.ID)
	if err != nil || got.State != MessageCancelled || got.FilePath != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, ok, err := db.Claim(ctx, id, PriorityLow); ok || err != nil {
		t.Errorf("a cancelled message was claimed: %v", err)
	}
	lines, err := db.Audit(ctx, id, 0, 10)
	if err != nil || len(lines) != 4 || lines[3].Target != queued.ID || lines[3].Action != "wa.cancel" || lines[3].Code != "OK" {
		t.Errorf("audit %+v, %v", lines, err)
	}

	for _, state := range []MessageState{MessageSending, MessageSent, MessageDelivered, MessageRead, MessageFailed, MessageExpired, MessageCancelled, MessageUnknown} {
		row := put(t, db, textTo(id, "x"), map[string]any{"state": string(state)})
		m, _, err := db.Cancel(ctx, id, row.ID, line)
		if problem.CodeOf(err) != problem.NotCancellable || m.State != state {
			t.Errorf("%s: %v, %v", state, m.State, err)
		}
		if got, _ := db.MessageByID(ctx, row.ID); cmp.Diff(row, got) != "" {
			t.Errorf("%s was changed: %s", state, cmp.Diff(row, got))
		}
	}
	foreign := put(t, db, textTo(other, "x"), nil)
	for _, id := range []string{foreign.ID, "msg_none"} {
		m, _, err := db.Cancel(ctx, queued.InstanceID, id, line)
		wantCode(t, err, problem.NotFound)
		if m.ID != "" {
			t.Errorf("another instance's message was shown: %+v", m)
		}
	}
	if lines, _ := db.Audit(ctx, "", 0, 100); len(lines) != 13 { // what was refused writes nothing
		t.Errorf("%d lines", len(lines))
	}
}

func TestResend(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id, other := instance(t, db, "a"), instance(t, db, "b")
	past := now().Add(-time.Hour)
	end := map[string]any{
		"code": "SESSION_LOST", "detail": "x", "attempts": 3, "claims": 2, "ended_at": past, "look_at": past, "expires_at": past,
		"not_before": past, "retry_at": past,
	}
	for _, state := range []MessageState{MessageUnknown, MessageFailed, MessageExpired, MessageCancelled} {
		end["state"] = string(state)
		old := put(t, db, textTo(id, "x"), end)
		behind := put(t, db, textTo(id, "y"), nil)
		m, err := db.Resend(ctx, id, old.ID, AuditEntry{Action: "message.resend", Actor: "key_1", Code: "QUEUED"})
		if err != nil {
			t.Fatal(err)
		}
		want := old
		want.State, want.Code, want.Detail, want.Attempts = MessageQueued, "", "", 0
		want.EndedAt, want.LookAt, want.ExpiresAt, want.NotBefore, want.RetryAt = nil, nil, nil, time.Time{}, time.Time{}
		if d := cmp.Diff(want, m); d != "" { // its WhatsApp id and claims among the rest
			t.Errorf("%s: %s", state, d)
		}
		if claimed := mustClaim(t, db, id); claimed.ID != old.ID || claimed.Claims != 3 {
			t.Errorf("%s: claimed %+v, and %s stands behind", state, claimed, behind.ID)
		}
		for _, m := range []Message{old, behind} {
			if _, _, err := db.Settle(ctx, Outcome{Seq: m.Seq, From: MessageSending, State: MessageSent, Ack: 1}, m.ID == old.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, state := range []MessageState{MessageQueued, MessageScheduled, MessageSending, MessageSent, MessageDelivered, MessageRead} {
		row := put(t, db, textTo(id, "x"), map[string]any{"state": string(state)})
		m, err := db.Resend(ctx, id, row.ID, line)
		if problem.CodeOf(err) != problem.NotResendable || m.State != state {
			t.Errorf("%s: %v, %v", state, m.State, err)
		}
	}
	file := textTo(id, "x")
	file.Kind, file.FilePath = "image", "file-1"
	kept := put(t, db, file, map[string]any{"state": "unknown"})
	if m, err := db.Resend(ctx, "", kept.ID, line); err != nil || m.FilePath != "file-1" {
		t.Errorf("a file that is kept: %+v, %v", m, err)
	}
	gone := put(t, db, file, map[string]any{"state": "failed", "file_path": ""})
	_, err := db.Resend(ctx, id, gone.ID, line)
	wantCode(t, err, problem.NotResendable)
	foreign := put(t, db, textTo(other, "x"), map[string]any{"state": "failed"})
	_, err = db.Resend(ctx, id, foreign.ID, line)
	wantCode(t, err, problem.NotFound)
}
