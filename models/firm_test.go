package models

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"kurir/problem"
)

// enqueuing is a call for inOneBatch.
func enqueuing(db *DB, m Message) func() error {
	return func() error {
		_, _, err := db.Enqueue(context.Background(), m, AuditEntry{Action: "wa.send", Actor: "key_1", Code: "QUEUED"})
		return err
	}
}

// Messages that are refused leave nothing, neither a row nor a line, and those that were accepted with them all.
func TestRefusedAmongAccepted(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	key := "k"
	first := textTo(id, "first")
	first.IdempotencyKey = &key
	first = enqueue(t, db, first)
	other, again, nowhere := textTo(id, "other"), textTo(id, "again"), textTo("inst_none", "nowhere")
	other.IdempotencyKey, again.WAID = &key, first.WAID
	errs := inOneBatch(t, db,
		enqueuing(db, textTo(id, "good 1")),
		enqueuing(db, other),
		enqueuing(db, again),
		enqueuing(db, nowhere),
		func() error { return db.AppendAudit(ctx, AuditEntry{Action: "wa.chats", Actor: "key_1", Code: "OK"}) },
		enqueuing(db, textTo(id, "good 2")),
	)
	if errs[0] != nil || errs[4] != nil || errs[5] != nil {
		t.Errorf("accepted: %v, %v, %v", errs[0], errs[4], errs[5])
	}
	wantCode(t, errs[1], problem.IdempotencyConflict)
	wantCode(t, errs[3], problem.NotFound)
	if !errors.Is(errs[2], gorm.ErrDuplicatedKey) {
		t.Errorf("a WhatsApp id for the second time: %v", errs[2])
	}
	lines, err := db.Audit(ctx, "", 0, 20)
	if n := count(t, db); err != nil || n != 3 || len(lines) != 4 {
		t.Errorf("%d messages, %d lines, %v; want 3 and 4", n, len(lines), err)
	}
	if c := verify(t, db.Path(), nil); c.Broken != nil || c.Lines != 4 {
		t.Errorf("the chain: %+v", c)
	}
}

// A message that lets go of an old idempotency key and is refused then has not let go of it, and no one else suffers.
func TestRefusedAfterItFreedAKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	key := "k"
	first := textTo(id, "first")
	first.IdempotencyKey = &key
	first = enqueue(t, db, first)
	old := now().Add(-IdempotencyWindow - 1)
	if err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Exec("UPDATE messages SET created_at = ?", old).Error }); err != nil {
		t.Fatal(err)
	}
	again := textTo(id, "again")
	again.IdempotencyKey, again.WAID = &key, first.WAID
	errs := inOneBatch(t, db, enqueuing(db, textTo(id, "good 1")), enqueuing(db, again), enqueuing(db, textTo(id, "good 2")))
	if errs[0] != nil || errs[2] != nil || !errors.Is(errs[1], gorm.ErrDuplicatedKey) {
		t.Errorf("errors %v", errs)
	}
	row, err := db.Message(ctx, id, first.ID)
	if err != nil || row.IdempotencyKey == nil || *row.IdempotencyKey != key {
		t.Errorf("the key of %+v is gone, %v", row, err)
	}
	if n := count(t, db); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	if c := verify(t, db.Path(), nil); c.Broken != nil || c.Lines != 3 {
		t.Errorf("the chain: %+v", c)
	}
}

// Should a firm write fail half done, nobody is told that something is stored, nor why another one failed; alone it is
// undone as any other.
func TestAFirmWriteBreaksItsWord(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	half := func() error {
		return db.writeFirm(ctx, func(s *session) error {
			if _, err := s.exec("INSERT INTO settings (name, value) VALUES ('half', 'x')"); err != nil {
				return err
			}
			return problem.New(problem.NotFound, "half")
		})
	}
	wantCode(t, half(), problem.NotFound)
	errs := inOneBatch(t, db, func() error { return db.Write(ctx, set("before")) }, half, func() error { return db.Write(ctx, set("behind")) })
	if errs[0] == nil || errs[2] == nil || problem.CodeOf(errs[0]) != problem.Internal {
		t.Errorf("the others: %v, %v", errs[0], errs[2])
	}
	wantCode(t, errs[1], problem.NotFound)
	for _, name := range []string{"half", "before", "behind"} {
		if has(t, db, name) {
			t.Errorf("%s is stored", name)
		}
	}
	if err := db.Write(ctx, set("after")); err != nil || !has(t, db, "after") {
		t.Errorf("the writer afterwards: %v", err)
	}
}
