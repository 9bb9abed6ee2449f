package js_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kurir/browser"
	"kurir/sandbox"
)

func TestBridge(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{Contacts: 20, Chats: 10, Messages: 200, Seed: 1, AddressBook: []sandbox.WireContact{
		{WID: peer, Name: "Siti"}, {WID: "6281234500003", Name: "Toko \"Maju\"", IsBusiness: true}, {WID: "6281234500004", Pushname: "asing"},
	}})
	b := openBrowser(t, t.TempDir(), s.ChromiumArgs())
	p := openPage(t, b)
	st := link(t, s, p)

	p.run(t, "state", func(t *testing.T) {
		if st.WID != owner+"@c.us" || !strings.HasSuffix(st.LID, "@lid") || st.Pushname != "Toko Budi" || st.Version == "" || st.Passkey {
			t.Errorf("state %+v", st)
		}
		p.wait("the QR code is gone", func(e event) bool { return e.Type == "qr" && strings.Contains(string(e.Data), `"text":""`) })
	})
	p.run(t, "probe", func(t *testing.T) {
		for name, c := range must[map[string]browser.Capability](p, "probe", nil) {
			if !c.OK {
				t.Errorf("%s: %s", name, c.Detail)
			}
		}
	})
	p.run(t, "text", func(t *testing.T) { sendText(t, s, p) })
	p.run(t, "refusals", func(t *testing.T) { refusals(t, s, p) })
	p.run(t, "files", func(t *testing.T) { sendFiles(t, s, p) })
	p.run(t, "lists", func(t *testing.T) { lists(t, p) })
	p.run(t, "incoming", func(t *testing.T) { incoming(t, s, p) })
	p.run(t, "group and lid", func(t *testing.T) { groupAndLID(t, s, p, st.LID) })
	p.run(t, "reach", func(t *testing.T) { reach(t, s, p) })
	p.run(t, "dropped connection", func(t *testing.T) { dropped(t, s, p) })
	p.run(t, "lookup", func(t *testing.T) { lookup(t, p) })
	p.run(t, "door", func(t *testing.T) { door(t, p) })
	p.run(t, "restricted", func(t *testing.T) { // stays so for an hour
		before := time.Now().Unix()
		_, fail := call[browser.Sent](p, "send", m{"id": newID(), "chat": "6281100000005@c.us", "kind": "text", "body": "x"})
		if fail == nil || fail.Code != "RESTRICTED" || fail.Until < before+3500 {
			t.Errorf("error %+v, want RESTRICTED until in an hour", fail)
		}
		// Another refusal within that hour is what it is.
		_, fail = call[browser.Sent](p, "send", m{"id": newID(), "chat": "6281100000003@c.us", "kind": "text", "body": "x"})
		if fail == nil || fail.Code != "SEND_REJECTED" || !strings.Contains(fail.Message, "error 500") {
			t.Errorf("error %+v, want SEND_REJECTED", fail)
		}
		// When asked to send to known chats only, nobody new is written to.
		id := newID()
		_, fail = call[browser.Sent](p, "send", m{"id": id, "chat": "6281234500099@c.us", "kind": "text", "body": "x", "known_only": true})
		if list, err := s.Inbox("6281234500099"); fail == nil || fail.Code != "RESTRICTED" || fail.Until < before+3500 || err == nil && len(list) > 0 {
			t.Errorf("error %+v, inbox %v %v", fail, list, err)
		}
	})
	p.run(t, "abilities gone", func(t *testing.T) { abilitiesGone(t, s, p) }) // for good
}

func sendText(t *testing.T, s *sandbox.Server, p *page) {
	for _, body := range []string{"halo", "baris\nkedua", "🙏 “kutip” \\ </script> https://example.com", strings.Repeat("x", 4096)} {
		id := newID()
		got := must[browser.Sent](p, "send", m{"id": id, "chat": peer + "@c.us", "kind": "text", "body": body})
		if got.Ack < 1 || got.Time == 0 || got.Chat != peer+"@c.us" {
			t.Errorf("sent %+v", got)
		}
		r := inbox(t, s, id)
		if r.Body != body || r.Copies != 1 || r.From != owner+"@c.us" || r.Type != "chat" {
			t.Errorf("the phone got %+v, want body %q once", r, body)
		}
		p.wait("delivered", func(e event) bool {
			return e.Type == "ack" && strings.Contains(string(e.Data), id) && strings.Contains(string(e.Data), `"ack":2`)
		})
		p.wait("own message", func(e event) bool { return e.Type == "message" && strings.Contains(string(e.Data), id) })
	}
	// The same id again reports what became of it and sends nothing.
	id := newID()
	args := m{"id": id, "chat": peer + "@c.us", "kind": "text", "body": "sekali"}
	must[browser.Sent](p, "send", args)
	if again := must[browser.Sent](p, "send", args); again.Ack < 1 {
		t.Errorf("the second send: %+v", again)
	}
	if r := inbox(t, s, id); r.Copies != 1 {
		t.Errorf("the wire brought the message %d times", r.Copies)
	}
}

func refusals(t *testing.T, s *sandbox.Server, p *page) {
	for _, c := range []struct {
		name, chat, code string
		ms               int
	}{
		{"not on WhatsApp", "6281100000001@c.us", "NOT_ON_WHATSAPP", 5000},
		{"never acknowledged", "6281100000002@c.us", "SEND_TIMEOUT", 1500},
		{"refused", "6281100000003@c.us", "SEND_REJECTED", 5000},
		{"nobody says whether it exists", "6281100000007@c.us", "PAGE_TIMEOUT", 1500},
		{"too many", "6281100000008@c.us", "SEND_REJECTED", 5000},
		{"no such group", "120363000000000001@g.us", "CHAT_NOT_FOUND", 5000},
	} {
		p.run(t, c.name, func(t *testing.T) {
			_, fail := call[browser.Sent](p, "send", m{"id": newID(), "chat": c.chat, "kind": "text", "body": "x", "timeout_ms": c.ms})
			if fail == nil || fail.Code != c.code {
				t.Errorf("error %+v, want %s", fail, c.code)
			}
		})
	}
	p.run(t, "refused once, then taken", func(t *testing.T) {
		f, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultSendError, Number: peer, Code: 500, Count: 1})
		check(t, err)
		defer s.ClearFault(f)
		id := newID()
		args := m{"id": id, "chat": peer + "@c.us", "kind": "text", "body": "lagi"}
		if _, fail := call[browser.Sent](p, "send", args); fail == nil || fail.Code != "SEND_REJECTED" {
			t.Fatalf("error %+v, want SEND_REJECTED", fail)
		}
		must[browser.Sent](p, "send", args)
		if r := inbox(t, s, id); r.Copies != 1 || r.Body != "lagi" {
			t.Errorf("the phone got %+v", r)
		}
	})
}

func lists(t *testing.T, p *page) {
	chats := must[[]browser.Chat](p, "chats", m{"limit": 5})
	if len(chats) != 5 || chats[0].WID == "" || !slices.IsSortedFunc(chats, func(a, b browser.Chat) int { return int(b.Time - a.Time) }) {
		t.Fatalf("chats %+v", chats)
	}
	if c := chats[slices.IndexFunc(chats, func(c browser.Chat) bool { return c.Phone == peer })]; c.Name != "Siti" || c.LID == "" || c.Last == nil || !c.Last.FromMe {
		t.Errorf("chat with the peer: %+v, last %+v", c, c.Last)
	}
	all := must[[]browser.Chat](p, "chats", m{"limit": 1000})
	long := all[slices.IndexFunc(all, func(c browser.Chat) bool { return c.Phone != peer && !c.IsGroup && c.Last != nil && c.Name != "" })]
	list := must[[]browser.Message](p, "messages", m{"chat": long.WID, "limit": 15})
	if len(list) == 0 || !slices.IsSortedFunc(list, func(a, b browser.Message) int { return int(a.Time - b.Time) }) {
		t.Errorf("messages of %s: %d, not in time order or none", long.WID, len(list))
	}
	own := must[[]browser.Message](p, "messages", m{"chat": peer + "@c.us", "limit": 4})
	if len(own) != 4 {
		t.Fatalf("%d messages with the peer, want 4", len(own))
	}
	for _, x := range must[[]browser.Message](p, "messages", m{"chat": peer + "@c.us", "limit": 100}) {
		if x.Type == "e2e_notification" || x.Phone != peer || x.LID == "" {
			t.Errorf("message %+v", x)
		}
		if x.Type == "image" && (x.Body != "" || x.Media == nil || x.Media.MimeType != "image/png") {
			t.Errorf("image %+v, media %+v", x, x.Media)
		}
	}
	contacts := columns(t, p)
	if i := slices.IndexFunc(contacts, func(c browser.Contact) bool { return c.Phone == peer }); i < 0 || contacts[i].Name != "Siti" || !contacts[i].IsMyContact || contacts[i].LID == "" {
		t.Errorf("%d contacts, the peer at %d", len(contacts), i)
	}
}

// columns reads contacts in columns.
func columns(t *testing.T, p *page) []browser.Contact {
	t.Helper()
	c := must[struct {
		WID, Phone, LID, Name, Pushname []string
		Flags                           string
	}](p, "contacts", nil)
	list := make([]browser.Contact, len(c.WID))
	for i, wid := range c.WID {
		phone := c.Phone[i]
		if number, isNumber := strings.CutSuffix(wid, "@c.us"); isNumber {
			phone = number
		}
		f := c.Flags[i] - '0'
		list[i] = browser.Contact{
			WID: wid, Phone: phone, LID: c.LID[i], Name: c.Name[i], Pushname: c.Pushname[i],
			IsBusiness: f&1 != 0, IsMyContact: f&2 != 0, Blocked: f&4 != 0,
		}
	}
	return list
}

func incoming(t *testing.T, s *sandbox.Server, p *page) {
	id := sandbox.NewMessageID()
	check(t, s.SendFrom(peer, owner, sandbox.Message{ID: id, Body: "pesan masuk"}))
	count := func() (n int) {
		for _, e := range p.all() {
			if e.Type == "message" && strings.Contains(string(e.Data), id) {
				n++
			}
		}
		return n
	}
	e := p.wait("message", func(e event) bool { return e.Type == "message" && strings.Contains(string(e.Data), id) })
	var msg browser.Message
	check(t, json.Unmarshal(e.Data, &msg))
	if msg.ID != id || msg.FromMe || msg.Body != "pesan masuk" || msg.Phone != peer || msg.LID == "" {
		t.Errorf("message %+v", msg)
	}
	must[[]browser.Message](p, "messages", m{"chat": peer + "@c.us", "limit": 100})
	if n := count(); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func groupAndLID(t *testing.T, s *sandbox.Server, p *page, ownLID string) {
	group, err := s.CreateGroup(owner, "Keluarga", []string{peer})
	check(t, err)
	id := newID()
	args := m{"id": id, "chat": group, "kind": "text", "body": "halo semua"}
	for range 100 { // until the page has heard of the group
		var fail *failure
		if _, fail = call[browser.Sent](p, "send", args); fail == nil {
			break
		}
		if fail.Code != "CHAT_NOT_FOUND" {
			t.Fatalf("send to a group: %+v", fail)
		}
	}
	if r := inbox(t, s, id); r.Body != "halo semua" || r.Chat != group || r.Copies != 1 {
		t.Errorf("the phone got %+v", r)
	}
	list := must[[]browser.Message](p, "messages", m{"chat": group, "limit": 5})
	if len(list) != 1 || list[0].ID != id || list[0].Phone != "" || (list[0].Author != ownLID && list[0].Author != owner+"@c.us") {
		t.Errorf("messages of the group: %+v", list)
	}
	if got := must[map[string]browser.Presence](p, "lookup", m{"chat": group, "ids": []string{id}}); got[id].Found != browser.FoundPresent {
		t.Errorf("lookup in a group: %+v", got)
	}

	chats := must[[]browser.Chat](p, "chats", m{"limit": 100})
	c := chats[slices.IndexFunc(chats, func(c browser.Chat) bool { return c.Phone == peer })]
	id = newID()
	if got := must[browser.Sent](p, "send", m{"id": id, "chat": c.LID, "kind": "text", "body": "lewat lid"}); got.Chat != c.WID {
		t.Errorf("a send to a LID went to %s, want %s", got.Chat, c.WID)
	}
	inbox(t, s, id)
	if got := must[map[string]browser.Presence](p, "lookup", m{"chat": c.LID, "ids": []string{id}}); got[id].Found != browser.FoundPresent {
		t.Errorf("lookup by LID: %+v", got)
	}
	if _, fail := call[browser.Sent](p, "send", m{"id": newID(), "chat": "123456789012345@lid", "kind": "text", "body": "x"}); fail == nil || fail.Code != "CHAT_NOT_FOUND" {
		t.Errorf("a LID nobody knows: %+v", fail)
	}
}

func dropped(t *testing.T, s *sandbox.Server, p *page) {
	seq := len(p.all())
	f, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultDropSocket, Account: owner, Seconds: 60})
	check(t, err)
	p.wait("the stream is down", func(e event) bool {
		return e.Seq > seq && e.Type == "state" && strings.Contains(string(e.Data), `"stream":"DISCONNECTED"`)
	})
	if r := must[reached](p, "reach", nil); r.Answered || r.Stream != "DISCONNECTED" {
		t.Errorf("reach without a connection: %+v", r)
	}
	args := m{"id": newID(), "chat": peer + "@c.us", "kind": "text", "body": "x", "timeout_ms": 300}
	if _, fail := call[browser.Sent](p, "send", args); fail == nil || fail.Code != "INSTANCE_NOT_READY" {
		t.Errorf("a send without a connection: %+v, want INSTANCE_NOT_READY", fail)
	}
	s.ClearFault(f)
	args["timeout_ms"] = 20_000
	must[browser.Sent](p, "send", args)
}

func lookup(t *testing.T, p *page) {
	id, absent := newID(), newID()
	must[browser.Sent](p, "send", m{"id": id, "chat": peer + "@c.us", "kind": "text", "body": "cari"})
	got := must[map[string]browser.Presence](p, "lookup", m{"chat": peer + "@c.us", "ids": []string{id, absent}})
	if got[id].Found != browser.FoundPresent || got[id].Ack < 1 || got[absent].Found != browser.FoundAbsent {
		t.Errorf("lookup %+v", got)
	}
	nowhere := must[map[string]browser.Presence](p, "lookup", m{"chat": "6281234599999@c.us", "ids": []string{absent}})
	if nowhere[absent].Found != browser.FoundAbsent {
		t.Errorf("in a chat that does not exist: %+v", nowhere)
	}
}

func door(t *testing.T, p *page) {
	if _, fail := call[any](p, "nonsense", nil); fail == nil || fail.Code != "PAGE_ERROR" {
		t.Errorf("an unknown method: %+v", fail)
	}
	if _, fail := call[any](p, "send", m{"id": newID(), "chat": peer + "@c.us", "kind": "image"}); fail == nil || fail.Code != "PAGE_ERROR" {
		t.Errorf("a file that was not handed over: %+v", fail)
	}
	var ping struct {
		Stream string `json:"stream"`
		Seq    int    `json:"seq"`
	}
	answer := p.raw("ping", nil)
	check(t, json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimPrefix(answer, `{"ok":`), "}")), &ping))
	if ping.Stream != "CONNECTED" || ping.Seq < len(p.all()) {
		t.Errorf("ping %+v", ping)
	}
	for i, e := range p.all() {
		if e.Seq != i+1 {
			t.Fatalf("event %d has seq %d", i+1, e.Seq)
		}
	}
	if p.eval(`Object.keys(window).includes("kurir")`) != "false" {
		t.Error("the door shows among the page's globals")
	}
}

// abilitiesGone takes exports away, as a new build of WhatsApp Web does: only what needs them stops.
func abilitiesGone(t *testing.T, s *sandbox.Server, p *page) {
	gone := [][2]string{
		{"WAWebDBMessageFindLocal", "msgFindBefore"}, {"WAWebDBMessageFindLocal", "msgFindByDirection"},
		{"WAWebQueryExistsJob", "queryWidExists"}, {"WAWebApiContact", "lidPnCache"}, {"WAWebBlocklistCollection", "BlocklistCollection"},
	}
	for _, g := range gone {
		_, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultPage, Account: owner, Page: "remove_export", Args: map[string]any{"module": g[0], "export": g[1]}})
		check(t, err)
	}
	p.eval(fmt.Sprintf(`(async()=>{while(importNamespace(%q)[%q])await new Promise(r=>setTimeout(r,5))})()`, gone[4][0], gone[4][1]))
	probe := must[map[string]browser.Capability](p, "probe", nil)
	for name, c := range probe {
		if want := !slices.Contains([]string{"messages", "backlog", "number_check", "lid"}, name); c.OK != want {
			t.Errorf("%s: %+v, want ok %v", name, c, want)
		}
	}
	if !strings.Contains(probe["number_check"].Detail, "queryWidExists") {
		t.Errorf("number_check says %q, want the name of what is missing", probe["number_check"].Detail)
	}
	must[browser.Sent](p, "send", m{"id": newID(), "chat": peer + "@c.us", "kind": "text", "body": "masih bisa"})
	if list := must[[]browser.Message](p, "messages", m{"chat": peer + "@c.us", "limit": 3}); len(list) != 3 || list[2].Body != "masih bisa" {
		t.Errorf("messages from memory: %+v", list)
	}
	if c := columns(t, p); len(c) == 0 {
		t.Error("no contacts")
	}
}
