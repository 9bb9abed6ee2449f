package models

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/problem"
)

func happening(instanceID, key string) NewEvent {
	return NewEvent{InstanceID: instanceID, Type: "message", Chat: "1@c.us", Key: key, Payload: []byte(`{"id":"` + key + `"}`)}
}

// appendAll appends events one by one and returns them.
func appendAll(t testing.TB, db *DB, list ...NewEvent) []Event {
	t.Helper()
	var out []Event
	for _, n := range list {
		added, err := db.AppendEvents(context.Background(), n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, added...)
	}
	return out
}

func TestNumbersHaveNoGaps(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := context.Background()
	ids := []string{instance(t, db, "a"), instance(t, db, "b")}
	var wg sync.WaitGroup
	const writers, times = 8, 30
	for c := range writers { // at once, who see the same happenings and each some of their own
		wg.Go(func() {
			for i := range times {
				id := ids[(i+c)%2]
				if _, err := db.AppendEvents(ctx, happening(id, fmt.Sprint("k", i))); err != nil {
					t.Error(err)
				}
				if _, err := db.AppendEvents(ctx, happening(id, fmt.Sprint("x", c, ".", i)), happening(id, fmt.Sprint("k", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		list, err := db.Events(ctx, id, 0, nil, 100_000)
		if want := times + writers*times/2; err != nil || len(list) != want {
			t.Fatalf("%d events, want %d; %v", len(list), want, err)
		}
		keys := map[string]bool{}
		for i, e := range list {
			if e.Seq != int64(i+1) || keys[e.Key] {
				t.Fatalf("event %d has number %d, key %s", i+1, e.Seq, e.Key)
			}
			keys[e.Key] = true
		}
	}
}

// An error, or a panic, in a transaction that others share takes its own numbers back and nobody else's.
func TestAFailedAppendLeavesNoGap(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := context.Background()
	id := instance(t, db, "a")
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for i := range 20 {
				_ = db.write(ctx, func(s *session) error {
					if _, err := appendEvents(s, []NewEvent{happening(id, fmt.Sprint("lost", c, i))}); err != nil {
						return err
					}
					return problem.New(problem.Internal, "undo")
				})
				if _, err := db.AppendEvents(ctx, happening(id, fmt.Sprint("kept", c, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list, err := db.Events(ctx, id, 0, nil, 1000)
	if err != nil || len(list) != 160 {
		t.Fatalf("%d, %v", len(list), err)
	}
	for i, e := range list {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
	}
}

func TestReadingTheLog(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := context.Background()
	a, b := instance(t, db, "a"), instance(t, db, "b")
	var all []Event
	for i := range 6 {
		n := happening([]string{a, b}[i%2], fmt.Sprint(i))
		if i == 4 {
			n.Type = "message.ack"
		}
		all = append(all, appendAll(t, db, n)...)
	}
	keys := func(list []Event, err error) string {
		if err != nil {
			return string(problem.CodeOf(err))
		}
		s := ""
		for _, e := range list {
			s += e.Key
		}
		return s
	}
	for i, tt := range []struct{ got, want string }{
		{keys(db.Events(ctx, "", 0, nil, 100)), "012345"},
		{keys(db.Events(ctx, "", all[2].Pos, nil, 2)), "34"},
		{keys(db.Events(ctx, a, 0, nil, 100)), "024"},
		{keys(db.Events(ctx, a, all[1].Pos, nil, 100)), "24"}, // after a place that is another's
		{keys(db.Events(ctx, a, all[2].Pos, nil, 100)), "4"},
		{keys(db.Events(ctx, a, all[5].Pos, nil, 100)), ""},
		{keys(db.Events(ctx, "", 0, []string{"message.ack", "x"}, 100)), "4"},
		{keys(db.EventsAfterSeq(ctx, b, 1, nil, 100)), "35"},
		{keys(db.EventsAfterSeq(ctx, b, 3, nil, 100)), ""},
		{keys(db.EventsAfterSeq(ctx, b, 4, nil, 100)), "BAD_REQUEST"},
	} {
		if tt.got != tt.want {
			t.Errorf("case %d: %q, want %q", i, tt.got, tt.want)
		}
	}
	if pos, err := db.EventPos(ctx, all[3].ID); err != nil || pos != all[3].Pos {
		t.Error(pos, err)
	}
	if _, err := db.EventPos(ctx, "evt_none"); problem.CodeOf(err) != problem.EventsExpired {
		t.Error(err)
	}
	if pos, err := db.LastEventPos(ctx); err != nil || pos != all[5].Pos {
		t.Error(pos, err)
	}
	list, err := db.Events(ctx, "", 0, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(all[0], list[0]); d != "" {
		t.Error(d)
	}
}

func TestEventsWakeWhoWaits(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	id := instance(t, db, "a")
	woken := make(chan string, 10)
	db.OnDeliveries(func(ids []string) {
		for _, id := range ids {
			woken <- id
		}
	})
	hook := Webhook{InstanceID: id, URL: "http://x/", Events: JoinEventTypes([]string{"message"})}
	if err := db.CreateWebhook(context.Background(), &hook); err != nil {
		t.Fatal(err)
	}
	changed := db.EventsChanged()
	appendAll(t, db, happening(id, "1"))
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Error("a reader was not woken")
	}
	if got := <-woken; got != hook.ID {
		t.Error(got)
	}
	changed = db.EventsChanged()
	appendAll(t, db, happening(id, "1")) // known
	select {
	case <-changed:
		t.Error("woken for nothing")
	default:
	}
}

// Who gets what, and only the first of a chat may go.
func TestDeliveriesAreMadeWithTheEvent(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	ctx := context.Background()
	a, b := instance(t, db, "a"), instance(t, db, "b")
	hooks := map[string]*Webhook{
		"a's messages": {InstanceID: a, Events: JoinEventTypes([]string{"message"})},
		"b's":          {InstanceID: b, Events: AllEvents},
		"everybody's":  {Events: AllEvents},
		"presence":     {Events: JoinEventTypes([]string{"presence"})},
		"off":          {Events: AllEvents},
	}
	for name, h := range hooks {
		h.URL = "http://x/" + name
		if err := db.CreateWebhook(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.UpdateWebhook(ctx, hooks["off"].ID, map[string]any{"enabled": false}); err != nil {
		t.Fatal(err)
	}
	ack, presence := happening(a, "2"), happening(b, "3")
	ack.Type, presence.Type = "message.ack", "presence"
	appendAll(t, db, happening(a, "1"), ack, presence, happening(b, "4"), happening(b, "5"))
	for name, want := range map[string]string{"a's messages": "1", "b's": "45", "everybody's": "1245", "presence": "3", "off": ""} {
		list, err := db.Deliveries(ctx, hooks[name].ID, "", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		got, heads := "", 0
		for _, d := range list {
			got = fmt.Sprint(d.EventPos) + got
			if d.Head {
				heads++
			}
		}
		due, err := db.DueDeliveries(ctx, hooks[name].ID, time.Now().Add(time.Second), 10, nil)
		if err != nil || got != want || len(due) != heads {
			t.Errorf("%s gets %s, want %s; %d due of %d heads; %v", name, got, want, len(due), heads, err)
		}
		if len(due) > 0 { // what is in flight is left out, and counts
			flying := map[int64]struct{}{due[0].ID: {}}
			for limit, want := range map[int]int{1: 0, 10: heads - 1} {
				if rest, err := db.DueDeliveries(ctx, hooks[name].ID, time.Now().Add(time.Second), limit, flying); err != nil || len(rest) != want {
					t.Errorf("%s: %d due beside the one in flight, want %d; %v", name, len(rest), want, err)
				}
			}
		}
		if want := map[string]int{"everybody's": 2, "b's": 1}[name]; want != 0 && heads != want {
			t.Errorf("%s: %d heads, want %d", name, heads, want)
		}
	}
	for _, tt := range []struct {
		instance, eventType string
		want                bool
	}{{a, "presence", true}, {a, "message", true}, {"none", "message.ack", true}} {
		if got, err := db.Subscribed(ctx, tt.instance, tt.eventType); err != nil || got != tt.want {
			t.Errorf("%v: %t, %v", tt, got, err)
		}
	}
	// A deleted instance takes its webhooks with it and leaves the others'.
	if err := db.DeleteInstance(ctx, a); err != nil {
		t.Fatal(err)
	}
	if left, err := db.Webhooks(ctx, nil, "", 10); err != nil || len(left) != 4 {
		t.Errorf("%d, %v", len(left), err)
	}
}
