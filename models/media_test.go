package models

import (
	"context"
	"testing"
	"time"

	"kurir/problem"
)

func TestMediaSettingsDecide(t *testing.T) {
	t.Parallel()
	const most = 50_000_000
	for _, tt := range []struct {
		m      MediaSettings
		kind   string
		size   int64
		fromMe bool
		want   MediaState
	}{
		{Instance{}.MediaWanted(), "document", most, false, MediaPending},
		{Instance{}.MediaWanted(), "document", most + 1, false, MediaTooLarge},
		{Instance{}.MediaWanted(), "document", 1, true, MediaSkipped},
		{MediaSettings{Set: true}, "document", 1, false, MediaSkipped},
		{MediaSettings{Set: true, Auto: true, Types: []string{"audio"}}, "ptt", 1, false, MediaPending},
		{MediaSettings{Set: true, Auto: true, Types: []string{"video"}}, "gif", 1, false, MediaPending},
		{MediaSettings{Set: true, Auto: true, Types: []string{"audio"}}, "image", most + 1, false, MediaSkipped},
		{MediaSettings{Set: true, Auto: true, MaxMB: 2}, "image", 2_000_000, false, MediaPending},
		{MediaSettings{Set: true, Auto: true, MaxMB: 2}, "image", 2_000_001, false, MediaTooLarge},
		{MediaSettings{Set: true, Auto: true, MaxMB: 100}, "image", most + 1, false, MediaTooLarge}, // the gateway's limit was lowered
	} {
		if got := tt.m.Decide(tt.kind, tt.size, tt.fromMe, most); got != tt.want {
			t.Errorf("%+v, %s of %d bytes: %s, want %s", tt.m, tt.kind, tt.size, got, tt.want)
		}
	}
}

// A row of a file is there when its event is, and only once.
func TestMediaIsWrittenWithItsEvent(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	in := Instance{Name: "toko"}
	if err := db.CreateInstance(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 10)
	db.OnMedia(func(id string) { told <- id })
	event := func(mediaID string) NewEvent {
		return NewEvent{InstanceID: in.ID, Type: "message", Key: "a", Payload: []byte("{}"), Media: &Media{
			ID: mediaID, InstanceID: in.ID, MessageID: "3EB0", Chat: "1@c.us", State: MediaPending, FileName: "a",
		}}
	}
	added, err := db.AppendEvents(t.Context(), event("med_1"))
	if err != nil || len(added) != 1 {
		t.Fatal(added, err)
	}
	if again, err := db.AppendEvents(t.Context(), event("med_2")); err != nil || len(again) != 0 {
		t.Fatal(again, err)
	}
	if m, err := db.Media(t.Context(), "med_1"); err != nil || m.EventPos != added[0].Pos {
		t.Errorf("%+v %v", m, err)
	}
	_, err = db.Media(t.Context(), "med_2")
	wantCode(t, err, problem.NotFound)
	if id := <-told; id != in.ID || len(told) > 0 {
		t.Errorf("told %s, and %d more", id, len(told))
	}
	// What cannot be written with its file is not written.
	bad := event("med_1")
	bad.Key = "b"
	if _, err := db.AppendEvents(t.Context(), bad); err == nil {
		t.Error("two files with one id")
	}
	if list, err := db.Events(t.Context(), in.ID, 0, nil, 10); err != nil || len(list) != 1 {
		t.Errorf("%d events, %v", len(list), err)
	}
}

func TestFinishMediaTellsOnce(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	m, err := db.AskMedia(t.Context(), Media{InstanceID: "inst_1", MessageID: "3EB0", Chat: "1@c.us"})
	if err != nil {
		t.Fatal(err)
	}
	o := MediaOutcome{ID: m.ID, State: MediaPending, Counted: true, NextAt: time.Now().Add(time.Hour), Error: "X", Event: func(m Media) (NewEvent, error) {
		return NewEvent{InstanceID: m.InstanceID, Type: "message.media", Key: string(m.State), Payload: []byte("{}")}, nil
	}}
	count := func() int {
		list, err := db.Events(context.Background(), "inst_1", 0, nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if err := db.FinishMedia(t.Context(), o); err != nil || count() != 0 {
		t.Errorf("tried: %v, %d events", err, count())
	}
	if _, next, ok, err := db.DueMedia(t.Context(), o.NextAt.Add(-time.Second), nil); ok || err != nil || next.Sub(o.NextAt).Abs() > time.Millisecond {
		t.Error("due before its time, or not later", next, err)
	}
	if _, next, ok, err := db.DueMedia(t.Context(), o.NextAt.Add(time.Second), []string{"inst_1"}); ok || err != nil || !next.IsZero() {
		t.Error("due for an instance that is left out", next, err)
	}
	o.State, o.SHA256, o.Size = MediaStored, "aa", 3
	if err := db.FinishMedia(t.Context(), o); err != nil || count() != 1 {
		t.Errorf("stored: %v, %d events", err, count())
	}
	o.State = MediaGone
	wantCode(t, db.FinishMedia(t.Context(), o), problem.NotFound)
	if got, err := db.Media(t.Context(), m.ID); err != nil || got.State != MediaStored || got.EventPos == 0 || got.Attempts != 2 || count() != 1 {
		t.Errorf("%+v %v", got, err)
	}
	// Asked for again, a stored file stays stored.
	if again, err := db.AskMedia(t.Context(), Media{InstanceID: "inst_1", MessageID: "3EB0"}); err != nil || again.ID != m.ID || again.State != MediaStored {
		t.Errorf("%+v %v", again, err)
	}
	_, err = db.AskMedia(t.Context(), Media{InstanceID: "inst_2", MessageID: "3EB0"})
	wantCode(t, err, problem.NotFound)
}
