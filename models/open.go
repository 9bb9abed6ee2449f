package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"modernc.org/sqlite"
)

const driverName = "sqlite" // modernc's name in database/sql

// DefaultFile is the database's name where Config.URL is empty.
const DefaultFile = "kurir.db"

// Config says which database to open.
type Config struct {
	// URL is a path, sqlite:path, or empty for kurir.db in the working directory. (The caller puts the data folder
	// before it.) postgres:// is refused with a clear error.
	URL string
	Log *slog.Logger // nil: slog.Default
	// Outcomes says which events a step of a message makes: it was sent, it failed, an ack came. They are written in the
	// transaction of the step, so that neither is ever there without the other. It runs on the writer's goroutine, is
	// fast and touches nothing. before has the state and ack before the step. nil: none.
	Outcomes func(before, after Message) []NewEvent
}

// DB is the open database. Its methods may be called from any goroutine.
type DB struct {
	path   string
	log    *slog.Logger
	pool   *sql.DB   // holds the one connection of the writer
	reads  *readPool // query_only connections
	read   *gorm.DB  // over reads
	tx     *gorm.DB  // over the writer's connection: only inside Write
	writer *writer
	wal    *checkpointer

	closeOnce sync.Once
	closeErr  error

	usedMu sync.Mutex
	used   map[string]time.Time // key id → when its use was last noted

	keyEpoch atomic.Uint64
}

// Open opens the database, creating the file when there is none. It does not migrate: see Migrate.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	path, err := sqlitePath(cfg.URL)
	if err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.Default()
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create the database's folder: %w", err)
		}
	}
	// As safe as fsync and half its time on journaling file systems; where there is none, fsync stays.
	_, _ = sqlite.Fdatasync(true)

	db := &DB{path: path, log: log, used: make(map[string]time.Time)}
	if err := db.open(ctx, cfg.Outcomes); err != nil {
		return nil, errors.Join(StorageError(fmt.Errorf("open the database %s: %w", path, err)), db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, outcomes func(before, after Message) []NewEvent) error {
	var err error
	if db.pool, err = sql.Open(driverName, dsn(db.path, forWrites)); err != nil {
		return err
	}
	db.pool.SetMaxOpenConns(1)
	s, err := newSession(ctx, db.pool)
	if err != nil {
		return err
	}
	s.outcomes = outcomes
	if db.wal, err = newCheckpointer(ctx, db); err != nil {
		return errors.Join(err, s.close())
	}
	w := newWriter(s, db.log, db.wal.poke)
	go w.run()
	db.writer = w
	if db.tx, err = gorm.Open(newDialector(s), gormConfig()); err != nil {
		return err
	}
	reads, err := sql.Open(driverName, dsn(db.path, forReads))
	if err != nil {
		return err
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers)
	db.reads = &readPool{DB: reads, stmts: make(map[string]*sql.Stmt)}
	db.read, err = gorm.Open(newDialector(db.reads), gormConfig())
	return err
}

// Close ends the database: writes that were queued are done first, later ones get UNAVAILABLE.
func (db *DB) Close() error {
	db.closeOnce.Do(func() {
		var errs []error
		if db.writer != nil {
			close(db.writer.closing)
			<-db.writer.done
		}
		if db.wal != nil {
			errs = append(errs, db.wal.close())
		}
		if db.reads != nil { // before the writer: the last connection to go checkpoints the WAL, and it must be able to write
			errs = append(errs, db.reads.close())
		}
		if db.writer != nil {
			// The last connection to go copies the WAL and deletes it, if it ever looked at the WAL itself: that which made
			// the file, and wrote nothing since, has not. Who copies kurir.db after the first run must have all of it.
			_, _, _ = checkpoint(db.writer.s.queryRow("PRAGMA wal_checkpoint(PASSIVE)"))
			errs = append(errs, db.writer.s.close())
		}
		if db.pool != nil {
			errs = append(errs, db.pool.Close())
		}
		if err := errors.Join(errs...); err != nil {
			db.closeErr = fmt.Errorf("close the database: %w", err)
		}
	})
	return db.closeErr
}

// Ping says whether the database can be written now, by an empty transaction that takes the write lock.
func (db *DB) Ping(ctx context.Context) error {
	return db.write(ctx, func(*session) error { return nil })
}

// Path is where the database's file is.
func (db *DB) Path() string { return db.path }

func (db *DB) reader(ctx context.Context) *gorm.DB { return db.read.WithContext(ctx) }

// sqlitePath takes the file's path out of a database URL.
func sqlitePath(raw string) (string, error) {
	switch scheme, rest, found := strings.Cut(raw, ":"); {
	case raw == "":
		return DefaultFile, nil
	case !found || len(scheme) == 1 || strings.ContainsAny(scheme, `/\.`): // a path, C:\… included
		return raw, nil
	case scheme == "sqlite":
		path := strings.TrimPrefix(rest, "//")
		if path == "" {
			return DefaultFile, nil
		}
		return path, nil
	case scheme == "postgres", scheme == "postgresql":
		return "", errors.New("this kurir keeps its data in SQLite only: set KURIR_DATABASE_URL to a path or sqlite:path (Postgres comes with a later version)")
	default:
		return "", fmt.Errorf("unknown database %q: set KURIR_DATABASE_URL to a path or sqlite:path", scheme+":…")
	}
}

// use is what a connection is for.
type use int

const (
	forWrites use = iota
	forReads
	forCheckpoints // on a database that is in WAL mode already
)

// dsn writes the connection string. busy_timeout comes first: switching to WAL already needs a lock.
func dsn(path string, what use) string {
	q := []string{"_pragma=busy_timeout(5000)"}
	switch what {
	case forReads:
		q = append(q, "mode=ro", "_pragma=query_only(1)")
	case forCheckpoints: // nothing that takes the write lock, as auto_vacuum does
		q = append(q, "mode=rw", "_pragma=synchronous(FULL)")
	case forWrites:
		// auto_vacuum takes effect on a database without tables only; see DB.Vacuum.
		q = append(q, "_txlock=immediate", "_pragma=auto_vacuum(2)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)",
			"_pragma=journal_size_limit(67108864)", fmt.Sprintf("_pragma=wal_autocheckpoint(%d)", writerCheckpoints))
	}
	q = append(q, "_pragma=foreign_keys(1)", "_pragma=temp_store(MEMORY)", "_pragma=cache_size(-4000)",
		"_time_integer_format=unix_micro", "_inttotime=1", "_dqs=0")
	name := (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	return "file:" + name + "?" + strings.Join(q, "&")
}

func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true, // a Write is one already
		TranslateError:         true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard, // errors are returned, and they are logged where they end
		NowFunc:                now,
	}
}

// now is the time in the resolution that the database keeps.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
