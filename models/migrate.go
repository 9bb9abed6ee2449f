package models

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// Version is where the database's schema stands.
type Version struct {
	Current int64 `json:"current"` // of the file; 0: empty
	Target  int64 `json:"target"`  // of this binary
}

// Pending says whether Migrate has something to do.
func (v Version) Pending() bool { return v.Current < v.Target }

// Newer says whether a newer kurir has written this database; this one must leave it alone.
func (v Version) Newer() bool { return v.Current > v.Target }

// Migrate brings the schema up to this binary's. It is safe to call at every start. A database that a newer kurir
// migrated is refused.
func (db *DB) Migrate(ctx context.Context) error {
	v, err := db.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if v.Newer() {
		return fmt.Errorf("the database has schema %d and this kurir knows %d: use the newer kurir", v.Current, v.Target)
	}
	if !v.Pending() {
		return nil
	}
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	// A pool of its own: goose wants several connections, and the writer has the only one of its pool.
	pool, err := sql.Open(driverName, dsn(db.path, forWrites))
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	defer func() { _ = pool.Close() }()
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return StorageError(fmt.Errorf("migrate the database: %w", err))
	}
	for _, r := range done {
		db.log.Info("database migrated", "version", r.Source.Version, "took", r.Duration)
	}
	return db.beginChain(ctx, done)
}

// SchemaVersion says which schema the database has and which this binary wants. It changes nothing.
func (db *DB) SchemaVersion(ctx context.Context) (Version, error) {
	target, err := targetVersion()
	if err != nil {
		return Version{}, err
	}
	v := Version{Target: target}
	var tables int64
	r := db.reader(ctx)
	err = r.Raw("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'").Scan(&tables).Error
	if err == nil && tables > 0 {
		err = r.Raw("SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&v.Current).Error
	}
	if err != nil {
		return Version{}, StorageError(fmt.Errorf("read the schema's version: %w", err))
	}
	return v, nil
}

func targetVersion() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil || len(names) == 0 {
		return 0, errors.Join(errors.New("no migrations are embedded"), err)
	}
	last := names[len(names)-1] // Glob sorts
	number, _, _ := strings.Cut(last[strings.LastIndexByte(last, '/')+1:], "_")
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("number of the migration %s: %w", last, err)
	}
	return v, nil
}
