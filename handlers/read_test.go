package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

func TestReads(t *testing.T) {
	t.Parallel()
	lists := func(w *world) {
		w.instances.reader = fakeReader{
			chats:    []browser.Chat{{WID: "62812@c.us", Phone: "62812", Name: "Budi <b>", Unread: 2, Last: &browser.LastMessage{Text: "halo"}}},
			messages: []browser.Message{{ID: "3EB0AA", Chat: "62812@c.us", Body: "halo & apa", Type: "chat", FromMe: true}},
			contacts: []browser.Contact{{WID: "62812@c.us", Name: "Budi", IsMyContact: true}},
		}
	}
	failing := func(err error) func(*world) { return func(w *world) { w.instances.reader.err = err } }
	state := func(st browser.Status) func(*world) { return func(w *world) { w.instances.status["inst_1"] = st } }
	asked := func(chat string, limit int, lines ...string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if r := w.instances.reader; r.chat != chat || r.limit != limit {
				t.Errorf("asked for %q, %d", r.chat, r.limit)
			}
			if d := cmp.Diff(lines, w.db.actions()); lines != nil && d != "" {
				t.Error(d)
			}
		}
	}
	ranged := func(want browser.Range) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if d := cmp.Diff(want, w.instances.reader.which); d != "" {
				t.Error(d)
			}
		}
	}
	key := func(more string) string { return `{"key":"` + goodKey + `"` + more + `}` }

	tests := []scenario{
		{name: "chats, PHP sample", url: "/wa/chats", headers: asJSON(), body: key(`,"limit":50`), setup: lists, status: 200, want: []string{`"status":true`, `"code":"OK"`, `"data":[{"wid":"62812@c.us"`, `"name":"Budi <b>"`, `"last_message":{"text":"halo"`}, check: asked("", 50, "wa.chats:OK")},
		{name: "chats, Python sample", url: "/wa/chats", headers: asForm(), body: dataForm(`{"method":"POST","params":` + key(`,"limit":50`) + `}`), setup: lists, status: 200, check: asked("", 50)},
		{name: "no limit", url: "/wa/chats", body: key(""), setup: lists, status: 200, check: asked("", 100)},
		{name: "limit null", url: "/wa/chats", body: key(`,"limit":null`), status: 200, check: asked("", 100)},
		{name: "limit empty", url: "/wa/chats", body: key(`,"limit":""`), status: 200, check: asked("", 100)},
		{name: "limit as text", url: "/wa/chats", body: key(`,"limit":" 7 "`), status: 200, check: asked("", 7)},
		{name: "limit with a point", url: "/wa/chats", body: key(`,"limit":7.0`), status: 200, check: asked("", 7)},
		{name: "largest limit", url: "/wa/chats", body: key(`,"limit":10000`), status: 200, check: asked("", 10000)},
		{name: "no chats", url: "/wa/chats", body: key(""), status: 200, want: []string{`"data":[]`}},
		{name: "key in a header, no body", url: "/wa/chats", headers: map[string]string{"X-Api-Key": goodKey}, setup: lists, status: 200, check: asked("", 100)},
		{name: "messages, PHP sample", url: "/wa/messages", headers: asJSON(), body: key(`,"phone":"62812345678","limit":50`), setup: lists, status: 200, want: []string{`"id":"3EB0AA"`, `"body":"halo & apa"`, `"from_me":true`, `"media":null`}, check: asked("62812345678@c.us", 50, "wa.messages:OK")},
		{name: "messages of a group", url: "/wa/messages", body: key(`,"phone":"120363012345678901@g.us"`), setup: lists, status: 200, check: asked("120363012345678901@g.us", 100)},
		{name: "messages of nobody yet", url: "/wa/messages", body: key(`,"phone":"0812345678"`), setup: failing(problem.New(problem.ChatNotFound, "")), status: 200, want: []string{`"status":true`, `"data":[]`}},
		{name: "messages with marks", url: "/wa/messages", body: key(`,"phone":"0812345678","before":"3EB0AA","after":"3EB0BB","since":"1970-01-02T00:00:00Z"`), setup: lists, status: 200, want: []string{`"complete":false`}, check: ranged(browser.Range{Limit: 100, Before: "3EB0AA", After: "3EB0BB", Since: 86400})},
		{name: "all messages since", url: "/wa/messages", headers: asForm(), body: "key=" + goodKey + "&phone=0812345678&since=1796000000&limit=7", setup: func(w *world) { lists(w); w.instances.reader.complete = true }, status: 200, want: []string{`"complete":true`}, check: ranged(browser.Range{Limit: 7, Since: 1796000000})},
		{name: "since as a number", url: "/wa/messages", body: key(`,"phone":"0812345678","since":1.796e9`), setup: lists, status: 200, check: ranged(browser.Range{Limit: 100, Since: 1796000000})},
		{name: "messages of nobody are complete", url: "/wa/messages", body: key(`,"phone":"0812345678"`), setup: failing(problem.New(problem.ChatNotFound, "")), status: 200, want: []string{`"complete":true`}},
		{name: "chats say nothing of it", url: "/wa/chats", body: key(""), setup: lists, status: 200, lack: []string{"complete"}},
		{name: "no such mark", url: "/wa/messages", body: key(`,"phone":"0812345678","before":"3EB0AA"`), setup: failing(problem.New(problem.NotFound, "")), status: 404, want: []string{`"code":"NOT_FOUND"`}, lack: []string{"complete"}},
		{name: "a mark that is none", url: "/wa/messages", body: key(`,"phone":"0812345678","before":"../x"`), status: 400, want: []string{"`before`"}},
		{name: "since when", url: "/wa/messages", body: key(`,"phone":"0812345678","since":"yesterday"`), status: 400, want: []string{"`since`"}},
		{name: "since before all", url: "/wa/messages", body: key(`,"phone":"0812345678","since":-1`), status: 400, want: []string{"`since`"}},
		{name: "contacts, PHP sample", url: "/wa/contacts", headers: asJSON(), body: key(""), setup: lists, status: 200, want: []string{`"is_my_contact":true`}, check: asked("", 0, "wa.contacts:OK")},

		{name: "limit 0", url: "/wa/chats", body: key(`,"limit":0`), status: 422, want: []string{`"code":"LIMIT_INVALID"`}},
		{name: "limit 10001", url: "/wa/chats", body: key(`,"limit":10001`), status: 422, want: []string{`"code":"LIMIT_INVALID"`}},
		{name: "limit -1", url: "/wa/messages", body: key(`,"phone":"0812345678","limit":-1`), status: 422, want: []string{`"code":"LIMIT_INVALID"`}},
		{name: "limit 1.5", url: "/wa/chats", body: key(`,"limit":1.5`), status: 422, want: []string{`"code":"LIMIT_INVALID"`}},
		{name: "limit in words", url: "/wa/chats", body: key(`,"limit":"all"`), status: 422, want: []string{`"code":"LIMIT_INVALID"`}},
		{name: "limit true", url: "/wa/chats", body: key(`,"limit":true`), status: 422, want: []string{`"code":"LIMIT_INVALID"`}},
		{name: "limit huge", url: "/wa/chats", body: key(`,"limit":1e400`), status: 422, want: []string{`"code":"LIMIT_INVALID"`}},
		{name: "messages without phone", url: "/wa/messages", body: key(""), status: 422, want: []string{`"code":"PHONE_REQUIRED"`}},
		{name: "messages of no number", url: "/wa/messages", body: key(`,"phone":"x"`), status: 422, want: []string{`"code":"INVALID_PHONE"`}},
		{name: "no key", url: "/wa/contacts", body: `{}`, status: 401, want: []string{`"code":"UNAUTHORIZED"`}},
		{name: "waits for a scan", url: "/wa/chats", body: key(""), setup: state(browser.Status{State: browser.StateScanQR}), status: 503, want: []string{`"code":"INSTANCE_NOT_READY"`, `"data":{"state":"SCAN_QR_CODE"}`, "(SCAN_QR_CODE)"}, check: asked("", 0, "wa.chats:INSTANCE_NOT_READY")},
		{name: "failed", url: "/wa/messages", body: key(`,"phone":"0812345678"`), setup: state(browser.Status{State: browser.StateFailed, Reason: "Chromium does not start"}), status: 503, want: []string{`"state":"FAILED","reason":"Chromium does not start"`}},
		{name: "stopped", url: "/wa/contacts", body: `{"key":"` + otherKey + `"}`, status: 503, want: []string{`"code":"INSTANCE_NOT_READY"`, `"state":"STOPPED"`}},
		{name: "page too slow", url: "/wa/contacts", body: key(""), setup: failing(problem.New(problem.PageTimeout, "")), status: 504, want: []string{`"code":"PAGE_TIMEOUT"`}},
		{name: "page far too slow", url: "/wa/contacts", body: key(""), setup: failing(context.DeadlineExceeded), status: 504, want: []string{`"code":"PAGE_TIMEOUT"`}},
		{name: "unknown error", url: "/wa/contacts", body: key(""), setup: failing(errors.New("secret")), status: 500, want: []string{`"code":"INTERNAL"`}, lack: []string{"secret"}},
		{name: "audit log full, read answered", url: "/wa/contacts", body: key(""), setup: func(w *world) { lists(w); w.db.err = errors.New("full") }, status: 200, want: []string{"Budi"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	stored := func(w *world) {
		w.db.messages = []models.Message{
			{ID: "msg_1", InstanceID: "inst_1", WAID: "3EB0AA", Phone: "62812", Chat: "62812@c.us", Kind: "text", Body: "a secret", State: models.MessageFailed, Code: "NOT_ON_WHATSAPP", Attempts: 1},
			{ID: "msg_2", InstanceID: "inst_2", Kind: "text", State: models.MessageSent},
		}
	}
	tests := []scenario{
		{name: "own", url: "/wa/status", body: `{"key":"` + goodKey + `","id":"msg_1"}`, setup: stored, status: 200, want: []string{`"status":true`, `"state":"failed"`, `"code":"NOT_ON_WHATSAPP"`, `"attempts":1`}, lack: []string{"secret"}},
		{name: "form", url: "/wa/status", headers: asForm(), body: "key=" + goodKey + "&id=msg_1", setup: stored, status: 200, want: []string{`"id":"msg_1"`}},
		{name: "of another instance", url: "/wa/status", body: `{"key":"` + goodKey + `","id":"msg_2"}`, setup: stored, status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "unknown", url: "/wa/status", body: `{"key":"` + goodKey + `","id":"msg_9"}`, setup: stored, status: 404},
		{name: "no id", url: "/wa/status", body: `{"key":"` + goodKey + `"}`, setup: stored, status: 400, want: []string{"`id`"}},
		{name: "no key", url: "/wa/status", body: `{"id":"msg_1"}`, setup: stored, status: 401},
		{name: "operator", method: "GET", url: "/v1/messages/msg_2", headers: admin(), setup: stored, status: 200, want: []string{`"state":"sent"`, `"instance":"inst_2"`}},
		{name: "operator, unknown", method: "GET", url: "/v1/messages/msg_9", headers: admin(), setup: stored, status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "operator's address with a key", method: "GET", url: "/v1/messages/msg_1", headers: map[string]string{"Authorization": "Bearer " + goodKey}, setup: stored, status: 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// Answers are JSON that a strict parser takes, whatever a chat contains.
func TestAnswersAreJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.instances.reader.messages = []browser.Message{{Body: "\x00\x01\u2028\"\\</script>\xff😀"}}
	})
	rec := w.serve(t, "", "/wa/messages", nil, strings.NewReader(`{"key":"`+goodKey+`","phone":"0812345678"}`))
	var e envelope
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	if got := rec.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Error(got)
	}
}
