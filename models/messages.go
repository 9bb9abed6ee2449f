package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"kurir/problem"
)

// messageColumns is the order in which scanMessage reads. Plain SQL and a plain scan: GORM's reflection costs more
// than the statement on this path.
const messageColumns = `seq, id, instance_id, wa_id, chat, phone, kind, body, file_path, file_name, mime_type, file_size,
	priority, state, code, detail, claims, attempts, not_before, retry_at, idempotency_key, content_hash, ack, created_at,
	sending_at, sent_at, delivered_at, read_at, ended_at, expires_at, look_at, first_contact`

const insertMessage = `INSERT INTO messages (id, instance_id, wa_id, chat, phone, kind, body, file_path, file_name,
	mime_type, file_size, priority, state, not_before, retry_at, expires_at, idempotency_key, content_hash, created_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func scanMessage(row scanner) (Message, error) {
	var m Message
	err := row.Scan(&m.Seq, &m.ID, &m.InstanceID, &m.WAID, &m.Chat, &m.Phone, &m.Kind, &m.Body, &m.FilePath,
		&m.FileName, &m.MimeType, &m.FileSize, &m.Priority, &m.State, &m.Code, &m.Detail, &m.Claims, &m.Attempts, &m.NotBefore,
		&m.RetryAt, &m.IdempotencyKey, &m.ContentHash, &m.Ack, &m.CreatedAt, &m.SendingAt, &m.SentAt, &m.DeliveredAt,
		&m.ReadAt, &m.EndedAt, &m.ExpiresAt, &m.LookAt, &m.FirstContact)
	return m, err
}

// scanMessages runs a query of the writer and reads all its rows.
func scanMessages(s *session, query string, args ...any) ([]Message, error) {
	rows, err := s.QueryContext(s.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []Message
	for rows.Next() {
		m, err := scanMessage(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, s.check(rows.Err())
}

// Enqueue accepts a message: its row (queued, with the WhatsApp id that it will have) and the audit row are on disk
// when it returns, or neither is. ID, WAID and CreatedAt are made when empty; a WAID made by the caller must be new.
// The audit row gets the message's id as target, and as latency the time since audit.Time when it has none.
//
// When the instance has a message with the same IdempotencyKey: equal ContentHash → that message as it is now and
// repeated = true (the audit row says REPEATED); another → IDEMPOTENCY_CONFLICT and no audit row. A repeat needs no
// file: the caller removes the one it brought. After the return the caller wakes the outbox.
func (db *DB) Enqueue(ctx context.Context, m Message, audit AuditEntry) (row Message, repeated bool, err error) {
	m.prepare()
	if audit.Time.IsZero() {
		audit.Time = m.CreatedAt
	}
	err = db.writeFirm(ctx, func(s *session) error {
		row, repeated = m, false
		old, err := idempotent(s, m)
		if err != nil {
			return err
		}
		if old != nil {
			row, repeated, audit.Code = *old, true, "REPEATED"
		} else if row.Seq, err = insert(s, m); err != nil {
			return err
		}
		audit.Target = row.ID
		audit.InstanceID = m.InstanceID
		if audit.LatencyUS == 0 {
			audit.LatencyUS = max(0, time.Since(audit.Time).Microseconds())
		}
		return appendAudit(s, audit)
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		err = problem.Wrap(problem.NotFound, "instance "+m.InstanceID, err)
	}
	if err != nil {
		return Message{}, false, fmt.Errorf("enqueue message: %w", err)
	}
	return row, repeated, nil
}

func (m *Message) prepare() {
	if m.ID == "" {
		m.ID = NewMessageID()
	}
	if m.WAID == "" {
		m.WAID = NewWAID()
	}
	if m.CreatedAt.IsZero() {
		m.CreatedAt = now()
	}
	if m.IdempotencyKey != nil && *m.IdempotencyKey == "" {
		m.IdempotencyKey = nil
	}
	m.NotBefore = m.NotBefore.UTC().Truncate(time.Microsecond)
	if m.State = MessageQueued; m.NotBefore.After(m.CreatedAt) {
		m.State = MessageScheduled
	}
	if m.ExpiresAt != nil {
		at := m.ExpiresAt.UTC().Truncate(time.Microsecond)
		m.ExpiresAt = &at
	}
	m.RetryAt = time.Time{}
}

// IdempotencyWindow is how long a repeat is answered with the first answer. After it the key is free again.
const IdempotencyWindow = 7 * 24 * time.Hour

// idempotent returns the earlier message of m's key, if there is one within IdempotencyWindow.
func idempotent(s *session, m Message) (*Message, error) {
	if m.IdempotencyKey == nil {
		return nil, nil
	}
	old, err := scanMessage(s.queryRow("SELECT "+messageColumns+" FROM messages WHERE instance_id = ? AND idempotency_key = ?",
		m.InstanceID, *m.IdempotencyKey))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look the idempotency key up: %w", err)
	case m.CreatedAt.Sub(old.CreatedAt) > IdempotencyWindow:
		if err := s.save(); err != nil { // the message may still be refused
			return nil, err
		}
		_, err := s.exec("UPDATE messages SET idempotency_key = NULL WHERE seq = ?", old.Seq)
		return nil, err
	case old.ContentHash != m.ContentHash:
		return nil, problem.New(problem.IdempotencyConflict, old.ID)
	}
	return &old, nil
}

func insert(s *session, m Message) (seq int64, err error) {
	var key any
	if m.IdempotencyKey != nil {
		key = *m.IdempotencyKey
	}
	res, err := s.exec(insertMessage, m.ID, m.InstanceID, m.WAID, m.Chat, m.Phone, m.Kind, m.Body, m.FilePath,
		m.FileName, m.MimeType, m.FileSize, m.Priority, string(m.State), m.NotBefore, m.RetryAt, m.ExpiresAt, key, m.ContentHash,
		m.CreatedAt)
	if err != nil {
		return 0, translate(err)
	}
	return res.LastInsertId()
}

// Message returns a message of an instance by its id; NOT_FOUND when the instance has none of that id.
func (db *DB) Message(ctx context.Context, instanceID, id string) (Message, error) {
	m, err := db.MessageByID(ctx, id)
	if err == nil && m.InstanceID != instanceID {
		return Message{}, problem.New(problem.NotFound, "message "+id)
	}
	return m, err
}

// MessageByID returns a message of any instance; NOT_FOUND when there is none.
func (db *DB) MessageByID(ctx context.Context, id string) (Message, error) {
	return db.oneMessage(ctx, "message "+id, "WHERE id = ?", id)
}

// MessageByWAID returns a message of an instance by its WhatsApp id; NOT_FOUND when there is none.
func (db *DB) MessageByWAID(ctx context.Context, instanceID, waID string) (Message, error) {
	return db.oneMessage(ctx, "message "+waID, "WHERE instance_id = ? AND wa_id = ?", instanceID, waID)
}

func (db *DB) oneMessage(ctx context.Context, what, where string, args ...any) (Message, error) {
	row := db.reader(ctx).Raw("SELECT "+messageColumns+" FROM messages "+where, args...).Row()
	m, err := scanMessage(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = gorm.ErrRecordNotFound
	}
	return m, notFound(err, what)
}
