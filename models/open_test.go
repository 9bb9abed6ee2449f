package models

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"kurir/problem"
)

func TestSQLiteIsRecentEnough(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	var v string
	if err := db.read.Raw("SELECT sqlite_version()").Scan(&v).Error; err != nil {
		t.Fatal(err)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(v, "%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatalf("version %q: %v", v, err)
	}
	if n := major*1_000_000 + minor*1_000 + patch; n < 3_051_003 {
		t.Errorf("SQLite %s: below 3.51.3 WAL can lose a reset (https://www.sqlite.org/wal.html)", v)
	}
}

func TestPragmas(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	pragmas := func(get func(name string) (string, error)) map[string]string {
		out := map[string]string{}
		for _, name := range []string{"journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only"} {
			v, err := get(name)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = v
		}
		return out
	}
	w := pragmas(func(name string) (v string, err error) {
		err = db.Write(context.Background(), func(tx *gorm.DB) error { return tx.Raw("PRAGMA " + name).Scan(&v).Error })
		return v, err
	})
	r := pragmas(func(name string) (v string, err error) { return v, db.read.Raw("PRAGMA " + name).Scan(&v).Error })
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "0"} {
		if w[name] != want {
			t.Errorf("writer: %s = %s, want %s", name, w[name], want)
		}
	}
	if r["query_only"] != "1" || r["busy_timeout"] != "5000" {
		t.Errorf("readers: %v", r)
	}
	if err := db.read.Exec("INSERT INTO settings (name, value) VALUES ('a', 'b')").Error; err == nil {
		t.Error("a reader could write")
	} else if code := problem.CodeOf(StorageError(err)); code != problem.Unavailable {
		t.Errorf("write to a read-only connection: %v, want UNAVAILABLE", code)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"": DefaultFile, "x/y.db": "x/y.db", "/data/a b.db": "/data/a b.db", "sqlite:x.db": "x.db",
		"sqlite:///data/x.db": "/data/x.db", "sqlite:": DefaultFile, `C:\kurir\x.db`: `C:\kurir\x.db`, "./a:b.db": "./a:b.db",
	} {
		if got, err := sqlitePath(url); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", url, got, err, want)
		}
	}
	for _, url := range []string{"postgres://u:secret@h/db", "postgresql://h/db", "mysql://u:secret@h"} {
		_, err := Open(context.Background(), Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), "KURIR_DATABASE_URL") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestPathNeedsEscaping(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?c=d&e#f%20.db")
	db := openAt(t, path)
	if m, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.db")); err != nil || len(m) != 1 || m[0] != path {
		t.Errorf("files %q, want %q (%v)", m, path, err)
	}
	instance(t, db, "a")
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, err := Open(ctx, Config{URL: filepath.Join(t.TempDir(), "new", "kurir.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	v, err := db.SchemaVersion(ctx)
	if err != nil || v.Current != 0 || v.Target < 1 || !v.Pending() {
		t.Fatalf("empty database: %+v, %v", v, err)
	}
	for range 2 {
		if err := db.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		if v, err = db.SchemaVersion(ctx); err != nil || v.Pending() || v.Current != v.Target {
			t.Fatalf("after Migrate: %+v, %v", v, err)
		}
	}
	if err := db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)").Error
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx); err == nil || !strings.Contains(err.Error(), "999") {
		t.Errorf("a newer database: %v, want a refusal", err)
	}
}

func TestDuplicateKeyIsTranslated(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	for name, row := range map[string]*Instance{
		"1555, primary key":  {ID: id, Name: "b"},
		"2067, unique index": {ID: "inst_other", Name: "a"},
	} {
		err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Create(row).Error })
		if !errors.Is(err, gorm.ErrDuplicatedKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Create(&APIKey{ID: "k", InstanceID: "none"}).Error })
	if !errors.Is(err, gorm.ErrForeignKeyViolated) {
		t.Errorf("foreign key: %v", err)
	}
	first := enqueue(t, db, textTo(id, "x"))
	again := textTo(id, "y")
	again.WAID = first.WAID
	if _, _, err := db.Enqueue(ctx, again, AuditEntry{Action: "wa.send"}); !errors.Is(err, gorm.ErrDuplicatedKey) {
		t.Errorf("plain SQL: %v", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	if err := db.Ping(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if code := problem.CodeOf(db.Ping(context.Background())); code != problem.Unavailable {
		t.Errorf("write after Close: %v", code)
	}
}

func TestTimesRoundTrip(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	id := instance(t, db, "a")
	m := textTo(id, "x")
	m.CreatedAt = now()
	row := enqueue(t, db, m)
	got, err := db.MessageByID(context.Background(), row.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !got.CreatedAt.Equal(m.CreatedAt) || !got.NotBefore.IsZero() || !got.RetryAt.IsZero() || got.SentAt != nil {
		t.Errorf("got %+v, want created %v and no other time", got, m.CreatedAt)
	}
	in, err := db.Instance(context.Background(), id)
	if err != nil || in.CreatedAt.IsZero() || in.CreatedAt.Location().String() != "UTC" {
		t.Errorf("instance %+v, %v", in, err)
	}
}
