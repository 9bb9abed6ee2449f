package handlers

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/models"
	"kurir/problem"
)

// fakeMedia is one file for each state, each with the id med_<state>, of the first instance.
type fakeMedia struct {
	w        *world
	mu       sync.Mutex
	stored   bool // the pending one
	asked    models.Media
	settings models.MediaSettings
	open     func() (io.ReadSeekCloser, error) // nil: fileBytes
}

const (
	fileBytes = "0123456789"
	fileHash  = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
)

func (f *fakeMedia) Media(_ context.Context, id string) (models.Media, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := models.MediaState(strings.TrimPrefix(id, "med_"))
	switch state {
	case models.MediaPending:
		if f.stored {
			state = models.MediaStored
		}
	case models.MediaStored, models.MediaSkipped, models.MediaGone, models.MediaTooLarge, models.MediaFailed:
	default:
		return models.Media{}, problem.New(problem.NotFound, id)
	}
	return models.Media{
		ID: id, InstanceID: "inst_1", State: state, SHA256: fileHash, Size: 10, MimeType: "text/html", FileName: "a.html", Error: "PAGE_TIMEOUT",
	}, nil
}

func (f *fakeMedia) Open(models.Media) (io.ReadSeekCloser, error) {
	if f.open != nil {
		return f.open()
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{strings.NewReader(fileBytes), io.NopCloser(nil)}, nil
}

func (f *fakeMedia) Check(id string, query url.Values) error {
	switch query.Get("signature") {
	case id:
		return nil
	case "old":
		return problem.New(problem.LinkExpired, "")
	}
	return problem.New(problem.LinkInvalid, "")
}

func (f *fakeMedia) Ask(_ context.Context, want models.Media) (models.Media, error) {
	f.asked = want
	want.ID, want.State = "med_new", models.MediaPending
	return want, nil
}

func (f *fakeMedia) SetMedia(_ context.Context, id string, m models.MediaSettings) error {
	f.settings = m
	return f.w.instances.do("media", id)
}

// noEvents is an event log in which nothing happens but what the test tells.
type noEvents struct {
	EventReader
	changed chan struct{}
}

func (n noEvents) EventsChanged() <-chan struct{} { return n.changed }

func TestMediaFile(t *testing.T) {
	t.Parallel()
	quiet := func(w *world) { w.deps.Events = noEvents{changed: make(chan struct{})} }
	key := map[string]string{"X-Api-Key": goodKey}
	with := func(name, value string) map[string]string {
		return map[string]string{"X-Api-Key": goodKey, name: value}
	}
	header := func(name, want string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, _ *world, rec *httptest.ResponseRecorder) {
			if got := rec.Header().Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	for _, tt := range []scenario{
		{name: "whole", url: "/v1/media/med_stored", headers: key, status: 200, want: []string{fileBytes}, check: header("Content-Disposition", `attachment; filename="a.html"`)},
		{name: "is not run", url: "/v1/media/med_stored", headers: key, status: 200, check: header("Content-Security-Policy", "sandbox; default-src 'none'")},
		{name: "is not guessed", url: "/v1/media/med_stored", headers: admin(), status: 200, check: header("X-Content-Type-Options", "nosniff")},
		{name: "head", method: "HEAD", url: "/v1/media/med_stored", headers: key, status: 200, lack: []string{fileBytes}, check: header("Content-Length", "10")},
		{name: "a part", url: "/v1/media/med_stored", headers: with("Range", "bytes=2-4"), status: 206, want: []string{"234"}, lack: []string{"5"}, check: header("Content-Range", "bytes 2-4/10")},
		{name: "no part", url: "/v1/media/med_stored", headers: with("Range", "bytes=10-"), status: 416},
		{name: "the rest of the same", url: "/v1/media/med_stored", headers: map[string]string{"X-Api-Key": goodKey, "Range": "bytes=8-", "If-Range": `"` + fileHash + `"`}, status: 206, want: []string{"89"}},
		{name: "the rest of another", url: "/v1/media/med_stored", headers: map[string]string{"X-Api-Key": goodKey, "Range": "bytes=8-", "If-Range": `"abd"`}, status: 200, want: []string{fileBytes}},
		{name: "known", url: "/v1/media/med_stored", headers: with("If-None-Match", `"`+fileHash+`"`), status: 304},
		{name: "link", url: "/v1/media/med_stored?signature=med_stored", status: 200, want: []string{fileBytes}},
		{name: "link of another file", url: "/v1/media/med_stored?signature=med_gone", headers: key, status: 403, want: []string{`"code":"LINK_INVALID"`}},
		{name: "old link", url: "/v1/media/med_stored?signature=old", status: 410, want: []string{`"code":"LINK_EXPIRED"`}},
		{name: "no key", url: "/v1/media/med_stored", status: 401, lack: []string{fileBytes}},
		{name: "wrong key", url: "/v1/media/med_stored", headers: map[string]string{"Authorization": "Bearer x"}, status: 401},
		{name: "another's key", url: "/v1/media/med_stored", headers: map[string]string{"X-Api-Key": otherKey}, status: 404, lack: []string{fileBytes}},
		{name: "none", url: "/v1/media/med_none", headers: key, status: 404},
		{name: "pending", url: "/v1/media/med_pending", headers: key, status: 409, want: []string{`"code":"MEDIA_PENDING"`, `"state":"pending"`}, check: header("Retry-After", "2")},
		{name: "pending, patient", url: "/v1/media/med_pending?wait=0.01", headers: key, status: 409},
		{name: "impatient", url: "/v1/media/med_pending?wait=x", headers: key, status: 400},
		{name: "skipped", url: "/v1/media/med_skipped?wait=30", headers: key, status: 409, want: []string{`"code":"MEDIA_SKIPPED"`}},
		{name: "gone", url: "/v1/media/med_gone", headers: key, status: 410, want: []string{`"code":"MEDIA_GONE"`}},
		{name: "too large", url: "/v1/media/med_too_large", headers: key, status: 409, want: []string{`"code":"MEDIA_TOO_LARGE"`}},
		{name: "failed", url: "/v1/media/med_failed", headers: key, status: 502, want: []string{`"code":"MEDIA_FAILED"`, "PAGE_TIMEOUT"}},
	} {
		tt.setup = quiet
		if tt.method == "" {
			tt.method = http.MethodGet
		}
		t.Run(tt.name, tt.run)
	}
}

// Who waits for a pending file gets it when it is there.
func TestMediaFileThatIsWaitedFor(t *testing.T) {
	t.Parallel()
	changed := make(chan struct{})
	var files *fakeMedia
	w := newWorld(t, func(w *world) {
		files = &fakeMedia{w: w}
		w.deps.Media, w.deps.Events = files, noEvents{changed: changed}
	})
	done := make(chan *httptest.ResponseRecorder)
	go func() {
		done <- w.serve(t, http.MethodGet, "/v1/media/med_pending?wait=40", map[string]string{"X-Api-Key": goodKey}, strings.NewReader(""))
	}()
	for range 2 { // something happened, not to the file: it looks again, and waits again
		changed <- struct{}{}
	}
	files.mu.Lock()
	files.stored = true
	files.mu.Unlock()
	close(changed) // it may be looking just now, and wait no more
	if rec := <-done; rec.Code != 200 || rec.Body.String() != fileBytes {
		t.Errorf("HTTP %d %s", rec.Code, rec.Body)
	}
}

// zeros is a file of any size.
type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) { clear(b); return len(b), nil }

type closer func()

func (c closer) Close() error { c(); return nil }

// A reader that takes nothing is cut off: it keeps a file open and a goroutine.
func TestStalledReader(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	w := newWorld(t)
	w.deps.Media.(*fakeMedia).open = func() (io.ReadSeekCloser, error) {
		return struct {
			io.ReadSeeker
			io.Closer
		}{io.NewSectionReader(zeros{}, 0, 1<<40), closer(func() { close(closed) })}, nil
	}
	s := newServer(w.deps)
	s.Events = noEvents{changed: make(chan struct{})}
	s.streamPatience = 100 * time.Millisecond
	srv := httptest.NewServer(held(t, s.Deps, s.router()))
	defer srv.Close()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /v1/media/med_stored HTTP/1.1\r\nHost: x\r\nX-Api-Key: "+goodKey+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("it still waits for the reader")
	}
}

func TestAskMediaAndSettings(t *testing.T) {
	t.Parallel()
	asked := func(want models.Media) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if d := cmp.Diff(want, w.deps.Media.(*fakeMedia).asked); d != "" {
				t.Error(d)
			}
		}
	}
	set := func(want models.MediaSettings) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if d := cmp.Diff(want, w.deps.Media.(*fakeMedia).settings); d != "" {
				t.Error(d)
			}
		}
	}
	limit := func(w *world) { w.deps.MaxMediaBytes = 50_000_000; w.deps.Media = &fakeMedia{w: w} }
	for _, tt := range []scenario{
		{name: "own", url: "/v1/messages/3EB0AA/media", body: `{"key":"` + goodKey + `"}`, status: 202, want: []string{`"code":"PENDING"`, `"id":"med_new"`}, check: asked(models.Media{InstanceID: "inst_1", MessageID: "3EB0AA"})},
		{name: "by its chat", url: "/v1/messages/3EB0AA/media", headers: asForm(), body: "chat=0812345678&key=" + goodKey, status: 202, check: asked(models.Media{InstanceID: "inst_1", MessageID: "3EB0AA", Chat: "62812345678@c.us", Phone: "62812345678"})},
		{name: "operator", url: "/v1/messages/3EB0AA/media", headers: admin(), body: `{"instance":"inst_2"}`, status: 202, check: asked(models.Media{InstanceID: "inst_2", MessageID: "3EB0AA"})},
		{name: "operator, whose", url: "/v1/messages/3EB0AA/media", headers: admin(), body: `{}`, status: 400, want: []string{"`instance`"}},
		{name: "operator, of nobody", url: "/v1/messages/3EB0AA/media", headers: admin(), body: `{"instance":"inst_9"}`, status: 404},
		{name: "no key", url: "/v1/messages/3EB0AA/media", body: `{}`, status: 401, check: asked(models.Media{})},
		{name: "a key cannot name another instance", url: "/v1/messages/3EB0AA/media", body: `{"key":"` + goodKey + `","instance":"inst_2"}`, status: 404, check: asked(models.Media{})},
		{name: "no id of a message", url: "/v1/messages/a%22b/media", body: `{"key":"` + goodKey + `"}`, status: 400},
		{name: "no chat", url: "/v1/messages/3EB0AA/media", body: `{"key":"` + goodKey + `","chat":"x"}`, status: 422},

		{name: "settings", method: "GET", url: "/v1/instances/inst_1/media", headers: admin(), status: 200, want: []string{`"data":{"auto":true,"types":[],"max_mb":0}`}},
		{name: "set", method: "PUT", url: "/v1/instances/inst_1/media", headers: admin(), body: `{"auto":true,"types":["video","image","image"],"max_mb":50}`, status: 200, check: set(models.MediaSettings{Set: true, Auto: true, Types: []string{"image", "video"}, MaxMB: 50})},
		{name: "set nothing", method: "PUT", url: "/v1/instances/inst_1/media", headers: admin(), body: `{}`, status: 200, check: set(models.MediaSettings{Set: true, Auto: true})},
		{name: "on demand only", method: "PUT", url: "/v1/instances/inst_1/media", headers: admin(), body: `{"auto":false}`, status: 200, check: set(models.MediaSettings{Set: true})},
		{name: "more than the gateway", method: "PUT", url: "/v1/instances/inst_1/media", headers: admin(), body: `{"max_mb":51}`, status: 422, want: []string{`"code":"MEDIA_SETTINGS_INVALID"`, "50"}},
		{name: "less than nothing", method: "PUT", url: "/v1/instances/inst_1/media", headers: admin(), body: `{"max_mb":-1}`, status: 422},
		{name: "overflow", method: "PUT", url: "/v1/instances/inst_1/media", headers: admin(), body: `{"max_mb":9223372036854775807}`, status: 422},
		{name: "unknown type", method: "PUT", url: "/v1/instances/inst_1/media", headers: admin(), body: `{"types":["gif"]}`, status: 422, want: []string{"sticker"}},
		{name: "of nobody", method: "PUT", url: "/v1/instances/inst_9/media", headers: admin(), body: `{}`, status: 404},
		{name: "a key may not", method: "PUT", url: "/v1/instances/inst_1/media", headers: map[string]string{"Authorization": "Bearer " + goodKey}, body: `{}`, status: 403},
	} {
		tt.setup = limit
		t.Run(tt.name, tt.run)
	}
}
