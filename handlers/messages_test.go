package handlers

import (
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/fetch"
	"kurir/models"
)

func byKey(more ...string) map[string]string {
	h := map[string]string{"X-Api-Key": goodKey}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1] //nolint:gosec // pairs: there is always one more
	}
	return h
}

// someMessages has one of each kind of end, and one of another instance.
func someMessages(w *world) {
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	w.db.messages = append(w.db.messages, []models.Message{
		{ID: "msg_1", InstanceID: "inst_1", WAID: "3EB01", Kind: "text", State: models.MessageQueued, Body: "a secret text"},
		{ID: "msg_2", InstanceID: "inst_1", WAID: "3EB02", Kind: "image", State: models.MessageScheduled, FilePath: "file-2", NotBefore: at, ExpiresAt: &at, Priority: 10},
		{ID: "msg_3", InstanceID: "inst_1", WAID: "3EB03", Kind: "text", State: models.MessageSent},
		{ID: "msg_4", InstanceID: "inst_1", WAID: "3EB04", Kind: "text", State: models.MessageUnknown, Code: "SESSION_LOST"},
		{ID: "msg_5", InstanceID: "inst_1", WAID: "3EB05", Kind: "image", State: models.MessageUnknown, FilePath: "file-5"},
		{ID: "msg_6", InstanceID: "inst_1", WAID: "3EB06", Kind: "image", State: models.MessageUnknown, FilePath: "file-6"},
		{ID: "msg_7", InstanceID: "inst_2", WAID: "3EB07", Kind: "text", State: models.MessageQueued},
		{ID: "msg_8", InstanceID: "inst_2", WAID: "3EB08", Kind: "text", State: models.MessageFailed},
	}...)
	_ = os.WriteFile(filepath.Join(w.dir, "file-5"), []byte("x"), 0o600)
}

func TestCancelMessage(t *testing.T) {
	t.Parallel()
	cancelled := func(ended, line string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if d := cmp.Diff([]string{ended}, w.outbox.ended); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{line}, w.db.actions()); d != "" {
				t.Error(d)
			}
		}
	}
	not := func(lines ...string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if len(w.outbox.ended) > 0 {
				t.Errorf("ended %v", w.outbox.ended)
			}
			if d := cmp.Diff(lines, w.db.actions()); d != "" {
				t.Error(d)
			}
		}
	}
	body := func(id string) string { return `{"key":"` + goodKey + `","id":"` + id + `"}` }
	for _, tt := range []scenario{
		{name: "with the key", url: "/wa/cancel", body: body("msg_1"), status: 200, want: []string{`"status":true`, `"code":"OK"`, `"id":"msg_1"`, `"state":"cancelled"`}, lack: []string{"a secret text"}, check: cancelled("msg_1:", "wa.cancel:OK")},
		{name: "scheduled, with a file", url: "/wa/cancel", body: body("msg_2"), status: 200, check: cancelled("msg_2:file-2", "wa.cancel:OK")},
		{name: "sent", url: "/wa/cancel", body: body("msg_3"), status: 409, want: []string{`"code":"NOT_CANCELLABLE"`, `"id":"msg_3"`, `"state":"sent"`}, check: not("wa.cancel:NOT_CANCELLABLE")},
		{name: "another's", url: "/wa/cancel", body: body("msg_7"), status: 404, want: []string{`"code":"NOT_FOUND"`, `"data":null`}, check: not("wa.cancel:NOT_FOUND")},
		{name: "no id", url: "/wa/cancel", body: body(" "), status: 400, want: []string{"`id`"}},
		{name: "no key", url: "/wa/cancel", body: `{"id":"msg_1"}`, status: 401, check: not()},
		{name: "operator", url: "/v1/messages/msg_7/cancel", headers: admin(), status: 200, check: cancelled("msg_7:", "message.cancel:OK")},
		{name: "resource with the key", url: "/v1/messages/msg_1/cancel", headers: byKey(), status: 200, check: cancelled("msg_1:", "message.cancel:OK")},
		{name: "resource with another key", url: "/v1/messages/msg_7/cancel", headers: byKey(), status: 404, check: not("message.cancel:NOT_FOUND")},
		{name: "resource, sent", url: "/v1/messages/msg_3/cancel", headers: admin(), status: 409, want: []string{`"state":"sent"`}},
		{name: "resource, nobody", url: "/v1/messages/msg_1/cancel", status: 401, want: []string{`"code":"UNAUTHORIZED"`}, check: not()},
		{name: "resource, wrong token", url: "/v1/messages/msg_1/cancel", headers: map[string]string{"Authorization": "Bearer no"}, status: 401, check: not()},
	} {
		tt.setup = someMessages
		t.Run(tt.name, tt.run)
	}
}

func TestResendMessage(t *testing.T) {
	t.Parallel()
	resent := func(instance string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if d := cmp.Diff([]string{instance}, w.outbox.woken); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"message.resend:QUEUED"}, w.db.actions()); d != "" {
				t.Error(d)
			}
		}
	}
	not := func(code string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if d := cmp.Diff([]string{"message.resend:" + code}, w.db.actions()); d != "" || len(w.outbox.woken) > 0 {
				t.Error(d, w.outbox.woken)
			}
		}
	}
	for _, tt := range []scenario{
		{name: "unknown", url: "/v1/messages/msg_4/resend", headers: byKey(), status: 200, want: []string{`"code":"QUEUED"`, `"state":"queued"`, `"wa_id":"3EB04"`, `"position":3`, `"instance_state":"WORKING"`}, check: resent("inst_1")},
		{name: "with its file", url: "/v1/messages/msg_5/resend", headers: admin(), status: 200, check: resent("inst_1")},
		{name: "its file is gone", url: "/v1/messages/msg_6/resend", headers: byKey(), status: 409, want: []string{`"code":"NOT_RESENDABLE"`, "its file is gone", `"state":"unknown"`}, check: not("NOT_RESENDABLE")},
		{name: "sent", url: "/v1/messages/msg_3/resend", headers: byKey(), status: 409, want: []string{`"code":"NOT_RESENDABLE"`, `"state":"sent"`}, check: not("NOT_RESENDABLE")},
		{name: "operator", url: "/v1/messages/msg_8/resend", headers: admin(), status: 200, want: []string{`"instance":"inst_2"`}, check: resent("inst_2")},
		{name: "another's", url: "/v1/messages/msg_8/resend", headers: byKey(), status: 404, check: not("NOT_FOUND")},
		{name: "none", url: "/v1/messages/msg_9/resend", headers: admin(), status: 404, check: not("NOT_FOUND")},
		{name: "nobody", url: "/v1/messages/msg_4/resend", status: 401},
		{name: "GET", method: "GET", url: "/v1/messages/msg_4/resend", headers: admin(), status: 405},
	} {
		tt.setup = func(w *world) { someMessages(w); w.outbox.place.Position = 3 }
		t.Run(tt.name, tt.run)
	}
}

func TestListMessages(t *testing.T) {
	t.Parallel()
	asked := func(want models.MessageFilter) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if want.Limit == 0 {
				want.Limit = defaultLimit + 1
			}
			if d := cmp.Diff(want, w.db.filter); d != "" {
				t.Error(d)
			}
			if len(w.db.lines) > 0 {
				t.Error("a look was audited")
			}
		}
	}
	refused := func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		if w.db.filter.Limit != 0 {
			t.Errorf("asked %+v", w.db.filter)
		}
	}
	states := []models.MessageState{models.MessageFailed, models.MessageUnknown}
	for _, tt := range []scenario{
		{name: "operator", headers: admin(), status: 200, want: []string{`"data":{"messages":[{"id":"msg_8"`, `{"id":"msg_1"`, `"priority":"high"`, `"send_at":"2026-11-23T01:02:03Z"`, `"expires_at":"2026-11-23T01:02:03Z"`, `"next":null`}, lack: []string{"a secret text", "file-2"}, check: asked(models.MessageFilter{})},
		{name: "page", url: "?limit=2&after=msg_9", headers: admin(), status: 200, want: []string{`"id":"msg_8"`, `"id":"msg_7"`, `"next":"msg_7"`}, lack: []string{`"id":"msg_6"`}, check: asked(models.MessageFilter{After: "msg_9", Limit: 3})},
		{name: "last page", url: "?limit=8", headers: admin(), status: 200, want: []string{`"next":null`}},
		{name: "nothing", headers: admin(), setup: func(w *world) { w.db.messages = nil }, status: 200, want: []string{`"messages":[]`, `"next":null`}},
		{name: "filters", url: "?instance=inst_2&state=failed,%20Unknown&phone=(202)%20555-0199", headers: admin(), status: 200, check: asked(models.MessageFilter{InstanceID: "inst_2", States: states, Phone: "12025550199"})},
		{name: "phone in the region of the settings", url: "?phone=0812345678", headers: admin(), status: 200, check: asked(models.MessageFilter{Phone: "62812345678"})},
		{name: "group", url: "?phone=120363012345678901@g.us", headers: admin(), status: 200, check: asked(models.MessageFilter{Chat: "120363012345678901@g.us"})},
		{name: "key", headers: byKey(), status: 200, check: asked(models.MessageFilter{InstanceID: "inst_1"})},
		{name: "Bearer key", url: "?phone=0812345678", headers: map[string]string{"Authorization": "Bearer " + goodKey}, status: 200, check: asked(models.MessageFilter{InstanceID: "inst_1", Phone: "62812345678"})},
		{name: "key, own instance", url: "?instance=inst_1", headers: byKey(), status: 200, check: asked(models.MessageFilter{InstanceID: "inst_1"})},
		{name: "key, another instance", url: "?instance=inst_2", headers: byKey(), status: 404, want: []string{`"code":"NOT_FOUND"`}, check: refused},
		{name: "no such instance", url: "?instance=inst_9", headers: admin(), status: 404, check: refused},
		{name: "no such state", url: "?state=queued,gone", headers: admin(), status: 400, want: []string{"`state`", "gone"}, check: refused},
		{name: "no phone", url: "?phone=abc", headers: admin(), status: 422, want: []string{`"code":"INVALID_PHONE"`}, check: refused},
		{name: "limit", url: "?limit=1001", headers: admin(), status: 422, want: []string{`"code":"LIMIT_INVALID"`}, check: refused},
		{name: "nobody", status: 401, want: []string{`"code":"UNAUTHORIZED"`}, check: refused},
		{name: "key in the address", url: "?key=" + goodKey, status: 400, want: []string{`"code":"KEY_IN_URL"`}, check: refused},
	} {
		if tt.setup == nil {
			tt.setup = someMessages
		}
		tt.method, tt.url = "GET", "/v1/messages"+tt.url
		t.Run(tt.name, tt.run)
	}
	for _, tt := range []scenario{
		{name: "one, key", url: "/v1/messages/msg_1", headers: byKey(), status: 200, want: []string{`"id":"msg_1"`}, lack: []string{"a secret text"}},
		{name: "one, another's", url: "/v1/messages/msg_7", headers: byKey(), status: 404},
		{name: "one, operator", url: "/v1/messages/msg_7", headers: admin(), status: 200},
	} {
		tt.method, tt.setup = "GET", someMessages
		t.Run(tt.name, tt.run)
	}
}

func TestPostMessage(t *testing.T) {
	t.Parallel()
	const text = `"phone":"0812345678","body":"a"`
	accepted := func(instance, actor string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			line := w.db.lines[0]
			if m := w.db.last(t); m.InstanceID != instance || line.Actor != actor || line.InstanceID != instance || line.Action != "message.send" || len(w.outbox.woken) == 0 {
				t.Errorf("%+v, %+v", m, line)
			}
		}
	}
	nothing := func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		if len(w.db.messages) > 0 {
			t.Errorf("%+v", w.db.messages)
		}
	}
	for _, tt := range []scenario{
		{name: "key", headers: byKey(), body: `{` + text + `}`, status: 200, want: []string{`"code":"QUEUED"`, `"phone":"62812345678"`}, check: accepted("inst_1", "key_1")},
		{name: "operator", headers: admin(), body: `{"instance":"inst_2","phone":"(202) 555-0199","body":"a"}`, status: 200, want: []string{`"phone":"12025550199"`}, check: accepted("inst_2", "admin")},
		{name: "many", headers: admin(), body: `{"instance":"inst_1","phone":["62812345678","62812345679"],"body":"a"}`, status: 200, want: []string{`"count":2`}, check: accepted("inst_1", "admin")},
		{name: "operator, no instance", headers: admin(), body: `{` + text + `}`, status: 400, want: []string{"`instance`"}, check: nothing},
		{name: "operator, no such instance", headers: admin(), body: `{"instance":"inst_9",` + text + `}`, status: 404, check: nothing},
		{name: "key, own instance", headers: byKey(), body: `{"instance":"inst_1",` + text + `}`, status: 200, check: accepted("inst_1", "key_1")},
		{name: "key, another instance", headers: byKey(), body: `{"instance":"inst_2",` + text + `}`, status: 404, want: []string{`"code":"NOT_FOUND"`}, check: nothing},
		{name: "file", headers: byKey(), body: `{"phone":"0812345678","url":"http://127.0.0.1:1/a.png"}`, setup: func(w *world) {
			w.deps.Fetch = fetch.New(fetch.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
		}, status: 422, want: []string{`"code":"URL_UNREACHABLE"`}, check: nothing},
		{name: "file that may not be fetched", headers: byKey(), body: `{"messages":[{"phone":"0812345678","url":"http://127.0.0.1/a.png"}]}`, status: 422, want: []string{`"code":"BULK_INVALID"`, `"code":"URL_BLOCKED"`}, check: nothing},
		{name: "no body", headers: byKey(), body: `{"phone":"0812345678"}`, status: 422, want: []string{`"code":"BODY_REQUIRED"`}, check: nothing},
		{name: "nobody", body: `{` + text + `}`, status: 401, check: nothing},
		{name: "always 200 is not for /v1", setup: func(w *world) { w.deps.WAAlways200 = true }, body: `{}`, status: 401},
	} {
		tt.url = "/v1/messages"
		t.Run(tt.name, tt.run)
	}
	w := newWorld(t)
	for range 2 {
		rec := w.serve(t, "POST", "/v1/messages", byKey("Idempotency-Key", "k"), strings.NewReader(`{`+text+`}`))
		if rec.Code != 200 {
			t.Error(rec.Body)
		}
	}
	if len(w.db.messages) != 1 {
		t.Errorf("%d messages", len(w.db.messages))
	}
}
