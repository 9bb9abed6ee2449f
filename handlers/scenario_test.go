package handlers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
)

// scenario is one request and what is expected of its answer.
type scenario struct {
	name    string
	method  string // POST when there is a body and nothing else is said
	url     string
	headers map[string]string
	body    string
	setup   func(*world)
	unheld  bool // the answer is not held to the contract

	status int
	want   []string // must be in the body
	lack   []string // must not
	check  func(*testing.T, *world, *httptest.ResponseRecorder)
}

func (sc scenario) run(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		if sc.setup != nil {
			sc.setup(w)
		}
	})
	if sc.unheld {
		w.handler = New(w.deps)
	}
	rec := w.serve(t, sc.method, sc.url, sc.headers, strings.NewReader(sc.body))
	if rec.Code != sc.status {
		t.Errorf("HTTP %d, want %d", rec.Code, sc.status)
	}
	got := rec.Body.String()
	for _, s := range sc.want {
		if !strings.Contains(got, s) {
			t.Errorf("answer lacks %s", s)
		}
	}
	for _, s := range append(sc.lack, goodKey, adminToken, "goroutine", ".go:") {
		if strings.Contains(got, s) {
			t.Errorf("answer contains %s", s)
		}
	}
	if rec.Header().Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
	if sc.check != nil {
		sc.check(t, w, rec)
	}
	if t.Failed() {
		t.Logf("answer: %s", got)
	}
}

func (w *world) serve(t testing.TB, method, url string, headers map[string]string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	if method == "" {
		method = http.MethodPost
	}
	req := httptest.NewRequestWithContext(t.Context(), method, url, body)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	return rec
}

// wantNoFiles fails when something is left in the folder of files.
func (w *world) wantNoFiles(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("file left behind: %s", e.Name())
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// bodyOf is the JSON of a body.
func bodyOf(fields map[string]any) string {
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func asJSON() map[string]string { return map[string]string{"Content-Type": "application/json"} }

func asForm() map[string]string {
	return map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
}

func admin(more ...string) map[string]string {
	h := map[string]string{"Authorization": "Bearer " + adminToken}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1] //nolint:gosec // pairs: there is always one more
	}
	return h
}
