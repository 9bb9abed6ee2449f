package app_test

import (
	"net/http"
	"testing"

	"kurir/browser"
	"kurir/sandbox"
)

// TestReadingOn reads a chat over HTTP from its end to its beginning, which only the phone has, and says honestly when the
// phone does not give it.
func TestReadingOn(t *testing.T) {
	const all, recent = 300, 40
	g := openGateway(t, t.TempDir())
	in := g.newInstance("baca")
	g.link(&in, sandbox.PhoneSpec{Number: "6281100000503", Name: "Toko Baca", Contacts: 5, Chats: 3, Messages: all, Seed: 3, Recent: recent})
	var chats []browser.Chat
	g.wa("/wa/chats", map[string]any{"key": in.Key}).into(t, &chats)
	read := func(fields map[string]any) (list []browser.Message, complete bool) {
		t.Helper()
		fields["key"], fields["phone"] = in.Key, chats[0].WID
		a := g.wa("/wa/messages", fields)
		if a.HTTP != http.StatusOK || a.Complete == nil {
			t.Fatalf("%+v", a)
		}
		a.into(t, &list)
		return list, *a.Complete
	}
	chats = chats[len(chats)-1:] // the pinned one comes first
	for _, c := range chats {
		if c.IsGroup {
			t.Fatalf("%+v", c)
		}
	}
	if err := g.sandbox().SetOffline(in.Number, true); err != nil {
		t.Fatal(err)
	}
	list, complete := read(map[string]any{"limit": 1000})
	if complete || len(list) != recent {
		t.Errorf("the phone is off: %d messages, complete %v", len(list), complete)
	}
	if err := g.sandbox().SetOffline(in.Number, false); err != nil {
		t.Fatal(err)
	}
	newest, complete := read(map[string]any{"limit": 25})
	if complete || len(newest) != 25 || newest[24].ID != list[recent-1].ID {
		t.Errorf("%d messages, complete %v", len(newest), complete)
	}
	before, n := newest[0], len(newest)
	for rounds := 0; !complete && rounds < 50; rounds++ {
		var page []browser.Message
		page, complete = read(map[string]any{"limit": 25, "before": before.ID})
		for _, m := range page {
			if m.Time > before.Time {
				t.Errorf("%s is not older than %s", m.ID, before.ID)
			}
		}
		if n += len(page); len(page) > 0 {
			before = page[0]
		}
	}
	if !complete || n <= recent {
		t.Errorf("%d messages, complete %v", n, complete)
	}
	if since, complete := read(map[string]any{"limit": 1000, "since": newest[20].Time}); len(since) != 5 || !complete {
		t.Errorf("since: %d messages, complete %v", len(since), complete)
	}
	if after, complete := read(map[string]any{"limit": 2, "after": newest[20].ID}); len(after) != 2 || after[0].ID != newest[21].ID || complete {
		t.Errorf("after: %d messages, complete %v", len(after), complete)
	}
	if between, complete := read(map[string]any{"limit": 100, "after": newest[3].ID, "before": newest[8].ID}); len(between) != 4 || between[0].ID != newest[4].ID || !complete {
		t.Errorf("between: %d messages, complete %v", len(between), complete)
	}
	if page, complete := read(map[string]any{"limit": 3, "before": newest[20].ID, "since": newest[15].Time}); len(page) != 3 || page[2].ID != newest[19].ID || complete {
		t.Errorf("before and since, cut: %d messages, complete %v", len(page), complete)
	}
	if page, complete := read(map[string]any{"limit": 5, "before": newest[20].ID, "since": newest[15].Time}); len(page) != 5 || page[0].ID != newest[15].ID || !complete {
		t.Errorf("before and since: %d messages, complete %v", len(page), complete)
	}
	if page, complete := read(map[string]any{"limit": 5, "after": newest[24].ID}); len(page) != 0 || !complete {
		t.Errorf("after the newest: %d messages, complete %v", len(page), complete)
	}
	if a := g.wa("/wa/messages", map[string]any{"key": in.Key, "phone": chats[0].WID, "before": "3EB0AAAAAAAAAAAAAAAAAA"}); a.Code != "NOT_FOUND" {
		t.Errorf("%+v", a)
	}
}
