package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// auditMark is the setting below which lines of the audit log may be deleted; a trigger holds to it.
const auditMark = "audit_mark"

// auditAtLeast is how long the audit log is kept whatever the settings say; the same trigger holds to it.
const auditAtLeast = 7 * 24 * time.Hour

// Sweep deletes the oldest rows of one kind. Step deletes a few and says whether there may be more; one Sweep is one
// pass and is then of no more use. It is not safe for concurrent use.
type Sweep struct {
	db     *DB
	Name   string // events, deliveries, audit or messages
	before time.Time
	at     int64 // what is up to here was looked at
	stop   int64 // look no further
	begun  bool
	window func(ctx context.Context, after int64, limit int) (marks []int64, more bool, err error)
	remove func(s *session, after, last int64) (int64, error)
	limit  func(ctx context.Context) (int64, error) // sets stop; nil: no limit
}

// choreTime is when a chore has done enough for one transaction. It is far below what a chore may keep the writer for,
// since the COMMIT comes on top, and a busy machine stretches both. The clock is looked at after each slice.
const choreTime = 3 * time.Millisecond

// slice is how many rows go by one statement.
const slice = 10

// Step looks at up to n rows and deletes what of them may go, as far as it gets in choreTime. held is how long the writer
// was kept from others, until it was free again.
func (w *Sweep) Step(ctx context.Context, n int) (deleted int64, held time.Duration, more bool, err error) {
	if !w.begun {
		w.begun, w.stop = true, 1<<62
		if w.limit != nil {
			if w.stop, err = w.limit(ctx); err != nil {
				return 0, 0, false, fmt.Errorf("sweep %s: %w", w.Name, err)
			}
		}
	}
	marks, more, err := w.window(ctx, w.at, n)
	if err != nil {
		return 0, 0, false, fmt.Errorf("sweep %s: %w", w.Name, err)
	}
	if i := slices.IndexFunc(marks, func(at int64) bool { return at >= w.stop }); i >= 0 {
		marks, more = append(marks[:i], w.stop), false
	}
	if len(marks) == 0 || marks[len(marks)-1] <= w.at {
		return 0, 0, false, nil
	}
	at := w.at
	held, err = w.db.chore(ctx, func(s *session) error {
		for i, last := range marks {
			n, err := w.remove(s, at, last)
			if err != nil {
				return err
			}
			deleted, at = deleted+n, last
			if i < len(marks)-1 && s.enough() {
				more = true
				break
			}
		}
		return nil
	})
	if err != nil {
		return 0, held, false, fmt.Errorf("sweep %s: %w", w.Name, err)
	}
	w.at = at
	return deleted, held, more, nil
}

// enough says that the transaction has taken the time that a chore may take.
func (s *session) enough() bool { return time.Since(s.begun) >= choreTime }

// oldest returns a window over a table whose rows are in the order of their time: the keys after a key, up to a row
// that is not old. marks has the last key of each slice.
func (db *DB) oldest(table, key, column string, before time.Time) func(context.Context, int64, int) ([]int64, bool, error) {
	query := "SELECT " + key + ", CAST(" + column + " AS INTEGER) FROM " + table + " WHERE " + key + " > ? ORDER BY " + key + " LIMIT ?"
	return func(ctx context.Context, after int64, limit int) (marks []int64, more bool, err error) {
		rows, err := db.reads.QueryContext(ctx, query, after, limit)
		if err != nil {
			return nil, false, StorageError(err)
		}
		defer func() { _ = rows.Close() }()
		n := 0
		for rows.Next() {
			var id, at int64 // at in microseconds
			if err := rows.Scan(&id, &at); err != nil {
				return nil, false, err
			}
			if at >= before.UnixMicro() {
				return marks, false, nil
			}
			if n%slice == 0 {
				marks = append(marks, id)
			}
			marks[len(marks)-1] = id
			n++
		}
		return marks, n == limit, StorageError(rows.Err())
	}
}

// remove deletes rows of a table between two keys under a condition.
func remove(table, key, condition string) func(*session, int64, int64) (int64, error) {
	query := "DELETE FROM " + table + " WHERE " + key + " > ? AND " + key + " <= ? AND " + condition
	return func(s *session, after, last int64) (int64, error) {
		res, err := s.exec(query, after, last)
		if err != nil {
			return 0, err
		}
		return res.RowsAffected()
	}
}

// SweepEvents deletes events that were written down, and happened, before the given time. It stops at the first that
// an enabled webhook has not been given yet: what is undelivered stays, and no number is missing in between.
func (db *DB) SweepEvents(before time.Time) *Sweep {
	return &Sweep{
		db: db, Name: "events", before: before,
		window: db.oldest("events", "pos", "max(time, created_at)", before),
		remove: remove("events", "pos", "TRUE"),
		limit:  db.firstUndelivered,
	}
}

// firstUndelivered returns the place before the first event that waits to be delivered.
func (db *DB) firstUndelivered(ctx context.Context) (int64, error) {
	var pos sql.NullInt64
	err := db.reads.QueryRowContext(ctx, `SELECT min(d.event_pos) FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id
		WHERE d.state = 'pending' AND w.enabled`).Scan(&pos)
	if err != nil {
		return 0, StorageError(err)
	}
	if !pos.Valid {
		return 1 << 62, nil
	}
	return pos.Int64 - 1, nil
}

// SweepDeliveries deletes deliveries that were made before the given time and are over, or whose webhook is switched
// off; and those of webhooks that were deleted.
func (db *DB) SweepDeliveries(before time.Time) *Sweep {
	return &Sweep{
		db: db, Name: "deliveries", before: before,
		window: db.oldest("deliveries", "id", "created_at", before),
		remove: remove("deliveries", "id", "(state <> 'pending' OR webhook_id NOT IN (SELECT id FROM webhooks WHERE enabled))"),
	}
}

// SweepMessages deletes messages that were accepted before the given time and are over. Those that wait or are being sent stay,
// and unknown ones, which may still end. With a message goes its idempotency key.
func (db *DB) SweepMessages(before time.Time) *Sweep {
	return &Sweep{
		db: db, Name: "messages", before: before,
		window: db.oldest("messages", "seq", "created_at", before),
		remove: remove("messages", "seq", "state IN ('sent', 'delivered', 'read', 'failed', 'expired', 'cancelled') AND file_path = ''"),
	}
}

// SweepAudit deletes lines of the audit log from before the given time. First the mark rises, which is an entry of its
// own in the log; the trigger lets go of nothing above it, nor of what is younger than a week.
func (db *DB) SweepAudit(before time.Time) *Sweep {
	if week := time.Now().Add(-auditAtLeast - time.Minute); before.After(week) {
		before = week
	}
	told := false
	return &Sweep{
		db: db, Name: "audit", before: before,
		window: db.oldest("audit_log", "id", "time", before),
		remove: func(s *session, after, last int64) (int64, error) {
			if _, err := s.exec("UPDATE settings SET value = ? WHERE name = ? AND CAST(value AS INTEGER) < ?", strconv.FormatInt(last, 10), auditMark, last); err != nil {
				return 0, err
			}
			if err := anchorAt(s, last); err != nil {
				return 0, err
			}
			n, err := remove("audit_log", "id", "TRUE")(s, after, last)
			if err != nil || n == 0 || told {
				return n, err
			}
			told = true // once for each pass
			return n, appendAudit(s, AuditEntry{
				Time: now(), Actor: "retention", Action: "audit.expire", Target: "before " + before.UTC().Format(time.RFC3339), Code: "OK",
			})
		},
	}
}

// goneWebhook and goneInstance find one that was deleted and has left rows, going from name to name in the index.
const goneWebhook = `WITH RECURSIVE w(id) AS (
		SELECT min(webhook_id) FROM deliveries
		UNION ALL SELECT (SELECT min(webhook_id) FROM deliveries WHERE webhook_id > w.id) FROM w WHERE w.id IS NOT NULL)
	SELECT id FROM w WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM webhooks) LIMIT 1`

const goneInstance = `SELECT instance_id FROM event_heads WHERE instance_id <> '' AND instance_id NOT IN (SELECT id FROM instances) LIMIT 1`

// SweepGone deletes up to n rows that a deleted webhook or instance has left behind. What other webhooks have not been
// given yet stays until they have. more says that there may be more.
func (db *DB) SweepGone(ctx context.Context, n int) (deleted int64, held time.Duration, more bool, err error) {
	var id string
	err = db.reads.QueryRowContext(ctx, goneWebhook).Scan(&id)
	if err == nil {
		const query = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE webhook_id = ? LIMIT ?)"
		return db.sweepSome(ctx, n, query, id)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return 0, 0, false, fmt.Errorf("sweep what is gone: %w", StorageError(err))
	}
	limit, err := db.firstUndelivered(ctx)
	if err == nil {
		err = db.reads.QueryRowContext(ctx, goneInstance).Scan(&id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, fmt.Errorf("sweep what is gone: %w", StorageError(err))
	}
	const query = "DELETE FROM events WHERE pos IN (SELECT pos FROM events WHERE instance_id = ? AND pos <= ? ORDER BY seq LIMIT ?)"
	if deleted, held, more, err = db.sweepSome(ctx, n, query, id, limit); err != nil || more {
		return deleted, held, more, err
	}
	_, _, more, err = db.sweepSome(ctx, 1, `DELETE FROM event_heads WHERE instance_id IN
		(SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM events WHERE instance_id = ?1) LIMIT ?2)`, id)
	return deleted, held, more, err
}

// sweepSome runs a statement, whose last argument is how many rows it deletes at most, until it has deleted n or its
// time is over; more says that it deleted something.
func (db *DB) sweepSome(ctx context.Context, n int, query string, args ...any) (deleted int64, held time.Duration, more bool, err error) {
	held, err = db.chore(ctx, func(s *session) error {
		for left := n; left > 0 && (left == n || !s.enough()); left -= slice {
			res, err := s.exec(query, append(slices.Clone(args), min(left, slice))...)
			if err != nil {
				return err
			}
			gone, err := res.RowsAffected()
			if deleted += gone; err != nil || gone == 0 {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, held, false, fmt.Errorf("sweep what is gone: %w", err)
	}
	return deleted, held, deleted > 0, nil
}

// spareFree is how many free pages stay in the file for what comes next.
const spareFree = 1024

// Vacuum gives up to n free pages at the end of the file back to the disk, as far as it gets in choreTime, and says
// whether there are more to give. Only a database that was made with incremental vacuum can; one of an older kurir keeps
// its size and fills the free pages again, until somebody runs VACUUM on it while kurir is stopped.
func (db *DB) Vacuum(ctx context.Context, n int) (held time.Duration, more bool, err error) {
	held, err = db.chore(ctx, func(s *session) error {
		var mode, free int
		if err := s.queryRow("PRAGMA auto_vacuum").Scan(&mode); err != nil {
			return err
		}
		if err := s.queryRow("PRAGMA freelist_count").Scan(&free); err != nil {
			return err
		}
		if mode != 2 || free <= spareFree {
			return nil
		}
		// The statement frees one page each time it is stepped.
		rows, err := s.QueryContext(s.ctx, "PRAGMA incremental_vacuum("+strconv.Itoa(min(n, free-spareFree))+")")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		freed := 0
		for rows.Next() {
			if freed++; s.enough() {
				break
			}
		}
		more = free-spareFree > freed
		return s.check(rows.Err())
	})
	if err != nil {
		return held, false, fmt.Errorf("vacuum: %w", err)
	}
	return held, more, nil
}
