package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"kurir/problem"
)

// MediaState is where the file of a message is.
type MediaState string

// The states of a file. All but pending are ends, which only somebody who asks for the file again changes.
const (
	MediaPending  MediaState = "pending"   // it will be fetched
	MediaStored   MediaState = "stored"    // it is on disk
	MediaSkipped  MediaState = "skipped"   // the instance's settings do not want it; it can be asked for
	MediaTooLarge MediaState = "too_large" // larger than the settings allow; nothing of it is kept
	MediaGone     MediaState = "gone"      // WhatsApp no longer has it
	MediaFailed   MediaState = "failed"    // it could not be fetched, after several attempts; Error says why
)

// Media is the file of a message.
type Media struct {
	ID         string `gorm:"primaryKey"` // med_ + ULID
	InstanceID string
	MessageID  string // WhatsApp's
	Chat       string // wid, as the page calls it
	Phone      string // digits of the other side, when known
	Author     string // wid of who wrote it, in groups
	FromMe     bool
	Kind       string // WhatsApp's word for the message
	MimeType   string // as the sender said
	FileName   string // as the sender said: hostile, never a path
	ToldSize   int64  // bytes, as the sender said
	State      MediaState
	SHA256     string `gorm:"column:sha256"` // hex, when stored
	Size       int64  // bytes, when stored
	Attempts   int    // that came to an end
	NextAt     time.Time
	Error      string // of the last attempt
	Asked      bool   // somebody asked for it: the instance's settings do not hold, the gateway's limits do
	EventPos   int64  // of the last event that mentions it; 0: none does
	CreatedAt  time.Time
	StoredAt   *time.Time
	FreeSince  *time.Time // since when no webhook waits for it; nil: one does, or nobody has looked yet
}

// TableName is the word for it.
func (Media) TableName() string { return "media" }

// NewMediaID returns a new id of a file: med_ and a ULID.
func NewMediaID() string { return "med_" + ulid.Make().String() }

const insertMedia = `INSERT INTO media (id, instance_id, message_id, chat, phone, author, from_me, kind, mime_type, file_name,
	told_size, state, next_at, asked, event_pos, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func addMedia(s *session, m Media) error {
	at := now()
	_, err := s.exec(insertMedia, m.ID, m.InstanceID, m.MessageID, m.Chat, m.Phone, m.Author, m.FromMe, m.Kind, m.MimeType, m.FileName,
		m.ToldSize, string(m.State), at, m.Asked, m.EventPos, at)
	if m.State == MediaPending {
		s.toFetch(m.InstanceID)
	}
	return translate(err)
}

// toFetch notes that an instance has a file to fetch after the commit.
func (s *session) toFetch(instanceID string) {
	if s.news.media == nil {
		s.news.media = map[string]struct{}{}
	}
	s.news.media[instanceID] = struct{}{}
}

// AskMedia has the file of a message fetched: a row that is there is set to pending again, to be fetched now,
// unless it is stored, one that is not is made. Of m, InstanceID, MessageID and Chat count, with Phone; Chat may be empty when there
// is a row. NOT_FOUND when there is none and Chat is empty.
func (db *DB) AskMedia(ctx context.Context, m Media) (Media, error) {
	var row Media
	err := db.write(ctx, func(s *session) error {
		at := now()
		var id string
		err := s.queryRow(`SELECT id FROM media WHERE instance_id = ?1 AND message_id = ?2
			AND (?3 = '' OR chat = ?3 OR (?4 <> '' AND phone = ?4)) ORDER BY id DESC LIMIT 1`, m.InstanceID, m.MessageID, m.Chat, m.Phone).Scan(&id)
		switch {
		case errors.Is(err, sql.ErrNoRows) && m.Chat == "":
			return problem.New(problem.NotFound, "kurir knows no file of this message; with `chat` it can be looked for")
		case errors.Is(err, sql.ErrNoRows):
			m.ID, m.State, m.Asked, m.EventPos = NewMediaID(), MediaPending, true, 0
			if err := addMedia(s, m); err != nil {
				return err
			}
			id = m.ID
		case err != nil:
			return err
		}
		_, err = s.exec(`UPDATE media SET state = 'pending', asked = TRUE, attempts = 0, next_at = ?, error = '', free_since = NULL
			WHERE id = ? AND state <> 'stored' AND (state <> 'pending' OR attempts > 0)`, at, id)
		if err != nil {
			return err
		}
		row, err = scanMedia(s.queryRow("SELECT "+mediaColumns+" FROM media WHERE id = ?", id))
		if row.State == MediaPending {
			s.toFetch(row.InstanceID)
		}
		return err
	})
	if err != nil {
		return Media{}, fmt.Errorf("ask for a file: %w", err)
	}
	return row, nil
}

const mediaColumns = `id, instance_id, message_id, chat, phone, author, from_me, kind, mime_type, file_name, told_size, state,
	sha256, size, attempts, next_at, error, asked, event_pos, created_at, stored_at, free_since`

func scanMedia(row scanner) (Media, error) {
	var m Media
	var stored, free sql.NullTime
	err := row.Scan(&m.ID, &m.InstanceID, &m.MessageID, &m.Chat, &m.Phone, &m.Author, &m.FromMe, &m.Kind, &m.MimeType, &m.FileName,
		&m.ToldSize, &m.State, &m.SHA256, &m.Size, &m.Attempts, &m.NextAt, &m.Error, &m.Asked, &m.EventPos, &m.CreatedAt, &stored, &free)
	if stored.Valid {
		m.StoredAt = &stored.Time
	}
	if free.Valid {
		m.FreeSince = &free.Time
	}
	return m, err
}

// Media returns a file by its id; NOT_FOUND when there is none, or none any more.
func (db *DB) Media(ctx context.Context, id string) (Media, error) {
	return db.oneMedia(ctx, "file "+id, "id = ?", id)
}

func (db *DB) oneMedia(ctx context.Context, what, where string, args ...any) (Media, error) {
	m, err := scanMedia(db.reads.QueryRowContext(ctx, "SELECT "+mediaColumns+" FROM media WHERE "+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return Media{}, problem.New(problem.NotFound, what)
	}
	return m, notFound(err, what)
}

// DueMedia returns the pending file that waits longest, of an instance that is not among those named; ok is false when
// none is due at the given time. Then next is when the first pending file after that time is due, zero when there is none.
// The two are one question because a file that becomes due between two would be neither.
func (db *DB) DueMedia(ctx context.Context, at time.Time, except []string) (m Media, next time.Time, ok bool, err error) {
	args := []any{at.UTC()}
	where := "state = 'pending' AND next_at <= ?"
	if len(except) > 0 {
		where += " AND instance_id NOT IN (?" + strings.Repeat(", ?", len(except)-1) + ")"
		for _, id := range except {
			args = append(args, id)
		}
	}
	m, err = db.oneMedia(ctx, "a file", where+" ORDER BY next_at, id LIMIT 1", args...)
	if problem.CodeOf(err) != problem.NotFound {
		return m, next, err == nil, err
	}
	err = db.reads.QueryRowContext(ctx, "SELECT next_at FROM media WHERE state = 'pending' AND next_at > ? ORDER BY next_at LIMIT 1",
		at.UTC()).Scan(&next)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return Media{}, next, false, notFound(err, "files")
}

// MediaOutcome is what an attempt to fetch a file came to.
type MediaOutcome struct {
	ID      string
	State   MediaState // pending: again at NextAt
	NextAt  time.Time
	Counted bool // it was an attempt
	Error   string

	SHA256   string // of stored, as the next
	Size     int64
	Kind     string
	MimeType string
	FileName string

	// Event is called with the row as it is then, unless it is still pending; what it returns is written to the log in the
	// same transaction.
	Event func(Media) (NewEvent, error)
}

const finishMedia = `UPDATE media SET state = ?1, next_at = ?2, attempts = attempts + ?3, error = ?4,
	sha256 = ?5, size = ?6, stored_at = CASE WHEN ?1 = 'stored' THEN ?7 END, kind = CASE WHEN ?8 <> '' THEN ?8 ELSE kind END,
	mime_type = CASE WHEN ?9 <> '' THEN ?9 ELSE mime_type END, file_name = CASE WHEN ?10 <> '' THEN ?10 ELSE file_name END
	WHERE id = ?11 AND state = 'pending' RETURNING ` + mediaColumns

// FinishMedia writes down what an attempt came to, with its event. A file that is not pending any more, or is gone from
// the table, is left alone: NOT_FOUND.
func (db *DB) FinishMedia(ctx context.Context, o MediaOutcome) error {
	err := db.write(ctx, func(s *session) error {
		attempts := 0
		if o.Counted {
			attempts = 1
		}
		m, err := scanMedia(s.queryRow(finishMedia, string(o.State), o.NextAt.UTC(), attempts, o.Error, o.SHA256, o.Size, now(),
			o.Kind, o.MimeType, o.FileName, o.ID))
		if errors.Is(err, sql.ErrNoRows) {
			return problem.New(problem.NotFound, "file "+o.ID)
		}
		if err != nil || m.State == MediaPending || o.Event == nil {
			return err
		}
		n, err := o.Event(m)
		if err != nil {
			return err
		}
		e, err := appendEvent(s, n)
		if err != nil {
			return err
		}
		_, err = s.exec("UPDATE media SET event_pos = ? WHERE id = ?", e.Pos, o.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("store what became of a file: %w", err)
	}
	return nil
}

// MediaHashes returns the SHA-256 of every file that a row needs.
func (db *DB) MediaHashes(ctx context.Context) (map[string]bool, error) {
	rows, err := db.reads.QueryContext(ctx, "SELECT DISTINCT sha256 FROM media WHERE sha256 <> ''")
	if err != nil {
		return nil, notFound(err, "files")
	}
	defer func() { _ = rows.Close() }()
	all := map[string]bool{}
	for rows.Next() {
		var sum string
		if err := rows.Scan(&sum); err != nil {
			return nil, notFound(err, "files")
		}
		all[sum] = true
	}
	return all, notFound(rows.Err(), "files")
}

// MediaUsed says whether a row needs the file with that SHA-256.
func (db *DB) MediaUsed(ctx context.Context, sum string) (bool, error) {
	var n int64
	err := db.reads.QueryRowContext(ctx, "SELECT count(*) FROM media WHERE sha256 = ?", sum).Scan(&n)
	return n > 0, notFound(err, "files")
}

// ReleaseMedia notes of up to n files that no webhook waits for an event that mentions them: from now on their retention
// counts. As with events, what comes after the first event that an enabled webhook has not been given yet, stays.
func (db *DB) ReleaseMedia(ctx context.Context, n int) (done int64, held time.Duration, more bool, err error) {
	ids, _, err := db.freeMedia(ctx, "free_since IS NULL", n)
	if err != nil || len(ids) == 0 {
		return 0, 0, false, err
	}
	done, held, err = db.eachMedia(ctx, "UPDATE media SET free_since = ? WHERE id = ? AND free_since IS NULL AND state <> 'pending'", now(), ids)
	return done, held, (len(ids) == n || done < int64(len(ids))) && done > 0, err
}

// ExpireMedia deletes up to n rows whose time is over, or whose instance was deleted, and returns the hashes of their
// files. Some of them may be needed still, by these rows or by others: MediaUsed tells.
func (db *DB) ExpireMedia(ctx context.Context, before time.Time, n int) (hashes []string, held time.Duration, more bool, err error) {
	ids, hashes, err := db.freeMedia(ctx, "(free_since < ? OR instance_id NOT IN (SELECT id FROM instances))", n, before.UTC())
	if err != nil || len(ids) == 0 {
		return nil, 0, false, err
	}
	const query = `DELETE FROM media WHERE (free_since <= ?1 OR instance_id NOT IN (SELECT id FROM instances))
		AND id = ?2 AND state <> 'pending'`
	done, held, err := db.eachMedia(ctx, query, now(), ids)
	return hashes, held, (len(ids) == n || done < int64(len(ids))) && done > 0, err
}

// freeMedia lists files under a condition whose events are all delivered.
func (db *DB) freeMedia(ctx context.Context, where string, n int, args ...any) (ids, hashes []string, err error) {
	delivered, err := db.firstUndelivered(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("look for old files: %w", err)
	}
	rows, err := db.reads.QueryContext(ctx, "SELECT id, sha256 FROM media WHERE "+where+" AND state <> 'pending' AND event_pos <= ? LIMIT ?",
		append(args, delivered, n)...)
	if err != nil {
		return nil, nil, StorageError(fmt.Errorf("look for old files: %w", err))
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, sum string
		if err := rows.Scan(&id, &sum); err != nil {
			return nil, nil, fmt.Errorf("look for old files: %w", err)
		}
		ids = append(ids, id)
		if sum != "" {
			hashes = append(hashes, sum)
		}
	}
	return ids, hashes, StorageError(rows.Err())
}

// eachMedia runs a statement for each id, with a time before it, as far as it gets in choreTime.
func (db *DB) eachMedia(ctx context.Context, query string, at time.Time, ids []string) (done int64, held time.Duration, err error) {
	held, err = db.chore(ctx, func(s *session) error {
		done = 0
		for _, id := range ids {
			res, err := s.exec(query, at, id)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			if done += n; s.enough() {
				break
			}
		}
		return nil
	})
	if err != nil {
		return 0, held, fmt.Errorf("sweep media: %w", err)
	}
	return done, held, nil
}
