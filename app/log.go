package app

import (
	"context"
	"os"
	"strings"
	"time"

	"kurir/browser"
	"kurir/events"
	"kurir/models"
	"kurir/phone"
	"kurir/problem"
)

// What happens in a session, in the words of the event log. What becomes of kurir's own messages is not here: the
// database writes it down together with the message's row (events.Outcomes).

// note writes an event down. What cannot be written now is not lost for good: the page still has it, and it is found
// when the instance is WORKING again.
func (s *Sessions) note(ctx context.Context, id string, p events.Payload) {
	if _, err := s.events.Append(ctx, id, p); err != nil {
		s.log.Error("event is not stored", "instance", id, "type", p.Type(), "err", err)
	}
}

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

// noteAck writes down an ack of a message that kurir did not send: one that was typed on the phone.
func (s *Sessions) noteAck(ctx context.Context, id string, a browser.Ack) {
	if a.Ack < 2 || s.ours(ctx, id, a.ID) {
		return
	}
	s.note(ctx, id, &events.MessageAck{ID: a.ID, Chat: a.Chat, Phone: phoneOf(a.Chat), Ack: a.Ack, State: events.AckState(a.Ack)})
}

// noteMessage writes down a message that came, or that was typed on the phone.
func (s *Sessions) noteMessage(ctx context.Context, id string, m browser.Message) {
	c := content(m)
	s.describe(ctx, id, &c)
	switch {
	case !m.FromMe:
		s.note(ctx, id, &events.Message{Content: c})
	case !s.ours(ctx, id, m.ID):
		s.note(ctx, id, &events.MessageSent{Content: c})
	}
}

// ours says whether a message was sent through kurir. When that cannot be told now, it says yes: the outbox tells of
// its own.
func (s *Sessions) ours(ctx context.Context, id, waID string) bool {
	_, err := s.db.MessageByWAID(ctx, id, waID)
	if err != nil && problem.CodeOf(err) != problem.NotFound {
		s.log.Error("look a message up", "instance", id, "message", waID, "err", err)
	}
	return problem.CodeOf(err) != problem.NotFound || err == nil
}

// content translates a message of the page.
func content(m browser.Message) events.Content {
	c := events.Content{
		ID: m.ID, Chat: m.Chat, Phone: m.Phone, LID: m.LID, FromMe: m.FromMe, Kind: m.Type, Body: m.Body, Caption: m.Caption,
		Time: time.Unix(m.Time, 0).UTC(),
	}
	if m.Author != "" {
		c.Author = &events.Person{WID: m.Author, Phone: phoneOf(m.Author)}
		if strings.HasSuffix(m.Author, "@lid") {
			c.Author.LID = m.Author
		}
	}
	if m.Media != nil {
		c.Media = &events.Media{MimeType: m.Media.MimeType, FileName: m.Media.FileName, Size: m.Media.Size}
	}
	if m.Quoted != nil {
		c.QuotedID = m.Quoted.ID
	}
	return c
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
