package app

import (
	"context"
	"os"
	"time"

	"kurir/browser"
	"kurir/events"
	"kurir/models"
	"kurir/phone"
	"kurir/problem"
)

// What happens in a session, in the words of the event log. What becomes of kurir's own messages is not here: the
// database writes it down together with the message's row (events.Outcomes).

func (s *Sessions) noteState(ctx context.Context, id string, st browser.Status) {
	err := s.events.AppendState(ctx, id, events.SessionState{
		State: string(st.State), Reason: st.Reason, Since: st.Since.UTC(), Until: st.Until, Phone: st.Phone, LID: st.LID, Pushname: st.Pushname,
	})
	if err != nil {
		s.log.Error("event is not stored", "instance", id, "type", events.TypeSessionState, "err", err)
	}
}

// noteQR writes down that the instance waits for a scan, once it does and has a code to show.
func (s *Sessions) noteQR(ctx context.Context, id string) {
	st := s.Status(id)
	if _, shown := s.QR(id); !shown || st.State != browser.StateScanQR {
		return
	}
	if err := s.events.AppendQR(ctx, id, st.Since); err != nil {
		s.log.Error("event is not stored", "instance", id, "type", events.TypeSessionQR, "err", err)
	}
}

// ours says whether a message was sent through kurir. When that cannot be told now, it says yes: the outbox tells of
// its own.
func (s *Sessions) ours(ctx context.Context, id, waID string) bool {
	_, err := s.db.MessageByWAID(ctx, id, waID)
	if err != nil && problem.CodeOf(err) != problem.NotFound {
		s.log.Error("look a message up", "instance", id, "message", waID, "err", err)
	}
	return problem.CodeOf(err) != problem.NotFound
}

// payload says what an event of the page is in the log; nil: it is told otherwise, or by nobody's wish. replayed: it was
// not seen when it happened.
func (s *Sessions) payload(ctx context.Context, id string, e browser.Event, replayed bool) events.Payload {
	switch e.Type {
	case browser.EventMessage:
		c := content(*e.Message, replayed)
		s.describe(ctx, id, &c)
		switch {
		case !c.FromMe:
			return &events.Message{Content: c}
		case !s.ours(ctx, id, c.ID): // typed on the phone, or on another device
			return &events.MessageSent{Content: c}
		}
	case browser.EventAck:
		if a := e.Ack; !s.ours(ctx, id, a.ID) {
			return &events.MessageAck{ID: a.ID, Chat: a.Chat, Phone: phoneOf(a.Chat), Ack: a.Ack, State: events.AckState(a.Ack)}
		}
	case browser.EventEdited:
		m := e.Edited
		return &events.MessageEdited{
			ID: m.ID, Chat: m.Chat, Phone: m.Phone, LID: m.LID, Author: person(m.Author), FromMe: m.FromMe, Body: m.Body,
			Time: time.UnixMilli(m.TimeMS).UTC(), Replayed: replayed,
		}
	case browser.EventRevoked:
		m := e.Revoked
		return &events.MessageRevoked{
			ID: m.ID, Chat: m.Chat, Phone: m.Phone, LID: m.LID, By: person(m.By), FromMe: m.FromMe,
			Time: time.Unix(m.Time, 0).UTC(), Replayed: replayed,
		}
	case browser.EventReaction:
		m := e.Reaction
		return &events.MessageReaction{
			MessageID: m.MessageID, Chat: m.Chat, From: events.Person(m.From), FromMe: m.FromMe, Reaction: m.Reaction,
			Time: time.UnixMilli(m.TimeMS).UTC(), Replayed: replayed,
		}
	case browser.EventParticipants:
		g := e.Participants
		people := make([]events.Person, 0, len(g.People))
		for _, p := range g.People {
			people = append(people, events.Person(p))
		}
		return &events.GroupParticipants{
			ID: g.ID, Chat: g.Chat, Action: g.Action, By: person(g.By), People: people, Time: time.Unix(g.Time, 0).UTC(), Replayed: replayed,
		}
	case browser.EventSubject:
		g := e.Subject
		return &events.GroupSubject{ID: g.ID, Chat: g.Chat, Subject: g.Subject, By: person(g.By), Time: time.Unix(g.Time, 0).UTC(), Replayed: replayed}
	case browser.EventCall:
		c := e.Call
		return &events.CallReceived{ID: c.ID, From: events.Person(c.From), Chat: c.Chat, Video: c.Video, Group: c.Group, Time: time.Unix(c.Time, 0).UTC(), Replayed: replayed}
	case browser.EventPresence:
		p := e.Presence
		return &events.Presence{Chat: p.Chat, From: events.Person(p.From), State: p.State, Time: time.UnixMilli(p.TimeMS).UTC()}
	}
	return nil
}

// content translates a message of the page.
func content(m browser.Message, replayed bool) events.Content {
	c := events.Content{
		ID: m.ID, Chat: m.Chat, Phone: m.Phone, LID: m.LID, FromMe: m.FromMe, Kind: m.Type, Body: m.Body, Caption: m.Caption,
		Author: person(m.Writer), Mentions: m.Mentions, Time: time.Unix(m.Time, 0).UTC(), Replayed: replayed,
	}
	if m.Media != nil {
		c.Media = &events.Media{MimeType: m.Media.MimeType, FileName: m.Media.FileName, Size: m.Media.Size}
	}
	if m.Quoted != nil {
		c.QuotedID = m.Quoted.ID
	}
	return c
}

func person(p *browser.Person) *events.Person {
	if p == nil {
		return nil
	}
	return (*events.Person)(p)
}

// phoneOf returns the digits of a person's wid that names a number, else nothing.
func phoneOf(wid string) string {
	if t, err := phone.Parse(wid, ""); err == nil && t.Kind == phone.User {
		return t.Phone
	}
	return ""
}

// usage is what GET /v1/stats answers.
type usage struct {
	models.Stats
	WaitingFiles Folder `json:"waiting_files"` // that wait to be sent
	MediaFiles   Folder `json:"media_files"`   // of incoming messages
}

// Folder is how much is in a folder.
type Folder struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

func (a *App) stats(ctx context.Context) (any, error) {
	st, err := a.db.Stats(ctx)
	if err != nil {
		return nil, err
	}
	u := usage{Stats: st}
	u.MediaFiles.Count, u.MediaFiles.Bytes = a.media.store.Usage()
	entries, err := os.ReadDir(a.cfg.filesDir())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			u.WaitingFiles.Count++
			u.WaitingFiles.Bytes += info.Size()
		}
	}
	return u, nil
}
