package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"kurir/problem"
)

// EnqueueAll is Enqueue for several messages of one instance: all of them are accepted, or none, in their order. They
// share one line in the audit log, whose target says how many and which.
//
// The IdempotencyKey of the first message covers all of them. Its row stands for the whole: it is stored under the key
// itself, with a hash over all contents, and the others under keys made from it. So the same messages in the same order
// are a repeat (rows as they are now, repeated = true), and any other messages under that key, a single one included,
// are IDEMPOTENCY_CONFLICT.
func (db *DB) EnqueueAll(ctx context.Context, list []Message, audit AuditEntry) (rows []Message, repeated bool, err error) {
	if len(list) == 0 {
		return nil, false, errors.New("enqueue messages: there are none")
	}
	list = batch(list)
	audit.InstanceID = list[0].InstanceID
	err = db.write(ctx, func(s *session) error {
		line := audit
		if rows, err = earlier(s, list); err != nil {
			return err
		}
		if repeated = rows != nil; repeated {
			line.Code = "REPEATED"
		} else if rows, err = insertAll(s, list); err != nil {
			return err
		}
		return appendAudit(s, line.of(rows))
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		err = problem.Wrap(problem.NotFound, "instance "+audit.InstanceID, err)
	}
	if err != nil {
		return nil, false, fmt.Errorf("enqueue %d messages: %w", len(list), err)
	}
	return rows, repeated, nil
}

// Repeat is the half of Enqueue that finds the first answer of a key: found is false when the key is free, or when
// there is none. It is for a message that cannot be accepted any more, such as one whose time to be sent has passed
// meanwhile, and for knowing of a repeat before its file is fetched. The audit log gets a line (REPEATED) if found.
func (db *DB) Repeat(ctx context.Context, m Message, audit AuditEntry) (row Message, found bool, err error) {
	m.prepare()
	rows, err := db.repeat(ctx, []Message{m}, audit)
	if err != nil || rows == nil {
		return Message{}, false, err
	}
	return rows[0], true, nil
}

// RepeatAll is Repeat for what EnqueueAll takes.
func (db *DB) RepeatAll(ctx context.Context, list []Message, audit AuditEntry) (rows []Message, found bool, err error) {
	if len(list) == 0 {
		return nil, false, nil
	}
	rows, err = db.repeat(ctx, batch(list), audit)
	return rows, rows != nil, err
}

func (db *DB) repeat(ctx context.Context, list []Message, audit AuditEntry) (rows []Message, err error) {
	if list[0].IdempotencyKey == nil {
		return nil, nil
	}
	audit.InstanceID, audit.Code = list[0].InstanceID, "REPEATED"
	err = db.write(ctx, func(s *session) error {
		if rows, err = earlier(s, list); err != nil || rows == nil {
			return err
		}
		return appendAudit(s, audit.of(rows))
	})
	if err != nil {
		return nil, fmt.Errorf("look for a repeat: %w", err)
	}
	return rows, nil
}

// of completes a line about messages that were accepted together.
func (a AuditEntry) of(rows []Message) AuditEntry {
	if a.Target = rows[0].ID; len(rows) > 1 {
		a.Target = fmt.Sprintf("%d messages, %s to %s", len(rows), rows[0].ID, rows[len(rows)-1].ID)
	}
	if a.Time.IsZero() {
		a.Time = now()
	}
	if a.LatencyUS == 0 {
		a.LatencyUS = max(0, time.Since(a.Time).Microseconds())
	}
	return a
}

// batch prepares messages that are accepted at the same moment, with the keys that EnqueueAll promises.
func batch(list []Message) []Message {
	at := now()
	list = slices.Clone(list)
	key := list[0].IdempotencyKey
	if key != nil && *key == "" {
		key = nil
	}
	var all strings.Builder
	for i := range list {
		m := &list[i]
		m.CreatedAt = at
		_, _ = fmt.Fprintf(&all, "%d:%s", len(m.ContentHash), m.ContentHash)
		if m.IdempotencyKey = key; key != nil && i > 0 {
			// A unit separator does not occur in keys that people make.
			own := *key + "\x1f" + strconv.Itoa(i)
			m.IdempotencyKey = &own
		}
		m.prepare()
	}
	if key != nil {
		list[0].ContentHash = HashSecret("all\x1f" + all.String())
	}
	return list
}

// earlier returns the rows of an earlier call under the same key; nil when the key is free.
func earlier(s *session, list []Message) ([]Message, error) {
	var rows []Message
	for _, m := range list { // all of them also when the first is free: keys that are too old are let go
		old, err := idempotent(s, m)
		if err != nil {
			return nil, err
		}
		if old != nil {
			rows = append(rows, *old)
		}
	}
	if len(rows) > 0 && len(rows) < len(list) { // rows of a batch come and go together, so this is another batch
		return nil, problem.New(problem.IdempotencyConflict, rows[0].ID)
	}
	return rows, nil
}

func insertAll(s *session, list []Message) (rows []Message, err error) {
	rows = append(rows, list...)
	for i := range rows {
		if rows[i].Seq, err = insert(s, rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
