package models

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kurir/problem"
)

// MessageFilter says which messages a list has. An empty field says nothing.
type MessageFilter struct {
	InstanceID string
	Phone      string         // digits
	Chat       string         // wid, for what has no phone: groups
	States     []MessageState // any of them
	After      string         // id of a message: those that were accepted before it
	Limit      int
}

// ended says whether only messages are asked for that did not leave, or of which nobody knows.
func (f MessageFilter) ended() bool {
	return len(f.States) > 0 && !slices.ContainsFunc(f.States, func(s MessageState) bool {
		return s != MessageFailed && s != MessageExpired && s != MessageCancelled && s != MessageUnknown
	})
}

// Messages returns messages, the newest (the last accepted) first. The next page is After the last one of this page.
// An After that the instance does not have is NOT_FOUND.
//
// With a phone the index of phones finds them, and what has ended without being sent an index of its own, as it is few
// among many. Otherwise the rows are read backwards in the order of acceptance until the
// page is full: a + before a column keeps SQLite from finding all rows of an instance by an index and sorting them.
func (db *DB) Messages(ctx context.Context, f MessageFilter) ([]Message, error) {
	query, args, err := db.messagesQuery(ctx, f)
	if err != nil {
		return nil, err
	}
	return db.listMessages(ctx, query, args...)
}

func (db *DB) messagesQuery(ctx context.Context, f MessageFilter) (query string, args []any, err error) {
	var where []string
	add := func(condition string, values ...any) { where, args = append(where, condition), append(args, values...) }
	switch {
	case f.Phone != "" && f.InstanceID != "":
		add("instance_id = ? AND phone = ?", f.InstanceID, f.Phone)
	case f.Phone != "":
		add("instance_id IN (SELECT id FROM instances) AND phone = ?", f.Phone)
	case f.InstanceID != "" && f.ended():
		add("instance_id = ? AND ended_at IS NOT NULL", f.InstanceID)
	case f.InstanceID != "":
		add("+instance_id = ?", f.InstanceID)
	}
	if f.Chat != "" {
		add("chat = ?", f.Chat)
	}
	if len(f.States) > 0 {
		marks := strings.TrimSuffix(strings.Repeat("?,", len(f.States)), ",")
		states := make([]any, len(f.States))
		for i, st := range f.States {
			states[i] = string(st)
		}
		add("+state IN ("+marks+")", states...)
	}
	if f.After != "" {
		last, err := db.MessageByID(ctx, f.After)
		if err == nil && f.InstanceID != "" && last.InstanceID != f.InstanceID {
			err = problem.New(problem.NotFound, "message "+f.After)
		}
		if err != nil {
			return "", nil, err
		}
		add("seq < ?", last.Seq)
	}
	query = "SELECT " + messageColumns + " FROM messages"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + " ORDER BY seq DESC LIMIT ?", append(args, f.Limit), nil
}

func (db *DB) listMessages(ctx context.Context, query string, args ...any) (list []Message, err error) {
	rows, err := db.reader(ctx).Raw(query, args...).Rows()
	if err != nil {
		return nil, notFound(err, "messages")
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		m, err := scanMessage(rows)
		if err != nil {
			return nil, fmt.Errorf("read messages: %w", err)
		}
		list = append(list, m)
	}
	return list, notFound(rows.Err(), "messages")
}
