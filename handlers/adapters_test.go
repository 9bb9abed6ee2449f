package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/fetch"
	"kurir/models"
)

const formType = "application/x-www-form-urlencoded"

// stranger is a house whose adapters are on, as a program of another gateway sees it.
type stranger struct {
	*house
	path string
}

func newStranger(t *testing.T, path string, change ...func(*Deps)) stranger {
	t.Helper()
	on := func(d *Deps) { d.Adapters, d.Fetch = []string{"fonnte", "wablas"}, cannedFile{} }
	return stranger{newHouse(t, append([]func(*Deps){on}, change...)...), path}
}

// cannedFile is a Fetcher for whom every address has a picture.
type cannedFile struct{}

func (cannedFile) Download(_ context.Context, _, dir string, _ int64) (fetch.File, error) {
	f, err := os.CreateTemp(dir, "file-")
	if err != nil {
		return fetch.File{}, err
	}
	_, err = f.WriteString("\x89PNG\r\n\x1a\n")
	if err == nil {
		err = f.Close()
	}
	return fetch.File{Path: f.Name(), Size: 8, MimeType: "image/png", Name: "wa-logo.png"}, err
}

// ask sends a body with a bare token, as the other gateways' documentation says. Pairs of headers may follow.
func (s stranger) ask(key, contentType, body string, headers ...string) (status int, answer map[string]any) {
	s.t.Helper()
	req := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, s.path, strings.NewReader(body))
	req.Header.Set("Authorization", key)
	req.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	s.callers++
	req.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", s.callers>>8, s.callers&255)
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, req)
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
		s.t.Fatalf("%v: %s", err, rec.Body)
	}
	return rec.Code, answer
}

// queue lists what was accepted, the oldest first.
func (s stranger) queue() []models.Message {
	s.t.Helper()
	list, err := s.db.Messages(context.Background(), models.MessageFilter{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// audited lists the lines of the audit log as action:code.
func (s stranger) audited() (out []string) {
	s.t.Helper()
	lines, err := s.db.AuditLines(context.Background(), models.AuditFilter{}, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range lines {
		out = append(out, l.Action+":"+l.Code)
	}
	return out
}

// refuses sends what must be refused with a code, in a sentence under the given name, and change nothing.
func (s stranger) refuses(name, code, key, contentType, body string, headers ...string) string {
	s.t.Helper()
	before := s.state()
	status, a := s.ask(key, contentType, body, headers...)
	text, _ := a[name].(string)
	if status < 400 || a["status"] != false || a["code"] != code || text == "" {
		s.t.Errorf("%s: HTTP %d %v, want %s", body, status, a, code)
	}
	if d := cmp.Diff(before, s.state()); d != "" {
		s.t.Errorf("%s was refused and has changed something: %s", body, d)
	}
	return text
}

func TestFonnteAnswersAsItsDocumentationSays(t *testing.T) {
	t.Parallel()
	s := newStranger(t, "/send")
	status, got := s.ask(s.keys["send"], formType, "target=08123456789&message=test+message&schedule=0&typing=false&delay=2&countryCode=62&followup=0&location=")
	m := s.queue()
	if len(m) != 1 || status != 200 {
		t.Fatalf("HTTP %d, %v, %d messages", status, got, len(m))
	}
	want := map[string]any{
		"detail": "success! message in queue", "id": []any{m[0].ID}, "process": "pending", "status": true, "target": []any{"628123456789"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if m[0].Chat != "628123456789@c.us" || m[0].Body != "test message" || m[0].InstanceID != "inst_1" || m[0].State != models.MessageQueued {
		t.Errorf("%+v", m[0])
	}
	if d := cmp.Diff([]string{"fonnte.send:QUEUED"}, s.audited()); d != "" {
		t.Error(d)
	}
}

// TestFonnteShapes sends the same as PHP's array (multipart), as a form and as JSON, with a file.
func TestFonnteShapes(t *testing.T) {
	t.Parallel()
	fields := map[string]string{
		"target": "082227097005", "message": "kirim dari js", "url": "https://md.fonnte.com/images/wa-logo.png", "filename": "filename.png",
		"schedule": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10), "delay": "2", "countryCode": "62",
	}
	var parts bytes.Buffer
	w := multipart.NewWriter(&parts)
	values := url.Values{}
	for name, v := range fields {
		values.Set(name, v)
		if err := w.WriteField(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	object, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	for contentType, body := range map[string]string{w.FormDataContentType(): parts.String(), formType: values.Encode(), "application/json": string(object)} {
		s := newStranger(t, "/send")
		status, got := s.ask(s.keys["send"], contentType, body)
		list := s.queue()
		if status != 200 || len(list) != 1 || got["detail"] != "success! message will be sent on scheduled time" {
			t.Fatalf("%s: HTTP %d %v", contentType, status, got)
		}
		m := list[0]
		if m.Kind != "image" || m.Body != "kirim dari js" || m.FileName != "filename.png" || m.Phone != "6282227097005" ||
			m.State != models.MessageScheduled || strconv.FormatInt(m.NotBefore.Unix(), 10) != fields["schedule"] {
			t.Errorf("%s: %+v", contentType, m)
		}
		if _, err := os.Stat(filepath.Join(s.s.FilesDir, m.FilePath)); err != nil {
			t.Error(err)
		}
	}
}

func TestFonnteTargets(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"target=08123456789,%2B628123456780,&message=a":    "628123456789 628123456780",
		"target=0123456789&message=a&countryCode=60":       "60123456789",
		"target=60123456789&message=a&countryCode=0":       "60123456789",
		`{"target":8123456789,"message":"a"}`:              "628123456789",
		"target=120363012345678901@g.us&message=a":         "120363012345678901@g.us",
		"target=08123456789&message=a&connectOnly=false":   "628123456789",
		"target=08123456789&message=%7Bnama%7D&preview=0&": "628123456789",
	} {
		s := newStranger(t, "/send")
		status, got := s.ask(s.keys["send"], formType, body)
		if have := strings.Trim(fmt.Sprint(got["target"]), "[]"); status != 200 || have != want {
			t.Errorf("%s: HTTP %d %v", body, status, got)
		}
		if n := len(s.queue()); n != len(strings.Fields(want)) {
			t.Errorf("%s: %d messages", body, n)
		}
	}
}

func TestFonnteRefuses(t *testing.T) {
	t.Parallel()
	s := newStranger(t, "/send")
	past := strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
	for _, c := range []struct{ body, code, says string }{
		{"target=08123456789,abc,08123456780&message=a", "BULK_INVALID", `[1] abc: `},
		{"target=08123456789,8123456789&message=a", "BULK_INVALID", "as index 0"},
		{"target=08123456789|Fonnte|Admin&message=a", "FIELD_UNSUPPORTED", "`target`"},
		{"target=08123456789&message=hi+{name}", "FIELD_UNSUPPORTED", "{name}"},
		{"target=08123456789&message=a&location=-7.98,112.62", "FIELD_UNSUPPORTED", "`location`"},
		{"target=08123456789&message=a&choices=a,b&select=single&pollname=p", "FIELD_UNSUPPORTED", "`choices`"},
		{"target=08123456789&message=a&buttonJSON={}", "FIELD_UNSUPPORTED", "`buttonJSON`"},
		{"target=08123456789&message=a&connectOnly=true", "FIELD_UNSUPPORTED", "`connectOnly`"},
		{"target=08123456789&message=a&somethingnew=1", "FIELD_UNSUPPORTED", "`somethingnew`"},
		{"target=08123456789&message=a&countryCode=999", "FIELD_UNSUPPORTED", "`countryCode`"},
		{"target=08123456789&message=a&countryCode=0", "INVALID_PHONE", ""},
		{"target=08123456789&message=a&schedule=" + past, "SEND_AT_INVALID", "has passed"},
		{"target=08123456789&message=a&schedule=tomorrow", "SEND_AT_INVALID", "`schedule`"},
		{"target=08123456789", "BODY_REQUIRED", ""},
		{"message=a", "PHONE_REQUIRED", "`target`"},
		{`{"target":["08123456789"],"message":"a"}`, "FIELD_UNSUPPORTED", "`target`"},
		{`{"target":"08123456789","message":"a"`, "BAD_REQUEST", ""},
		{"target=%zz", "BAD_REQUEST", ""},
		{strings.Repeat("a", maxBulk+1), "BODY_TOO_LARGE", ""},
	} {
		if text := s.refuses("reason", c.code, s.keys["send"], formType, c.body); !strings.Contains(text, c.says) {
			t.Errorf("%.80s: %q, want it to say %q", c.body, text, c.says)
		}
	}
	upload := "--b\r\nContent-Disposition: form-data; name=\"target\"\r\n\r\n08123456789\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\nx\r\n--b--\r\n"
	s.refuses("reason", "FIELD_UNSUPPORTED", s.keys["send"], "multipart/form-data; boundary=b", upload)
}

func TestWablasAnswersAsItsDocumentationSays(t *testing.T) {
	t.Parallel()
	s := newStranger(t, "/api/v2/send-message")
	body := `{"data":[
		{"phone":"6281218444000-1387624321","message":"hello there","isGroup":"true"},
		{"phone":"6281218444001","message":"hello there","ref_id":"ord-1","secret":false,"retry":false,"priority":true,"source":"web","flag":"instant"}]}`
	status, got := s.ask(s.keys["send"], "application/json", body)
	m := s.queue()
	if status != 200 || len(m) != 2 {
		t.Fatalf("HTTP %d %v, %d messages", status, got, len(m))
	}
	item := func(i int, phone, ref string) any {
		return map[string]any{"id": m[i].ID, "phone": phone, "message": "hello there", "status": "pending", "ref_id": ref}
	}
	want := map[string]any{"status": true, "message": "Message is pending and waiting to be processed", "data": map[string]any{
		"device_id": "inst_1", "messages": []any{item(0, "6281218444000-1387624321@g.us", ""), item(1, "6281218444001", "ord-1")},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if m[0].Chat != "6281218444000-1387624321@g.us" || m[1].Priority != models.PriorityHigh || m[1].Body != "hello there" {
		t.Errorf("%+v", m)
	}
	if d := cmp.Diff([]string{"wablas.send:QUEUED"}, s.audited()); d != "" { // one line for all
		t.Error(d)
	}
	// A single one, from a program that keeps the key it has: token.secret_key.
	taken := models.NewKey{InstanceID: "inst_1", Name: "taken along", Plain: "A5DOYJtoken.secret_key", Rights: models.Rights{Scopes: models.Scopes()}}
	if _, _, err := s.db.CreateKey(context.Background(), taken); err != nil {
		t.Fatal(err)
	}
	if status, got = s.ask(taken.Plain, "application/json", `{"data":[{"phone":"081218444002","message":"one"}]}`); status != 200 || len(s.queue()) != 3 {
		t.Errorf("a single one: HTTP %d %v", status, got)
	}
}

func TestWablasRefuses(t *testing.T) {
	t.Parallel()
	s := newStranger(t, "/api/v2/send-message")
	good := `{"phone":"081218444001","message":"a"}`
	for _, c := range []struct{ body, code, says string }{
		{`{"data":[` + good + `,{"phone":"abc","message":"a"},{"phone":"081218444003"}]}`, "BULK_INVALID", "[1] abc: "},
		{`{"data":[` + good + `,{"phone":"081218444002","message":"a","secret":true}]}`, "FIELD_UNSUPPORTED", "`data[1].secret`"},
		{`{"data":[{"phone":"081218444002","message":"a","spintax":"true"}]}`, "FIELD_UNSUPPORTED", "`data[0].spintax`"},
		{`{"data":[{"phone":"081218444002","message":"a","random":true}]}`, "FIELD_UNSUPPORTED", "random"},
		{`{"data":[{"phone":"081218444002","message":{"text":"a"}}]}`, "FIELD_UNSUPPORTED", "must be a text"},
		{`{"data":[{"phone":"081218444002,081218444003","message":"a"}]}`, "INVALID_PHONE", ""},
		{`{"data":[{"phone":"081218444002","message":"a","priority":"urgent"}]}`, "PRIORITY_INVALID", ""},
		{`{"data":[{"phone":"081218444002"}]}`, "BODY_REQUIRED", ""},
		{`{"data":[{"message":"a"}]}`, "PHONE_REQUIRED", ""},
		{`{"data":[` + good + `],"device":"x"}`, "FIELD_UNSUPPORTED", "`device`"},
		{`{"data":[]}`, "BULK_INVALID", "empty"},
		{`{"data":null}`, "BULK_INVALID", "empty"},
		{`{"data":[null]}`, "PHONE_REQUIRED", ""},
		{`{"data":["a"]}`, "BAD_REQUEST", ""},
		{`{"data":"a"}`, "BAD_REQUEST", ""},
		{`null`, "BULK_INVALID", "empty"},
		{`phone=1&message=a`, "BAD_REQUEST", ""},
		{``, "BAD_REQUEST", ""},
		{`{"data":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "BAD_REQUEST", ""},
		{`{"data":[` + strings.Repeat(good+",", maxItems) + good + `]}`, "BULK_INVALID", "at most"},
	} {
		if text := s.refuses("message", c.code, s.keys["send"], "application/json", c.body); !strings.Contains(text, c.says) {
			t.Errorf("%.120s: %q, want it to say %q", c.body, text, c.says)
		}
	}
}

// TestAdaptersOpenToWhomSendDoes is TestEveryDoor for the adapters, whose routes are not in the default table.
func TestAdaptersOpenToWhomSendDoes(t *testing.T) {
	t.Parallel()
	for path, c := range map[string]struct{ sentence, body string }{
		"/send":                {"reason", `{"target":"081234567890","message":"a"}`},
		"/api/v2/send-message": {"message", `{"data":[{"phone":"081234567890","message":"a"}]}`},
	} {
		s := newStranger(t, path)
		narrow := s.key("inst_1", models.Rights{Scopes: []models.Scope{models.ScopeSend}, Recipients: []string{"6289999999999"}})
		for key, code := range map[string]string{
			"": "UNAUTHORIZED", s.keys["wrong"]: "UNAUTHORIZED", adminToken: "UNAUTHORIZED", s.keys["expired"]: "KEY_EXPIRED", s.keys["elsewhere"]: "IP_NOT_ALLOWED",
			s.keys["read"]: "SCOPE_MISSING", s.keys["manage"]: "SCOPE_MISSING", narrow: "RECIPIENT_NOT_ALLOWED",
		} {
			s.refuses(c.sentence, code, key, "application/json", c.body)
		}
		s.refuses(c.sentence, "ENCODING_UNSUPPORTED", s.keys["send"], "application/json", c.body, "Content-Encoding", "gzip")
		if status, a := s.ask(s.keys["other"], "application/json", c.body); status != 200 || s.queue()[0].InstanceID != "inst_2" {
			t.Errorf("%s: another instance's key: HTTP %d %v", path, status, a)
		}
		bearer := "Bearer " + s.keys["send"]
		s.path = path + "/"
		if status, a := s.ask(bearer, "application/json", c.body); status != 200 || len(s.queue()) != 2 {
			t.Errorf("%s: Bearer, and a slash at the end: HTTP %d %v", path, status, a)
		}
		s.path = path + "?token=" + s.keys["send"]
		s.refuses(c.sentence, "KEY_IN_URL", s.keys["send"], "application/json", c.body)
		if r := s.call(http.MethodGet, path, s.keys["send"], "", ""); r.Code != "METHOD_NOT_ALLOWED" || r.HTTP != 405 {
			t.Errorf("GET %s: %s", path, r.Text)
		}
	}
}

// TestAdapterRepeats shows that the queue's own idempotency holds for adapters.
func TestAdapterRepeats(t *testing.T) {
	t.Parallel()
	s := newStranger(t, "/send")
	for _, targets := range []string{"08123456789", "08123456780,08123456781"} {
		head := []string{"Idempotency-Key", targets}
		_, first := s.ask(s.keys["send"], formType, "message=a&target="+targets, head...)
		n := len(s.queue())
		_, again := s.ask(s.keys["send"], formType, "message=a&target="+targets, head...)
		if d := cmp.Diff(first, again); d != "" || len(s.queue()) != n || first["status"] != true {
			t.Errorf("%v, %d messages: %s", first, len(s.queue()), d)
		}
		s.refuses("reason", "IDEMPOTENCY_CONFLICT", s.keys["send"], formType, "message=b&target="+targets, head...)
	}
}

func TestAdaptersAlways200(t *testing.T) {
	t.Parallel()
	s := newStranger(t, "/send", func(d *Deps) { d.WAAlways200 = true })
	if status, a := s.ask("x", formType, "target=08123456789&message=a"); status != 200 || a["status"] != false || a["code"] != "UNAUTHORIZED" {
		t.Errorf("HTTP %d %v", status, a)
	}
}

// TestAdaptersAreOffUnlessNamed shows that an adapter's address is like any that kurir does not know, also when the
// other adapter is on.
func TestAdaptersAreOffUnlessNamed(t *testing.T) {
	t.Parallel()
	body := `{"target":"08123456789","message":"a","data":[{"phone":"08123456789","message":"a"}]}`
	for path, others := range map[string][]string{"/send": {"wablas"}, "/api/v2/send-message": {"fonnte"}} {
		for _, on := range [][]string{nil, others} {
			s := newStranger(t, path, func(d *Deps) { d.Adapters = on })
			status, a := s.ask(s.keys["send"], "application/json", body)
			s.path = "/nothing"
			nowhere, b := s.ask(s.keys["send"], "application/json", body)
			delete(a, "request_id")
			delete(b, "request_id")
			if d := cmp.Diff(b, a); d != "" || status != 404 || nowhere != 404 || len(s.queue()) != 0 {
				t.Errorf("%s with %v on: HTTP %d %v", path, on, status, a)
			}
		}
	}
}
