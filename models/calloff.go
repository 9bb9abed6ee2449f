package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kurir/problem"
)

const cancelRow = `UPDATE messages SET state = 'cancelled', code = ?, detail = '', ended_at = ?, file_path = ''
	WHERE seq = ? AND state IN ('queued', 'scheduled') RETURNING ` + messageColumns

const resendRow = `UPDATE messages SET state = 'queued', code = '', detail = '', attempts = 0, ended_at = NULL, look_at = NULL,
	expires_at = NULL, not_before = ?, retry_at = ? WHERE seq = ? AND state IN ('unknown', 'failed', 'expired', 'cancelled')
	AND (kind = 'text' OR file_path <> '') RETURNING ` + messageColumns

// Cancel calls a message off that still waits: queued or scheduled → cancelled, together with the audit row. file is the
// path that the row has let go of. The caller tells the outbox (Ended) after it.
//
// NOT_FOUND when the instance (empty: any) has no such message; NOT_CANCELLABLE when it waits no more, then m is the
// message as it is, and nothing is written.
func (db *DB) Cancel(ctx context.Context, instanceID, id string, audit AuditEntry) (m Message, file string, err error) {
	m, file, err = db.change(ctx, instanceID, id, audit, problem.NotCancellable, func(s *session, old Message) (Message, error) {
		return scanMessage(s.queryRow(cancelRow, string(problem.Cancelled), now(), old.Seq))
	})
	if err != nil {
		return m, "", fmt.Errorf("cancel message: %w", err)
	}
	return m, file, nil
}

// Resend queues a message again that has ended without being known to have left: unknown, failed, expired or cancelled.
// It is the same row, so it stands where it was accepted, and nothing of its end is left: attempts are counted anew, and
// neither its time nor its expiry holds any more. The audit row is written with it. The caller tells the outbox
// (Accepted) after it.
//
// It keeps its WhatsApp id. An unknown message may have left after all, or may still leave: WhatsApp's clients and
// servers know a message by its id and take a second arrival of the same one for the first, while under a new id the
// receiver would see it twice. Message.Claims stays too: it says that a page has heard of the id and is to be asked
// before it sends (browser.Outgoing.First).
//
// NOT_FOUND when the instance (empty: any) has no such message; NOT_RESENDABLE when it is in another state, or when it
// had a file and has let go of it; then m is the message as it is, and nothing is written.
func (db *DB) Resend(ctx context.Context, instanceID, id string, audit AuditEntry) (m Message, err error) {
	m, _, err = db.change(ctx, instanceID, id, audit, problem.NotResendable, func(s *session, old Message) (Message, error) {
		return scanMessage(s.queryRow(resendRow, time.Time{}, time.Time{}, old.Seq))
	})
	if err != nil {
		return m, fmt.Errorf("resend message: %w", err)
	}
	return m, nil
}

// change moves one message on and writes the audit row. update answers sql.ErrNoRows when the message is not in a state
// for it, which is refused with the given code. file is the path that the row had before.
func (db *DB) change(ctx context.Context, instanceID, id string, audit AuditEntry, refusal problem.Code,
	update func(*session, Message) (Message, error),
) (m Message, file string, err error) {
	err = db.write(ctx, func(s *session) error {
		m = Message{}
		old, err := scanMessage(s.queryRow("SELECT "+messageColumns+" FROM messages WHERE id = ?", id))
		if errors.Is(err, sql.ErrNoRows) || err == nil && instanceID != "" && old.InstanceID != instanceID {
			return problem.New(problem.NotFound, "message "+id)
		}
		if err != nil {
			return err
		}
		m, file = old, old.FilePath
		now, err := update(s, old)
		if errors.Is(err, sql.ErrNoRows) {
			return problem.New(refusal, string(old.State))
		}
		if err == nil {
			err = appendOutcome(s, old, now)
		}
		if err != nil {
			return err
		}
		m = now
		audit.InstanceID = m.InstanceID
		return appendAudit(s, audit.of([]Message{m}))
	})
	return m, file, err
}
