package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/fetch"
	"kurir/models"
	"kurir/problem"
)

// stored lists what was accepted as phone:body.
func (d *fakeDB) stored() (out []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.messages {
		out = append(out, strings.TrimSuffix(m.Chat, "@c.us")+":"+m.Body)
	}
	return out
}

func TestSendMany(t *testing.T) {
	t.Parallel()
	body := func(more string) string { return `{"key":"` + goodKey + `",` + more + `}` }
	accepted := func(want ...string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
			if d := cmp.Diff(want, w.db.stored()); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"wa.send:QUEUED"}, w.db.actions()); d != "" { // one line for all
				t.Error(d)
			}
			var answer struct {
				Data struct {
					Count int
					Items []struct {
						Index int
						ID    string
						State models.MessageState
					}
				}
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || answer.Data.Count != len(want) || len(answer.Data.Items) != len(want) || len(w.outbox.woken) != len(want) {
				t.Fatalf("%+v, %v, told %v", answer, err, w.outbox.woken)
			}
			for i, item := range answer.Data.Items {
				if m := w.db.messages[i]; item.Index != i || item.ID != m.ID || item.State != m.State || m.InstanceID != "inst_1" || m.Kind != "text" {
					t.Errorf("%d: %+v, %+v", i, item, m)
				}
			}
		}
	}
	nothing := func(actions ...string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if len(w.db.messages) > 0 || len(w.outbox.woken) > 0 {
				t.Errorf("accepted: %v", w.db.stored())
			}
			if d := cmp.Diff(actions, w.db.actions()); d != "" {
				t.Error(d)
			}
		}
	}
	invalid := nothing("wa.send:BULK_INVALID")
	thousand := func(n int) string {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf(`{"phone":"6281234%05d"}`, i))
		}
		return body(`"body":"` + strings.Repeat("a", 1000) + `","messages":[` + strings.Join(items, ",") + `]`)
	}
	php := url.Values{"key": {goodKey}, "body": {"a"}, "phone[0]": {"62812345678"}, "phone[1]": {"0812345679"}}.Encode()
	tests := []scenario{
		{name: "phones", body: body(`"phone":["62812345678",62812345679,"120363012345678901@g.us"],"body":"a"`), status: 200,
			want:  []string{`"code":"QUEUED"`, `"count":3`, `{"index":0,"id":"msg_`, `"phone":"62812345679","state":"queued"`, `"chat":"120363012345678901@g.us"`},
			check: accepted("62812345678:a", "62812345679:a", "120363012345678901@g.us:a")},
		{name: "one phone in a list", body: body(`"phone":["62812345678"],"body":"a"`), status: 200, want: []string{`"count":1`}, check: accepted("62812345678:a")},
		{name: "phones of a form", headers: asForm(), body: "key=" + goodKey + "&phone[]=0812345678&phone[]=62812345679&body=a", status: 200, check: accepted("62812345678:a", "62812345679:a")},
		{name: "PHP's http_build_query", headers: asForm(), body: php, status: 200, check: accepted("62812345678:a", "62812345679:a")},
		{name: "Python's form", headers: asForm(), body: dataForm(`{"params":` + body(`"phone":["62812345678","62812345679"],"body":"a"`) + `}`), status: 200, check: accepted("62812345678:a", "62812345679:a")},
		{name: "messages", body: body(`"messages":[{"phone":"62812345678","body":"a"},{"phone":"62812345679","body":"b","priority":"high","expires_in":"5m"},{"phone":"62812345678","body":"c"}]`), status: 200,
			check: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				accepted("62812345678:a", "62812345679:b", "62812345678:c")(t, w, rec)
				if m := w.db.messages[1]; m.Priority != 10 || m.ExpiresAt == nil || w.db.messages[2].Priority != 0 {
					t.Errorf("%+v", m)
				}
			}},
		{name: "what is around holds for each", body: body(`"body":"a","priority":"low","messages":[{"phone":"62812345678"},{"phone":"62812345679","body":"b","priority":"normal"}]`), status: 200,
			check: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
				accepted("62812345678:a", "62812345679:b")(t, w, rec)
				if w.db.messages[0].Priority != -10 || w.db.messages[1].Priority != 0 {
					t.Errorf("%+v", w.db.messages)
				}
			}},
		{name: "1,000, each of 1,000 characters", body: thousand(1000), status: 200, want: []string{`"count":1000`}},
		{name: "1,001", body: thousand(1001), status: 422, want: []string{`"code":"BULK_INVALID"`, "at most 1000"}, check: nothing()},
		{name: "5 MB", body: body(`"messages":[{"phone":"62812345678","body":"` + strings.Repeat("a", 5<<20) + `"}]`), status: 413, want: []string{`"code":"BODY_TOO_LARGE"`}},
		{name: "2 MB in all", body: body(`"messages":[` + strings.Repeat(`{"phone":"62812345678","body":"`+strings.Repeat("a", 65537)+`"},`, 31) + `{}]`), status: 422, want: []string{`"code":"BODY_TOO_LARGE"`, `"index":30`}},

		{name: "some are wrong: none is accepted", headers: map[string]string{"Accept-Language": "id"}, body: body(`"messages":[{"phone":"62812345678","body":"a"},{"phone":"xxx","body":"a"},{"phone":"62812345679"},{"body":"a"},7,{"phone":"62812345680","body":"a","priority":"now"},{"phone":"62812345681","body":"a","send_at":"besok"}]`), status: 422,
			want:  []string{`"code":"BULK_INVALID"`, "(6 of 7)", `{"index":1,"phone":"xxx","code":"INVALID_PHONE","message":"Nomor ini`, `{"index":2,"phone":"62812345679","code":"BODY_REQUIRED"`, `{"index":3,"phone":"","code":"PHONE_REQUIRED"`, `{"index":4,"phone":"","code":"PHONE_REQUIRED"`, `{"index":5,"phone":"62812345680","code":"PRIORITY_INVALID"`, `{"index":6,"phone":"62812345681","code":"SEND_AT_INVALID"`},
			lack:  []string{`"index":0`},
			check: invalid},
		{name: "a phone that is none", body: body(`"phone":["62812345678",null,{"a":1},""],"body":"a"`), status: 422, want: []string{`"index":1`, `"index":2`, `"index":3`, `"code":"PHONE_REQUIRED"`}, check: invalid},
		{name: "the same twice", body: body(`"phone":["62812345678","0812-345-678"],"body":"a"`), status: 422, want: []string{`{"index":1,"phone":"0812-345-678","code":"DUPLICATE"`, "as index 0"}, check: invalid},
		{name: "the same at two times", body: body(fmt.Sprintf(`"body":"a","messages":[{"phone":"62812345678"},{"phone":"62812345678","send_at":%d}]`, time.Now().Add(time.Hour).Unix())), status: 200, want: []string{`"state":"scheduled"`}, check: accepted("62812345678:a", "62812345678:a")},
		{name: "a time that has passed", body: body(`"messages":[{"phone":"62812345678","body":"a","send_at":1700000000}]`), status: 422, want: []string{`"code":"SEND_AT_INVALID"`}, check: invalid},
		{name: "a key for one of them", body: body(`"messages":[{"phone":"62812345678","body":"a","idempotency_key":"x"}]`), status: 422, want: []string{"whole request"}, check: invalid},
		{name: "both", body: body(`"phone":["62812345678"],"messages":[{"phone":"62812345678","body":"a"}]`), status: 422, want: []string{`"code":"BULK_INVALID"`, "not both"}, check: invalid},
		{name: "no phones", body: body(`"phone":[],"body":"a"`), status: 422, want: []string{`"code":"BULK_INVALID"`, "empty"}, check: invalid},
		{name: "no messages", body: body(`"messages":[]`), status: 422, want: []string{`"code":"BULK_INVALID"`, "empty"}, check: invalid},
		{name: "wait", body: body(`"phone":["62812345678"],"body":"a","wait":true`), status: 400, want: []string{"`wait`"}, check: nothing("wa.send:BAD_REQUEST")},
		{name: "no key", body: `{"phone":["62812345678"],"body":"a"}`, status: 401, check: nothing()},
		{name: "disk full", body: body(`"phone":["62812345678"],"body":"a"`), setup: func(w *world) { w.db.err = problem.New(problem.StorageFull, "") }, status: 507, want: []string{`"code":"STORAGE_FULL"`}},
		{name: "a list where one is read", url: "/wa/messages", body: body(`"phone":["62812345678"]`), status: 422, want: []string{`"code":"PHONE_REQUIRED"`}},
	}
	for _, tt := range tests {
		if tt.url == "" {
			tt.url = "/wa/send"
		}
		t.Run(tt.name, tt.run)
	}
}

func TestSendURLToMany(t *testing.T) {
	t.Parallel()
	var fetched atomic.Int32
	mux := http.NewServeMux()
	for _, name := range []string{"a.png", "b.png"} {
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, _ *http.Request) {
			fetched.Add(1)
			_, _ = w.Write(pngBytes)
		})
	}
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	w := newWorld(t, func(w *world) {
		w.deps.Fetch = fetch.New(fetch.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	})
	post := func(more, key string) *httptest.ResponseRecorder {
		return w.serve(t, "", "/wa/sendfileurl", map[string]string{"Idempotency-Key": key},
			strings.NewReader(strings.ReplaceAll(`{"key":"`+goodKey+`",`+more+`}`, "SITE", site.URL)))
	}
	const three = `"url":"SITE/a.png","caption":"x","messages":[{"phone":"62812345678"},{"phone":"62812345679","caption":"y","filename":"z.png"},{"phone":"62812345670","url":"SITE/b.png"}]`
	if rec := post(three, "k"); rec.Code != 200 || fetched.Load() != 2 {
		t.Fatalf("%s, fetched %d times", rec.Body, fetched.Load())
	}
	if d := cmp.Diff([]string{"62812345678:x", "62812345679:y", "62812345670:x"}, w.db.stored()); d != "" {
		t.Error(d)
	}
	files := map[string]bool{}
	for _, m := range w.db.messages {
		if info, err := os.Stat(filepath.Join(w.dir, m.FilePath)); err != nil || info.Size() != m.FileSize || m.Kind != "image" || files[m.FilePath] {
			t.Errorf("%+v: %v", m, err)
		}
		files[m.FilePath] = true
	}
	if n := w.db.messages[1].FileName; n != "z.png" || w.db.messages[0].FileName != "a.png" {
		t.Errorf("names %q, %q", w.db.messages[0].FileName, n)
	}
	site.CloseClientConnections()
	again := post(three, "k")
	if again.Code != 200 || !strings.Contains(again.Body.String(), `"repeated":true`) || fetched.Load() != 2 || len(w.db.messages) != 3 {
		t.Errorf("a repeat: %s, fetched %d times", again.Body, fetched.Load())
	}
	bad := post(`"messages":[{"phone":"62812345671","url":"SITE/a.png"},{"phone":"0812345672","url":"SITE/none"},{"phone":"62812345673","url":"http://10.0.0.1/"}]`, "")
	for _, want := range []string{`"code":"BULK_INVALID"`, `{"index":1,"phone":"0812345672","code":"URL_UNREACHABLE"`, `{"index":2,"phone":"62812345673","code":"URL_BLOCKED"`} {
		if !strings.Contains(bad.Body.String(), want) {
			t.Errorf("answer lacks %s: %s", want, bad.Body)
		}
	}
	var many []string
	for i := range maxBulkURLs + 1 {
		many = append(many, fmt.Sprintf(`{"phone":"628123456%02d","url":"SITE/%d"}`, i, i))
	}
	if rec := post(`"messages":[`+strings.Join(many, ",")+`]`, ""); rec.Code != 422 || !strings.Contains(rec.Body.String(), "at most 20") {
		t.Error(rec.Body)
	}
	w.db.err = problem.New(problem.StorageFull, "")
	if rec := post(`"url":"SITE/a.png","phone":["62812345678","62812345679"]`, ""); rec.Code != 507 {
		t.Error(rec.Body)
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil || len(entries) != 3 { // of the first call
		t.Errorf("%d files are left, %v", len(entries), err)
	}
}
