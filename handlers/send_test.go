package handlers

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/models"
	"kurir/problem"
)

// The bodies of WAChatPro's samples, as PHP's json_encode and Python's requests put them on the wire.
const (
	phpSend    = `{"key":"` + goodKey + `","phone":"62812345678","body":"Isi pesan whatsapp yang akan dikirimkan"}`
	pythonSend = `{"method": "POST", "params": {"key": "` + goodKey + `", "phone": "62812345678", "body": "Isi pesan whatsapp yang akan dikirimkan"}}`
)

func dataForm(j string) string { return url.Values{"data": {j}}.Encode() }

func TestSend(t *testing.T) {
	t.Parallel()
	accepted := func(phone, body string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			m := w.db.last(t)
			if m.Phone != phone || m.Body != body || m.Chat != phone+"@c.us" || m.Kind != "text" || m.InstanceID != "inst_1" || m.ContentHash == "" {
				t.Errorf("accepted: %+v", m)
			}
			if d := cmp.Diff([]string{"inst_1"}, w.outbox.woken); d != "" {
				t.Error(d)
			}
			line := w.db.lines[0]
			if len(w.db.lines) != 1 || line.Action != "wa.send" || line.Code != "QUEUED" || line.Actor != "key_1" || line.Target != m.ID || line.RequestID == "" || line.IP == "" {
				t.Errorf("audit log: %+v", w.db.lines)
			}
		}
	}
	nothing := func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		if len(w.db.messages) > 0 || len(w.outbox.woken) > 0 {
			t.Errorf("accepted: %+v", w.db.messages)
		}
	}
	const sample = "Isi pesan whatsapp yang akan dikirimkan"
	queued := []string{`"status":true`, `"code":"QUEUED"`, `"id":"msg_`, `"phone":"62812345678"`, `"wa_id":"3EB0`, `"state":"queued"`, `"instance_state":"WORKING"`, "in the queue"}
	field := func(more string) string { return `{"key":"` + goodKey + `",` + more + `}` }

	tests := []scenario{
		{name: "PHP sample", url: "/wa/send", headers: asJSON(), body: phpSend, status: 200, want: queued, check: accepted("62812345678", sample)},
		{name: "PHP sample without the header", url: "/wa/send", headers: asForm(), body: phpSend, status: 200, want: queued, check: accepted("62812345678", sample)},
		{name: "Python sample", url: "/wa/send", headers: asForm(), body: dataForm(pythonSend), status: 200, want: queued, check: accepted("62812345678", sample)},
		{name: "JSON with params", url: "/wa/send", headers: asJSON(), body: pythonSend, status: 200, want: queued, check: accepted("62812345678", sample)},
		{name: "curl -d", url: "/wa/send", headers: asForm(), body: "key=" + goodKey + "&phone=0812345678&body=Halo+dari+kurir", status: 200, want: queued, check: accepted("62812345678", "Halo dari kurir")},
		{name: "number as a JSON number", url: "/wa/send", body: field(`"phone":62812345678,"body":"a"`), status: 200, check: accepted("62812345678", "a")},
		{name: "number from a spreadsheet", url: "/wa/send", body: field(`"phone":6.2812345678E+10,"body":"a"`), status: 200, check: accepted("62812345678", "a")},
		{name: "text as a JSON number", url: "/wa/send", body: field(`"phone":"62812345678","body":123456`), status: 200, check: accepted("62812345678", "123456")},
		{name: "unknown fields", url: "/wa/send", body: field(`"phone":"62812345678","body":"a","x":{"y":[1]},"colour":9`), status: 200, check: accepted("62812345678", "a")},
		{name: "text kept as it is", url: "/wa/send", body: field(`"phone":"62812345678","body":" <b>é😀</b>\n & "`), status: 200, check: accepted("62812345678", " <b>é😀</b>\n & ")},
		{name: "Bearer", url: "/wa/send", headers: map[string]string{"Authorization": "bearer " + goodKey}, body: `{"phone":"62812345678","body":"a"}`, status: 200, check: accepted("62812345678", "a")},
		{name: "bare Authorization", url: "/wa/send", headers: map[string]string{"Authorization": goodKey}, body: `{"phone":"62812345678","body":"a"}`, status: 200, check: accepted("62812345678", "a")},
		{name: "X-Api-Key", url: "/wa/send", headers: map[string]string{"X-Api-Key": goodKey}, body: `{"phone":"62812345678","body":"a"}`, status: 200, check: accepted("62812345678", "a")},
		{name: "group", url: "/wa/send", body: field(`"phone":"120363012345678901@g.us","body":"a"`), status: 200, want: []string{`"chat":"120363012345678901@g.us"`}, lack: []string{`"phone"`}},
		{name: "region of the instance", url: "/wa/send", body: `{"key":"` + otherKey + `","phone":"(202) 555-0199","body":"a"}`, status: 200, want: []string{`"phone":"12025550199"`, `"instance_state":"STOPPED"`}, lack: []string{otherKey}},
		{name: "Indonesian", url: "/wa/send", headers: map[string]string{"Accept-Language": "id-ID,id;q=0.9,en;q=0.8"}, body: phpSend, status: 200, want: []string{"Pesan masuk antrean"}},
		{name: "slash at the end", url: "/wa/send/", body: phpSend, status: 200, check: accepted("62812345678", sample)},
		{name: "slash of the base URL", url: "//wa/send", body: phpSend, status: 200, check: accepted("62812345678", sample)},
		{name: "request id of a proxy", url: "/wa/send", headers: map[string]string{"X-Request-Id": "abc-1"}, body: phpSend, status: 200, check: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
			if rec.Header().Get("X-Request-Id") != "abc-1" || w.db.lines[0].RequestID != "abc-1" {
				t.Error("not kept")
			}
		}},

		{name: "no key", url: "/wa/send", body: `{"phone":"62812345678","body":"a"}`, status: 401, want: []string{`"status":false`, `"code":"UNAUTHORIZED"`, `"data":null`, `"request_id":"req_`}, check: nothing},
		{name: "wrong key", url: "/wa/send", body: `{"key":"kurir_live_wrong","phone":"62812345678","body":"a"}`, status: 401, want: []string{`"code":"UNAUTHORIZED"`}, lack: []string{"kurir_live_wrong"}, check: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
			nothing(t, w, rec)
			if len(w.db.lines) > 0 {
				t.Error("audited")
			}
		}},
		{name: "admin token is no key", url: "/wa/send", headers: admin(), body: `{"phone":"62812345678","body":"a"}`, status: 401, check: nothing},
		{name: "key in the address", url: "/wa/send?key=" + goodKey, body: `{"phone":"62812345678","body":"a"}`, status: 400, want: []string{`"code":"KEY_IN_URL"`}, check: nothing},
		{name: "empty body", url: "/wa/send", status: 401, want: []string{`"code":"UNAUTHORIZED"`}, check: nothing},
		{name: "no phone", url: "/wa/send", body: field(`"body":"a"`), status: 422, want: []string{`"code":"PHONE_REQUIRED"`}, check: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
			nothing(t, w, rec)
			if d := cmp.Diff([]string{"wa.send:PHONE_REQUIRED"}, w.db.actions()); d != "" {
				t.Error(d)
			}
		}},
		{name: "phone null", url: "/wa/send", body: field(`"phone":null,"body":"a"`), status: 422, want: []string{`"code":"PHONE_REQUIRED"`}, check: nothing},
		{name: "the sample's xxx", url: "/wa/send", body: field(`"phone":"62812345678xxx","body":"a"`), status: 422, want: []string{`"code":"INVALID_PHONE"`, "62812345678xxx"}, check: nothing},
		{name: "newsletter", url: "/wa/send", body: field(`"phone":"120363012345678901@newsletter","body":"a"`), status: 422, want: []string{`"code":"INVALID_PHONE"`}, check: nothing},
		{name: "status", url: "/wa/send", body: field(`"phone":"status@broadcast","body":"a"`), status: 422, want: []string{`"code":"INVALID_PHONE"`}, check: nothing},
		{name: "no body", url: "/wa/send", body: field(`"phone":"62812345678"`), status: 422, want: []string{`"code":"BODY_REQUIRED"`}, check: nothing},
		{name: "blank body", url: "/wa/send", body: field(`"phone":"62812345678","body":" \n"`), status: 422, want: []string{`"code":"BODY_REQUIRED"`}, check: nothing},
		{name: "body is an object", url: "/wa/send", body: field(`"phone":"62812345678","body":{"a":1}`), status: 422, want: []string{`"code":"BODY_REQUIRED"`}, check: nothing},
		{name: "more than WhatsApp takes", url: "/wa/send", body: field(`"phone":"62812345678","body":"` + strings.Repeat("é", 65537) + `"`), status: 413, want: []string{`"code":"BODY_TOO_LARGE"`}, check: nothing},
		{name: "as much as WhatsApp takes", url: "/wa/send", body: field(`"phone":"62812345678","body":"` + strings.Repeat("é", 65536) + `"`), status: 200},
		{name: "2 MB", url: "/wa/send", body: field(`"x":"` + strings.Repeat("a", 2<<20) + `"`), status: 413, want: []string{`"code":"BODY_TOO_LARGE"`}, check: nothing},
		{name: "broken JSON", url: "/wa/send", headers: asJSON(), body: `{"key":"` + goodKey + `","phone":0812}`, status: 400, want: []string{`"code":"BAD_REQUEST"`, "begin with 0"}, check: nothing},
		{name: "broken JSON, Indonesian", url: "/wa/send", headers: map[string]string{"Accept-Language": "id"}, body: `{"key"`, status: 400, want: []string{"Permintaan tidak dapat dibaca"}, check: nothing},
		{name: "bad wait", url: "/wa/send", body: field(`"phone":"62812345678","body":"a","wait":"soon"`), status: 400, want: []string{`"code":"BAD_REQUEST"`, "`wait`"}, check: nothing},
		{name: "long idempotency key", url: "/wa/send", body: field(`"phone":"62812345678","body":"a","idempotency_key":"` + strings.Repeat("k", 201) + `"`), status: 400, check: nothing},
		{name: "GET", method: "GET", url: "/wa/send", status: 405, want: []string{`"code":"METHOD_NOT_ALLOWED"`, "POST"}, check: nothing},
		{name: "unknown address", url: "/wa/sends", body: phpSend, status: 404, want: []string{`"code":"NOT_FOUND"`}, check: nothing},

		{name: "database gone", url: "/wa/send", body: phpSend, setup: func(w *world) { w.db.err = errors.New("disk I/O error at /secret/path") }, status: 500, want: []string{`"code":"INTERNAL"`, `"request_id":"req_`}, lack: []string{"secret", "I/O"}},
		{name: "shutting down", url: "/wa/send", body: phpSend, setup: func(w *world) { w.db.err = problem.New(problem.Unavailable, "the database is closed") }, status: 503, want: []string{`"code":"UNAVAILABLE"`}},
		{name: "panic", url: "/wa/send", body: phpSend, setup: func(w *world) { w.deps.Outbox = nil }, status: 500, want: []string{`"code":"INTERNAL"`, `"request_id":"req_`}, lack: []string{"nil pointer"}},
		{name: "always 200", url: "/wa/send", body: `{}`, setup: func(w *world) { w.deps.WAAlways200 = true }, status: 200, want: []string{`"status":false`, `"code":"UNAUTHORIZED"`}},
		{name: "always 200 is for /wa only", method: "GET", url: "/v1/instances", setup: func(w *world) { w.deps.WAAlways200 = true }, status: 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

func TestSendWait(t *testing.T) {
	t.Parallel()
	body := func(wait string) string {
		return `{"key":"` + goodKey + `","phone":"62812345678","body":"a","wait":` + wait + `}`
	}
	settled := func(state models.MessageState, code problem.Code) func(*world) {
		return func(w *world) {
			w.outbox.settle = func(m *models.Message) { m.State, m.Code, m.Ack = state, string(code), 1 }
		}
	}
	waits := func(want time.Duration) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if got := w.outbox.waited; got > want || got < want-5*time.Second && want > 0 && got < want/2 {
				t.Errorf("waited %s, want %s", got, want)
			}
		}
	}
	tests := []scenario{
		{name: "true", url: "/wa/send", body: body("true"), setup: settled(models.MessageSent, ""), status: 200, want: []string{`"status":true`, `"code":"SENT"`, `"ack":1`, `"id":"msg_`}, check: waits(50 * time.Second)},
		{name: "delivered already", url: "/wa/send", body: body("true"), setup: settled(models.MessageDelivered, ""), status: 200, want: []string{`"code":"SENT"`, `"state":"delivered"`}},
		{name: "seconds", url: "/wa/send", body: body("5"), setup: settled(models.MessageSent, ""), status: 200, want: []string{`"code":"SENT"`}, check: waits(5 * time.Second)},
		{name: "seconds in quotes", url: "/wa/send", body: body(`"5.5"`), setup: settled(models.MessageSent, ""), status: 200, want: []string{`"code":"SENT"`}, check: waits(5500 * time.Millisecond)},
		{name: "at most 50", url: "/wa/send", body: body("3600"), setup: settled(models.MessageSent, ""), status: 200, check: waits(50 * time.Second)},
		{name: "form", url: "/wa/send", headers: asForm(), body: "key=" + goodKey + "&phone=62812345678&body=a&wait=true", setup: settled(models.MessageSent, ""), status: 200, want: []string{`"code":"SENT"`}, check: waits(50 * time.Second)},
		{name: "false", url: "/wa/send", body: body("false"), setup: settled(models.MessageSent, ""), status: 200, want: []string{`"code":"QUEUED"`}, check: waits(0)},
		{name: "0", url: "/wa/send", body: body("0"), setup: settled(models.MessageSent, ""), status: 200, want: []string{`"code":"QUEUED"`}, check: waits(0)},
		{name: "null", url: "/wa/send", body: body("null"), setup: settled(models.MessageSent, ""), status: 200, want: []string{`"code":"QUEUED"`}},
		{name: "NaN", url: "/wa/send", body: body(`"NaN"`), status: 400, want: []string{`"code":"BAD_REQUEST"`}},
		{name: "still queued", url: "/wa/send", body: body("1"), status: 200, want: []string{`"status":true`, `"code":"QUEUED"`, `"state":"queued"`}},
		{name: "not on WhatsApp", url: "/wa/send", body: body("true"), setup: settled(models.MessageFailed, problem.NotOnWhatsApp), status: 422, want: []string{`"status":false`, `"code":"NOT_ON_WHATSAPP"`, `"id":"msg_`, `"state":"failed"`}},
		{name: "no such group", url: "/wa/send", body: body("true"), setup: settled(models.MessageFailed, problem.ChatNotFound), status: 404, want: []string{`"code":"CHAT_NOT_FOUND"`, `"id":"msg_`, `"state":"failed"`}},
		{name: "not taken", url: "/wa/send", body: body("true"), setup: settled(models.MessageFailed, problem.SendRejected), status: 502, want: []string{`"code":"SEND_REJECTED"`}},
		{name: "file not taken", url: "/wa/sendfile", body: `{"key":"` + goodKey + `","phone":"62812345678","filename":"a","body":"QUJD","wait":true}`, setup: settled(models.MessageFailed, problem.UploadFailed), status: 502, want: []string{`"code":"UPLOAD_FAILED"`}},
		{name: "page failed", url: "/wa/send", body: body("true"), setup: settled(models.MessageFailed, problem.PageError), status: 502, want: []string{`"code":"PAGE_ERROR"`}},
		{name: "no answer", url: "/wa/send", body: body("true"), setup: settled(models.MessageUnknown, problem.SendTimeout), status: 504, want: []string{`"code":"SEND_TIMEOUT"`, `"state":"unknown"`}},
		{name: "unknown outcome", url: "/wa/send", body: body("true"), setup: settled(models.MessageUnknown, problem.SessionLost), status: 503, want: []string{`"status":false`, `"code":"SESSION_LOST"`, `"state":"unknown"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// Every code of the catalogue leaves with its status and its sentence in both languages.
func TestCatalogueLeaves(t *testing.T) {
	t.Parallel()
	for code, entry := range problem.Catalog {
		for lang, text := range map[string]string{"en": entry.EN, "id": entry.ID} {
			scenario{
				unheld: true, // most of these codes come from elsewhere
				name:   string(code), url: "/wa/send", headers: map[string]string{"Accept-Language": lang}, body: strings.Replace(phpSend, "{", `{"wait":true,`, 1),
				setup: func(w *world) {
					w.outbox.settle = func(m *models.Message) {
						m.State, m.Code, m.Detail = models.MessageFailed, string(code), "the case at hand"
					}
				},
				status: entry.Status, want: []string{`"code":"` + string(code) + `"`, text, "the case at hand"},
			}.sub(t, string(code)+"/"+lang)
		}
	}
}

func (sc scenario) sub(t *testing.T, name string) { t.Run(name, sc.run) }

func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	send := func(body, key string) *httptest.ResponseRecorder {
		return w.serve(t, "", "/wa/send", map[string]string{"Idempotency-Key": key}, strings.NewReader(`{"key":"`+goodKey+`","phone":"62812345678","body":"`+body+`"}`))
	}
	first := send("a", "order-1")
	again := send("a", "order-1")
	id := w.db.last(t).ID
	if len(w.db.messages) != 1 || again.Code != 200 || !strings.Contains(again.Body.String(), id) || !strings.Contains(again.Body.String(), `"repeated":true`) || strings.Contains(first.Body.String(), "repeated") {
		t.Errorf("%d messages; %s", len(w.db.messages), again.Body)
	}
	if len(w.outbox.woken) != 1 {
		t.Errorf("woken %d times", len(w.outbox.woken))
	}
	if other := send("b", "order-1"); other.Code != 409 || !strings.Contains(other.Body.String(), `"code":"IDEMPOTENCY_CONFLICT"`) {
		t.Errorf("%s", other.Body)
	}
	if next := send("a", "order-2"); next.Code != 200 || len(w.db.messages) != 2 {
		t.Errorf("%s", next.Body)
	}
	if d := cmp.Diff([]string{"wa.send:QUEUED", "wa.send:REPEATED", "wa.send:IDEMPOTENCY_CONFLICT", "wa.send:QUEUED"}, w.db.actions()); d != "" {
		t.Error(d)
	}
}

// A key is looked up once and then believed for a while; what is deleted is forgotten at once.
func TestKeyCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		w.serve(t, "", "/wa/send", nil, strings.NewReader(phpSend))
	}
	if w.db.lookups != 1 {
		t.Errorf("%d lookups of one key", w.db.lookups)
	}
	for range 3 {
		w.serve(t, "", "/wa/send", nil, strings.NewReader(`{"key":"wrong"}`))
	}
	if w.db.lookups != 1 || w.db.hashed != 1 {
		t.Errorf("%d lookups, all keys read %d times: a wrong key must cost the database nothing", w.db.lookups, w.db.hashed)
	}
	if rec := w.serve(t, "DELETE", "/v1/instances/inst_1", admin(), nil); rec.Code != 200 {
		t.Fatal(rec.Body)
	}
	delete(w.db.keys, goodKey)
	w.db.epoch.Add(1)
	if rec := w.serve(t, "", "/wa/send", nil, strings.NewReader(phpSend)); rec.Code != 401 {
		t.Errorf("the key of a deleted instance answers %d", rec.Code)
	}
}

func TestKeyCacheExpires(t *testing.T) {
	t.Parallel()
	var k keyCache
	now := time.Now()
	hash := [32]byte{1}
	k.put(hash, tenant{instance: models.Instance{ID: "inst_1"}}, 7, now)
	if _, ok := k.get(hash, 7, now.Add(keyTTL-1)); !ok {
		t.Error("gone too early")
	}
	if _, ok := k.get(hash, 7, now.Add(keyTTL)); ok {
		t.Error("still there")
	}
	if _, ok := k.get(hash, 8, now); ok {
		t.Error("still there after a change")
	}
	for i := range maxCachedKeys + 10 {
		k.put([32]byte{byte(i), byte(i >> 8), 2}, tenant{}, 7, now)
	}
	if len(k.byID) > maxCachedKeys {
		t.Errorf("%d keys", len(k.byID))
	}
}
