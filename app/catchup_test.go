package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"kurir/events"
	"kurir/sandbox"
)

// told is an event of the log as programs read it.
type told struct {
	events.Envelope
	Content events.Content
}

// eventsOf reads the whole log of an instance and fails when its numbers have a gap or an id comes twice.
func (g *gateway) eventsOf(in instance, types string) []told {
	g.t.Helper()
	var all []told
	ids, after := map[string]bool{}, ""
	for {
		a := g.call("GET", fmt.Sprintf("/v1/events?instance=%s&types=%s&limit=500&after=%s", in.ID, types, after), nil)
		if !a.Status {
			g.t.Fatalf("events: %+v", a)
		}
		var page []events.Envelope
		a.into(g.t, &page)
		for _, e := range page {
			x := told{Envelope: e}
			if e.Type == events.TypeMessage || e.Type == events.TypeMessageSent {
				if err := json.Unmarshal(e.Data, &x.Content); err != nil {
					g.t.Fatal(err)
				}
			}
			if ids[e.ID] {
				g.t.Fatalf("event %s comes twice", e.ID)
			}
			ids[e.ID], after = true, e.ID
			if all = append(all, x); types == "" && e.Seq != int64(len(all)) {
				g.t.Fatalf("event %d has number %d", len(all), e.Seq)
			}
		}
		if len(page) == 0 {
			return all
		}
	}
}

// waitEvents waits until the log has n events of the types.
func (g *gateway) waitEvents(in instance, types string, n int) []told {
	g.t.Helper()
	var all []told
	eventually(g.t, func() string {
		if all = g.eventsOf(in, types); len(all) >= n {
			return ""
		}
		return fmt.Sprintf("the log has %d events of %s, not %d", len(all), types, n)
	})
	return all
}

// TestWhatCameWhileKurirWasDown: 500 messages in 20 chats and a group while kurir is down are told once, marked, the
// oldest of each chat first.
func TestWhatCameWhileKurirWasDown(t *testing.T) {
	world := openWorld(t)
	dir := t.TempDir()
	p := startProcess(t, dir, world)
	in := p.linkedIn(world, "mati", "6281100000901")
	group, err := world.CreateGroup("6281234560000", "Grup", []string{in.Number, "6281234560001"})
	if err != nil {
		t.Fatal(err)
	}
	say := func(from, to, body string) {
		t.Helper()
		if err := world.SendFrom(from, to, sandbox.Message{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	say("6281234560000", in.Number, "sebelum")
	if live := p.waitEvents(in, events.TypeMessage, 1); live[0].Content.Replayed || live[0].Content.Body != "sebelum" {
		t.Errorf("live: %+v", live[0].Content)
	}
	p.waitEvents(in, events.TypeGroupParticipants, 1)
	p.terminate()

	const chats, each = 20, 25
	for n := range each {
		for c := range chats {
			to := in.Number
			if c == 0 {
				to = group
			}
			say(fmt.Sprintf("62812345600%02d", c), to, fmt.Sprint(n))
		}
	}
	p = startProcess(t, dir, world)
	p.waitState(in.ID, "WORKING")
	got := p.waitEvents(in, events.TypeMessage, 1+chats*each)
	p.terminate()

	p = startProcess(t, dir, world) // and not again
	p.waitState(in.ID, "WORKING")
	say("6281234560000", in.Number, "sesudah")
	got = p.waitEvents(in, events.TypeMessage, len(got)+1)
	p.eventsOf(in, "")
	if len(got) != 1+chats*each+1 {
		t.Errorf("%d messages in the log, want %d", len(got), 1+chats*each+1)
	}
	next := map[string]int{}
	for _, e := range got[1 : len(got)-1] {
		if c := e.Content; !c.Replayed || c.Body != fmt.Sprint(next[c.Chat]) {
			t.Errorf("%s in %s, replayed %v, want message %d marked", c.Body, c.Chat, c.Replayed, next[c.Chat])
		}
		next[e.Content.Chat]++
	}
	if last := got[len(got)-1].Content; last.Replayed || last.Body != "sesudah" {
		t.Errorf("live: %+v", last)
	}
	if !slices.IsSortedFunc(got, func(a, b told) int { return a.Time.Compare(b.Time) }) {
		t.Error("not the oldest first")
	}
}
