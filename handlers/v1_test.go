package handlers

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

func TestInstances(t *testing.T) {
	t.Parallel()
	did := func(want ...string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if d := cmp.Diff(want, w.instances.calls); d != "" {
				t.Error(d)
			}
		}
	}
	tests := []scenario{
		{name: "create", url: "/v1/instances", headers: admin(), body: `{"name":" toko 2 ","sandbox":true,"region":"my","language":"ms-MY","time_zone":"Asia/Kuala_Lumpur","key":"0123456789abcdef"}`, status: 201,
			want: []string{`"status":true`, `"code":"CREATED"`, `"id":"inst_new"`, `"key":"kurir_live_new"`, `"state":"STOPPED"`, `"sandbox":true`},
			check: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				want := CreateInstance{Name: "toko 2", Sandbox: true, Key: "0123456789abcdef", Region: "MY", Language: "ms-MY", TimeZone: "Asia/Kuala_Lumpur"}
				if d := cmp.Diff(want, w.instances.created); d != "" {
					t.Error(d)
				}
				line := w.db.lines[0]
				if line.Actor != "admin" || line.Action != "instance.create" || line.InstanceID != "inst_new" || line.Code != "CREATED" {
					t.Errorf("%+v", line)
				}
			}},
		{name: "create, did not start: the key is shown all the same", url: "/v1/instances", headers: admin(), body: `{"name":"broken"}`, status: 201, want: []string{`"key":"kurir_live_new"`}},
		{name: "name taken", url: "/v1/instances", headers: admin(), body: `{"name":"taken"}`, status: 409, want: []string{`"code":"INSTANCE_EXISTS"`}},
		{name: "no name", url: "/v1/instances", headers: admin(), body: `{}`, status: 400, want: []string{"`name`"}},
		{name: "control character in the name", url: "/v1/instances", headers: admin(), body: `{"name":"a\u0007"}`, status: 400},
		{name: "long name", url: "/v1/instances", headers: admin(), body: `{"name":"` + strings.Repeat("a", 101) + `"}`, status: 400},
		{name: "no such region", url: "/v1/instances", headers: admin(), body: `{"name":"a","region":"XX"}`, status: 400, want: []string{"`region`"}},
		{name: "no such language", url: "/v1/instances", headers: admin(), body: `{"name":"a","language":"--lang=x"}`, status: 400, want: []string{"`language`"}},
		{name: "wrong type", url: "/v1/instances", headers: admin(), body: `{"name":1}`, status: 400, want: []string{"`name`"}},
		{name: "no JSON", url: "/v1/instances", headers: admin(), body: `name=a`, status: 400, want: []string{`"code":"BAD_REQUEST"`}},
		{name: "2 MB", url: "/v1/instances", headers: admin(), body: `{"name":"` + strings.Repeat("a", 2<<20) + `"}`, status: 413, want: []string{`"code":"BODY_TOO_LARGE"`}},
		{name: "list", method: "GET", url: "/v1/instances", headers: admin(), status: 200, want: []string{`"data":[{"id":"inst_1"`, `"id":"inst_2"`, `"state":"WORKING"`, `"pushname":"Toko"`, `"wa_version":"2.3000.1"`}, lack: []string{`"key"`}, check: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if len(w.db.lines) > 0 {
				t.Error("a look was audited")
			}
		}},
		{name: "one", method: "GET", url: "/v1/instances/inst_1", headers: admin(), status: 200, want: []string{`"phone":"6281100001234"`, `"since":`}},
		{name: "one that is stopped shows its last number", method: "GET", url: "/v1/instances/inst_2", headers: admin(), status: 200, want: []string{`"state":"STOPPED"`, `"phone":"12025550123"`}},
		{name: "none", method: "GET", url: "/v1/instances/inst_9", headers: admin(), status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "start", url: "/v1/instances/inst_1/start", headers: admin(), status: 200, want: []string{`"state":"WORKING"`}, check: did("start inst_1")},
		{name: "stop", url: "/v1/instances/inst_1/stop", headers: admin(), status: 200, check: did("stop inst_1")},
		{name: "restart", url: "/v1/instances/inst_1/restart", headers: admin(), status: 200, check: did("restart inst_1")},
		{name: "logout", url: "/v1/instances/inst_1/logout", headers: admin(), status: 200, check: func(t *testing.T, w *world, rec *httptest.ResponseRecorder) {
			did("logout inst_1")(t, w, rec)
			if line := w.db.lines[0]; line.Action != "instance.logout" || line.InstanceID != "inst_1" || line.Code != "OK" {
				t.Errorf("%+v", line)
			}
		}},
		{name: "start none", url: "/v1/instances/inst_9/start", headers: admin(), status: 404},
		{name: "dance", url: "/v1/instances/inst_1/dance", headers: admin(), status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "delete", method: "DELETE", url: "/v1/instances/inst_1", headers: admin(), status: 200, want: []string{`"data":null`}, check: did("delete inst_1")},
		{name: "logout while stopped", url: "/v1/instances/inst_2/logout", headers: admin(), setup: func(w *world) { w.instances.err = problem.New(problem.InstanceNotReady, "STOPPED") }, status: 503, want: []string{`"code":"INSTANCE_NOT_READY"`}},
		{name: "pairing code", url: "/v1/instances/inst_1/pairing-code", headers: admin(), body: `{"phone":"0811-0000-1234"}`, status: 200, want: []string{`"code":"ABCD1234"`, `"phone":"6281100001234"`}, check: did("pair 6281100001234 inst_1")},
		{name: "pairing code, region of the instance", url: "/v1/instances/inst_2/pairing-code", headers: admin(), body: `{"phone":2025550123}`, status: 200, check: did("pair 12025550123 inst_2")},
		{name: "pairing code for a group", url: "/v1/instances/inst_1/pairing-code", headers: admin(), body: `{"phone":"120363012345678901@g.us"}`, status: 422, want: []string{`"code":"INVALID_PHONE"`}},
		{name: "pairing code for nobody", url: "/v1/instances/inst_1/pairing-code", headers: admin(), body: `{}`, status: 422, want: []string{`"code":"PHONE_REQUIRED"`}},
		{name: "pairing code, already linked", url: "/v1/instances/inst_1/pairing-code", headers: admin(), body: `{"phone":"0812345678"}`, setup: func(w *world) { w.instances.err = problem.New(problem.InstanceNotReady, "WORKING") }, status: 503, want: []string{`"state":"WORKING"`}},

		{name: "no token", method: "GET", url: "/v1/instances", status: 401, want: []string{`"code":"UNAUTHORIZED"`, "admin token"}},
		{name: "wrong token", method: "GET", url: "/v1/instances", headers: map[string]string{"Authorization": "Bearer no"}, status: 401},
		{name: "bare token", method: "GET", url: "/v1/instances", headers: map[string]string{"Authorization": adminToken}, status: 401},
		{name: "key as token", url: "/v1/instances", headers: map[string]string{"Authorization": "Bearer " + goodKey}, body: `{"name":"a"}`, status: 403, want: []string{`"code":"SCOPE_MISSING"`}, check: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if got := w.db.actions(); len(got) != 1 || got[0] != "instance.create:SCOPE_MISSING" || w.instances.created.Name != "" {
				t.Error("it went on", got)
			}
		}},
		{name: "PUT", method: "PUT", url: "/v1/instances", headers: admin(), status: 405, want: []string{`"code":"METHOD_NOT_ALLOWED"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

func TestQR(t *testing.T) {
	t.Parallel()
	const text = "2@abc,def,ghi,jkl,1"
	shown := func(w *world) {
		w.instances.qr = browser.QR{Text: text, Expires: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	}
	contentType := func(want string, check func([]byte) error) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
			if got := rec.Header().Get("Content-Type"); got != want || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%v", rec.Header())
			}
			if err := check(rec.Body.Bytes()); err != nil {
				t.Error(err)
			}
		}
	}
	isPNG := contentType("image/png", func(b []byte) error {
		img, err := png.Decode(bytes.NewReader(b))
		if err == nil && img.Bounds().Dx() != qrSize {
			err = errors.New("size")
		}
		return err
	})
	isSVG := contentType("image/svg+xml", func(b []byte) error { return xml.Unmarshal(b, new(struct{})) })
	get := func(name, accept string, sc scenario) scenario {
		sc.name, sc.method, sc.url, sc.setup = name, "GET", "/v1/instances/inst_1/qr", shown
		sc.headers, sc.status = admin("Accept", accept), 200
		return sc
	}
	tests := []scenario{
		get("PNG", "image/png", scenario{check: isPNG}),
		get("anything", "*/*", scenario{check: isPNG}),
		get("nothing said", "", scenario{check: isPNG}),
		get("a browser's picture", "image/avif,image/webp,image/apng,image/*,*/*;q=0.8", scenario{check: isPNG}),
		get("something else", "application/pdf", scenario{check: isPNG}),
		get("SVG", "image/svg+xml", scenario{check: isSVG, want: []string{"<svg ", "viewBox"}}),
		get("text", "text/plain", scenario{check: contentType("text/plain; charset=utf-8", func(b []byte) error {
			if string(b) != text {
				return errors.New(string(b))
			}
			return nil
		})}),
		get("JSON", "application/json", scenario{want: []string{`"text":"` + text + `"`, `"expires":"2026-11-23T10:00:00Z"`}}),
		{name: "none", method: "GET", url: "/v1/instances/inst_1/qr", headers: admin("Accept", "image/png"), status: 409, want: []string{`"code":"NO_QR"`, `"data":{"state":"WORKING"}`}},
		{name: "no instance", method: "GET", url: "/v1/instances/inst_9/qr", headers: admin(), setup: shown, status: 404},
		{name: "no token", method: "GET", url: "/v1/instances/inst_1/qr", setup: shown, status: 401, lack: []string{text}},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	lines := func(w *world) {
		for range 5 {
			w.db.lines = append(w.db.lines, models.AuditEntry{Action: "wa.send", Code: "QUEUED", InstanceID: "inst_1"})
		}
		w.db.lines[4].InstanceID = "inst_2"
	}
	tests := []scenario{
		{name: "all", method: "GET", url: "/v1/audit", headers: admin(), setup: lines, status: 200, want: []string{`"id":1`, `"id":5`, `"action":"wa.send"`}},
		{name: "page", method: "GET", url: "/v1/audit?after=2&limit=2", headers: admin(), setup: lines, status: 200, want: []string{`"id":3`, `"id":4`}, lack: []string{`"id":2`, `"id":5`}},
		{name: "instance", method: "GET", url: "/v1/audit?instance=inst_2", headers: admin(), setup: lines, status: 200, want: []string{`"id":5`}, lack: []string{`"id":1`}},
		{name: "end", method: "GET", url: "/v1/audit?after=5", headers: admin(), setup: lines, status: 200, want: []string{`"data":[]`}},
		{name: "bad after", method: "GET", url: "/v1/audit?after=x", headers: admin(), status: 400},
		{name: "negative after", method: "GET", url: "/v1/audit?after=-1", headers: admin(), status: 400},
		{name: "bad limit", method: "GET", url: "/v1/audit?limit=1001", headers: admin(), status: 422, want: []string{`"code":"LIMIT_INVALID"`}},
		{name: "since", method: "GET", url: "/v1/audit?since=2000-01-01", headers: admin(), setup: lines, status: 200, want: []string{`"data":[]`}},
		{name: "bad since", method: "GET", url: "/v1/audit?since=soon", headers: admin(), status: 400, want: []string{"`since`"}},
		{name: "no token", method: "GET", url: "/v1/audit", setup: lines, status: 401},
		{name: "csv", method: "GET", url: "/v1/audit.csv?after=2", headers: admin(), setup: lines, status: 200, want: []string{"id,time,actor,", "\n3,", "\n5,", ",wa.send,inst_1,"}, lack: []string{"\n2,"}},
		{name: "csv of an instance", method: "GET", url: "/v1/audit.csv?instance=inst_2", headers: admin(), setup: lines, status: 200, want: []string{"\n5,"}, lack: []string{"\n1,"}},
		{name: "csv, bad since", method: "GET", url: "/v1/audit.csv?since=soon", headers: admin(), status: 400, want: []string{`"code":"BAD_REQUEST"`}},
		{name: "csv, no database", method: "GET", url: "/v1/audit.csv", headers: admin(), setup: func(w *world) { w.db.err = problem.New(problem.Unavailable, "") }, status: 503, want: []string{`"code":"UNAVAILABLE"`}},
		{name: "csv, no token", method: "GET", url: "/v1/audit.csv", setup: lines, status: 401, lack: []string{"wa.send"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

func TestHealthAndConsole(t *testing.T) {
	t.Parallel()
	console := func(w *world) {
		w.deps.Console = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/gone" {
				http.Error(rw, "gone", http.StatusGone)
				return
			}
			_, _ = rw.Write([]byte("console of " + r.URL.Path)) //nolint:gosec // the test's own console, seen by no browser
		})
	}
	ready := func(err error) func(*world) {
		return func(w *world) { w.deps.Ready = func(context.Context) error { return err } }
	}
	tests := []scenario{
		{name: "healthz", method: "GET", url: "/healthz", status: 200, want: []string{`"status":true`}},
		{name: "readyz", method: "GET", url: "/readyz", setup: ready(nil), status: 200, want: []string{`"status":true`}},
		{name: "not ready", method: "GET", url: "/readyz", setup: ready(errors.New("/secret/path is gone")), status: 503, want: []string{`"code":"UNAVAILABLE"`}, lack: []string{"secret"}},
		{name: "console", method: "GET", url: "/", setup: console, status: 200, want: []string{"console of /"}},
		{name: "console, deeper", method: "GET", url: "/instances/inst_1", setup: console, status: 200, want: []string{"console of /instances/inst_1"}},
		{name: "console's own error", method: "GET", url: "/gone", setup: console, status: 410},
		{name: "console gets nothing of the API", method: "GET", url: "/v1/x", setup: console, status: 404, want: []string{`"code":"NOT_FOUND"`}, lack: []string{"console"}},
		{name: "without a console", method: "GET", url: "/", status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "console panics", method: "GET", url: "/", setup: func(w *world) {
			w.deps.Console = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") })
		}, status: 500, want: []string{`"code":"INTERNAL"`}, lack: []string{"secret"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}
