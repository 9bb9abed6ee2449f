package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"kurir/models"
	"kurir/models/modelstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a migrated database with an instance, and the instance's id.
func open(t *testing.T) (*models.DB, string) {
	t.Helper()
	return modelstest.OpenInstance(t, models.Config{Outcomes: Outcomes})
}

// types lists the log of an instance and fails when its numbers have a gap.
func types(t *testing.T, db *models.DB, instance string) []string {
	t.Helper()
	list, err := db.Events(context.Background(), instance, 0, nil, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, e := range list {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
		out = append(out, e.Type)
	}
	return out
}

func incoming(id, chat, phone, lid string) *Message {
	return &Message{Content{ID: id, Chat: chat, Phone: phone, LID: lid, Kind: "chat", Body: "halo", Time: time.Now().Truncate(time.Second)}}
}

func TestTheSameMessageIsOneEvent(t *testing.T) {
	t.Parallel()
	db, in := open(t)
	log := NewLog(db, 0)
	const phone, lid = "6281234567890", "1234@lid"
	again := incoming("A", phone+"@c.us", phone, "")
	again.Replayed = true
	for i, m := range []struct {
		m   *Message
		new bool
	}{
		{incoming("A", phone+"@c.us", phone, ""), true},
		{again, false},
		{incoming("A", lid, phone, lid), false},         // the chat has moved to its LID
		{incoming("A", "999@lid", "", "999@lid"), true}, // another person with the same id
		{incoming("B", lid, "", lid), true},             // seen before the number was known
		{incoming("B", phone+"@c.us", phone, lid), false},
		{incoming("A", "1-2@g.us", "", ""), true},
	} {
		added, err := log.Append(t.Context(), in, m.m)
		if err != nil {
			t.Fatal(err)
		}
		if (len(added) == 1) != m.new {
			t.Errorf("message %d: added %d", i, len(added))
		}
	}
	if got := len(types(t, db, in)); got != 4 {
		t.Errorf("%d events, want 4", got)
	}
}

func TestNothingOlderThanTheLog(t *testing.T) {
	t.Parallel()
	db, in := open(t)
	old := incoming("A", "1@c.us", "1", "")
	old.Time = time.Now().Add(-2 * time.Hour)
	added, err := NewLog(db, time.Hour).Append(t.Context(), in, old, incoming("B", "1@c.us", "1", ""))
	if err != nil || len(added) != 1 || !strings.Contains(string(added[0].Payload), `"id":"B"`) {
		t.Errorf("%v %v", added, err)
	}
}

func TestStatesTellTheLastThree(t *testing.T) {
	t.Parallel()
	db, in := open(t)
	log := NewLog(db, 0)
	at := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	for i, s := range []string{"STARTING", "SYNCING", "SYNCING", "WORKING", "DEGRADED", "WORKING"} {
		since := at.Add(time.Duration(i) * time.Second)
		if i == 2 {
			since = at.Add(time.Second) // the same again: something else about the session changed
		}
		if err := log.AppendState(t.Context(), in, SessionState{State: s, Since: since}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := db.LastStates(t.Context(), in, 10)
	if err != nil || len(list) != 5 {
		t.Fatalf("%d states, %v", len(list), err)
	}
	var last SessionState
	if err := json.Unmarshal(list[0].Payload, &last); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(last.State, last.Last[0].State, last.Last[1].State, last.Last[2].State, len(last.Last)); got != "WORKINGDEGRADEDWORKINGSYNCING3" {
		t.Error(got)
	}
}

func TestQROncePerWait(t *testing.T) {
	t.Parallel()
	db, in := open(t)
	log := NewLog(db, 0)
	since := time.Now()
	for _, at := range []time.Time{since, since, since.Add(time.Minute)} {
		if err := log.AppendQR(t.Context(), in, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := types(t, db, in); len(got) != 2 {
		t.Errorf("%v, want two", got)
	}
}

// What has no name of its own happens as often as it is told, also twice in one moment: in the bubble time stands still.
func TestWhatHasNoNameIsNeverTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := map[string]bool{}
		for range 1000 {
			row, err := Row("inst_1", &MessageMedia{Chat: "1@c.us"})
			if err != nil {
				t.Fatal(err)
			}
			keys[row.Key] = true
		}
		if len(keys) != 1000 {
			t.Errorf("1000 happenings have %d keys", len(keys))
		}
	})
}

func TestOutcomesAreWrittenWithTheStep(t *testing.T) {
	t.Parallel()
	db, in := open(t)
	send := func() models.Message {
		_, _, err := db.Enqueue(t.Context(), models.Message{InstanceID: in, Chat: "6281@c.us", Phone: "6281", Kind: "text", Body: "halo"}, models.AuditEntry{Action: "wa.send"})
		if err != nil {
			t.Fatal(err)
		}
		m, ok, err := db.Claim(t.Context(), in, models.PriorityLow)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return m
	}
	settle := func(o models.Outcome) {
		if _, _, err := db.Settle(t.Context(), o, false); err != nil {
			t.Fatal(err)
		}
	}
	ack := func(m models.Message, n int) {
		if _, _, _, err := db.Acknowledge(t.Context(), in, m.WAID, n, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	m := send()
	settle(models.Outcome{Seq: m.Seq, State: models.MessageQueued, Code: "SEND_REJECTED", Attempted: true}) // nothing to tell
	if m, _, _ = db.Claim(t.Context(), in, models.PriorityLow); m.Seq == 0 {
		t.Fatal("not claimed again")
	}
	settle(models.Outcome{Seq: m.Seq, State: models.MessageSent, Ack: 1, Attempted: true})
	ack(m, 1) // nothing new
	ack(m, 3)
	ack(m, 2) // overtaken
	ack(m, 4)
	m = send()
	settle(models.Outcome{Seq: m.Seq, State: models.MessageUnknown, Code: "SESSION_LOST", Attempted: true})
	ack(m, 2) // it did leave
	m = send()
	ack(m, 1) // the ack comes before the answer
	settle(models.Outcome{Seq: m.Seq, State: models.MessageSent, Ack: 1})

	// What ends without having left is told as well, each time that it ends.
	wait := func(expires *time.Time) models.Message {
		m, _, err := db.Enqueue(t.Context(), models.Message{
			InstanceID: in, Chat: "6281@c.us", Phone: "6281", Kind: "text", Body: "halo", ExpiresAt: expires,
		}, models.AuditEntry{Action: "wa.send"})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m = wait(nil)
	for range 2 {
		if _, _, err := db.Cancel(t.Context(), in, m.ID, models.AuditEntry{Action: "v1.cancel"}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Resend(t.Context(), in, m.ID, models.AuditEntry{Action: "v1.resend"}); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-time.Minute)
	wait(&past)
	if _, err := db.Due(t.Context()); err != nil {
		t.Fatal(err)
	}

	want := "message.sent message.ack message.ack message.failed message.sent message.ack message.sent message.failed message.failed message.failed"
	if got := strings.Join(types(t, db, in), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What WhatsApp does not know is left out, and what the types promise is there.
func TestPayloadsAsJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	for want, p := range map[string]Payload{
		`{"id":"A","chat":"1@g.us","from_me":false,"author":{"lid":"5@lid"},"kind":"image","body":"","caption":"c","media":{"mimetype":"image/png","size":3},"quoted_id":"Q","mentions":["2@lid"],"time":"2026-11-23T01:02:03Z","replayed":true}`: &Message{Content{
			ID: "A", Chat: "1@g.us", Author: &Person{LID: "5@lid"}, Kind: "image", Caption: "c", Media: &Media{MimeType: "image/png", Size: 3}, QuotedID: "Q", Mentions: []string{"2@lid"}, Time: at, Replayed: true,
		}},
		`{"path":"/v1/instances/x/qr"}`: &SessionQR{Path: "/v1/instances/x/qr"},
	} {
		if got, err := json.Marshal(p); err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}

func TestEveryTypeHasAPayload(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, p := range payloads() {
		have[p.Type()] = true
	}
	for _, name := range append(Types(), TypeWebhookTest) {
		if !have[name] {
			t.Errorf("%s has no payload", name)
		}
		delete(have, name)
	}
	if len(have) > 0 {
		t.Errorf("not in Types: %v", have)
	}
}
