package models

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"
)

// Digest is a SHA-256; people and JSON see it in hex.
type Digest []byte

// MarshalText writes hex.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Digest) String() string { return hex.EncodeToString(d) }

const insertAudit = `INSERT INTO audit_log
	(id, time, request_id, ip, actor, instance_id, action, target, code, latency_us, prev, hash)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// appendAudit adds a line at the end of the chain.
func appendAudit(s *session, a AuditEntry) error {
	head, err := s.auditHead()
	if err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	a.ID, a.Time = head.ID+1, a.Time.UTC().Truncate(time.Microsecond)
	hash := head.next(&a)
	if _, err := s.exec(insertAudit, a.ID, a.Time, a.RequestID, a.IP, a.Actor, a.InstanceID, a.Action, a.Target,
		a.Code, a.LatencyUS, head.Hash[:], hash[:]); err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	s.head = &AuditHead{a.ID, hash}
	return nil
}

// AppendAudit adds a line to the audit log and returns when it is on disk. Time is now when empty; the line's ID and
// its place in the chain are given here.
func (db *DB) AppendAudit(ctx context.Context, a AuditEntry) error {
	if a.Time.IsZero() {
		a.Time = now()
	}
	return db.writeFirm(ctx, func(s *session) error { return appendAudit(s, a) })
}

// AuditFilter says which lines of the audit log are wanted. Its zero value is all.
type AuditFilter struct {
	InstanceID string
	After      int64     // an ID: only later lines
	Since      time.Time // only lines from then on
}

// Audit returns up to limit lines of the audit log with an ID greater than after, oldest first: the last ID is the
// next after. An empty instanceID is all instances.
func (db *DB) Audit(ctx context.Context, instanceID string, after int64, limit int) ([]AuditEntry, error) {
	return db.AuditLines(ctx, AuditFilter{InstanceID: instanceID, After: after}, limit)
}

// AuditLines returns up to limit lines, oldest first.
func (db *DB) AuditLines(ctx context.Context, f AuditFilter, limit int) ([]AuditEntry, error) {
	var rows []AuditEntry
	q := db.reader(ctx).Where("id > ?", f.After).Order("id").Limit(limit)
	if f.InstanceID != "" {
		q = q.Where("instance_id = ?", f.InstanceID)
	}
	if !f.Since.IsZero() {
		q = q.Where("time >= ?", f.Since.UTC())
	}
	return rows, notFound(q.Find(&rows).Error, "audit log")
}
