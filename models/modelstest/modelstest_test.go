package modelstest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"kurir/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dump is all that a database holds but for the times at which migrations ran.
func dump(t *testing.T, path string) (all []string) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	texts := func(query string) (list []string) {
		rows, err := pool.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return list
	}
	for _, p := range []string{"journal_mode", "auto_vacuum", "page_size", "user_version", "application_id", "encoding", "integrity_check"} {
		all = append(all, fmt.Sprint(p, texts("PRAGMA "+p)))
	}
	all = append(all, texts("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")...)
	all = append(all, texts("SELECT version_id || ' ' || is_applied FROM goose_db_version ORDER BY id")...)
	all = append(all, texts("SELECT id || ' ' || hex(hash) FROM audit_anchor")...)
	return all
}

// The copy is what a kurir makes that migrates an empty file.
func TestTheCopyIsAMigratedDatabase(t *testing.T) {
	t.Parallel()
	copied := Open(t, models.Config{})
	if v, err := copied.SchemaVersion(t.Context()); err != nil || v.Pending() {
		t.Errorf("%+v, %v", v, err)
	}
	path := filepath.Join(t.TempDir(), models.DefaultFile)
	migrated, err := models.Open(context.Background(), models.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrated.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, db := range []*models.DB{copied, migrated} {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, want := dump(t, copied.Path()), dump(t, path)
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 50 {
		t.Errorf("%d lines: %s", len(got), diff)
	}
}

// Each test has its own, and a file that is there stays.
func TestEachHasItsOwn(t *testing.T) {
	t.Parallel()
	a, id := OpenInstance(t, models.Config{})
	if b, other := OpenInstance(t, models.Config{}); other == id || b.Path() == a.Path() {
		t.Errorf("%s and %s", a.Path(), b.Path())
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if in, err := Open(t, models.Config{URL: a.Path()}).Instance(t.Context(), id); err != nil || in.Name != "toko" {
		t.Errorf("after it was opened again: %+v, %v", in, err)
	}
}

// An older file is migrated, not replaced.
func TestAnEmptyFileIsMigrated(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), models.DefaultFile)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := Open(t, models.Config{URL: path}).SchemaVersion(t.Context()); err != nil || v.Pending() {
		t.Errorf("%+v, %v", v, err)
	}
}

// BenchmarkOpen is what a test pays for its database, BenchmarkMigrate what it would pay without the copy.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		if err := Open(b, models.Config{}).Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMigrate(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), models.DefaultFile)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			b.Fatal(err)
		}
		if err := Open(b, models.Config{URL: path}).Close(); err != nil {
			b.Fatal(err)
		}
	}
}
