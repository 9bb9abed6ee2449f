package events

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"kurir/models"
)

// Log writes events down. Its methods may be called from any goroutine; those that speak of one chat should come from
// one, in the order of what happened.
type Log struct {
	db   *models.DB
	keep time.Duration
}

// NewLog returns the log of a database. keep is how long events are kept (0: for ever): what happened before that is
// not written down, since nobody could tell any more whether it was written before.
func NewLog(db *models.DB, keep time.Duration) *Log { return &Log{db: db, keep: keep} }

// Append writes down what happened to an instance, in the order given, and returns when it is on disk. What is known
// already, and what is older than events are kept, is passed over; the result has what is new.
func (l *Log) Append(ctx context.Context, instanceID string, list ...Payload) ([]models.Event, error) {
	rows := make([]models.NewEvent, 0, len(list))
	for _, p := range list {
		row, err := Row(instanceID, p)
		if err != nil {
			return nil, err
		}
		if l.keep > 0 && !row.Time.IsZero() && time.Since(row.Time) > l.keep {
			continue
		}
		rows = append(rows, row)
	}
	return l.db.AppendEvents(ctx, rows...)
}

// Row returns a payload as the database takes it.
func Row(instanceID string, p Payload) (models.NewEvent, error) {
	data, err := encode(p)
	if err != nil {
		return models.NewEvent{}, fmt.Errorf("encode an event of type %s: %w", p.Type(), err)
	}
	a := p.about()
	row := models.NewEvent{InstanceID: instanceID, Type: p.Type(), Time: a.at, Chat: a.chat, Payload: data}
	if len(a.keys) > 0 {
		row.Key, row.Also = a.keys[0], a.keys[1:]
	} else { // each is a happening of its own; the time would not tell two of one moment apart
		row.Key = p.Type() + ":" + ulid.Make().String()
	}
	switch p := p.(type) {
	case *Message:
		row.Media = p.file(instanceID)
	case *MessageSent:
		row.Media = p.file(instanceID)
	}
	return row, nil
}

// encode is json.Marshal without \u003c for <: texts stay as they were written.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// AppendState writes a state down unless it is the one that the log ends with, and fills in the three before it. Calls
// for one instance must follow one another.
func (l *Log) AppendState(ctx context.Context, instanceID string, s SessionState) error {
	rows, err := l.db.LastStates(ctx, instanceID, 3)
	if err != nil {
		return err
	}
	s.Last = make([]PastState, 0, len(rows))
	for i, row := range rows {
		var past SessionState
		if err := json.Unmarshal(row.Payload, &past); err != nil {
			return fmt.Errorf("read a state of the event log: %w", err)
		}
		if i == 0 && past.State == s.State && past.Reason == s.Reason && past.Phone == s.Phone && past.Since.Equal(s.Since) {
			return nil
		}
		s.Last = append(s.Last, PastState{past.State, past.Reason, past.Since})
	}
	_, err = l.Append(ctx, instanceID, &s)
	return err
}

// AppendQR writes down that an instance waits for a scan since the given time; once for each wait.
func (l *Log) AppendQR(ctx context.Context, instanceID string, since time.Time) error {
	row, err := Row(instanceID, &SessionQR{Path: "/v1/instances/" + instanceID + "/qr"})
	if err != nil {
		return err
	}
	row.Key = "qr:" + strconv.FormatInt(since.UnixNano(), 10)
	_, err = l.db.AppendEvents(ctx, row)
	return err
}

// Envelope is an event as programs get it.
type Envelope struct {
	ID       string          `json:"id"` // evt_…, the same for every repeat
	Seq      int64           `json:"seq"`
	Type     string          `json:"type"`
	Time     time.Time       `json:"time"`
	Instance string          `json:"instance"` // empty: kurir itself
	Data     json.RawMessage `json:"data"`
	Metadata json.RawMessage `json:"metadata,omitempty"` // of the webhook
}

// JSON returns the envelope as it is sent, in one line.
func (e Envelope) JSON() ([]byte, error) { return encode(e) }

// Wrap returns an event as programs get it.
func Wrap(e models.Event) Envelope {
	return Envelope{ID: e.ID, Seq: e.Seq, Type: e.Type, Time: e.Time, Instance: e.InstanceID, Data: e.Payload}
}

// When says when a payload happened; zero: it does not say.
func When(p Payload) time.Time { return p.about().at }
