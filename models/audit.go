package models

import (
	"context"
	"fmt"
)

const insertAudit = `INSERT INTO audit_log (time, request_id, ip, actor, instance_id, action, target, code, latency_us)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

func appendAudit(s *session, a AuditEntry) error {
	if _, err := s.exec(insertAudit, a.Time.UTC(), a.RequestID, a.IP, a.Actor, a.InstanceID, a.Action, a.Target,
		a.Code, a.LatencyUS); err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return nil
}

// AppendAudit adds a line to the audit log and returns when it is on disk. Time is now when empty; the line's ID is
// given by the database.
func (db *DB) AppendAudit(ctx context.Context, a AuditEntry) error {
	if a.Time.IsZero() {
		a.Time = now()
	}
	return db.write(ctx, func(s *session) error { return appendAudit(s, a) })
}

// Audit returns up to limit lines of the audit log with an ID greater than after, oldest first: the last ID is the
// next after. An empty instanceID is all instances.
func (db *DB) Audit(ctx context.Context, instanceID string, after int64, limit int) ([]AuditEntry, error) {
	var rows []AuditEntry
	q := db.reader(ctx).Where("id > ?", after).Order("id").Limit(limit)
	if instanceID != "" {
		q = q.Where("instance_id = ?", instanceID)
	}
	return rows, notFound(q.Find(&rows).Error, "audit log")
}
