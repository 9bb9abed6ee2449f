package sandbox

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// load asks for the history and collects it.
func (p *page) load(since int64) historyPush {
	p.t.Helper()
	var ok struct{ Chunks int }
	p.do("history", map[string]int64{"since": since}, &ok)
	var all historyPush
	for n := 1; ; n++ {
		var h historyPush
		p.pushed("history", &h)
		all.Contacts = append(all.Contacts, h.Contacts...)
		all.Chats = append(all.Chats, h.Chats...)
		all.Messages = append(all.Messages, h.Messages...)
		if h.Final != (n == ok.Chunks) {
			p.t.Fatalf("chunk %d of %d: final %v", n, ok.Chunks, h.Final)
		}
		if h.Final {
			return all
		}
	}
}

func TestHistoryOfANewAccount(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	if h := p.load(0); len(h.Contacts)+len(h.Chats)+len(h.Messages) != 0 {
		t.Errorf("%+v", h)
	}
}

func TestGeneratedHistory(t *testing.T) {
	spec := PhoneSpec{Number: owner, Contacts: 300, Chats: 120, Messages: 3000, Seed: 7}
	s := open(t, Config{})
	if _, err := s.CreatePhone(spec); err != nil {
		t.Fatal(err)
	}
	p := login(t, s, pair(t, s, owner))
	h := p.load(0)
	if len(h.Contacts) != 300 || len(h.Chats) != 120 || len(h.Messages) != 3000 {
		t.Fatalf("%d contacts, %d chats, %d messages", len(h.Contacts), len(h.Chats), len(h.Messages))
	}
	perChat, ids := map[string][]WireMessage{}, map[string]bool{}
	for _, m := range h.Messages {
		perChat[m.Chat] = append(perChat[m.Chat], m)
		ids[m.ID] = true
	}
	if len(ids) != 3000 || len(perChat[h.Chats[0].WID]) < 1200 {
		t.Errorf("%d ids, %d messages in the first chat", len(ids), len(perChat[h.Chats[0].WID]))
	}
	groups, business := 0, 0
	for i, c := range h.Chats {
		list := perChat[c.WID]
		if len(list) == 0 || list[len(list)-1].T != c.T || !slices.IsSortedFunc(list, func(a, b WireMessage) int { return int(a.T - b.T) }) {
			t.Errorf("chat %d: %d messages, last not at %d", i, len(list), c.T)
		}
		for _, m := range list[len(list)-c.Unread:] {
			if m.FromMe {
				t.Errorf("chat %d: an own message is unread", i)
			}
		}
		if i > 0 && c.T > h.Chats[i-1].T {
			t.Errorf("chat %d is newer than the one before", i)
		}
		if c.Group != nil {
			groups++
			continue
		}
		if number, ok := numberOfLID(strings.TrimSuffix(c.LID, lidServer)); !ok || widOf(number) != c.WID {
			t.Errorf("lid %s is not that of %s", c.LID, c.WID)
		}
	}
	for _, c := range h.Contacts {
		if c.IsBusiness {
			business++
		}
	}
	if groups != 12 || business == 0 {
		t.Errorf("%d groups, %d businesses", groups, business)
	}
	again := newSeed(spec, s.world.accounts[owner].Created)
	first := again.chat(0)
	if diff := cmp.Diff(h.Messages[5], again.message(0, 5, &first)); diff != "" {
		t.Error(diff)
	}
}

func TestHistoryAfterTraffic(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if _, err := s.CreatePhone(PhoneSpec{Number: owner, Contacts: 20, Chats: 20, Messages: 200}); err != nil {
		t.Fatal(err)
	}
	d := pair(t, s, owner)
	p := login(t, s, d)
	before := p.load(0)
	known, gone := before.Chats[0].WID, before.Chats[1].WID
	p.do("chat_action", map[string]any{"chat": before.Chats[3].WID, "action": "archive", "value": true}, nil)
	p.do("chat_action", map[string]any{"chat": gone, "action": "delete"}, nil)
	m := WireMessage{ID: NewMessageID(), Chat: known, Type: "chat", Body: "baru"}
	p.do("message", m, nil)
	group := before.Chats[slices.IndexFunc(before.Chats, func(c WireChat) bool { return c.Group != nil })]
	p.do("message", WireMessage{ID: NewMessageID(), Chat: group.WID, Type: "chat", Body: "halo semua"}, nil)
	member := strings.TrimSuffix(group.Group.Participants[0].WID, userServer)
	if inbox, err := s.Inbox(member); err != nil || len(inbox) != 1 || inbox[0].Chat != group.WID || inbox[0].From != widOf(owner) {
		t.Errorf("group member: %+v %v", inbox, err)
	}
	if err := s.SendFrom(member, group.WID, Message{Body: "halo juga"}); err != nil {
		t.Fatal(err)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	p = login(t, s, d)
	after := p.load(0)
	chats := map[string]WireChat{}
	for _, c := range after.Chats {
		if _, twice := chats[c.WID]; twice {
			t.Errorf("chat %s comes twice", c.WID)
		}
		chats[c.WID] = c
	}
	if !chats[before.Chats[3].WID].Archived || chats[known].T < m.T || chats[group.WID].Group == nil || chats[group.WID].Unread != group.Unread+1 {
		t.Errorf("chats %+v", slices.Collect(maps.Values(chats)))
	}
	if _, ok := chats[gone]; ok {
		t.Error("a deleted chat is back")
	}
	bodies := map[string]int{}
	for _, m := range after.Messages {
		bodies[m.Body]++
		if m.Chat == gone {
			t.Fatal("messages of a deleted chat are back")
		}
	}
	if bodies["baru"] != 1 || bodies["halo semua"] != 1 || bodies["halo juga"] != 1 {
		t.Errorf("new messages are missing: %v", bodies)
	}
	if recent := p.load(before.Chats[0].T + 1); len(recent.Messages) != 3 {
		t.Errorf("since: %d messages", len(recent.Messages))
	}
}

func TestGroups(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	var made groupOK
	p.do("group", groupArgs{Action: "create", Subject: "Arisan", Participants: []string{"6281200000001@c.us", "6281100000001@c.us"}}, &made)
	if len(made.Participants) != 2 || made.Participants[0].Code != 200 || made.Participants[1].Code != 404 {
		t.Fatalf("%+v", made)
	}
	var chat WireChat
	p.pushed("chat", &chat)
	if chat.Group == nil || len(chat.Group.Participants) != 2 {
		t.Errorf("%+v", chat)
	}
	p.do("group", groupArgs{Action: "add", Group: made.Group, Participants: []string{"6281200000002"}}, nil)
	p.do("message", WireMessage{ID: NewMessageID(), Chat: made.Group, Type: "chat", Body: "x"}, nil)
	authors := map[string]bool{}
	for range 2 {
		var r receiptArgs
		p.pushed("receipt", &r)
		authors[r.Author] = r.Chat == made.Group
	}
	if !authors["6281200000001@c.us"] || !authors["6281200000002@c.us"] {
		t.Errorf("receipts of %v", authors)
	}
	var code groupOK
	p.do("group", groupArgs{Action: "invite_code", Group: made.Group}, &code)
	stranger := login(t, s, pair(t, s, "6281200000003"))
	f := stranger.answer(stranger.ask("message", WireMessage{ID: NewMessageID(), Chat: made.Group, Type: "chat"}))
	if f.Error == nil || f.Error.Code != 403 {
		t.Errorf("a stranger wrote into the group: %+v", f)
	}
	stranger.do("group", groupArgs{Action: "join", Code: code.Code}, nil)
	f = stranger.answer(stranger.ask("group", groupArgs{Action: "remove", Group: made.Group, Participants: []string{owner}}))
	if f.Error == nil || f.Error.Code != 403 {
		t.Errorf("a member removed the owner: %+v", f)
	}
	stranger.do("group", groupArgs{Action: "leave", Group: made.Group}, nil)
	if f = p.answer(p.ask("message", WireMessage{ID: NewMessageID(), Chat: "120363999@g.us", Type: "chat"})); f.Error == nil || f.Error.Code != 404 {
		t.Errorf("message to a group that is not there: %+v", f)
	}
}

func TestEditAndRevoke(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	other := login(t, s, pair(t, s, "6281200000001"))
	m := text("6281200000001", "salah")
	p.do("message", m, nil)
	p.do("message_action", messageActionArgs{Chat: m.Chat, Action: "edit", Target: messageTarget{ID: m.ID, FromMe: true}, ID: NewMessageID(), Text: "benar"}, nil)
	var a messageActionArgs
	other.pushed("message_action", &a)
	if a.Chat != widOf(owner) || a.Text != "benar" || a.Target.FromMe || a.Target.ID != m.ID {
		t.Errorf("%+v", a)
	}
	list, err := s.Messages("6281200000001", "", 10)
	if err != nil || len(list) != 1 || list[0].Body != "benar" {
		t.Errorf("%+v %v", list, err)
	}
	p.do("message_action", messageActionArgs{Chat: m.Chat, Action: "revoke", Target: messageTarget{ID: m.ID, FromMe: true}, ID: NewMessageID()}, nil)
	if list, _ = s.Messages(owner, m.Chat, 10); list[0].Type != "revoked" {
		t.Errorf("%+v", list)
	}
}

// TestOthersMessagesStay: who did not write a message neither edits nor revokes it, but an admin revokes in a group.
func TestOthersMessagesStay(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	const friend = "6281200000001"
	if err := s.SendFrom(friend, owner, Message{ID: "3EB0AA", Body: "milik saya"}); err != nil {
		t.Fatal(err)
	}
	refused := func(who string, err error) {
		t.Helper()
		if e := (*Error)(nil); !errors.As(err, &e) || e.Code != 403 {
			t.Errorf("%s: %v", who, err)
		}
	}
	for _, action := range []string{"edit", "revoke"} {
		a := messageActionArgs{Chat: widOf(friend), Action: action, Target: messageTarget{ID: "3EB0AA"}, ID: NewMessageID(), Text: "ubah"}
		if f := p.answer(p.ask("message_action", a)); f.Error == nil || f.Error.Code != 403 {
			t.Errorf("%s of somebody else's message: %+v", action, f)
		}
		refused("a phone", s.Act(owner, widOf(friend), action, "3EB0AA", false, "ubah"))
	}
	if list, _ := s.Messages(owner, widOf(friend), 10); len(list) != 1 || list[0].Body != "milik saya" || list[0].Edited != 0 {
		t.Errorf("%+v", list)
	}

	g, err := s.CreateGroup(owner, "Rapat", []string{friend, "6281200000002"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendFrom(friend, g, Message{ID: "3EB0BB", Body: "di grup"}); err != nil {
		t.Fatal(err)
	}
	refused("a member", s.Act("6281200000002", g, "revoke", "3EB0BB", false, ""))
	refused("an admin edits", s.Act(owner, g, "edit", "3EB0BB", false, "x"))
	refused("a stranger", s.Act("6281200000003", g, "react", "3EB0BB", false, "👍"))
	if err := s.Act(owner, g, "revoke", "3EB0BB", false, ""); err != nil {
		t.Errorf("an admin: %v", err)
	}
	if list, _ := s.Messages(friend, g, 10); list[len(list)-1].Type != "revoked" {
		t.Errorf("%+v", list)
	}
}

func TestReceiptsOfAPage(t *testing.T) {
	s := open(t, Config{})
	p, _ := linked(t, s)
	other := login(t, s, pair(t, s, "6281200000001"))
	m := text("6281200000001", "tanya")
	p.do("message", m, nil)
	other.do("receipt", receiptArgs{Chat: widOf(owner), IDs: []string{m.ID}, Type: "read"}, nil)
	var r receiptArgs
	for r.Type != "read" {
		p.pushed("receipt", &r)
	}
	if r.Chat != m.Chat || r.IDs[0] != m.ID {
		t.Errorf("%+v", r)
	}
	other.do("chatstate", chatstateArgs{Chat: widOf(owner), State: "composing"}, nil)
	var c chatstateArgs
	if p.pushed("chatstate", &c); c.Chat != m.Chat || c.State != "composing" {
		t.Errorf("%+v", c)
	}
	other.do("block", map[string]any{"wid": widOf(owner), "blocked": true}, nil)
	p.do("message", text("6281200000001", "diblokir"), nil)
	if inbox, _ := s.Inbox("6281200000001"); len(inbox) != 1 {
		t.Errorf("a blocked sender got through: %+v", inbox)
	}
}

func TestNumberedPushesWaitForTheirAnswer(t *testing.T) {
	s := open(t, Config{})
	_, d := linked(t, s)
	zero := int64(0)
	hello := func() *page {
		p := dial(t, s)
		p.do("hello", helloArgs{Device: &d, Got: &zero}, nil)
		p.pushed("offline", nil)
		return p
	}
	p := hello()
	if err := s.SendFrom("6281200000001", owner, Message{Body: "penting"}); err != nil {
		t.Fatal(err)
	}
	first := p.pushed("message", nil)
	if first.S == 0 {
		t.Fatal("the push has no number")
	}
	p = hello() // killed before it had stored the message
	again := p.pushed("message", nil)
	if again.S != first.S || string(again.Args) != string(first.Args) {
		t.Errorf("%+v", again)
	}
	p.do("got", map[string]int64{"s": again.S}, nil)
	p = hello()
	p.do("ping", none{}, nil)
	for _, f := range p.heard() {
		if f.Op == "message" {
			t.Error("sent again although the page has it")
		}
	}
}

func TestLIDs(t *testing.T) {
	for _, number := range []string{"6281234567890", "14155550100", "12345678", "999999999999999"} {
		lid := lidOf(number)
		back, err := parseUser(lid)
		if err != nil || back != number {
			t.Errorf("%s → %s → %s %v", number, lid, back, err)
		}
	}
	for _, s := range []string{"", "+", "123", "081234567890", "62812x", "1@lid", "62812345678@g.us", "@c.us", "9999999999999999"} {
		if n, err := parseUser(s); err == nil {
			t.Errorf("%q was read as %s", s, n)
		}
	}
	if n, err := parseUser("6281234567890:12@s.whatsapp.net"); err != nil || n != "6281234567890" {
		t.Error(n, err)
	}
}

func TestFramesLookLikeTheWire(t *testing.T) {
	got := string(encode(reply{N: 7, OK: none{}})) + string(encode(reply{N: 8, Error: &Error{Code: 463, Text: "x", Until: 5}})) + string(encode(push{Op: "replaced", Args: none{}}))
	want := `{"n":7,"ok":{}}{"n":8,"error":{"code":463,"text":"x","until":5}}{"op":"replaced","args":{}}`
	if got != want {
		t.Error(got)
	}
	var m WireMessage
	const wire = `{"id":"A","chat":"1@c.us","from_me":true,"type":"location","body":"","t":1,"extra":{"lat":-6.9,"x":[1]},"mentions":["2@c.us"]}`
	if err := json.Unmarshal([]byte(wire), &m); err != nil {
		t.Fatal(err)
	}
	if string(encode(m)) == "" || string(m.Extra["lat"]) != "-6.9" || string(m.Extra["x"]) != "[1]" {
		t.Errorf("%s", encode(m))
	}
}
