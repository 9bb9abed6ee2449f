package app

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"kurir/browser"
	"kurir/events"
	"kurir/media"
	"kurir/models"
	"kurir/models/modelstest"
	"kurir/outbox"
)

func openTestDB(t testing.TB) (*models.DB, string) {
	t.Helper()
	return modelstest.OpenInstance(t, models.Config{Outcomes: events.Outcomes})
}

// What a session says, in the words of the log.
func TestWhatASessionSaysIsWrittenDown(t *testing.T) {
	t.Parallel()
	db, id := openTestDB(t)
	log := slog.New(slog.DiscardHandler)
	out := outbox.New(db, outbox.Config{Log: log, FilesDir: t.TempDir()})
	s := newSessions(Config{MediaMaxMB: 1}, db, events.NewLog(db, 0), out, nil, "", nil, log)
	room, err := openMedia(t.Context(), Config{Data: t.TempDir(), MediaTotalMB: 1, MediaMaxMB: 1}, db, "http://127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	room.start(s, media.Config{}, log)
	t.Cleanup(room.close)
	flow := startInflow(s, models.Instance{ID: id}, nil)
	flow.mu.Lock()
	flow.receiving = true // nothing came before, so there is nothing to catch up with
	flow.mu.Unlock()
	s.inflows[id] = flow
	t.Cleanup(flow.close)
	now := time.Now()
	row, _, err := db.Enqueue(t.Context(), models.Message{InstanceID: id, Chat: "6281@c.us", Phone: "6281", Kind: "text", Body: "x"}, models.AuditEntry{Action: "wa.send"})
	if err != nil {
		t.Fatal(err)
	}
	message := func(m browser.Message) browser.Event {
		m.Time = now.Unix()
		return browser.Event{Type: browser.EventMessage, Message: &m}
	}
	ack := func(waID string, n int) browser.Event {
		return browser.Event{Type: browser.EventAck, Ack: &browser.Ack{ID: waID, Chat: "6281234567890@c.us", Ack: n}}
	}
	for _, e := range []browser.Event{
		{Type: browser.EventState, Status: &browser.Status{State: browser.StateWorking, Since: now, Phone: "6289", CanSend: true, Receiving: true}},
		{Type: browser.EventState, Status: &browser.Status{State: browser.StateWorking, Since: now, Phone: "6289", WAVersion: "2", Receiving: true}}, // nothing that is told
		message(browser.Message{ID: "IN", Chat: "1-2@g.us", Author: "6281234567890@c.us", Writer: &browser.Person{WID: "6281234567890@c.us", Phone: "6281234567890"}, Type: "image", Caption: "c", Media: &browser.Media{MimeType: "image/png", Size: 3}, Quoted: &browser.Quoted{ID: "Q"}}),
		message(browser.Message{ID: "IN", Chat: "1-2@g.us", Author: "6281234567890@c.us", Type: "image"}),               // again
		message(browser.Message{ID: row.WAID, Chat: "6281@c.us", FromMe: true, Type: "chat", Body: "x"}),                // the outbox tells of it
		message(browser.Message{ID: "TYPED", Chat: "5@lid", LID: "5@lid", FromMe: true, Type: "chat", Body: "by hand"}), // on the phone
		ack(row.WAID, 1), ack(row.WAID, 3), ack(row.WAID, 2), ack("TYPED", 1), ack("TYPED", 3), ack("TYPED", 3),
	} {
		s.onEvent(id, e)
	}
	const all = 6
	var list []models.Event
	for end := time.Now().Add(30 * time.Second); len(list) < all && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if list, err = db.Events(t.Context(), id, 0, nil, 100); err != nil {
			t.Fatal(err)
		}
	}
	var got []string // the order between chats, and between the outbox and the page, is not promised
	payload := ""
	for _, e := range list {
		got = append(got, e.Type)
		if e.Type == events.TypeMessage {
			payload = string(e.Payload)
		}
	}
	slices.Sort(got)
	if want := []string{"message", "message.ack", "message.ack", "message.sent", "message.sent", "session.state"}; !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	const want = `{"id":"IN","chat":"1-2@g.us","from_me":false,"author":{"wid":"6281234567890@c.us","phone":"6281234567890"},"kind":"image","body":"","caption":"c","media":{"id":"med_`
	if !strings.HasPrefix(payload, want) || !strings.Contains(payload, `"state":"pending","mimetype":"image/png","size":3,`) {
		t.Errorf("got  %s\nwant %s", payload, want)
	}
	if err := out.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestARetentionIsChecked(t *testing.T) {
	t.Parallel()
	for _, env := range []string{"KURIR_RETENTION_AUDIT=24h", "KURIR_RETENTION_EVENTS=1m", "KURIR_RETENTION_EVENTS=-5h", "KURIR_RETENTION_MESSAGES=x"} {
		if _, err := LoadConfig([]string{env}); err == nil {
			t.Errorf("%s was accepted", env)
		}
	}
}
