package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"kurir/events"
	"kurir/handlers/intake"
	"kurir/models"
)

const (
	streamPing  = 15 * time.Second
	streamBatch = 200 // events between two flushes
)

// eventStream is GET /v1/events/stream?instance=&types=: events as they happen, as Server-Sent Events. A reader that
// comes back with Last-Event-ID goes on there, without a gap; one that comes for the first time begins with what
// happens next.
//
// The stream is read from the log, not from a buffer: a slow reader costs nothing but its connection. When it takes
// nothing for streamPatience it is cut off, and what it missed is waiting for it.
func (s *server) eventStream(c *call) {
	after := c.GetHeader("Last-Event-ID")
	if after == "" {
		after = c.Query("after")
	}
	if after == "" {
		after = latest
	}
	var (
		r   reading
		err error
	)
	if _, c.admin, err = s.caller(c, &intake.Form{}); err == nil {
		r, err = s.reading(c, strings.TrimSpace(after))
	}
	if err == nil {
		// Once before the answer begins, so that a place that is no longer kept is an answer of its own.
		_, _, err = s.next(c.ctx(), r, 1)
	}
	if err != nil {
		s.respond(c, reply{}, err)
		return
	}
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	c.Status(http.StatusOK)
	s.stream(c, r)
}

// stream writes events until the reader goes, is cut off, or may not read them any more.
func (s *server) stream(c *call, r reading) {
	out := http.NewResponseController(c.Writer)
	write := func(text string) error {
		// Not every ResponseWriter (of a test) has deadlines.
		if err := out.SetWriteDeadline(time.Now().Add(s.streamPatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := c.Writer.WriteString(text); err != nil {
			return err
		}
		return out.Flush()
	}
	if write("retry: 2000\n\n") != nil {
		return
	}
	ping := time.NewTicker(streamPing)
	defer ping.Stop()
	for {
		changed := s.Events.EventsChanged()
		list, then, err := s.next(c.ctx(), r, streamBatch)
		if r = then; err != nil {
			if c.ctx().Err() == nil {
				s.Log.Error("event stream", "request", c.request, "instance", r.instance, "err", err)
			}
			return
		}
		if err := s.still(c); err != nil {
			s.Log.Info("event stream: its key has ended", "request", c.request, "instance", r.instance, "err", err)
			return
		}
		if len(list) > 0 {
			if err := write(lines(list)); err != nil {
				s.Log.Info("event stream: the reader is gone or too slow", "request", c.request, "err", err)
				return
			}
			continue
		}
		select {
		case <-changed:
		case <-ping.C:
			if write(": ping\n\n") != nil {
				return
			}
		case <-s.Closing:
			return
		case <-c.ctx().Done():
			return
		}
	}
}

// lines writes events in the form of the HTML standard (9.2.5). JSON has no line breaks of its own.
func lines(list []models.Event) string {
	var b strings.Builder
	for _, e := range list {
		data, err := events.Wrap(e).JSON()
		if err != nil {
			continue // the payload was JSON when it was written
		}
		fmt.Fprintf(&b, "id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Type, data)
	}
	return b.String()
}
