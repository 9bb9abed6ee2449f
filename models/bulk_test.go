package models

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"kurir/problem"
)

func batchOf(instanceID, key string, bodies ...string) []Message {
	var list []Message
	for _, b := range bodies {
		list = append(list, textTo(instanceID, b))
	}
	if key != "" {
		list[0].IdempotencyKey = &key
	}
	return list
}

var line = AuditEntry{Action: "wa.send", Actor: "key_1", Code: "QUEUED"}

func count(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.read.Raw("SELECT count(*) FROM messages").Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEnqueueAll(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	list := batchOf(id, "", "1", "2", "3")
	list[1].NotBefore = time.Now().Add(time.Hour)
	rows, repeated, err := db.EnqueueAll(ctx, list, line)
	if err != nil || repeated || len(rows) != 3 {
		t.Fatalf("%+v, %v, %v", rows, repeated, err)
	}
	for i, r := range rows {
		got, err := db.Message(ctx, id, r.ID)
		if err != nil || got.Body != fmt.Sprint(i+1) || i > 0 && got.Seq <= rows[i-1].Seq || got.WAID == "" {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
	}
	if rows[0].State != MessageQueued || rows[1].State != MessageScheduled {
		t.Errorf("states %s, %s", rows[0].State, rows[1].State)
	}
	lines, err := db.Audit(ctx, id, 0, 10)
	want := fmt.Sprintf("3 messages, %s to %s", rows[0].ID, rows[2].ID)
	if err != nil || len(lines) != 1 || lines[0].Target != want || lines[0].Code != "QUEUED" {
		t.Errorf("audit %+v, %v", lines, err)
	}

	// One that cannot be stored takes the others with it, and the audit row.
	broken := batchOf(id, "", "4", "5")
	broken[1].WAID = rows[0].WAID
	if _, _, err := db.EnqueueAll(ctx, broken, line); !errors.Is(err, gorm.ErrDuplicatedKey) {
		t.Errorf("error %v", err)
	}
	_, _, err = db.EnqueueAll(ctx, batchOf("none", "", "6"), line)
	wantCode(t, err, problem.NotFound)
	if _, _, err := db.EnqueueAll(ctx, nil, line); err == nil {
		t.Error("nothing was accepted")
	}
	if lines, _ := db.Audit(ctx, "", 0, 10); count(t, db) != 3 || len(lines) != 1 {
		t.Errorf("%d messages, %d lines", count(t, db), len(lines))
	}
}

func TestEnqueueAllIdempotency(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "kurir.db")
	db := openAt(t, path)
	id := instance(t, db, "a")
	first, _, err := db.EnqueueAll(ctx, batchOf(id, "order-1", "1", "2", "2"), line)
	if err != nil {
		t.Fatal(err)
	}
	single := textTo(id, "1")
	key := "order-2"
	single.IdempotencyKey = &key
	enqueue(t, db, single)
	if err := db.Close(); err != nil { // it must hold over a restart
		t.Fatal(err)
	}
	db = openAt(t, path)
	same := func(name string, rows []Message, found bool, err error) {
		t.Helper()
		if err != nil || !found || len(rows) != 3 {
			t.Fatalf("%s: %+v, %v, %v", name, rows, found, err)
		}
		for i := range rows {
			if rows[i].ID != first[i].ID {
				t.Errorf("%s: %d is %s, want %s", name, i, rows[i].ID, first[i].ID)
			}
		}
	}
	rows, found, err := db.EnqueueAll(ctx, batchOf(id, "order-1", "1", "2", "2"), line)
	same("again", rows, found, err)
	rows, found, err = db.RepeatAll(ctx, batchOf(id, "order-1", "1", "2", "2"), line)
	same("only a repeat", rows, found, err)

	for name, list := range map[string][]Message{
		"another text": batchOf(id, "order-1", "1", "2", "3"), "another order": batchOf(id, "order-1", "2", "1", "2"),
		"fewer": batchOf(id, "order-1", "1", "2"), "more": batchOf(id, "order-1", "1", "2", "2", "2"),
		"one": batchOf(id, "order-1", "1"), "a single one was first": batchOf(id, "order-2", "1"),
	} {
		_, _, err := db.EnqueueAll(ctx, list, line)
		if problem.CodeOf(err) != problem.IdempotencyConflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	single.IdempotencyKey = batchOf(id, "order-1", "x")[0].IdempotencyKey
	_, _, err = db.Enqueue(ctx, single, line)
	wantCode(t, err, problem.IdempotencyConflict)
	if _, found, err := db.RepeatAll(ctx, batchOf(id, "order-3", "1"), line); found || err != nil {
		t.Errorf("a free key: %v, %v", found, err)
	}
	if n := count(t, db); n != 4 {
		t.Errorf("%d messages, want 4", n)
	}
	lines, _ := db.Audit(ctx, id, 0, 10)
	if len(lines) != 4 || lines[2].Code != "REPEATED" || lines[3].Code != "REPEATED" || !strings.HasPrefix(lines[2].Target, "3 messages") {
		t.Errorf("audit %+v", lines)
	}

	// After the window the key is free, for fewer and for more than before.
	old := now().Add(-IdempotencyWindow - time.Minute)
	for _, n := range []int{2, 5} {
		if err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Exec("UPDATE messages SET created_at = ?", old).Error }); err != nil {
			t.Fatal(err)
		}
		if _, repeated, err := db.EnqueueAll(ctx, batchOf(id, "order-1", strings.Split("abcdefgh", "")[:n]...), line); err != nil || repeated {
			t.Errorf("%d after the window: %v, %v", n, repeated, err)
		}
	}
}

func TestRepeat(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	m := textTo(id, "x")
	if _, found, err := db.Repeat(ctx, m, line); found || err != nil {
		t.Errorf("without a key: %v, %v", found, err)
	}
	key := "k"
	m.IdempotencyKey = &key
	if _, found, err := db.Repeat(ctx, m, line); found || err != nil || count(t, db) != 0 {
		t.Errorf("a free key: %v, %v", found, err)
	}
	row := enqueue(t, db, m)
	if got, found, err := db.Repeat(ctx, m, line); err != nil || !found || got.ID != row.ID {
		t.Errorf("%+v, %v, %v", got, found, err)
	}
	other := textTo(id, "y")
	other.IdempotencyKey = &key
	_, _, err := db.Repeat(ctx, other, line)
	wantCode(t, err, problem.IdempotencyConflict)
	lines, err := db.Audit(ctx, id, 0, 10)
	if err != nil || len(lines) != 2 || lines[1].Code != "REPEATED" || lines[1].Target != row.ID {
		t.Errorf("audit %+v, %v", lines, err)
	}
}

func BenchmarkEnqueueAll1000(b *testing.B) {
	db := openTest(b)
	list := batchOf(instance(b, db, "a"), "", make([]string, 1000)...)
	for b.Loop() {
		if _, _, err := db.EnqueueAll(context.Background(), list, line); err != nil {
			b.Fatal(err)
		}
	}
}
