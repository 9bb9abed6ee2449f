package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// claimHead takes the first row of a priority or more, by priority and order of acceptance. A head before its retry_at
// is not passed over, so nothing overtakes a retry within a priority; one that is more than maxRetryPause away was
// written by a clock that has been set back since. An expired row is passed over: it is nobody's turn any more.
const claimHead = `UPDATE messages SET state = 'sending', sending_at = ?, claims = claims + 1, code = '', detail = ''
	WHERE seq = (SELECT seq FROM messages WHERE instance_id = ? AND state = 'queued' AND priority >= ?
		AND (expires_at IS NULL OR expires_at > ?) ORDER BY priority DESC, seq LIMIT 1) AND (retry_at <= ? OR retry_at > ?)
	RETURNING ` + messageColumns

// maxRetryPause is longer than any pause that is asked for (outbox.Config.BackoffMax).
const maxRetryPause = 2 * time.Hour

const settleRow = `UPDATE messages SET state = ?, code = ?, detail = ?, attempts = attempts + ?, retry_at = ?,
	not_before = max(not_before, ?), ack = max(ack, ?), sent_at = coalesce(sent_at, ?), delivered_at = coalesce(delivered_at, ?),
	read_at = coalesce(read_at, ?), ended_at = ?, look_at = ?,
	first_contact = max(first_contact, ?), file_path = CASE WHEN ? THEN '' ELSE file_path END
	WHERE seq = ? AND state = ? RETURNING ` + messageColumns

const ackRow = `UPDATE messages SET state = ?, ack = ?, code = '', detail = '', ended_at = NULL, look_at = NULL, file_path = '',
	attempts = attempts + CASE WHEN state = 'sending' THEN 1 ELSE 0 END,
	sent_at = coalesce(sent_at, ?), delivered_at = coalesce(delivered_at, ?), read_at = coalesce(read_at, ?)
	WHERE seq = ? RETURNING ` + messageColumns

// Outcome is what became of a row that was in flight.
type Outcome struct {
	Seq       int64
	From      MessageState // the state that the row must be in; empty: sending
	State     MessageState // sent, failed, unknown; queued: back to the head; sending: not known yet, keep the cause
	Code      string       // of the catalogue; empty when sent
	Detail    string
	Ack       int       // when sent
	At        time.Time // when it was sent, failed or became unknown; zero: now
	Attempted bool      // count it as an attempt
	RetryAt   time.Time // when queued again: not before, and the rows behind wait with it
	NotBefore time.Time // when queued again: scheduled until then, and the rows behind pass; zero: as it was
	LookAt    time.Time // when unknown: the page is asked again then; zero: not again

	FirstContact bool // when sent: the chat had no message before
}

// ended says whether the row needs its file no more. An unknown one keeps it: it may be sent again by a person.
func (o Outcome) ended() bool { return o.State == MessageSent || o.State == MessageFailed }

// Claim takes the head of an instance's queue among the rows of priority least or more: queued → sending. ok is false
// when nothing is eligible now. While another row of the instance is in flight it fails with gorm.ErrDuplicatedKey.
func (db *DB) Claim(ctx context.Context, instanceID string, least int) (m Message, ok bool, err error) {
	err = db.write(ctx, func(s *session) error {
		m, ok, err = claim(s, instanceID, least)
		return err
	})
	if err != nil {
		return Message{}, false, fmt.Errorf("claim message: %w", err)
	}
	return m, ok, nil
}

func claim(s *session, instanceID string, least int) (Message, bool, error) {
	at := now()
	m, err := scanMessage(s.queryRow(claimHead, at, instanceID, least, at, at, at.Add(maxRetryPause)))
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, false, nil
	}
	if err != nil {
		return Message{}, false, translate(err)
	}
	return m, true, nil
}

// Settle writes the outcome of a row that is in flight (or in o.From) and returns the row. An ack that came first wins:
// a row that is no longer in that state is returned as it is, unchanged (ID is empty when the row is gone). With
// claimNext the head of the same instance is claimed in the same transaction, which saves an fsync per message; next
// is nil when nothing is eligible.
func (db *DB) Settle(ctx context.Context, o Outcome, claimNext bool) (settled Message, next *Message, err error) {
	if o.At.IsZero() {
		o.At = now()
	}
	err = db.write(ctx, func(s *session) error {
		next = nil
		if settled, err = settle(s, o); err != nil {
			return err
		}
		if !claimNext || settled.State == MessageSending || settled.ID == "" {
			return nil
		}
		m, ok, err := claim(s, settled.InstanceID, PriorityLow)
		if ok {
			next = &m
		}
		return err
	})
	if err != nil {
		return Message{}, nil, fmt.Errorf("settle message: %w", err)
	}
	return settled, next, nil
}

func settle(s *session, o Outcome) (Message, error) {
	ended := o.ended()
	var sentAt, deliveredAt, readAt, endedAt, lookAt *time.Time
	switch o.State {
	case MessageSent: // an ack of more than 1, which a look can find, comes only once: it must not be lost here
		sentAt = &o.At
		o.State, deliveredAt, readAt = acked(o.Ack, o.At)
	case MessageFailed, MessageUnknown:
		endedAt = &o.At
	case MessageQueued:
		if o.NotBefore.After(o.At) {
			o.State = MessageScheduled
		}
	}
	if at := o.LookAt.UTC().Truncate(time.Microsecond); !o.LookAt.IsZero() {
		lookAt = &at
	}
	attempts := 0
	if o.Attempted {
		attempts = 1
	}
	from := MessageSending
	if o.From != "" {
		from = o.From
	}
	m, err := scanMessage(s.queryRow(settleRow, string(o.State), o.Code, o.Detail, attempts, o.RetryAt.UTC(), o.NotBefore.UTC(),
		o.Ack, sentAt, deliveredAt, readAt, endedAt, lookAt, o.FirstContact, ended, o.Seq, string(from)))
	if errors.Is(err, sql.ErrNoRows) {
		if o.FirstContact { // an ack came first; it does not know
			if _, err := s.exec("UPDATE messages SET first_contact = TRUE WHERE seq = ?", o.Seq); err != nil {
				return Message{}, err
			}
		}
		if m, err = scanMessage(s.queryRow("SELECT "+messageColumns+" FROM messages WHERE seq = ?", o.Seq)); errors.Is(err, sql.ErrNoRows) {
			return Message{}, nil
		}
		return m, err
	}
	if err != nil {
		return m, err
	}
	return m, appendOutcome(s, Message{State: MessageSending}, m)
}

// Acknowledge moves a message on by an ack of WhatsApp (1 server, 2 device, 3 read, 4 played) and says whether that
// changed it; acks only ever rise. Whatever the row's state was, unknown and failed included, it is now sent: WhatsApp
// said so. file is the path that the row has just let go of. A message that is not of this outbox changes nothing.
func (db *DB) Acknowledge(ctx context.Context, instanceID, waID string, ack int, at time.Time) (m Message, file string, changed bool, err error) {
	if ack < 1 {
		return Message{}, "", false, nil
	}
	err = db.write(ctx, func(s *session) error {
		old, err := scanMessage(s.queryRow("SELECT "+messageColumns+" FROM messages WHERE instance_id = ? AND wa_id = ?", instanceID, waID))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil || ack <= old.Ack {
			return err
		}
		state, delivered, read := acked(ack, at)
		m, err = scanMessage(s.queryRow(ackRow, string(state), ack, at, delivered, read, old.Seq))
		file, changed = old.FilePath, err == nil
		if err != nil {
			return err
		}
		return appendOutcome(s, old, m)
	})
	if err != nil {
		return Message{}, "", false, fmt.Errorf("acknowledge message: %w", err)
	}
	return m, file, changed, nil
}

// acked is where an ack of 1 or more puts a message, and since when it is there.
func acked(ack int, at time.Time) (state MessageState, delivered, read *time.Time) {
	switch {
	case ack >= 3:
		return MessageRead, &at, &at
	case ack == 2:
		return MessageDelivered, &at, nil
	}
	return MessageSent, nil, nil
}

// InFlight returns the row of an instance that is `sending`, if there is one.
func (db *DB) InFlight(ctx context.Context, instanceID string) (m Message, ok bool, err error) {
	row := db.reader(ctx).Raw("SELECT "+messageColumns+" FROM messages WHERE instance_id = ? AND state = 'sending'", instanceID).Row()
	m, err = scanMessage(row)
	if errors.Is(err, sql.ErrNoRows) {
		return Message{}, false, nil
	}
	return m, err == nil, notFound(err, "message in flight")
}

// Queued returns how many messages of an instance wait for their turn, those that are scheduled not counted.
func (db *DB) Queued(ctx context.Context, instanceID string) (n int64, err error) {
	depth, err := db.Depth(ctx, instanceID)
	for _, k := range depth {
		n += k
	}
	return n, err
}

// Depth returns how many messages of an instance wait for their turn, by priority.
func (db *DB) Depth(ctx context.Context, instanceID string) (map[int]int64, error) {
	var rows []struct {
		Priority int
		N        int64
	}
	err := db.reader(ctx).Raw("SELECT priority, count(*) AS n FROM messages WHERE instance_id = ? AND state = 'queued' GROUP BY priority",
		instanceID).Scan(&rows).Error
	out := make(map[int]int64, len(rows))
	for _, r := range rows {
		out[r.Priority] = r.N
	}
	return out, notFound(err, "queue")
}
