package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"kurir/problem"
)

// DeliveryState is where a delivery is.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered" // answered with 2xx
	DeliveryFailed    DeliveryState = "failed"    // given up after the last attempt
)

// Delivery is one event on its way to one webhook. The row is the queue, as with messages.
type Delivery struct {
	ID         int64 `gorm:"primaryKey"` // order within the webhook
	WebhookID  string
	EventPos   int64
	InstanceID string
	Chat       string
	State      DeliveryState
	Head       bool // first of its lane (webhook, instance, chat): only it may be sent
	Attempts   int
	NextAt     time.Time // not before
	Status     int       // HTTP status of the last attempt; 0: no answer
	Error      string    // of the last attempt
	Response   string    // start of the receiver's answer
	LatencyUS  int64     `gorm:"column:latency_us"` // of the last attempt, microseconds
	CreatedAt  time.Time
	FinishedAt *time.Time
	LaterAt    *time.Time // it was brought forward from this time, because the receiver is back
	Asked      bool       // NextAt is the receiver's wish (Retry-After)

	EventID   string `gorm:"->"` // of the event; read only
	EventType string `gorm:"->"`
	EventSeq  int64  `gorm:"->"`
}

// wants is the condition that a webhook gets a type; its arguments are ",type," and type.
const wants = `(instr(events, ?) > 0 OR (events = '*' AND ? <> 'presence'))`

// addLane adds a delivery to the end of its lane.
const addLane = ` 'pending', NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.webhook_id = w.id
	AND d.instance_id = ? AND d.chat = ? AND d.state = 'pending'), ?, ? FROM webhooks w WHERE `

const insertDeliveries = `INSERT INTO deliveries (webhook_id, event_pos, instance_id, chat, state, head, next_at, created_at)
	SELECT w.id, ?, ?, ?,` + addLane + `w.enabled AND w.instance_id IN (?, '') AND ` + wants + ` RETURNING webhook_id`

const insertDelivery = `INSERT INTO deliveries (webhook_id, event_pos, instance_id, chat, state, head, next_at, created_at)
	SELECT w.id, ?, ?, ?,` + addLane + `w.id = ?`

// addDeliveries makes the deliveries of a new event.
func addDeliveries(s *session, e Event) error {
	rows, err := s.QueryContext(s.ctx, insertDeliveries, e.Pos, e.InstanceID, e.Chat, e.InstanceID, e.Chat, e.CreatedAt, e.CreatedAt,
		e.InstanceID, ","+e.Type+",", e.Type)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		s.work(id)
	}
	return s.check(rows.Err())
}

// work notes that a webhook has something to do after the commit.
func (s *session) work(webhookID string) {
	if s.news.webhooks == nil {
		s.news.webhooks = map[string]struct{}{}
	}
	s.news.webhooks[webhookID] = struct{}{}
}

// Due is a delivery that may be sent now, with its event.
type Due struct {
	ID       int64
	Attempts int
	LaterAt  *time.Time // it was brought forward: this try is one more than the schedule has
	Event    *Event     // nil: it was deleted, which happens when a webhook was switched off for longer than events are kept
}

// DueDeliveries returns up to limit deliveries of a webhook whose turn it is by at, each the head of its lane; those
// that wait longest first. In a lane there is never more than one. The limit counts those in flight, and they are left
// out.
func (db *DB) DueDeliveries(ctx context.Context, webhookID string, at time.Time, limit int, flying map[int64]struct{}) ([]Due, error) {
	list, places, err := db.dueHeads(ctx, webhookID, at, limit, flying)
	for i, pos := range places {
		e, err := scanEvent(db.reads.QueryRowContext(ctx, "SELECT "+eventColumns+" FROM events WHERE pos = ?", pos))
		if err == nil {
			list[i].Event = &e
		} else if !errors.Is(err, sql.ErrNoRows) {
			return nil, notFound(err, "deliveries")
		}
	}
	return list, notFound(err, "deliveries")
}

// dueHeads returns what is due and the places of the events.
func (db *DB) dueHeads(ctx context.Context, webhookID string, at time.Time, limit int, flying map[int64]struct{}) (list []Due, places []int64, err error) {
	const query = `SELECT id, attempts, later_at, event_pos FROM deliveries
		WHERE webhook_id = ? AND state = 'pending' AND head AND next_at <= ? ORDER BY next_at LIMIT ?`
	rows, err := db.reads.QueryContext(ctx, query, webhookID, at.UTC(), limit)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var d Due
		var pos int64
		if err := rows.Scan(&d.ID, &d.Attempts, &d.LaterAt, &pos); err != nil {
			return nil, nil, err
		}
		if _, ok := flying[d.ID]; !ok {
			list, places = append(list, d), append(places, pos)
		}
	}
	return list, places, rows.Err()
}

// NextDelivery returns when the first delivery of a webhook that has to wait beyond the given time may be sent; ok is
// false when there is none.
func (db *DB) NextDelivery(ctx context.Context, webhookID string, after time.Time) (at time.Time, ok bool, err error) {
	err = db.reads.QueryRowContext(ctx, `SELECT next_at FROM deliveries WHERE webhook_id = ? AND state = 'pending' AND head
		AND next_at > ? ORDER BY next_at LIMIT 1`, webhookID, after.UTC()).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return at, err == nil, notFound(err, "deliveries")
}

// Attempt is what an attempt to deliver came to.
type Attempt struct {
	ID       int64
	State    DeliveryState // pending: again at NextAt
	NextAt   time.Time
	Asked    bool      // NextAt is what the receiver asked for
	Extra    bool      // a failure does not count: the delivery was brought forward
	At       time.Time // when it ended
	Status   int
	Error    string
	Response string
	Latency  time.Duration
	// Judge is called after a failure, in the transaction, with the webhook as it is then; what it returns is written
	// down, and the webhook is switched off for that reason unless it is empty.
	Judge func(Webhook) (reason string, event NewEvent)
}

// quietGap ends a row of failures: there was nothing to try for longer than the longest pause between two attempts.
const quietGap = 27 * time.Hour

// outage is how long everything must have failed until a success means that the receiver is back. Shorter, it may be one
// event that the receiver cannot take between others that it can.
const outage = time.Minute

const bringForward = `UPDATE deliveries SET later_at = next_at, next_at = ?1
	WHERE webhook_id = ?2 AND state = 'pending' AND head AND next_at > ?1 AND attempts > 0 AND later_at IS NULL AND NOT asked`

const finishDelivery = `UPDATE deliveries SET state = ?, head = head AND ?, attempts = attempts + ?, next_at = ?, later_at = NULL,
	asked = ?, status = ?, error = ?, response = ?, latency_us = ?, finished_at = ? WHERE id = ? AND state = 'pending' RETURNING webhook_id, instance_id, chat`

const promote = `UPDATE deliveries SET head = TRUE WHERE id = (SELECT id FROM deliveries
	WHERE webhook_id = ? AND instance_id = ? AND chat = ? AND state = 'pending' ORDER BY id LIMIT 1)`

const noteFailure = `UPDATE webhooks SET failed_at = ?1,
	failing_since = CASE WHEN failing_since IS NULL OR failed_at < ?2 THEN ?1 ELSE failing_since END
	WHERE id = ?3 RETURNING id, instance_id, url, enabled, failing_since`

// FinishAttempt writes down what an attempt came to. When the delivery is over, the next of its lane becomes the head
// in the same transaction. A delivery that is not pending any more is left alone.
func (db *DB) FinishAttempt(ctx context.Context, a Attempt) error {
	err := db.write(ctx, func(s *session) error {
		over := a.State != DeliveryPending
		var finished *time.Time
		if over {
			finished = &a.At
		}
		var lane struct{ webhook, instance, chat string }
		err := s.queryRow(finishDelivery, string(a.State), !over, counted(a), a.NextAt.UTC(), a.Asked, a.Status, a.Error, a.Response,
			a.Latency.Microseconds(), finished, a.ID).Scan(&lane.webhook, &lane.instance, &lane.chat)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return translate(err)
		}
		if over {
			if _, err := s.exec(promote, lane.webhook, lane.instance, lane.chat); err != nil {
				return translate(err)
			}
		}
		if a.State == DeliveryDelivered {
			return works(s, lane.webhook, a.At)
		}
		return judge(s, lane.webhook, a)
	})
	if err != nil {
		return fmt.Errorf("store an attempt to deliver: %w", err)
	}
	return nil
}

func counted(a Attempt) int {
	if a.Extra && a.State == DeliveryPending {
		return 0
	}
	return 1
}

// works notes a success. After an outage the other lanes do not wait for their own time, which may be a day away.
func works(s *session, webhookID string, at time.Time) error {
	res, err := s.exec("UPDATE webhooks SET failing_since = NULL WHERE id = ? AND failing_since <= ?", webhookID, at.Add(-outage).UTC())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n > 0 {
		_, err := s.exec(bringForward, at.UTC(), webhookID)
		return translate(err)
	}
	_, err = s.exec("UPDATE webhooks SET failing_since = NULL WHERE id = ? AND failing_since IS NOT NULL", webhookID)
	return err
}

// judge notes a failure and switches the webhook off when it is time.
func judge(s *session, webhookID string, a Attempt) error {
	var w Webhook
	err := s.queryRow(noteFailure, a.At.UTC(), a.At.Add(-quietGap).UTC(), webhookID).Scan(&w.ID, &w.InstanceID, &w.URL, &w.Enabled, &w.FailingSince)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // deleted meanwhile
	}
	if err != nil || a.Judge == nil || !w.Enabled {
		return err
	}
	reason, event := a.Judge(w)
	if reason == "" {
		return nil
	}
	if _, err := s.exec("UPDATE webhooks SET enabled = FALSE, disabled_reason = ?, disabled_at = ?, updated_at = ? WHERE id = ?",
		reason, a.At.UTC(), a.At.UTC(), webhookID); err != nil {
		return err
	}
	_, err = appendEvents(s, []NewEvent{event})
	return err
}

// Deliveries returns up to limit deliveries of a webhook with an ID below before (0: the newest), newest first. An
// empty state is every state.
func (db *DB) Deliveries(ctx context.Context, webhookID string, state DeliveryState, before int64, limit int) ([]Delivery, error) {
	var rows []Delivery
	q := db.reader(ctx).Table("deliveries").Where("deliveries.webhook_id = ?", webhookID).
		Select("deliveries.*, events.id AS event_id, events.type AS event_type, events.seq AS event_seq").
		Joins("LEFT JOIN events ON events.pos = deliveries.event_pos").Order("deliveries.id DESC").Limit(limit)
	if before > 0 {
		q = q.Where("deliveries.id < ?", before)
	}
	if state != "" {
		q = q.Where("deliveries.state = ?", string(state))
	}
	return rows, notFound(q.Find(&rows).Error, "deliveries")
}

// RetryDelivery has a delivery sent as soon as its lane allows, whatever came of it before. NOT_FOUND when the webhook
// has none of that id, WEBHOOK_DISABLED when it is switched off, EVENTS_EXPIRED when its event was deleted.
func (db *DB) RetryDelivery(ctx context.Context, webhookID string, id int64) error {
	err := db.write(ctx, func(s *session) error {
		var event sql.NullInt64
		err := s.queryRow(`SELECT e.pos FROM deliveries d LEFT JOIN events e ON e.pos = d.event_pos WHERE d.id = ? AND d.webhook_id = ?`,
			id, webhookID).Scan(&event)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return problem.New(problem.NotFound, "delivery")
		case err != nil:
			return err
		case !event.Valid:
			return problem.New(problem.EventsExpired, "")
		}
		if err := enabled(s, webhookID); err != nil {
			return err
		}
		s.work(webhookID)
		_, err = s.exec(`UPDATE deliveries SET state = 'pending', attempts = CASE WHEN state = 'pending' THEN attempts ELSE 0 END,
			head = NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.webhook_id = deliveries.webhook_id AND o.instance_id = deliveries.instance_id
				AND o.chat = deliveries.chat AND o.state = 'pending' AND o.head AND o.id <> deliveries.id),
			next_at = ?, later_at = NULL, asked = FALSE, finished_at = NULL WHERE id = ?`, now(), id)
		return translate(err)
	})
	if err != nil {
		return fmt.Errorf("retry a delivery: %w", err)
	}
	return nil
}

func enabled(s *session, webhookID string) error {
	var on bool
	err := s.queryRow("SELECT enabled FROM webhooks WHERE id = ?", webhookID).Scan(&on)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return problem.New(problem.NotFound, "webhook "+webhookID)
	case err == nil && !on:
		return problem.New(problem.WebhookDisabled, "")
	}
	return err
}

// replayBatch is how many events one transaction of Replay looks at.
const replayBatch = 200

// Replay makes deliveries of the events of an instance from the number from on, of the types that the webhook gets,
// up to what is the newest event now. They go behind what waits already, in order. It works in small transactions:
// when it fails in between, what it has made stays, and repeats carry the same webhook-id.
func (db *DB) Replay(ctx context.Context, webhookID, instanceID string, from int64) (made int, err error) {
	first, last, err := db.EventRange(ctx, instanceID)
	if err != nil {
		return 0, err
	}
	if from < first && first > 1 {
		return 0, problem.New(problem.EventsExpired, fmt.Sprintf("the oldest is %d", first))
	}
	for seq := max(from, first); seq <= last; seq += replayBatch {
		n := 0
		err := db.write(ctx, func(s *session) (err error) {
			n, err = replay(s, webhookID, instanceID, seq, min(seq+replayBatch-1, last))
			return err
		})
		if err != nil {
			return made, fmt.Errorf("replay events: %w", err)
		}
		made += n
	}
	return made, nil
}

func replay(s *session, webhookID, instanceID string, from, to int64) (int, error) {
	if err := enabled(s, webhookID); err != nil {
		return 0, err
	}
	list, err := wanted(s, webhookID, instanceID, from, to)
	if err != nil {
		return 0, err
	}
	at := now()
	for _, e := range list {
		if _, err := s.exec(insertDelivery, e.Pos, instanceID, e.Chat, instanceID, e.Chat, at, at, webhookID); err != nil {
			return 0, translate(err)
		}
	}
	s.work(webhookID)
	return len(list), nil
}

// wanted returns place and chat of the events between two numbers whose type a webhook gets.
func wanted(s *session, webhookID, instanceID string, from, to int64) (list []Event, err error) {
	rows, err := s.QueryContext(s.ctx, `SELECT e.pos, e.chat FROM events e, webhooks w WHERE w.id = ? AND e.instance_id = ?
		AND e.seq BETWEEN ? AND ? AND (instr(w.events, ',' || e.type || ',') > 0 OR (w.events = '*' AND e.type <> 'presence'))
		ORDER BY e.seq`, webhookID, instanceID, from, to)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var e Event
		if err := rows.Scan(&e.Pos, &e.Chat); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, s.check(rows.Err())
}
