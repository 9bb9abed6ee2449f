package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kurir/events"
	"kurir/sandbox"
)

// TestWhatHappensOnThePhone does everything that is told to a linked phone, and looks for it in the log: once each, with
// what belongs to it, live and after kurir has looked through the page again.
func TestWhatHappensOnThePhone(t *testing.T) {
	world := openWorld(t)
	dir := t.TempDir()
	p := startProcess(t, dir, world)
	in := p.linkedIn(world, "semua", "6281100000911")
	const siti, budi = "6281234561001", "6281234561002"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	say := func(from, to string, m sandbox.Message) string {
		t.Helper()
		m.ID = sandbox.NewMessageID()
		must(world.SendFrom(from, to, m))
		return m.ID
	}
	first := say(siti, in.Number, sandbox.Message{Body: "halo"})
	answer := say(in.Number, siti, sandbox.Message{Body: "dari ponsel", Quoted: &sandbox.WireQuoted{ID: first, Author: siti + "@c.us", Type: "chat", Body: "halo"}})
	picture := say(siti, in.Number, sandbox.Message{Body: "foto", Mimetype: "image/png", Filename: "a.png", Data: []byte("png")})
	group, err := world.CreateGroup(siti, "Warga", []string{in.Number, budi})
	must(err)
	mention := say(budi, group, sandbox.Message{Body: "@" + in.Number + " hadir?", Mentions: []string{in.Number + "@c.us"}})
	must(world.ChangeGroup(siti, "remove", group, "", []string{budi + "@c.us"}))
	must(world.ChangeGroup(siti, "subject", group, "Warga Baru", nil))
	p.waitEvents(in, events.TypeMessage, 3)
	must(world.Act(siti, in.Number+"@c.us", "react", answer, false, "👍"))
	must(world.Act(siti, in.Number+"@c.us", "edit", first, true, "halo, Pak"))
	must(world.Read(siti, in.Number+"@c.us", answer))
	must(world.Act(siti, in.Number+"@c.us", "revoke", picture, true, ""))
	call, err := world.Call(budi, in.Number, true)
	must(err)

	want := []string{
		"call.received " + call + " " + budi + " true",
		"group.participants add " + siti,
		"group.participants remove " + siti + " " + budi,
		"group.subject Warga Baru " + siti,
		"message " + first + " " + siti + "@c.us halo",
		"message " + picture + " " + siti + "@c.us foto image/png a.png 3",
		"message " + mention + " " + group + " @" + in.Number + " hadir? by " + budi + " mentions " + in.Number + "@c.us",
		"message.ack " + answer + " delivered",
		"message.ack " + answer + " read",
		"message.edited " + first + " halo, Pak",
		"message.reaction " + answer + " 👍 " + siti,
		"message.revoked " + picture,
		"message.sent " + answer + " " + siti + "@c.us dari ponsel quotes " + first,
	}
	slices.Sort(want)
	check := func(p *process) {
		t.Helper()
		var got []string
		eventually(t, func() string {
			got = nil
			for _, e := range p.eventsOf(in, "") {
				if line := summary(t, e); line != "" {
					got = append(got, line)
				}
			}
			slices.Sort(got)
			if len(got) >= len(want) {
				return ""
			}
			return fmt.Sprintf("the log has\n%s", strings.Join(got, "\n"))
		})
		if !slices.Equal(got, want) {
			t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	check(p)
	p.kill()
	p = startProcess(t, dir, world)
	p.waitState(in.ID, "WORKING")
	last := say(siti, in.Number, sandbox.Message{Body: "selesai"})
	want = append(want, "message "+last+" "+siti+"@c.us selesai")
	slices.Sort(want)
	check(p)
}

// summary is what a test compares of an event; "" for those that are about the session.
func summary(t *testing.T, e told) string {
	t.Helper()
	read := func(v any) {
		t.Helper()
		if err := json.Unmarshal(e.Data, v); err != nil {
			t.Fatal(err)
		}
	}
	out := []string{e.Type}
	switch e.Type {
	case events.TypeMessage, events.TypeMessageSent:
		c := e.Content
		out = append(out, c.ID, c.Chat, c.Body+c.Caption)
		if c.Author != nil {
			out = append(out, "by", c.Author.Phone)
		}
		if c.Media != nil {
			out = append(out, c.Media.MimeType, c.Media.FileName, fmt.Sprint(c.Media.Size))
		}
		if c.QuotedID != "" {
			out = append(out, "quotes", c.QuotedID)
		}
		if len(c.Mentions) > 0 {
			out = append(out, "mentions", strings.Join(c.Mentions, " "))
		}
		if c.Phone == "" && !strings.HasSuffix(c.Chat, "@g.us") || c.LID == "" && c.Phone != "" {
			t.Errorf("%s has phone %q, lid %q", c.ID, c.Phone, c.LID)
		}
	case events.TypeMessageAck:
		var m events.MessageAck
		read(&m)
		out = append(out, m.ID, m.State)
	case events.TypeMessageEdited:
		var m events.MessageEdited
		read(&m)
		out = append(out, m.ID, m.Body)
	case events.TypeMessageRevoked:
		var m events.MessageRevoked
		read(&m)
		out = append(out, m.ID)
	case events.TypeMessageReaction:
		var m events.MessageReaction
		read(&m)
		out = append(out, m.MessageID, m.Reaction, m.From.Phone)
	case events.TypeGroupParticipants:
		var g events.GroupParticipants
		read(&g)
		out = append(out, g.Action, g.By.Phone)
		if g.Action != "add" {
			out = append(out, g.People[0].Phone)
		}
	case events.TypeGroupSubject:
		var g events.GroupSubject
		read(&g)
		out = append(out, g.Subject, g.By.Phone)
	case events.TypeCallReceived:
		var c events.CallReceived
		read(&c)
		out = append(out, c.ID, c.From.Phone, fmt.Sprint(c.Video))
	default:
		return ""
	}
	return strings.Join(out, " ")
}
