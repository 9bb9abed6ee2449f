package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
)

func appendLines(t testing.TB, db *DB, n int) {
	t.Helper()
	for i := range n {
		if err := db.AppendAudit(t.Context(), AuditEntry{Actor: "key_1", Action: fmt.Sprint("a", i), Target: "t", Code: "OK"}); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t testing.TB, path string, noted *AuditHead) AuditCheck {
	t.Helper()
	c, err := VerifyAudit(t.Context(), path, noted)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// forge runs statements on the file as somebody would who has the disk: the triggers are no obstacle to them.
func forge(t testing.TB, path string, statements ...string) {
	t.Helper()
	pool, err := sql.Open(driverName, dsn(path, forWrites))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	for _, trigger := range []string{"audit_log_no_update", "audit_log_no_delete", "audit_anchor_rises", "audit_anchor_stays"} {
		statements = append([]string{"DROP TRIGGER IF EXISTS " + trigger}, statements...)
	}
	for _, q := range statements {
		if _, err := pool.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func TestTheChainShowsEveryForgery(t *testing.T) {
	t.Parallel()
	const insert = "INSERT INTO audit_log (id, time, actor, action, code, prev, hash) "
	for name, forgery := range map[string]struct {
		at  int64 // the line at which it shows
		sql []string
	}{
		"nothing":                    {0, nil},
		"another actor":              {4, []string{"UPDATE audit_log SET actor = 'admin' WHERE id = 4"}},
		"another time":               {4, []string{"UPDATE audit_log SET time = time + 1 WHERE id = 4"}},
		"a letter moved over":        {4, []string{"UPDATE audit_log SET action = 'a3t', target = '' WHERE id = 4"}},
		"another hash":               {4, []string{"UPDATE audit_log SET hash = zeroblob(32) WHERE id = 4"}},
		"no hash":                    {4, []string{"UPDATE audit_log SET hash = NULL, prev = NULL WHERE id = 4"}},
		"no hash at the beginning":   {3, []string{"UPDATE audit_log SET hash = NULL, prev = NULL, actor = 'x' WHERE id < 3"}},
		"one in the middle deleted":  {6, []string{"DELETE FROM audit_log WHERE id = 5"}},
		"deleted and closed up":      {5, []string{"DELETE FROM audit_log WHERE id = 5", "UPDATE audit_log SET id = id - 1 WHERE id > 5"}},
		"the first deleted":          {3, []string{"DELETE FROM audit_log WHERE id < 3"}},
		"anchor moved to the middle": {3, []string{"DELETE FROM audit_log WHERE id < 3", "UPDATE audit_anchor SET id = 2"}},
		"inserted at the end":        {11, []string{insert + "VALUES (11, 1, 'x', 'y', 'OK', zeroblob(32), zeroblob(32))"}},
		"inserted in between": {6, []string{
			"UPDATE audit_log SET id = -id WHERE id > 5", "UPDATE audit_log SET id = 1 - id WHERE id < 0",
			insert + "SELECT 6, time, actor, action, code, prev, hash FROM audit_log WHERE id = 5",
		}},
		"two swapped": {4, []string{
			"UPDATE audit_log SET id = -4 WHERE id = 4", "UPDATE audit_log SET id = 4 WHERE id = 5", "UPDATE audit_log SET id = 5 WHERE id = -4",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "kurir.db")
			appendLines(t, openAt(t, path), 10)
			forge(t, path, forgery.sql...)
			switch c := verify(t, path, nil); {
			case forgery.at == 0 && (c.Broken != nil || c.Lines != 10 || c.First != 1 || c.Head.ID != 10 || c.Old != 0):
				t.Errorf("an honest log: %+v, %+v", c, c.Broken)
			case forgery.at != 0 && (c.Broken == nil || c.Broken.ID != forgery.at):
				t.Errorf("%+v, want it to show at line %d", c.Broken, forgery.at)
			}
		})
	}
}

// TestOnlyTheNotedHeadShowsAShorterLog: who deletes the last lines leaves a chain that fits, and so does who writes
// the end anew with the right hashes.
func TestOnlyTheNotedHeadShowsAShorterLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kurir.db")
	db := openAt(t, path)
	appendLines(t, db, 5)
	early := verify(t, path, nil).Head
	appendLines(t, db, 5)
	noted := verify(t, path, nil).Head
	if again, err := ParseAuditHead(noted.String()); err != nil || again != noted {
		t.Errorf("%v, %v", again, err)
	}
	for _, head := range []AuditHead{early, noted} {
		if c := verify(t, path, &head); c.Broken != nil {
			t.Errorf("an honest log with head %s: %+v", head, c.Broken)
		}
	}
	forge(t, path, "DELETE FROM audit_log WHERE id > 7")
	if c := verify(t, path, nil); c.Broken != nil || c.Lines != 7 {
		t.Errorf("without the head: %+v", c.Broken)
	}
	if c := verify(t, path, &early); c.Broken != nil {
		t.Errorf("what was noted before is there: %+v", c.Broken)
	}
	if c := verify(t, path, &noted); c.Broken == nil || !strings.Contains(c.Broken.Why, "last lines were deleted") {
		t.Errorf("with the head: %+v", c.Broken)
	}
	appendLines(t, db, 3) // kurir itself writes on: the chain fits, the head does not
	if c := verify(t, path, nil); c.Broken != nil || c.Lines != 10 {
		t.Errorf("without the head: %+v", c.Broken)
	}
	if c := verify(t, path, &noted); c.Broken == nil || c.Broken.ID != 10 {
		t.Errorf("with the head: %+v", c.Broken)
	}
	for _, bad := range []string{"", "10", "10:", "x:" + strings.Repeat("0", 64), "10:" + strings.Repeat("0", 63), "-1:" + strings.Repeat("0", 64)} {
		if h, err := ParseAuditHead(bad); err == nil {
			t.Errorf("%q is %v", bad, h)
		}
	}
}

// TestTheChainOutlivesTheRetention deletes old lines and finds the rest in order, and the next ID does not come again.
func TestTheChainOutlivesTheRetention(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kurir.db")
	db := openAt(t, path)
	old := time.Now().Add(-30 * 24 * time.Hour)
	for range 6 {
		if err := db.AppendAudit(t.Context(), AuditEntry{Time: old, Action: "old", Code: "OK"}); err != nil {
			t.Fatal(err)
		}
	}
	noted := verify(t, path, nil).Head
	// All lines go: what kurir writes about that follows them.
	if n := sweep(t, db.SweepAudit(time.Now().Add(-10*24*time.Hour))); n != 6 {
		t.Fatalf("%d deleted", n)
	}
	c := verify(t, path, nil)
	if c.Broken != nil || c.Anchor.ID == 0 || c.First != c.Anchor.ID+1 || c.Head.ID != c.Anchor.ID+c.Lines || c.Head.ID <= 6 {
		t.Errorf("%+v, %+v", c, c.Broken)
	}
	appendLines(t, db, 3)
	if c := verify(t, path, nil); c.Broken != nil || c.First <= 1 {
		t.Errorf("after the retention: %+v, %+v", c, c.Broken)
	}
	early := AuditHead{ID: 2}
	if c := verify(t, path, &early); c.Broken == nil || !strings.Contains(c.Broken.Why, "cannot be compared") {
		t.Errorf("a head that is too old: %+v", c.Broken)
	}
	if c := verify(t, path, &noted); c.Anchor.ID == noted.ID && c.Broken != nil {
		t.Errorf("the head is the anchor: %+v", c.Broken)
	}
}

// TestOlderLinesJoinTheChain migrates a log from before the chain.
func TestOlderLinesJoinTheChain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kurir.db")
	migrateTo(t, path, auditChainVersion-1)
	forge(t, path, "INSERT INTO audit_log (id, time, actor, action) VALUES (3, 1000, 'key_1', 'a'), (4, 2000, 'key_2', 'b'), (5, 3000, 'key_3', 'c')")
	db := openAt(t, path)
	c := verify(t, path, nil)
	if c.Broken != nil || c.First != 3 || c.Lines != 4 || c.Old != 3 || c.Head.ID != 6 {
		t.Fatalf("%+v, %+v", c, c.Broken)
	}
	appendLines(t, db, 2)
	if c := verify(t, path, &c.Head); c.Broken != nil || c.Lines != 6 {
		t.Fatalf("%+v", c.Broken)
	}
	if lines, err := db.Audit(t.Context(), "", 0, 10); err != nil || len(lines) != 6 || lines[0].Hash != nil || len(lines[3].Hash) != 32 {
		t.Errorf("%+v, %v", lines, err)
	}
	// The retention may stop amid them; what is left still fits.
	if n := sweepLines(t, db, 4); n != 2 {
		t.Fatalf("%d deleted", n)
	}
	c = verify(t, path, nil)
	if c.Broken != nil || c.First != 5 || c.Old != 1 || c.Anchor.ID != 4 {
		t.Fatalf("%+v, %+v", c, c.Broken)
	}
	forge(t, path, "UPDATE audit_log SET actor = 'x' WHERE id = 5")
	if c := verify(t, path, nil); c.Broken == nil || c.Broken.ID != 6 {
		t.Errorf("an old line was changed: %+v", c.Broken)
	}
}

// sweepLines deletes up to the line last, as a pass of the retention does.
func sweepLines(t *testing.T, db *DB, last int64) (n int64) {
	t.Helper()
	w := db.SweepAudit(time.Now().Add(-10 * 24 * time.Hour))
	err := db.write(t.Context(), func(s *session) (err error) {
		n, err = w.remove(s, 0, last)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// migrateTo makes a database as an earlier kurir left it, by migrating up or down to its version.
func migrateTo(t *testing.T, path string, version int64) {
	t.Helper()
	pool, err := sql.Open(driverName, dsn(path, forWrites))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	now, err := provider.GetDBVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	step := provider.UpTo
	if now > version {
		step = provider.DownTo
	}
	if _, err := step(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// TestTheChainFollowsTheCommits has many writers whose parts fail or panic after they have appended: what was undone
// leaves no gap. A second process appends in between.
func TestTheChainFollowsTheCommits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kurir.db")
	db, second := openAt(t, path), openAt(t, path)
	id := instance(t, db, "a")
	errUndo := errors.New("undo")
	const writers, rounds = 16, 30
	kept := make([]int, writers+1)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w))) //nolint:gosec // chance that can be repeated is what is wanted
			for i := range rounds {
				line := AuditEntry{Actor: fmt.Sprint("w", w), Action: fmt.Sprint(i), Code: "OK"}
				var err error
				switch kind := random.IntN(6); kind {
				case 0, 1: // undone
					err = db.write(context.Background(), func(s *session) error {
						for range 3 {
							if err := appendAudit(s, line); err != nil {
								return err
							}
						}
						if kind == 0 {
							panic("undo")
						}
						return errUndo
					})
					if err == nil {
						t.Error("what was to be undone was done")
					}
					continue
				case 2:
					_, _, err = db.Enqueue(context.Background(), textTo(id, fmt.Sprint(w, i)), line)
				default:
					err = db.AppendAudit(context.Background(), line)
				}
				if err != nil {
					t.Error(err)
					continue
				}
				kept[w]++
			}
		})
	}
	wg.Go(func() {
		for range rounds {
			if err := second.AppendAudit(context.Background(), AuditEntry{Actor: "cli", Action: "x", Code: "OK"}); err != nil {
				t.Error(err)
				continue
			}
			kept[writers]++
		}
	})
	// Whoever looks meanwhile sees a chain that fits.
	for range 10 {
		if c := verify(t, path, nil); c.Broken != nil {
			t.Errorf("while kurir writes: %+v", c.Broken)
		}
	}
	wg.Wait()
	want := int64(0)
	for _, n := range kept {
		want += int64(n)
	}
	if c := verify(t, path, nil); c.Broken != nil || c.Lines != want || c.Head.ID != want {
		t.Errorf("%d lines, head %d, want %d; %+v", c.Lines, c.Head.ID, want, c.Broken)
	}
}

// TestTheChainAfterACrash takes the files as a power cut leaves them, without the last checkpoint, and writes on.
func TestTheChainAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "kurir.db")
	db := openAt(t, path)
	appendLines(t, db, 20)
	after := filepath.Join(t.TempDir(), "kurir.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix) //nolint:gosec // a file whose name the test itself made or knows
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(after+suffix, b, 0o600); err != nil { //nolint:gosec // a file whose name the test itself made or knows
			t.Fatal(err)
		}
	}
	if c := verify(t, after, nil); c.Broken != nil || c.Lines != 20 {
		t.Errorf("after the crash: %+v, %+v", c, c.Broken)
	}
	again := openAt(t, after)
	appendLines(t, again, 5)
	if c := verify(t, after, nil); c.Broken != nil || c.Lines != 25 {
		t.Errorf("after the crash and five more: %+v, %+v", c, c.Broken)
	}
}

// TestVerifyAStoppedKurir reads a file that nobody has open.
func TestVerifyAStoppedKurir(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kurir.db")
	db := openAt(t, path)
	appendLines(t, db, 3)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path) //nolint:gosec // a file whose name the test itself made or knows
	if err != nil {
		t.Fatal(err)
	}
	if c := verify(t, path, nil); c.Broken != nil || c.Lines != 3 {
		t.Errorf("%+v, %+v", c, c.Broken)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(before) { //nolint:gosec // a file whose name the test itself made or knows
		t.Errorf("the file was changed (%v)", err)
	}
	if _, err := VerifyAudit(t.Context(), path+".none", nil); err == nil {
		t.Error("a file that is not there is in order")
	}
	if _, err := os.Stat(path + ".none"); err == nil {
		t.Error("the file was made")
	}
}
