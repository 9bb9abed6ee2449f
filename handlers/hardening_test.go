package handlers

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// gzipped is a body that a server that unpacks it would take.
func gzipped(body string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	return b.String()
}

func TestCompressedIsRefused(t *testing.T) {
	t.Parallel()
	hello := bodyOf(map[string]any{"key": goodKey, "phone": "0812345678", "body": "Halo"})
	for _, encoding := range []string{"gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "x"} {
		for _, path := range []string{"/wa/send", "/wa/sendfile", "/v1/messages", "/v1/instances", "/login", "/nowhere"} {
			scenario{
				name: encoding + path, method: http.MethodPost, url: path, body: gzipped(hello),
				headers: admin("Content-Encoding", encoding, "Content-Type", "application/json"),
				status:  http.StatusUnsupportedMediaType, want: []string{`"code":"ENCODING_UNSUPPORTED"`},
			}.named(t)
		}
	}
	scenario{
		name: "identity", url: "/wa/send", body: hello, headers: map[string]string{"Content-Encoding": "Identity"}, status: http.StatusOK,
	}.named(t)
	scenario{ // without the header it is what it is: no JSON and no form
		name: "unannounced", url: "/wa/send", body: gzipped(hello), status: http.StatusBadRequest, want: []string{`"code":"BAD_REQUEST"`},
	}.named(t)
}

func (sc scenario) named(t *testing.T) { t.Run(sc.name, sc.run) }

// nested is JSON of that depth with the field in its outermost object.
func nested(field string, depth int) string {
	return `{"` + field + `":` + strings.Repeat(`{"a":[`, depth/2) + strings.Repeat(`]}`, depth/2) + `}`
}

// Every address that reads JSON has a bound for how much and how deep, before anything of it is looked at.
func TestEveryBodyIsBounded(t *testing.T) {
	t.Parallel()
	routes := []struct {
		method, url string
		admin       bool
		most        int
	}{
		{"POST", "/wa/send", false, maxText + maxBulk}, {"POST", "/wa/sendfileurl", false, maxText + maxBulk},
		{"POST", "/wa/cancel", false, maxText}, {"POST", "/wa/status", false, maxText},
		{"POST", "/wa/chats", false, maxText}, {"POST", "/wa/messages", false, maxText}, {"POST", "/wa/contacts", false, maxText},
		{"POST", "/v1/messages", false, maxText + maxBulk}, {"POST", "/v1/messages/3EB0AA/media", false, maxText},
		{"POST", "/v1/instances", true, maxText}, {"PATCH", "/v1/instances/inst_1", true, maxText},
		{"PUT", "/v1/instances/inst_1/media", true, maxText}, {"POST", "/v1/instances/inst_1/pairing-code", true, maxText},
		{"POST", "/v1/webhooks", true, maxText},
	}
	for _, r := range routes {
		headers := map[string]string{"Content-Type": "application/json", "X-Api-Key": goodKey}
		if r.admin {
			headers = admin("Content-Type", "application/json")
		}
		scenario{
			name: "size" + r.url, method: r.method, url: r.url, headers: headers, body: `{"name":"` + strings.Repeat("a", r.most) + `"}`,
			status: http.StatusRequestEntityTooLarge, want: []string{`"code":"BODY_TOO_LARGE"`},
		}.named(t)
		for _, field := range []string{"name", "params", "pacing", "x"} {
			scenario{
				name: "depth " + field + r.url, method: r.method, url: r.url, headers: headers, body: nested(field, 100_000),
				status: http.StatusBadRequest, want: []string{`"code":"BAD_REQUEST"`, "nested too deeply"},
			}.named(t)
		}
	}
}

func TestMultipartIsBounded(t *testing.T) {
	t.Parallel()
	form := func(parts int, name string, header int) (string, map[string]string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.WriteField("key", goodKey)
		_ = w.WriteField("phone", "0812345678")
		for i := range parts {
			part, _ := w.CreatePart(map[string][]string{
				"Content-Disposition": {fmt.Sprintf(`form-data; name="%s%d"`, name, i)}, "X-Long": {strings.Repeat("a", header)},
			})
			_, _ = part.Write([]byte("a"))
		}
		part, _ := w.CreateFormFile("file", "a.txt")
		_, _ = part.Write([]byte("Halo"))
		_ = w.Close()
		return b.String(), map[string]string{"Content-Type": w.FormDataContentType()}
	}
	tests := []struct {
		name   string
		parts  int
		field  string
		header int
		status int
		want   string
	}{
		{"some", 100, "field", 100, http.StatusOK, `"code":"QUEUED"`},
		{"many", 20_000, "f", 0, http.StatusBadRequest, "too many parts"},
		{"long names", 1, strings.Repeat("n", 5000), 0, http.StatusBadRequest, "header of a part is too long"},
		{"long headers", 1, "f", 1 << 20, http.StatusBadRequest, "header of a part is too long"},
		{"a long header at the end", 1, "f", 64 << 10, http.StatusBadRequest, "header of a part is too long"},
	}
	for _, tt := range tests {
		body, headers := form(tt.parts, tt.field, tt.header)
		scenario{
			name: tt.name, url: "/wa/sendfile", headers: headers, body: body, status: tt.status, want: []string{tt.want},
			setup: func(w *world) { w.deps.MaxFileBytes = 10 << 20 },
			check: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
				if tt.status != http.StatusOK {
					w.wantNoFiles(t)
				}
			},
		}.named(t)
	}
}

// A file among the fields of an address that wants none is passed over, whatever its size; what comes after it counts.
func TestAFileThatNobodyWantsIsPassedOver(t *testing.T) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, _ := w.CreateFormFile("logo", "a.png")
	_, _ = part.Write(make([]byte, 300<<10))
	for name, value := range map[string]string{"key": goodKey, "phone": "0812345678", "body": "Halo"} {
		_ = w.WriteField(name, value)
	}
	_ = w.Close()
	scenario{
		url: "/wa/send", headers: map[string]string{"Content-Type": w.FormDataContentType()}, body: b.String(),
		status: http.StatusOK, want: []string{`"code":"QUEUED"`},
	}.run(t)
}

// A zip bomb is a document like any other: its bytes go through as they came, and nothing unpacks them.
func TestAZipBombIsJustBytes(t *testing.T) { // not parallel: it counts what the process allocates
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	for i := range 2 {
		inside, err := z.Create(fmt.Sprintf("../../../etc/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(inside, nothing{}, 8<<20); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(w *world) { w.deps.MaxFileBytes = 1 << 20 })
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	_, _, _ = form.WriteField("key", goodKey), form.WriteField("phone", "0812345678"), form.WriteField("filename", "laporan.xlsx")
	part, _ := form.CreateFormFile("file", "laporan.xlsx")
	_, _ = part.Write(bomb.Bytes())
	_ = form.Close()
	w.serve(t, "", "/wa/sendfile", nil, largeBody(1)) // what is made once and for all is made now
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rec := w.serve(t, "", "/wa/sendfile", map[string]string{"Content-Type": form.FormDataContentType()}, &b)
	runtime.ReadMemStats(&after)
	if rec.Code != http.StatusOK {
		t.Fatalf("%s", rec.Body)
	}
	got, err := os.ReadFile(filepath.Join(w.dir, w.db.last(t).FilePath))
	if err != nil || !bytes.Equal(got, bomb.Bytes()) {
		t.Errorf("the file on disk is another (%d of %d bytes, %v)", len(got), bomb.Len(), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes were allocated for a bomb of %d", used, bomb.Len())
	}
}

type nothing struct{}

func (nothing) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
