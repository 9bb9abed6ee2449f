package models

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"kurir/problem"
)

// How the WAL goes into the database's file. All in pages, of 4 KiB.
const (
	// checkpointFrom is how many pages wait in the WAL when they are copied; SQLite's own default.
	checkpointFrom = 1000
	// restartFrom is how long the WAL is when the writer is asked to help, see checkpointer.
	restartFrom = 2 * checkpointFrom
	// checkpointShare is how much of the WAL may be left for the writer then: an eighth. It is little while the WAL is
	// short, and never more than SQLite would have had the writer copy each time.
	checkpointShare = 8
	// writerCheckpoints is where the writer copies itself, in its COMMIT, whatever the checkpointer does.
	writerCheckpoints = 8 * checkpointFrom
)

// checkpointPause is between two looks at the WAL.
const checkpointPause = 20 * time.Millisecond

// checkpointer copies pages from the WAL into the database's file on a connection of its own. SQLite does that in the
// COMMIT that makes the WAL 1000 pages long, which then keeps the writer for many times as long as any other; a passive
// checkpoint on another connection keeps nobody.
//
// While there are always new pages it never catches up, though, and the WAL begins anew only when a transaction finds
// all of it copied. So when it grows all the same, the writer copies the few pages that are left, between two transactions.
type checkpointer struct {
	db   *DB
	log  *slog.Logger
	pool *sql.DB       // one connection, opened with the first look
	wake chan struct{} // 1 slot: there was a commit
	stop context.CancelFunc
	done sync.WaitGroup
}

func newCheckpointer(ctx context.Context, db *DB) (*checkpointer, error) {
	pool, err := sql.Open(driverName, dsn(db.path, forCheckpoints))
	if err != nil {
		return nil, fmt.Errorf("open the connection for checkpoints: %w", err)
	}
	pool.SetMaxOpenConns(1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &checkpointer{db: db, log: db.log, pool: pool, wake: make(chan struct{}, 1), stop: cancel}
	c.done.Go(func() { c.run(ctx) })
	return c, nil
}

func (c *checkpointer) close() error {
	c.stop()
	c.done.Wait()
	return c.pool.Close()
}

// poke says that there was a commit. It never blocks.
func (c *checkpointer) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *checkpointer) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		err := c.look(ctx)
		if code := problem.CodeOf(err); err != nil && ctx.Err() == nil && code != problem.Unavailable {
			c.log.Warn("copy the WAL into the database", "err", err)
		}
		pause.Reset(checkpointPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// look copies what there is when it has become much.
func (c *checkpointer) look(ctx context.Context) error {
	long, left, err := checkpoint(c.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(NOOP)"))
	if err != nil || left < checkpointFrom {
		return err
	}
	// What comes during the first time is less, and during the second less again.
	for range 3 {
		if long, left, err = checkpoint(c.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")); err != nil {
			return err
		}
		if left <= long/checkpointShare {
			break
		}
	}
	if left == 0 || left > long/checkpointShare || long < restartFrom { // much is left when a reader needs the file as it was
		return nil
	}
	return c.db.restartWAL(ctx)
}

// restartWAL has the writer copy what is left.
func (db *DB) restartWAL(ctx context.Context) error {
	r := &request{kind: HoldCheckpoint, done: make(chan error, 1), fn: func(s *session) error {
		_, _, err := checkpoint(s.queryRow("PRAGMA wal_checkpoint(PASSIVE)"))
		return err
	}}
	return db.writer.do(ctx, db.writer.alone, r)
}

// checkpoint reads the answer of the pragma: how many pages the WAL has, and how many of them are not copied yet.
func checkpoint(row scanner) (long, left int, err error) {
	var busy, copied int
	if err := row.Scan(&busy, &long, &copied); err != nil {
		return 0, 0, fmt.Errorf("checkpoint: %w", StorageError(err))
	}
	return max(long, 0), max(long-copied, 0), nil
}
