package handlers

import (
	"context"
	"strconv"
	"strings"
	"time"

	"kurir/events"
	"kurir/models"
	"kurir/problem"
)

// EventReader is what the handlers need of the event log. models.DB is one.
type EventReader interface {
	Events(ctx context.Context, instanceID string, pos int64, types []string, limit int) ([]models.Event, error)
	EventsAfterSeq(ctx context.Context, instanceID string, seq int64, types []string, limit int) ([]models.Event, error)
	EventPos(ctx context.Context, id string) (int64, error)
	LastEventPos(ctx context.Context) (int64, error)
	// EventsChanged is closed when the next event is on disk.
	EventsChanged() <-chan struct{}
}

// latest is the place behind the newest event.
const latest = "latest"

// reading is which events somebody asks for.
type reading struct {
	instance string
	types    []string
	seq      int64 // after this number of the instance; -1: after pos
	pos      int64
}

// reading reads ?instance=&types=&after=. after is the id of an event, "latest", or with an instance its number.
func (s *server) reading(c *call, after string) (reading, error) {
	r := reading{instance: c.Query("instance"), seq: -1}
	if r.instance == "" {
		r.instance = c.tenant.instance.ID // of a key; the operator reads them all
	}
	if r.instance != "" {
		if err := owns(c.tenant, c.admin, r.instance); err != nil {
			return r, err
		}
		c.Set(instanceKey, r.instance)
		if _, err := s.Instances.Get(c.ctx(), r.instance); err != nil {
			return r, err
		}
	}
	if q := c.Query("types"); q != "" {
		var err error
		if r.types, err = eventTypes(strings.Split(q, ",")); err != nil {
			return r, err
		}
	}
	var err error
	switch n, parseErr := strconv.ParseInt(after, 10, 64); {
	case after == "":
	case after == latest:
		r.pos, err = s.Events.LastEventPos(c.ctx())
	case strings.HasPrefix(after, "evt_"):
		r.pos, err = s.Events.EventPos(c.ctx(), after)
	case parseErr != nil || n < 0:
		err = problem.New(problem.BadRequest, "`after` must be the id of an event, its number (with `instance`), or latest")
	case r.instance == "":
		err = problem.New(problem.BadRequest, "a number in `after` needs `instance`: every instance counts for itself")
	default:
		r.seq = n
	}
	return r, err
}

// next returns the events that come then, and where to go on: behind them or, when there are none, behind what there is
// of other types, so that it is not looked through again.
func (s *server) next(ctx context.Context, r reading, limit int) (list []models.Event, then reading, err error) {
	last, err := s.Events.LastEventPos(ctx) // before looking, so that what comes meanwhile is not passed over
	if err != nil {
		return nil, r, err
	}
	if r.seq >= 0 {
		list, err = s.Events.EventsAfterSeq(ctx, r.instance, r.seq, r.types, limit)
	} else {
		list, err = s.Events.Events(ctx, r.instance, r.pos, r.types, limit)
	}
	if err != nil {
		return nil, r, err
	}
	if len(list) > 0 {
		last = list[len(list)-1].Pos
	}
	r.seq, r.pos = -1, max(r.pos, last)
	return list, r, nil
}

// listEvents is GET /v1/events?instance=&after=&types=&limit=&wait=: what happened, oldest first. The next page is after
// the id or number of the last. With wait, an answer that would be empty comes when something happens, at the
// latest after so many seconds.
func (s *server) listEvents(c *call) (reply, error) {
	n, err := c.pageLimit(maxPage)
	if err != nil {
		return reply{}, err
	}
	patience, err := parseWait(c.Query("wait"))
	if err != nil {
		return reply{}, err
	}
	r, err := s.reading(c, c.Query("after"))
	if err != nil {
		return reply{}, err
	}
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		changed := s.Events.EventsChanged() // before looking, so that none falls between
		var list []models.Event
		if list, r, err = s.next(c.ctx(), r, n); err == nil {
			err = s.still(c)
		}
		if err != nil {
			return reply{}, err
		}
		if len(list) > 0 || patience == 0 {
			return reply{code: codeOK, data: envelopes(list)}, nil
		}
		select {
		case <-changed:
		case <-end.C:
			return reply{code: codeOK, data: envelopes(nil)}, nil
		case <-s.Closing:
			return reply{code: codeOK, data: envelopes(nil)}, nil
		case <-c.ctx().Done():
			return reply{}, c.ctx().Err()
		}
	}
}

func envelopes(list []models.Event) []events.Envelope {
	out := make([]events.Envelope, len(list))
	for i, e := range list {
		out[i] = events.Wrap(e)
	}
	return out
}

// eventSchema is GET /v1/events/schema: what an event looks like, as a JSON Schema.
func eventSchema(*call) (reply, error) {
	return reply{raw: events.Schema(), contentType: "application/schema+json"}, nil
}
