package models

import (
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"
)

// wal asks how long the WAL is and how much of it is not copied; it copies nothing.
func wal(t testing.TB, db *DB) (long, left int) {
	t.Helper()
	long, left, err := checkpoint(db.wal.pool.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(NOOP)"))
	if err != nil {
		t.Fatal(err)
	}
	return long, left
}

// pages writes that many pages in one transaction.
func pages(t testing.TB, db *DB, n int) {
	t.Helper()
	if err := exec(t, db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO filler SELECT zeroblob(4000) FROM n", n); err != nil {
		t.Fatal(err)
	}
}

// A COMMIT copies nothing, until the WAL is longer than it ever is while the checkpointer works.
func TestACommitBringsNoCheckpoint(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	if err := exec(t, db, "CREATE TABLE filler (b BLOB)"); err != nil {
		t.Fatal(err)
	}
	db.wal.stop() // nobody else copies
	db.wal.done.Wait()
	if _, _, err := checkpoint(db.wal.pool.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(PASSIVE)")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		pages(t, db, checkpointFrom)
	}
	if long, left := wal(t, db); long < 3*checkpointFrom || left != long {
		t.Errorf("%d pages in the WAL, %d of them not copied", long, left)
	}
	if err := db.wal.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if long, left := wal(t, db); long < 3*checkpointFrom || left != 0 {
		t.Errorf("after a look: %d pages in the WAL, %d of them not copied", long, left)
	}
	pages(t, db, 10)
	if long, _ := wal(t, db); long > 100 {
		t.Errorf("the WAL did not begin anew: %d pages", long)
	}
	for range 9 { // the net below
		pages(t, db, checkpointFrom)
	}
	if long, left := wal(t, db); long > 9*checkpointFrom+100 || left > checkpointFrom+100 {
		t.Errorf("without a checkpointer: %d pages in the WAL, %d of them not copied", long, left)
	}
}

// The pages that a transaction adds while others are copied are copied by the writer, and the WAL begins anew.
func TestTheWriterCopiesWhatIsLeft(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	if err := exec(t, db, "CREATE TABLE filler (b BLOB)"); err != nil {
		t.Fatal(err)
	}
	db.wal.stop()
	db.wal.done.Wait()
	pages(t, db, restartFrom)
	if _, left := wal(t, db); left < restartFrom {
		t.Fatalf("%d pages are not copied", left)
	}
	var held atomic.Int64
	db.OnHold(func(_ time.Duration, by Holder) {
		if by == HoldCheckpoint {
			held.Add(1)
		}
	})
	if err := db.restartWAL(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, left := wal(t, db); left != 0 || held.Load() != 1 {
		t.Errorf("%d pages are not copied, held %d times", left, held.Load())
	}
}

// The writer is asked for the last pages when they are few, and not when a reader still needs the file as it was.
func TestTheWriterIsAskedForAFewPagesOnly(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	if err := exec(t, db, "CREATE TABLE filler (b BLOB)"); err != nil {
		t.Fatal(err)
	}
	db.wal.stop()
	db.wal.done.Wait()
	var held atomic.Int64
	db.OnHold(func(_ time.Duration, by Holder) {
		if by == HoldCheckpoint {
			held.Add(1)
		}
	})
	pages(t, db, 2*restartFrom)
	reader, err := db.reads.BeginTx(t.Context(), nil) // what is written from now on stays in the WAL until its end
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback() }()
	var n int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM filler").Scan(&n); err != nil || n != 2*restartFrom {
		t.Fatal(n, err)
	}
	for _, more := range []struct {
		pages int
		asked int64
	}{{checkpointFrom / 4, 1}, {checkpointFrom, 1}, {2 * restartFrom, 1}} {
		pages(t, db, more.pages)
		if err := db.wal.look(t.Context()); err != nil || held.Load() != more.asked {
			t.Errorf("%d pages more: the writer was asked %d times, want %d; %v", more.pages, held.Load(), more.asked, err)
		}
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.wal.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	pages(t, db, 10)
	if long, _ := wal(t, db); long > 100 {
		t.Errorf("the WAL did not begin anew: %d pages", long)
	}
}

// Writers that never pause do not make the WAL grow for ever: the checkpointer and the writer's own checkpoint, which is
// the net below where the machine gives the checkpointer too little, begin it anew again and again.
func TestTheWALBeginsAnewBesideBusyWriters(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	if err := exec(t, db, "CREATE TABLE filler (b BLOB)"); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for !over.Load() {
				err := db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec("INSERT INTO filler VALUES (zeroblob(100000))").Error })
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	last, anew := 0, 0
	for deadline := time.Now().Add(5 * time.Minute); anew < 3; time.Sleep(time.Millisecond) {
		long, _ := wal(t, db)
		if long < last {
			anew++
		}
		if last = long; time.Now().After(deadline) {
			t.Errorf("the WAL has %d pages and began anew %d times", long, anew)
			break
		}
	}
	over.Store(true)
	group.Wait()
}

// A stopped kurir is one file, after its first run too.
func TestAClosedDatabaseIsOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), DefaultFile)
	for run := range 2 {
		db, err := Open(t.Context(), Config{URL: path, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if left, err := filepath.Glob(path + "-*"); err != nil || len(left) > 0 {
			t.Errorf("run %d: %q, %v", run, left, err)
		}
	}
}
