package js_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/sandbox"
)

// TestHistory reads pages of chats: in both directions, by id and by time, and on into what only the phone has.
func TestHistory(t *testing.T) {
	const all, recent = 400, 60
	s := world(t, sandbox.PhoneSpec{Contacts: 20, Chats: 10, Messages: all, Seed: 5, Recent: recent})
	p := openPage(t, openBrowser(t, t.TempDir(), s.ChromiumArgs()))
	link(t, s, p)
	chats := must[[]browser.Chat](p, "chats", m{"limit": 100})
	longest := chats[slices.IndexFunc(chats, func(c browser.Chat) bool { return !c.IsGroup && !c.Pinned })].WID
	group := chats[slices.IndexFunc(chats, func(c browser.Chat) bool { return c.IsGroup })].WID

	ids := func(list []browser.Message) (out []string) {
		for _, x := range list {
			out = append(out, x.ID)
		}
		return out
	}
	// walk reads a chat from its end to its beginning.
	walk := func(t *testing.T, chat string, limit int) (whole []browser.Message) {
		t.Helper()
		args := m{"chat": chat, "limit": limit}
		for range 100 {
			page := must[browser.Page](p, "history", args)
			whole = append(slices.Clone(page.Messages), whole...)
			if page.Complete {
				return whole
			}
			if len(page.Messages) != limit {
				t.Fatalf("%d of %d messages, and not complete", len(page.Messages), limit)
			}
			args["before"] = page.Messages[0].ID
		}
		t.Fatal("it does not end")
		return nil
	}
	var whole []browser.Message
	p.run(t, "the phone is off", func(t *testing.T) {
		id, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultOpHang, Op: "earlier"})
		check(t, err)
		defer s.ClearFault(id)
		page := must[browser.Page](p, "history", m{"chat": longest, "limit": 1000, "timeout_ms": 4000})
		if len(page.Messages) != recent || page.Complete {
			t.Errorf("%d messages, complete %v, want %d and more on the phone", len(page.Messages), page.Complete, recent)
		}
		// What is wanted is here: nobody needs to ask the phone.
		page = must[browser.Page](p, "history", m{"chat": longest, "limit": 1000, "since": page.Messages[10].Time, "timeout_ms": 4000})
		if len(page.Messages) != recent-10 || !page.Complete {
			t.Errorf("since: %d messages, complete %v", len(page.Messages), page.Complete)
		}
	})
	p.run(t, "to the beginning", func(t *testing.T) {
		whole = walk(t, longest, 37)
		seen := map[string]bool{}
		for i, x := range whole {
			if seen[x.ID] || i > 0 && x.Time < whole[i-1].Time {
				t.Errorf("message %d comes twice or out of order", i)
			}
			seen[x.ID] = true
		}
		if want := all/2 + all/2/10; len(whole) != want { // the longest chat has half of all, and its share of the rest
			t.Fatalf("%d messages, want %d", len(whole), want)
		}
		at := must[browser.Page](p, "history", m{"chat": longest, "limit": 1000})
		if d := cmp.Diff(ids(whole), ids(at.Messages)); d != "" || !at.Complete {
			t.Errorf("at once, complete %v: %s", at.Complete, d)
		}
	})
	p.run(t, "forward", func(t *testing.T) {
		got := ids(whole[:1])
		for complete := false; !complete; {
			page := must[browser.Page](p, "history", m{"chat": longest, "limit": 41, "after": got[len(got)-1]})
			got, complete = append(got, ids(page.Messages)...), page.Complete
		}
		if d := cmp.Diff(ids(whole), got); d != "" {
			t.Error(d)
		}
		page := must[browser.Page](p, "history", m{"chat": longest, "limit": 100, "after": whole[3].ID, "before": whole[8].ID})
		if d := cmp.Diff(ids(whole[4:8]), ids(page.Messages)); d != "" || !page.Complete {
			t.Errorf("between two, complete %v: %s", page.Complete, d)
		}
	})
	p.run(t, "new messages", func(t *testing.T) {
		last := whole[len(whole)-1]
		number := last.Phone
		for i := range 5 {
			check(t, s.SendFrom(number, owner, sandbox.Message{Body: fmt.Sprint("baru ", i)}))
		}
		p.wait("the last one", func(e event) bool { return e.Type == "message" && strings.Contains(string(e.Data), "baru 4") })
		page := must[browser.Page](p, "history", m{"chat": longest, "limit": 3, "after": last.ID})
		if len(page.Messages) != 3 || page.Messages[0].Body != "baru 0" || page.Complete {
			t.Errorf("%+v", page)
		}
		page = must[browser.Page](p, "history", m{"chat": longest, "limit": 3, "after": page.Messages[2].ID})
		if len(page.Messages) != 2 || page.Messages[1].Body != "baru 4" || !page.Complete {
			t.Errorf("%+v", page)
		}
	})
	p.run(t, "a group", func(t *testing.T) {
		list := walk(t, group, 7)
		if len(list) != all/2/10 {
			t.Errorf("%d messages", len(list))
		}
		if page := must[browser.Page](p, "history", m{"chat": group, "limit": 5, "after": list[0].ID}); len(page.Messages) != 5 || page.Messages[0].ID != list[1].ID {
			t.Errorf("%+v", page)
		}
	})
	p.run(t, "no such message", func(t *testing.T) {
		for _, mark := range []string{"before", "after"} {
			if _, fail := call[browser.Page](p, "history", m{"chat": group, "limit": 5, mark: newID()}); fail == nil || fail.Code != "NOT_FOUND" {
				t.Errorf("%s: %+v", mark, fail)
			}
		}
		if _, fail := call[browser.Page](p, "history", m{"chat": "6281234500077@c.us", "limit": 5}); fail == nil || fail.Code != "CHAT_NOT_FOUND" {
			t.Errorf("%+v", fail)
		}
	})
}
