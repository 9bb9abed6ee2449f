package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kurir/problem"
)

// maxDue bounds the rows of one kind that one call of Due moves, so that no writer waits long for it.
const maxDue = 500

const promoteDue = `UPDATE messages SET state = 'queued' WHERE seq IN
	(SELECT seq FROM messages WHERE state = 'scheduled' AND not_before <= ? ORDER BY not_before LIMIT ?)
	RETURNING ` + messageColumns

const expireDue = `UPDATE messages SET state = 'expired', code = ?, detail = '', ended_at = ?, file_path = ''
	WHERE seq = ? AND state IN ('queued', 'scheduled') RETURNING ` + messageColumns

// Moved is what the clock has moved on.
type Moved struct {
	Queued  []Message // their time has come
	Expired []Message // their time is over
	Files   []string  // Message.FilePath of the expired rows, which have let go of them; same order
	More    bool      // there was more than one call moves
}

// Due queues the scheduled rows of all instances whose time has come, and expires those that wait and whose time is
// over. It writes nothing when there are none.
func (db *DB) Due(ctx context.Context) (Moved, error) {
	at := now()
	var any bool
	err := db.reader(ctx).Raw(`SELECT EXISTS (SELECT 1 FROM messages WHERE state = 'scheduled' AND not_before <= ?)
		OR EXISTS (SELECT 1 FROM messages WHERE expires_at IS NOT NULL AND state IN ('queued', 'scheduled') AND expires_at <= ?)`, at, at).Scan(&any).Error
	if err != nil || !any {
		return Moved{}, notFound(err, "messages that are due")
	}
	var d Moved
	err = db.write(ctx, func(s *session) (err error) {
		d = Moved{}
		if err := d.expire(s, at); err != nil {
			return err
		}
		d.Queued, err = scanMessages(s, promoteDue, at, maxDue)
		d.More = len(d.Queued) == maxDue || len(d.Expired) == maxDue
		return err
	})
	if err != nil {
		return Moved{}, fmt.Errorf("move messages that are due: %w", err)
	}
	return d, nil
}

func (d *Moved) expire(s *session, at time.Time) error {
	old, err := scanMessages(s, "SELECT "+messageColumns+` FROM messages WHERE expires_at IS NOT NULL AND state IN ('queued', 'scheduled')
		AND expires_at <= ? ORDER BY expires_at LIMIT ?`, at, maxDue)
	if err != nil {
		return err
	}
	for _, m := range old {
		now, err := scanMessage(s.queryRow(expireDue, string(problem.Expired), at, m.Seq))
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err == nil {
			err = appendOutcome(s, m, now)
		}
		if err != nil {
			return err
		}
		d.Expired, d.Files = append(d.Expired, now), append(d.Files, m.FilePath)
	}
	return nil
}

// UnknownDue returns the unknown row of an instance that is to be looked up again first, if its time has come.
func (db *DB) UnknownDue(ctx context.Context, instanceID string) (m Message, ok bool, err error) {
	row := db.reader(ctx).Raw("SELECT "+messageColumns+` FROM messages WHERE instance_id = ? AND state = 'unknown'
		AND look_at <= ? ORDER BY look_at LIMIT 1`, instanceID, now()).Row()
	m, err = scanMessage(row)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, false, nil
	}
	return m, err == nil, notFound(err, "unknown message")
}

// LookSoon has the unknown rows of an instance that are still looked up looked up now: its page is back and may know.
func (db *DB) LookSoon(ctx context.Context, instanceID string) error {
	return db.write(ctx, func(s *session) error {
		_, err := s.exec("UPDATE messages SET look_at = ? WHERE instance_id = ? AND state = 'unknown' AND look_at IS NOT NULL", now(), instanceID)
		return err
	})
}

// Undelivered returns messages of an instance that left since a time and of which no receipt has come, the last first.
func (db *DB) Undelivered(ctx context.Context, instanceID string, since time.Time, limit int) ([]Message, error) {
	return db.listMessages(ctx, "SELECT "+messageColumns+` FROM messages WHERE instance_id = ? AND sent_at >= ? AND state = 'sent'
		ORDER BY sent_at DESC LIMIT ?`, instanceID, since.UTC(), limit)
}

// SentSince returns how many messages of an instance have left since a time, and how many of them were first contacts.
func (db *DB) SentSince(ctx context.Context, instanceID string, since time.Time) (sent, first int, err error) {
	row := db.reader(ctx).Raw("SELECT count(*), coalesce(sum(first_contact), 0) FROM messages WHERE instance_id = ? AND sent_at >= ?",
		instanceID, since.UTC()).Row()
	err = row.Scan(&sent, &first)
	return sent, first, notFound(err, "sent messages")
}
