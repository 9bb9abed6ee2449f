package models

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"kurir/problem"
)

// Event is a line of the event log: something that happened on a linked phone, or to kurir. It never changes.
type Event struct {
	Pos        int64  `gorm:"primaryKey"` // place among the events of all instances; rises, with gaps
	ID         string // evt_ + ULID; unique
	InstanceID string // empty: of kurir itself
	Seq        int64  // number within the instance: 1, 2, 3, … without gaps
	Type       string
	Time       time.Time // when it happened
	Chat       string    // events of one chat are delivered in order; empty: of no chat
	Key        string    // names the happening: unique per instance
	Payload    json.RawMessage
	CreatedAt  time.Time // when kurir wrote it down
}

// NewEvent is something that happened, about to be written down.
type NewEvent struct {
	InstanceID string
	Type       string
	Time       time.Time // zero: now
	Chat       string
	Key        string   // see Event
	Also       []string // other keys that the same happening may have been written down under
	Payload    json.RawMessage
	Media      *Media // the file that it tells of: its row is written with it; nil: none
}

const eventColumns = `pos, id, instance_id, seq, type, time, chat, key, payload, created_at`

const nextSeq = `INSERT INTO event_heads (instance_id, seq) VALUES (?, 1)
	ON CONFLICT (instance_id) DO UPDATE SET seq = seq + 1 RETURNING seq`

const insertEvent = `INSERT INTO events (id, instance_id, seq, type, time, chat, key, payload, created_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

func scanEvent(row scanner) (Event, error) {
	var e Event
	var payload string
	err := row.Scan(&e.Pos, &e.ID, &e.InstanceID, &e.Seq, &e.Type, &e.Time, &e.Chat, &e.Key, &payload, &e.CreatedAt)
	e.Payload = json.RawMessage(payload)
	return e, err
}

// AppendEvents writes down what happened, in the order given, together with the deliveries that it causes: all of it
// is on disk when it returns, or nothing is. What was written down before (the same key) is passed over; the result
// has the new events only.
func (db *DB) AppendEvents(ctx context.Context, list ...NewEvent) (added []Event, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	err = db.write(ctx, func(s *session) error {
		added, err = appendEvents(s, list)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("append to the event log: %w", err)
	}
	return added, nil
}

func appendEvents(s *session, list []NewEvent) ([]Event, error) {
	var added []Event
	for _, n := range list {
		known, err := knownEvent(s, n)
		if err != nil {
			return nil, err
		}
		if known {
			continue
		}
		e, err := appendEvent(s, n)
		if err != nil {
			return nil, err
		}
		added = append(added, e)
	}
	return added, nil
}

func knownEvent(s *session, n NewEvent) (bool, error) {
	for i := -1; i < len(n.Also); i++ {
		key := n.Key
		if i >= 0 {
			key = n.Also[i]
		}
		var pos int64
		err := s.queryRow("SELECT pos FROM events WHERE instance_id = ? AND key = ?", n.InstanceID, key).Scan(&pos)
		if !errors.Is(err, sql.ErrNoRows) {
			return err == nil, err
		}
	}
	return false, nil
}

func appendEvent(s *session, n NewEvent) (Event, error) {
	at := now()
	e := Event{
		ID: "evt_" + ulid.Make().String(), InstanceID: n.InstanceID, Type: n.Type, Time: n.Time.UTC().Truncate(time.Microsecond),
		Chat: n.Chat, Key: n.Key, Payload: n.Payload, CreatedAt: at,
	}
	if n.Time.IsZero() {
		e.Time = at
	}
	if err := s.queryRow(nextSeq, n.InstanceID).Scan(&e.Seq); err != nil {
		return Event{}, err
	}
	res, err := s.exec(insertEvent, e.ID, e.InstanceID, e.Seq, e.Type, e.Time, e.Chat, e.Key, string(e.Payload), e.CreatedAt)
	if err != nil {
		return Event{}, translate(err)
	}
	if e.Pos, err = res.LastInsertId(); err != nil {
		return Event{}, err
	}
	s.news.appended = true
	if n.Media != nil {
		m := *n.Media
		m.EventPos = e.Pos
		if err := addMedia(s, m); err != nil {
			return Event{}, err
		}
	}
	return e, addDeliveries(s, e)
}

// Events returns up to limit events after the place pos, oldest first. An empty instanceID is all instances; no types
// are all types.
func (db *DB) Events(ctx context.Context, instanceID string, pos int64, types []string, limit int) ([]Event, error) {
	where, args := "pos > ?", []any{pos}
	if instanceID != "" {
		// By number, since that index has the instance's events only.
		where, args = "instance_id = ? AND seq > coalesce((SELECT max(seq) FROM events WHERE instance_id = ? AND pos <= ?), 0)",
			[]any{instanceID, instanceID, pos}
	}
	return db.events(ctx, instanceID, where, args, types, limit)
}

// EventsAfterSeq is Events of one instance after the number seq. EVENTS_EXPIRED when the next one was deleted.
func (db *DB) EventsAfterSeq(ctx context.Context, instanceID string, seq int64, types []string, limit int) ([]Event, error) {
	list, err := db.events(ctx, instanceID, "instance_id = ? AND seq > ?", []any{instanceID, seq}, types, limit)
	if err != nil || seq == 0 { // from the beginning: of what there is
		return list, err
	}
	first, last, err := db.EventRange(ctx, instanceID)
	if err == nil && seq < first-1 {
		err = problem.New(problem.EventsExpired, fmt.Sprintf("the oldest is %d", first))
	}
	if err == nil && seq > last {
		err = problem.New(problem.BadRequest, fmt.Sprintf("`after` is beyond the last event, %d", last))
	}
	return list, err
}

func (db *DB) events(ctx context.Context, instanceID, where string, args []any, types []string, limit int) ([]Event, error) {
	if len(types) > 0 {
		where += " AND type IN (?" + strings.Repeat(", ?", len(types)-1) + ")"
		for _, t := range types {
			args = append(args, t)
		}
	}
	order := "pos"
	if instanceID != "" {
		order = "seq"
	}
	rows, err := db.reads.QueryContext(ctx, "SELECT "+eventColumns+" FROM events WHERE "+where+" ORDER BY "+order+" LIMIT ?",
		append(args, limit)...)
	if err != nil {
		return nil, notFound(err, "events")
	}
	defer func() { _ = rows.Close() }()
	var list []Event
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, notFound(err, "events")
		}
		list = append(list, e)
	}
	return list, notFound(rows.Err(), "events")
}

// EventPos returns the place of an event by its id; EVENTS_EXPIRED when there is none, which for an id that kurir gave
// means that it was deleted.
func (db *DB) EventPos(ctx context.Context, id string) (int64, error) {
	var pos int64
	err := db.reads.QueryRowContext(ctx, "SELECT pos FROM events WHERE id = ?", id).Scan(&pos)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, problem.New(problem.EventsExpired, id)
	}
	return pos, notFound(err, "event "+id)
}

// LastEventPos returns the place of the newest event of all; 0 when there never was one.
func (db *DB) LastEventPos(ctx context.Context) (int64, error) {
	var pos sql.NullInt64
	err := db.reads.QueryRowContext(ctx, "SELECT seq FROM sqlite_sequence WHERE name = 'events'").Scan(&pos)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return pos.Int64, notFound(err, "events")
}

// EventRange returns the numbers of the oldest event of an instance that is kept and of the newest that was written.
// When none is kept, first is last + 1.
func (db *DB) EventRange(ctx context.Context, instanceID string) (first, last int64, err error) {
	const query = `SELECT coalesce((SELECT min(seq) FROM events WHERE instance_id = ?1), h.seq + 1), h.seq
		FROM event_heads h WHERE h.instance_id = ?1`
	err = db.reads.QueryRowContext(ctx, query, instanceID).Scan(&first, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return 1, 0, nil
	}
	return first, last, notFound(err, "events")
}

// LastStates returns the payloads of the newest session.state events of an instance, the newest first.
func (db *DB) LastStates(ctx context.Context, instanceID string, limit int) ([]Event, error) {
	const query = "SELECT " + eventColumns + ` FROM events WHERE instance_id = ? AND type = 'session.state' ORDER BY seq DESC LIMIT ?`
	rows, err := db.reads.QueryContext(ctx, query, instanceID, limit)
	if err != nil {
		return nil, notFound(err, "states")
	}
	defer func() { _ = rows.Close() }()
	var list []Event
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, notFound(err, "states")
		}
		list = append(list, e)
	}
	return list, notFound(rows.Err(), "states")
}

// EventsChanged returns a channel that is closed when the next event is on disk. Take it before looking, and nothing
// falls between.
func (db *DB) EventsChanged() <-chan struct{} { return db.writer.appended.next() }

// OnDeliveries has f called with the webhooks that got something to deliver, after it is on disk. f is called on the
// writer's goroutine: it must not block.
func (db *DB) OnDeliveries(f func(webhookIDs []string)) { db.writer.onDeliveries.Store(&f) }

// OnMedia has f called with each instance that got a file to fetch, after that is on disk. Like OnDeliveries' it must not
// block.
func (db *DB) OnMedia(f func(instanceID string)) { db.writer.onMedia.Store(&f) }

// news is what a transaction has to tell after its commit.
type news struct {
	appended bool
	webhooks map[string]struct{} // that have something to deliver
	media    map[string]struct{} // instances that have a file to fetch
}

// tell passes the news on and forgets them.
func (w *writer) tell() {
	n := w.s.news
	w.s.news = news{}
	if n.appended {
		w.appended.tell()
	}
	if f := w.onDeliveries.Load(); f != nil && len(n.webhooks) > 0 {
		ids := make([]string, 0, len(n.webhooks))
		for id := range n.webhooks {
			ids = append(ids, id)
		}
		(*f)(ids)
	}
	if f := w.onMedia.Load(); f != nil {
		for id := range n.media {
			(*f)(id)
		}
	}
}

// broadcast wakes everybody who waits at the moment. The zero value is ready.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{} // nil: nobody waits
}

func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
