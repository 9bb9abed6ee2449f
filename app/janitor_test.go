package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"kurir/browser"
	"kurir/events"
	"kurir/media"
	"kurir/models"
	"kurir/outbox"
)

func openTestDB(t testing.TB) (*models.DB, string) {
	t.Helper()
	ctx := context.Background()
	db, err := models.Open(ctx, models.Config{URL: filepath.Join(t.TempDir(), "kurir.db"), Log: slog.New(slog.DiscardHandler), Outcomes: events.Outcomes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	in := models.Instance{Name: "toko", Region: "ID"}
	if err := db.CreateInstance(ctx, &in); err != nil {
		t.Fatal(err)
	}
	return db, in.ID
}

// fill makes n old lines of everything that is deleted by age.
func fill(t testing.TB, db *models.DB, instance string, n int) {
	t.Helper()
	old := time.Now().Add(-400 * 24 * time.Hour).UnixMicro()
	err := db.Write(context.Background(), func(tx *gorm.DB) error {
		for _, q := range []string{
			`INSERT INTO events (id, instance_id, seq, type, time, chat, key, payload, created_at)
				SELECT 'evt_' || i, '%[2]s', i, 'message', %[3]d, 'c', i, printf('%%200s', i), %[3]d FROM n`,
			`INSERT INTO deliveries (webhook_id, event_pos, instance_id, chat, state, next_at, created_at) SELECT 'wh', i, '%[2]s', 'c', 'delivered', %[3]d, %[3]d FROM n`,
			`INSERT INTO audit_log (time, action) SELECT %[3]d, 'wa.send' FROM n`,
			`INSERT INTO messages (id, instance_id, wa_id, chat, kind, body, state, not_before, retry_at, created_at)
				SELECT 'msg_' || i, '%[2]s', i, 'c', 'text', printf('%%200s', i), 'read', %[3]d, %[3]d, %[3]d FROM n`,
		} {
			q = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d) " + q
			if err := tx.Exec(fmt.Sprintf(q, n, instance, old)).Error; err != nil {
				return err
			}
		}
		return tx.Exec("INSERT INTO event_heads (instance_id, seq) VALUES (?, ?)", instance, n).Error
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheJanitorDeletesWhatIsOldAndNothingElse(t *testing.T) {
	t.Parallel()
	db, id := openTestDB(t)
	fill(t, db, id, 3000)
	young, err := events.NewLog(db, 0).Append(t.Context(), id, &events.CallReceived{ID: "1", Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := LoadConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	j := newJanitor(db, cfg.Retention, slog.New(slog.DiscardHandler))
	j.clean(t.Context())
	st, err := db.Stats(t.Context())
	if err != nil || st.Events.Count != 1 || st.Deliveries["delivered"] != 0 || st.Messages["read"] != 0 || st.Audit.Count != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	if list, err := db.Events(t.Context(), id, 0, nil, 10); err != nil || len(list) != 1 || list[0].ID != young[0].ID || list[0].Seq != 3001 {
		t.Errorf("%+v, %v", list, err)
	}
	t.Logf("batches of up to %d rows, the writer was kept for at most %s", j.batch, j.held)

	for range 50 {
		j.adapt(time.Second)
	}
	if j.batch != batchMin {
		t.Errorf("after slow batches: %d", j.batch)
	}
	for range 50 {
		j.adapt(0)
	}
	if j.batch != batchMax {
		t.Errorf("after fast batches: %d", j.batch)
	}
}

func TestTheJanitorKeepsForEver(t *testing.T) {
	t.Parallel()
	db, id := openTestDB(t)
	fill(t, db, id, 10)
	j := startJanitor(db, Retention{}, slog.New(slog.DiscardHandler))
	j.clean(t.Context())
	j.close()
	if st, err := db.Stats(t.Context()); err != nil || st.Events.Count != 10 || st.Audit.Count != 10 || st.Messages["read"] != 10 {
		t.Errorf("%+v, %v", st, err)
	}
	for _, env := range []string{"KURIR_RETENTION_AUDIT=24h", "KURIR_RETENTION_EVENTS=1m", "KURIR_RETENTION_EVENTS=-5h", "KURIR_RETENTION_MESSAGES=x"} {
		if _, err := LoadConfig([]string{env}); err == nil {
			t.Errorf("%s was accepted", env)
		}
	}
}

// BenchmarkJanitor deletes 200,000 old rows; its figure is the longest that the writer was kept (the limit is 50 ms).
func BenchmarkJanitor(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		db, id := openTestDB(b)
		fill(b, db, id, 50_000)
		j := newJanitor(db, Retention{Events: time.Hour, Deliveries: time.Hour, Messages: time.Hour, Audit: 200 * time.Hour}, slog.New(slog.DiscardHandler))
		b.StartTimer()
		j.clean(context.Background())
		b.ReportMetric(float64(j.held.Microseconds())/1000, "ms-held")
	}
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
