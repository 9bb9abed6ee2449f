package models

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"kurir/problem"
)

// held starts a write that keeps the writer busy until release is called; what is queued meanwhile is one batch.
func held(t *testing.T, db *DB) (release func()) {
	t.Helper()
	entered, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.write(context.Background(), func(*session) error { close(entered); <-gate; return nil })
	}()
	<-entered
	return func() {
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// together runs the writes as one batch and returns their errors.
func together(t *testing.T, db *DB, fns ...func(tx *gorm.DB) error) []error {
	t.Helper()
	calls := make([]func() error, 0, len(fns))
	for _, fn := range fns {
		calls = append(calls, func() error { return db.Write(context.Background(), fn) })
	}
	return inOneBatch(t, db, calls...)
}

// inOneBatch makes calls that write once each, in their order and as one batch, and returns their errors.
func inOneBatch(t *testing.T, db *DB, calls ...func() error) []error {
	t.Helper()
	release := held(t, db)
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
		for deadline := time.Now().Add(time.Minute); len(db.writer.queue) <= i; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the write was not queued")
			}
		}
	}
	release()
	wg.Wait()
	return errs
}

func set(name string) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Create(&Setting{Name: name, Value: "x"}).Error }
}

func has(t *testing.T, db *DB, name string) bool {
	t.Helper()
	_, ok, err := db.Setting(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestOneFailureInABatchLeavesTheOthers(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	boom := errors.New("boom")
	errs := together(t, db,
		set("first"),
		func(tx *gorm.DB) error { return errors.Join(set("failing")(tx), boom) },
		func(tx *gorm.DB) error { _ = set("panicking")(tx); panic("ouch") },
		set("first"), // duplicate key
		set("last"),
	)
	if errs[0] != nil || errs[4] != nil {
		t.Errorf("good parts: %v, %v", errs[0], errs[4])
	}
	if !errors.Is(errs[1], boom) || errs[2] == nil || !strings.Contains(errs[2].Error(), "ouch") || !errors.Is(errs[3], gorm.ErrDuplicatedKey) {
		t.Errorf("bad parts: %v; %v; %v", errs[1], errs[2], errs[3])
	}
	for name, want := range map[string]bool{"first": true, "last": true, "failing": false, "panicking": false} {
		if got := has(t, db, name); got != want {
			t.Errorf("%s is stored: %v, want %v", name, got, want)
		}
	}
}

func TestLoneFailureRollsBack(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	boom := errors.New("boom")
	err := db.Write(context.Background(), func(tx *gorm.DB) error { return errors.Join(set("a")(tx), boom) })
	if !errors.Is(err, boom) || has(t, db, "a") {
		t.Errorf("error %v, stored %v", err, has(t, db, "a"))
	}
	if err := db.Write(context.Background(), func(*gorm.DB) error { panic("ouch") }); err == nil {
		t.Error("a panic was taken for success")
	}
	if err := db.Write(context.Background(), set("b")); err != nil || !has(t, db, "b") {
		t.Errorf("the writer after a panic: %v", err)
	}
}

func TestNestedTransaction(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	err := db.Write(context.Background(), func(tx *gorm.DB) error {
		inner := tx.Transaction(func(tx *gorm.DB) error { return errors.Join(set("inner")(tx), errors.New("no")) })
		if inner == nil {
			return errors.New("the inner error was lost")
		}
		return set("outer")(tx)
	})
	if err != nil || has(t, db, "inner") || !has(t, db, "outer") {
		t.Errorf("error %v, inner %v, outer %v", err, has(t, db, "inner"), has(t, db, "outer"))
	}
}

func TestCancelledWhileWaitingDoesNotRun(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	release := held(t, db)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 1)
	go func() { got <- db.Write(ctx, set("a")) }()
	for deadline := time.Now().Add(time.Minute); len(db.writer.queue) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the write was not queued")
		}
	}
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	release()
	if err := db.Ping(context.Background()); err != nil {
		t.Fatal(err)
	}
	if has(t, db, "a") {
		t.Error("an abandoned write ran")
	}
	if err := db.Write(ctx, set("b")); !errors.Is(err, context.Canceled) || has(t, db, "b") {
		t.Errorf("a write that came cancelled: %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	enqueue(t, db, textTo(id, "before"))
	pages := func(n string) {
		if err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Exec("PRAGMA max_page_count = " + n).Error }); err != nil {
			t.Fatal(err)
		}
	}
	pages("1") // SQLite takes it as: no larger than now
	big := textTo(id, strings.Repeat("x", 100_000))
	_, _, err := db.Enqueue(ctx, big, AuditEntry{Action: "wa.send"})
	if code := problem.CodeOf(err); code != problem.StorageFull {
		t.Fatalf("alone: %v, want STORAGE_FULL", err)
	}
	errs := together(t, db, set("small"), func(tx *gorm.DB) error {
		return tx.Create(&Setting{Name: "big", Value: strings.Repeat("x", 100_000)}).Error
	})
	if problem.CodeOf(errs[1]) != problem.StorageFull {
		t.Errorf("in a batch: %v", errs[1])
	}
	if got := has(t, db, "small"); got != (errs[0] == nil) {
		t.Errorf("the other part: stored %v, error %v", got, errs[0])
	}
	if has(t, db, "big") {
		t.Error("half written")
	}
	var rows, lines int64
	db.read.Raw("SELECT count(*) FROM messages").Scan(&rows)
	db.read.Raw("SELECT count(*) FROM audit_log").Scan(&lines)
	if rows != 1 || lines != 1 {
		t.Errorf("%d messages, %d audit lines; want 1 and 1", rows, lines)
	}
	pages("1000000")
	if _, _, err := db.Enqueue(ctx, big, AuditEntry{Action: "wa.send"}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	other := openAt(t, db.Path())
	if err := db.write(ctx, func(s *session) error { _, err := s.exec("PRAGMA busy_timeout = 1"); return err }); err != nil {
		t.Fatal(err)
	}
	release := held(t, other)
	err := db.Write(ctx, set("a"))
	release()
	if problem.CodeOf(err) != problem.Unavailable {
		t.Errorf("locked: %v, want UNAVAILABLE", err)
	}
	if err := db.Write(ctx, set("a")); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestConcurrentEnqueueOrder(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	id := instance(t, db, "a")
	const clients, each = 16, 50
	var wg sync.WaitGroup
	got := make([][]int64, clients)
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				row, _, err := db.Enqueue(context.Background(), textTo(id, fmt.Sprint(c, i)), AuditEntry{Action: "wa.send"})
				if err != nil {
					t.Error(err)
					return
				}
				got[c] = append(got[c], row.Seq)
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	for c, seqs := range got {
		for i, s := range seqs {
			if seen[s] || i > 0 && s <= seqs[i-1] {
				t.Fatalf("client %d: seq %d of %v", c, s, seqs)
			}
			seen[s] = true
		}
	}
	if len(seen) != clients*each {
		t.Errorf("%d rows, want %d", len(seen), clients*each)
	}
}
