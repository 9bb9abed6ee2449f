package handlers

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kurir/fetch"
	"kurir/problem"
)

var (
	pngBytes = append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01^\x00\x00\x00\x96"), bytes.Repeat([]byte{0xfb, 0xef, 0xbe, 0}, 500)...)
	pngB64   = base64.StdEncoding.EncodeToString(pngBytes)
)

func filePart(t *testing.T, partName, fileName string, content []byte, fields ...string) (map[string]string, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"; filename="%s"`, partName, fileName)}, "Content-Type": {"application/x-lie"}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(content)
	for i := 0; i < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1]) //nolint:gosec // pairs: there is always one more
	}
	_ = w.Close()
	return map[string]string{"Content-Type": w.FormDataContentType()}, b.String()
}

func TestSendFile(t *testing.T) {
	t.Parallel()
	php := func(body, more string) string {
		return fmt.Sprintf(`{"key":"%s","phone":"62812345678","body":"%s","filename":"test.png","caption":"keterangan gambar"%s}`, goodKey, strings.ReplaceAll(body, "/", `\/`), more)
	}
	python := fmt.Sprintf(`{"method": "POST", "params": {"key": "%s", "phone": "62812345678", "body": "%s", "filename": "test.png", "caption": "keterangan gambar"}}`, goodKey, pngB64)
	partHeaders, partBody := filePart(t, "file", "test.png", pngBytes, "key", goodKey, "phone", "0812345678", "caption", "keterangan gambar")
	renamedHeaders, renamedBody := filePart(t, "body", "IMG_1.bin", pngBytes, "key", goodKey, "phone", "0812345678", "filename", "test.png", "caption", "keterangan gambar")

	arrived := func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		m := w.db.last(t)
		if m.FileName != "test.png" || m.Body != "keterangan gambar" || m.Kind != "image" || m.MimeType != "image/png" || m.FileSize != int64(len(pngBytes)) || m.Phone != "62812345678" {
			t.Errorf("%+v", m)
		}
		if filepath.Base(m.FilePath) != m.FilePath {
			t.Errorf("path %q is not relative", m.FilePath)
		}
		name := filepath.Join(w.dir, m.FilePath)
		got, err := os.ReadFile(name) //nolint:gosec // a file whose name the test itself made or knows
		if err != nil || !bytes.Equal(got, pngBytes) {
			t.Errorf("on disk: %d bytes, %v", len(got), err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode: %v %v", info.Mode(), err)
		}
		if d := cmp.Diff([]string{"wa.sendfile:QUEUED"}, w.db.actions()); d != "" {
			t.Error(d)
		}
	}
	for _, tt := range []scenario{
		{name: "PHP sample", headers: asJSON(), body: php(pngB64, "")},
		{name: "PHP sample, data URL", headers: asJSON(), body: php("data:image/png;base64,"+pngB64, "")},
		{name: "Python sample", headers: asForm(), body: dataForm(python)},
		{name: "form", headers: asForm(), body: url.Values{"body": {pngB64}, "key": {goodKey}, "phone": {"0812345678"}, "filename": {"test.png"}, "caption": {"keterangan gambar"}}.Encode()},
		{name: "a real file", headers: partHeaders, body: partBody},
		{name: "a real file, renamed", headers: renamedHeaders, body: renamedBody},
		{name: "key in a header, body first", headers: map[string]string{"X-Api-Key": goodKey}, body: fmt.Sprintf(`{"body":"%s","phone":"0812345678","filename":"test.png","caption":"keterangan gambar"}`, pngB64)},
	} {
		tt.url, tt.status, tt.check = "/wa/sendfile", 200, arrived
		tt.want = []string{`"code":"QUEUED"`, `"filename":"test.png"`, `"kind":"image"`, fmt.Sprintf(`"size":%d`, len(pngBytes))}
		t.Run(tt.name, tt.run)
	}
}

func TestSendFileRefused(t *testing.T) {
	t.Parallel()
	body := func(b64, filename string) string {
		return fmt.Sprintf(`{"key":"%s","phone":"62812345678","filename":"%s","body":"%s"}`, goodKey, filename, b64)
	}
	big := base64.StdEncoding.EncodeToString(make([]byte, 100_001))
	bigHeaders, bigBody := filePart(t, "file", "a.bin", make([]byte, 100_001), "key", goodKey, "phone", "0812345678")
	evilHeaders, evilBody := filePart(t, "file", "../../etc/passwd", pngBytes, "key", goodKey, "phone", "0812345678")
	noNameHeaders, noNameBody := filePart(t, "file", "", pngBytes, "key", goodKey, "phone", "0812345678")
	for _, tt := range []scenario{
		{name: "no base64", body: body("not base64", "a.png"), status: 422, want: []string{`"code":"BAD_BASE64"`}},
		{name: "the sample's dots", body: body("iVBORw0KGgo.....", "a.png"), status: 422, want: []string{`"code":"BAD_BASE64"`}},
		{name: "no body", body: `{"key":"` + goodKey + `","phone":"62812345678","filename":"a.png"}`, status: 422, want: []string{`"code":"BODY_REQUIRED"`}},
		{name: "body null", body: `{"key":"` + goodKey + `","phone":"62812345678","filename":"a.png","body":null}`, status: 422, want: []string{`"code":"BODY_REQUIRED"`}},
		{name: "empty body", body: body("", "a.png"), status: 422, want: []string{`"code":"BODY_REQUIRED"`}},
		{name: "empty data URL", body: body("data:image/png;base64,", "a.png"), status: 422, want: []string{`"code":"BODY_REQUIRED"`}},
		{name: "no file name", body: body(pngB64, " "), status: 422, want: []string{`"code":"FILENAME_REQUIRED"`}},
		{name: "part without a file name", headers: noNameHeaders, body: noNameBody, status: 422, want: []string{`"code":"FILENAME_REQUIRED"`}},
		{name: "path", body: body(pngB64, "../a.png"), status: 422, want: []string{`"code":"FILENAME_INVALID"`}},
		{name: "path of Windows", body: body(pngB64, `C:\\a.png`), status: 422, want: []string{`"code":"FILENAME_INVALID"`}},
		{name: "path in a part", headers: evilHeaders, body: evilBody, status: 422, want: []string{`"code":"FILENAME_INVALID"`}},
		{name: "two dots", body: body(pngB64, ".."), status: 422, want: []string{`"code":"FILENAME_INVALID"`}},
		{name: "line end in the name", body: body(pngB64, `a\n.png`), status: 422, want: []string{`"code":"FILENAME_INVALID"`}},
		{name: "NUL in the name", body: body(pngB64, `a\u0000.png`), status: 422, want: []string{`"code":"FILENAME_INVALID"`}},
		{name: "direction in the name", body: body(pngB64, `gpj\u202eexe.png`), status: 422, want: []string{`"code":"FILENAME_INVALID"`}},
		{name: "long name", body: body(pngB64, strings.Repeat("a", 256)), status: 422, want: []string{`"code":"FILENAME_INVALID"`}},
		{name: "too large", body: body(big, "a.bin"), status: 413, want: []string{`"code":"FILE_TOO_LARGE"`, "100000"}},
		{name: "too large, a real file", headers: bigHeaders, body: bigBody, status: 413, want: []string{`"code":"FILE_TOO_LARGE"`}},
		{name: "far too large", body: body(strings.Repeat(big, 20), "a.bin"), status: 413, want: []string{`"code":"FILE_TOO_LARGE"`}},
		{name: "wrong key before the file", body: `{"key":"wrong","body":"` + pngB64 + `"}`, status: 401, want: []string{`"code":"UNAUTHORIZED"`}},
		{name: "wrong key after the file", body: `{"body":"` + pngB64 + `","key":"wrong","phone":"0812345678","filename":"a.png"}`, status: 401, want: []string{`"code":"UNAUTHORIZED"`}},
		{name: "good key, then a wrong one", body: `{"key":"` + goodKey + `","body":"` + pngB64 + `","params":{"key":"wrong"},"phone":"0812345678","filename":"a.png"}`, status: 401},
		{name: "no key", body: `{"body":"` + pngB64 + `"}`, status: 401},
		{name: "bad phone", body: `{"key":"` + goodKey + `","body":"` + pngB64 + `","phone":"abc","filename":"a.png"}`, status: 422, want: []string{`"code":"INVALID_PHONE"`}},
		{name: "ends early", body: `{"key":"` + goodKey + `","phone":"0812345678","filename":"a.png","body":"` + pngB64, status: 400, want: []string{`"code":"BAD_REQUEST"`}},
		{name: "two files", body: `{"key":"` + goodKey + `","body":"` + pngB64 + `","params":{"body":"` + pngB64 + `"}}`, status: 400, want: []string{"two files"}},
		{name: "long caption", body: `{"key":"` + goodKey + `","phone":"0812345678","filename":"a.png","caption":"` + strings.Repeat("a", 65537) + `","body":"` + pngB64 + `"}`, status: 413, want: []string{`"code":"BODY_TOO_LARGE"`}},
		{name: "database gone", body: body(pngB64, "a.png"), setup: func(w *world) { w.db.err = errors.New("gone") }, status: 500, want: []string{`"code":"INTERNAL"`}},
		{name: "folder gone", body: body(pngB64, "a.png"), setup: func(w *world) { w.deps.FilesDir = "/nonexistent" }, status: 500, want: []string{`"code":"INTERNAL"`}, lack: []string{"nonexistent"}},
	} {
		tt.url = "/wa/sendfile"
		tt.check = func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			w.wantNoFiles(t)
			if len(w.db.messages) > 0 {
				t.Errorf("accepted: %+v", w.db.messages)
			}
		}
		t.Run(tt.name, tt.run)
	}
}

// The limit counts the file, not what it is wrapped in: a file of exactly the limit passes.
func TestFileOfTheLimit(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte{0xff, 0xfe, 0xfd}, 100_000/3+1)[:100_000] // base64 of it is full of slashes
	w := newWorld(t)
	for name, body := range map[string]string{
		"json": fmt.Sprintf(`{"key":"%s","phone":"0812345678","filename":"a.bin","body":"%s"}`, goodKey, strings.ReplaceAll(base64.StdEncoding.EncodeToString(content), "/", `\/`)),
		"form": url.Values{"key": {goodKey}, "phone": {"0812345678"}, "filename": {"a.bin"}, "body": {base64.URLEncoding.EncodeToString(content)}}.Encode(),
	} {
		if rec := w.serve(t, "", "/wa/sendfile", nil, strings.NewReader(body)); rec.Code != 200 {
			t.Errorf("%s: %s", name, rec.Body)
		}
	}
}

// A repeat brings its file again; it is not needed.
func TestRepeatedFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := fmt.Sprintf(`{"key":"%s","phone":"0812345678","filename":"a.png","idempotency_key":"k","body":"%s"}`, goodKey, pngB64)
	for range 3 {
		if rec := w.serve(t, "", "/wa/sendfile", nil, strings.NewReader(body)); rec.Code != 200 {
			t.Fatal(rec.Body)
		}
	}
	other := strings.Replace(body, pngB64, pngB64[4:], 1)
	if rec := w.serve(t, "", "/wa/sendfile", nil, strings.NewReader(other)); rec.Code != 409 {
		t.Errorf("another file under the same key: %s", rec.Body)
	}
	if entries, _ := os.ReadDir(w.dir); len(entries) != 1 || len(w.db.messages) != 1 {
		t.Errorf("%d files, %d messages", len(entries), len(w.db.messages))
	}
}

// A sender who writes on after the refusal still gets the answer.
func TestRefusedSenderHearsWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv := httptest.NewServer(w.handler)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for name, body := range map[string]io.Reader{
		"too large": strings.NewReader(`{"key":"` + goodKey + `","body":"` + strings.Repeat("QUJD", 2_000_000) + `"}`),
		"wrong key": strings.NewReader(`{"key":"wrong","body":"` + strings.Repeat("QUJD", 2_000_000) + `"}`),
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/wa/sendfile", io.MultiReader(body)) // no length: chunked
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if !bytes.Contains(b, []byte(`"status":false`)) {
			t.Errorf("%s: %s", name, b)
		}
	}
	w.wantNoFiles(t)
}

func TestSendFileURL(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/assets/icon.png", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(pngBytes) })
	mux.HandleFunc("/report", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="laporan.xlsx"`)
		_, _ = w.Write([]byte("PK\x03\x04 a zip, as far as one can see"))
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100_001)) })
	mux.Handle("/inside", http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound))
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	outside := func(w *world) {
		w.deps.Fetch = fetch.New(fetch.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	}
	body := func(u, more string) string {
		return fmt.Sprintf(`{"key":"%s","phone":"62812345678","url":"%s","caption":"keterangan gambar"%s}`, goodKey, strings.ReplaceAll(u, "/", `\/`), more)
	}
	arrived := func(name, mimeType, kind string) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			m := w.db.last(t)
			if m.FileName != name || m.MimeType != mimeType || m.Kind != kind || m.Body != "keterangan gambar" || m.FileSize == 0 {
				t.Errorf("%+v", m)
			}
			if info, err := os.Stat(filepath.Join(w.dir, m.FilePath)); err != nil || info.Size() != m.FileSize {
				t.Errorf("on disk: %v", err)
			}
			if d := cmp.Diff([]string{"wa.sendfileurl:QUEUED"}, w.db.actions()); d != "" {
				t.Error(d)
			}
		}
	}
	refused := func(t *testing.T, w *world, _ *httptest.ResponseRecorder) { w.wantNoFiles(t) }
	for _, tt := range []scenario{
		{name: "PHP sample", headers: asJSON(), body: body(site.URL+"/assets/icon.png", ""), setup: outside, status: 200, want: []string{`"code":"QUEUED"`}, check: arrived("icon.png", "image/png", "image")},
		{name: "Python sample", headers: asForm(), body: dataForm(`{"method":"POST","params":` + body(site.URL+"/assets/icon.png", "") + `}`), setup: outside, status: 200, check: arrived("icon.png", "image/png", "image")},
		{name: "named by the server", body: body(site.URL+"/report", ""), setup: outside, status: 200, check: arrived("laporan.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "document")},
		{name: "named by the caller", body: body(site.URL+"/assets/icon.png", `,"filename":"logo.png"`), setup: outside, status: 200, check: arrived("logo.png", "image/png", "image")},
		{name: "not outside", body: body(site.URL+"/assets/icon.png", ""), status: 422, want: []string{`"code":"URL_BLOCKED"`}, check: refused},
		{name: "redirect inside", body: body(site.URL+"/inside", ""), setup: outside, status: 422, want: []string{`"code":"URL_BLOCKED"`}, check: refused},
		{name: "not there", body: body(site.URL+"/missing", ""), setup: outside, status: 422, want: []string{`"code":"URL_UNREACHABLE"`, "404"}, check: refused},
		{name: "too large", body: body(site.URL+"/big", ""), setup: outside, status: 413, want: []string{`"code":"FILE_TOO_LARGE"`}, check: refused},
		{name: "no url", body: `{"key":"` + goodKey + `","phone":"62812345678"}`, status: 422, want: []string{`"code":"URL_REQUIRED"`}},
		{name: "file:", body: body("file:///etc/passwd", ""), setup: outside, status: 422, want: []string{`"code":"URL_BLOCKED"`}},
		{name: "bad name", body: body(site.URL+"/assets/icon.png", `,"filename":"a/b"`), setup: outside, status: 422, want: []string{`"code":"FILENAME_INVALID"`}, check: refused},
		{name: "no key", body: `{"phone":"62812345678","url":"` + site.URL + `"}`, setup: outside, status: 401},
		{name: "database gone", body: body(site.URL+"/assets/icon.png", ""), setup: func(w *world) { outside(w); w.db.err = problem.New(problem.StorageFull, "") }, status: 507, want: []string{`"code":"STORAGE_FULL"`}, check: refused},
	} {
		tt.url = "/wa/sendfileurl"
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

func TestKindOfContent(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, head, mimeType, kind string }{
		{"a.png", string(pngBytes), "image/png", "image"},
		{"a.txt", "\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg", "image"},
		{"a.webp", "RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp", "image"},
		{"a.gif", "GIF89a\x01\x00\x01\x00", "image/gif", "document"},
		{"a.svg", `<svg xmlns="http://www.w3.org/2000/svg"></svg>`, "image/svg+xml", "document"},
		{"a.mp4", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4", "video"},
		{"a.3gp", "\x00\x00\x00\x18ftyp3gp5\x00\x00\x00\x003gp5isom", "video/3gpp", "video"},
		{"a.mp3", "ID3\x03\x00\x00\x00\x00\x00\x21", "audio/mpeg", "audio"},
		{"a.ogg", "OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x13OpusHead", "audio/ogg", "audio"},
		{"a.m4a", "\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A mp42", "audio/mp4", "audio"},
		{"a.amr", "#!AMR\n\x3c\x91\x17\x16", "audio/amr", "audio"},
		{"a.aac", "\xff\xf1\x50\x80\x02\x1f\xfc", "audio/aac", "audio"},
		{"a.pdf", "%PDF-1.7\n", "application/pdf", "document"},
		{"a.csv", "a;b;c\n1;2;3\n", "text/csv", "document"},
		{"a.txt", "halo", "text/plain", "document"},
		{"a.docx", "PK\x03\x04xxxx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "document"},
		{"a.zip", "PK\x03\x04xxxx", "application/zip", "document"},
		{"photo.jpg", "MZ\x90\x00\x03\x00", "application/vnd.microsoft.portable-executable", "document"},
		{"a.bin", "\x00\x01\x02\x03", "application/octet-stream", "document"},
	}
	for _, tt := range tests {
		got := mimeType([]byte(tt.head), tt.name)
		if got != tt.mimeType || string(kindOf(got)) != tt.kind {
			t.Errorf("%s: %s %s, want %s %s", tt.name, got, kindOf(got), tt.mimeType, tt.kind)
		}
	}
}
