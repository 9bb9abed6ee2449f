package app_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"kurir/app"
	"kurir/events"
	"kurir/sandbox"
)

// changeTypes are what is done to a phone besides writing to it.
const changeTypes = events.TypeMessageEdited + "," + events.TypeMessageRevoked + "," + events.TypeMessageReaction + "," + events.TypeCallReceived

// pastPhone has a long chat of some hours up to now and others of weeks ago.
func pastPhone(number string) sandbox.PhoneSpec {
	return sandbox.PhoneSpec{Number: number, Name: "Toko Lama", Contacts: 40, Chats: 40, Messages: 1000, Seed: 11}
}

// oldMessages are incoming ones of the newest generated chat, an hour older than its newest and more, so that no mark
// reaches back to them; and one of nine days ago from somebody else.
func oldMessages(t *testing.T, world *sandbox.Server, number string) (old []sandbox.WireMessage, ancient sandbox.WireMessage) {
	t.Helper()
	of := func(chat string) sandbox.Past {
		t.Helper()
		p, err := world.Past(number, chat)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	chats := of("").Chats
	list := of(chats[0]).Messages
	newest := list[len(list)-1].T
	for _, m := range slices.Backward(list) {
		if !m.FromMe && m.T < newest-3600 && len(old) < 4 {
			old = append(old, m)
		}
	}
	for _, m := range of(chats[1]).Messages {
		if !m.FromMe {
			ancient = m
		}
	}
	if len(old) < 4 || newest-old[3].T > 24*3600 || ancient.ID == "" || newest-ancient.T < 8*24*3600 {
		t.Fatalf("the generated history is not as it is wanted: %v, %v", old, ancient)
	}
	return old, ancient
}

// change lets the others edit, revoke and react to old messages and call, and returns what the log has to say of it.
func change(t *testing.T, world *sandbox.Server, in instance, old []sandbox.WireMessage, ancient sandbox.WireMessage) []string {
	t.Helper()
	act := func(m sandbox.WireMessage, action, text string) {
		t.Helper()
		if err := world.Act(number(m), in.Number+"@c.us", action, m.ID, true, text); err != nil {
			t.Fatal(err)
		}
	}
	act(old[0], "edit", "diubah")
	act(old[1], "revoke", "")
	act(old[2], "react", "👍")
	act(old[3], "react", "❤️")
	act(old[3], "react", "") // taken back
	act(ancient, "react", "🙏")
	call, err := world.Call(number(old[0]), in.Number, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"message.edited " + old[0].ID + " diubah", "message.revoked " + old[1].ID,
		"message.reaction " + old[2].ID + " 👍 " + number(old[2]), "message.reaction " + old[3].ID + "  " + number(old[3]),
		"message.reaction " + ancient.ID + " 🙏 " + number(ancient), "call.received " + call + " " + number(old[0]) + " true",
	}
	slices.Sort(want)
	return want
}

func number(m sandbox.WireMessage) string { return strings.TrimSuffix(m.Chat, "@c.us") }

// waitChanges waits until the log has as many changes as are wanted, and says how it differs from them. Of a reaction that
// was replaced the page keeps nothing: that may be told when it was heard, and is passed over.
func (g *gateway) waitChanges(in instance, want []string) {
	g.t.Helper()
	var got []string
	eventually(g.t, func() string {
		got = nil
		for _, e := range g.eventsOf(in, changeTypes) {
			var data struct{ Replayed bool }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				g.t.Fatal(err)
			}
			line := summary(g.t, e)
			if !data.Replayed {
				line += " (live)"
			}
			if !strings.Contains(line, "❤️") {
				got = append(got, line)
			}
		}
		if len(got) >= len(want) {
			return ""
		}
		return fmt.Sprintf("the log has\n%s", strings.Join(got, "\n"))
	})
	if slices.Sort(got); !slices.Equal(got, want) {
		g.t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestWhatWasDoneToOldMessagesWhileKurirWasDown: edits, revocations and reactions of messages far older than the mark, and
// a call, while kurir is down, are told once, marked, and not again.
func TestWhatWasDoneToOldMessagesWhileKurirWasDown(t *testing.T) {
	world := openWorld(t)
	dir := t.TempDir()
	start := func() *process {
		t.Helper()
		return startProcess(t, dir, world, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "KURIR_CATCH_UP_FIRST=168h") })
	}
	p := start()
	in := p.newInstance("lama")
	in.Number = "6281100000971"
	if _, err := world.CreatePhone(pastPhone(in.Number)); err != nil {
		t.Fatal(err)
	}
	p.waitState(in.ID, "SCAN_QR_CODE")
	if err := world.Scan(in.Number, p.qrText(in.ID)); err != nil {
		t.Fatal(err)
	}
	p.waitState(in.ID, "WORKING")
	old, ancient := oldMessages(t, world, in.Number)
	p.waitEvents(in, events.TypeMessage, 200)
	if err := world.SendFrom("6281234560000", in.Number, sandbox.Message{Body: "sebelum"}); err != nil {
		t.Fatal(err)
	}
	p.waitBody(in, "sebelum")
	p.waitChanges(in, nil)
	p.terminate()

	want := change(t, world, in, old, ancient)
	p = start()
	p.waitState(in.ID, "WORKING")
	p.waitChanges(in, want)
	p.terminate()

	p = start() // and not again
	p.waitState(in.ID, "WORKING")
	if err := world.SendFrom("6281234560000", in.Number, sandbox.Message{Body: "sesudah"}); err != nil {
		t.Fatal(err)
	}
	p.waitBody(in, "sesudah")
	p.waitChanges(in, want)
	p.eventsOf(in, "")
}

// waitBody waits until a message is told.
func (g *gateway) waitBody(in instance, body string) {
	g.t.Helper()
	eventually(g.t, func() string {
		if slices.ContainsFunc(g.eventsOf(in, events.TypeMessage), func(e told) bool { return e.Content.Body == body }) {
			return ""
		}
		return "no event of " + body
	})
}

// TestLostChangesAreFoundInThePage loses what the page says of the same, and then has kurir notice that something is
// missing: all is found in the page's database.
func TestLostChangesAreFoundInThePage(t *testing.T) {
	g := openGateway(t, t.TempDir(), func(c *app.Config) { c.CatchUpFirst = 7 * 24 * time.Hour })
	in := g.newInstance("hilang")
	g.link(&in, pastPhone("6281100000981"))
	old, ancient := oldMessages(t, g.sandbox(), in.Number)
	g.waitEvents(in, events.TypeMessage, 200)
	hear := g.app.Deafen(in.ID)
	want := change(t, g.sandbox(), in, old, ancient)
	if err := g.sandbox().SendFrom("6281234560000", in.Number, sandbox.Message{Body: "terakhir"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { // then it has handled what came before, too
		var list []struct{ Body string }
		if a := g.wa("/wa/messages", map[string]any{"key": in.Key, "phone": "6281234560000"}); a.Status {
			a.into(t, &list)
		}
		if len(list) == 1 {
			return ""
		}
		return "the page has not got the last message"
	})
	hear()
	g.waitChanges(in, want)
}
