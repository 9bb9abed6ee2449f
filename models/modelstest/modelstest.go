// Package modelstest gives tests a database. It is not part of the product.
package modelstest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"kurir/models"
)

// Open opens the database of cfg with this binary's schema; it is closed after the test, if the test has not done so.
// Without a URL it is a new one in a folder of the test's own, without a Log it is silent. A file that is there already
// is migrated as at a start of kurir. A new one is a copy of an empty database that is migrated once per process: the
// migrations take longer than most tests.
func Open(t testing.TB, cfg models.Config) *models.DB {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = filepath.Join(t.TempDir(), models.DefaultFile)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := place(cfg.URL); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background() // that of the test ends before the database is closed
	db, err := models.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}

// OpenInstance opens a new database as Open does, with an instance named toko, and returns the instance's id.
func OpenInstance(t testing.TB, cfg models.Config) (*models.DB, string) {
	t.Helper()
	db := Open(t, cfg)
	in := models.Instance{Name: "toko", Region: "ID"}
	if err := db.CreateInstance(context.Background(), &in); err != nil {
		t.Fatal(err)
	}
	return db, in.ID
}

// place writes the empty database to path, unless there is a file.
func place(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := empty()
	if err != nil {
		return err
	}
	return os.WriteFile(path, file, 0o600)
}

// empty is the file of a database that was migrated and closed.
var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "modelstest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, models.DefaultFile)
	db, err := models.Open(context.Background(), models.Config{URL: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(db.Migrate(context.Background()), db.Close()); err != nil {
		return nil, err
	}
	if left, err := filepath.Glob(path + "-*"); err != nil || len(left) > 0 {
		return nil, errors.Join(fmt.Errorf("the file alone is not the database: there is %q", left), err)
	}
	return os.ReadFile(path) // #nosec G304 -- written above
})
