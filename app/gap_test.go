package app_test

import (
	"fmt"
	"testing"

	"kurir/events"
	"kurir/sandbox"
)

// TestLostEventsAreFoundInThePage loses what the page says, and then has kurir notice that something is missing.
func TestLostEventsAreFoundInThePage(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.linked("hilang", "6281100000931")
	say := func(from, body string) {
		t.Helper()
		if err := g.sandbox().SendFrom("628123457100"+from, in.Number, sandbox.Message{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	say("1", "pertama")
	g.waitEvents(in, events.TypeMessage, 1)

	hear := g.app.Deafen(in.ID)
	for n := range 5 {
		say("1", fmt.Sprint(n))
		say("2", fmt.Sprint(n))
	}
	g.untilUnread(in, 11) // the page has them
	hear()
	g.waitEvents(in, events.TypeMessage, 11) // or the catch-up would find the next one too
	say("1", "terakhir")                     // told by the page, behind the gap
	got := g.waitEvents(in, events.TypeMessage, 12)
	g.eventsOf(in, "")
	if len(got) != 12 || got[11].Content.Body != "terakhir" || got[11].Content.Replayed {
		t.Errorf("the log ends with %+v and has %d messages", got[len(got)-1].Content, len(got))
	}
	next := map[string]int{}
	for _, e := range got[1:11] {
		if c := e.Content; !c.Replayed || c.Body != fmt.Sprint(next[c.Chat]) {
			t.Errorf("%s in %s, replayed %v; want %d", c.Body, c.Chat, c.Replayed, next[c.Chat])
		}
		next[e.Content.Chat]++
	}
}

// TestAFirstLinkTellsNoPast links a phone with a past: what was written before is no news, and what is written right
// after is.
func TestAFirstLinkTellsNoPast(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.newInstance("lama")
	g.link(&in, sandbox.PhoneSpec{Number: "6281100000941", Name: "Toko Lama", Contacts: 5, Chats: 5, Messages: 200, Seed: 7})
	if err := g.sandbox().SendFrom("6281234571001", in.Number, sandbox.Message{Body: "baru"}); err != nil {
		t.Fatal(err)
	}
	got := g.waitEvents(in, events.TypeMessage, 1)
	sent := g.eventsOf(in, events.TypeMessageSent)
	if len(got) != 1 || len(sent) != 0 || got[0].Content.Body != "baru" {
		t.Errorf("%d messages and %d own ones in the log, want the new one: %+v", len(got), len(sent), got)
	}
}

// untilUnread waits until the page shows so many messages that nobody has read.
func (g *gateway) untilUnread(in instance, n int) {
	g.t.Helper()
	eventually(g.t, func() string {
		var chats []struct {
			Unread int `json:"unread"`
		}
		g.wa("/wa/chats", map[string]any{"key": in.Key}).into(g.t, &chats)
		sum := 0
		for _, c := range chats {
			sum += c.Unread
		}
		if sum >= n {
			return ""
		}
		return fmt.Sprintf("the page has %d unread messages, not %d", sum, n)
	})
}

// TestLinkedAgain takes the link away and links the same phone again: what came between comes as history, and is told
// once, as what it is. What was told before is not told again, although the new page has it as history too.
func TestLinkedAgain(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.linked("kembali", "6281100000961")
	say := func(body string) {
		t.Helper()
		if err := g.sandbox().SendFrom("6281234573001", in.Number, sandbox.Message{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	say("sebelum")
	g.waitEvents(in, events.TypeMessage, 1)
	if err := g.sandbox().Unlink(in.Number); err != nil {
		t.Fatal(err)
	}
	g.waitState(in.ID, "LOGGED_OUT")
	say("di antara")
	if a := g.call("POST", "/v1/instances/"+in.ID+"/start", nil); !a.Status {
		t.Fatalf("start: %+v", a)
	}
	g.waitState(in.ID, "SCAN_QR_CODE")
	if err := g.sandbox().Scan(in.Number, g.qrText(in.ID)); err != nil {
		t.Fatal(err)
	}
	g.waitState(in.ID, "WORKING")
	g.waitEvents(in, events.TypeMessage, 2)
	say("sesudah")
	var got []string
	for _, e := range g.waitEvents(in, events.TypeMessage, 3) {
		got = append(got, fmt.Sprint(e.Content.Body, " ", e.Content.Replayed))
	}
	if want := "[sebelum false di antara true sesudah false]"; fmt.Sprint(got) != want {
		t.Errorf("the log has %v, want %s", got, want)
	}
}
