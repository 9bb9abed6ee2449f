package fetch

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestName(t *testing.T) {
	t.Parallel()
	tests := []struct{ disposition, path, mime, want string }{
		{"", "/a/report.pdf", "application/pdf", "report.pdf"},
		{"", "/a/my%20report.pdf", "application/pdf", "my report.pdf"},
		{"", "/", "image/png", "file.png"},
		{"", "", "application/pdf", "file.pdf"},
		{"", "/download", "image/jpeg", "download.jpg"},
		{"", "/..", "image/png", "file.png"},
		{"", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "text/plain; charset=utf-8", "passwd.txt"},
		{"", "/a%00b%0a.png", "image/png", "ab.png"},
		{`attachment; filename="invoice.pdf"`, "/x.php", "application/pdf", "invoice.pdf"},
		{`attachment; filename=invoice.pdf`, "/x.php", "application/pdf", "invoice.pdf"},
		{`attachment; filename=my invoice.pdf`, "/x.php", "application/pdf", "my invoice.pdf"},
		{`attachment; filename="a%20b.pdf"`, "/x.php", "application/pdf", "a b.pdf"},
		{`attachment; filename="100%.pdf"`, "/x.php", "application/pdf", "100%.pdf"},
		{`attachment; filename="fallback.pdf"; filename*=UTF-8''laporan%20%E2%82%AC.pdf`, "/x", "application/pdf", "laporan €.pdf"},
		{`attachment; filename*=iso-8859-1''caf%E9.pdf`, "/x.pdf", "application/pdf", "x.pdf"},
		{"attachment; filename=\"laporan €.pdf\"", "/x", "application/pdf", "laporan €.pdf"},
		{"attachment; filename=\"caf\xe9.pdf\"", "/x", "application/pdf", "caf_.pdf"},
		{`attachment; filename="../../etc/passwd"`, "/x", "text/plain", "passwd.txt"},
		{`attachment; filename="C:\\Users\\a\\b.doc"`, "/x", "application/msword", "b.doc"},
		{`attachment; filename=".htaccess"`, "/x", "text/plain", "htaccess.txt"},
		{"attachment; filename=\"gpj\u202e.exe\"", "/x", "image/png", "gpj.exe"},
		{`attachment; filename=""`, "/icon.png", "image/png", "icon.png"},
		{`attachment`, "/icon.png", "image/png", "icon.png"},
		{`;;;`, "/icon.png", "image/png", "icon.png"},
		{`inline; filename="` + strings.Repeat("é", 500) + `.pdf"`, "/x", "application/pdf", strings.Repeat("é", 98) + ".pdf"},
		{"", "/unknown", "application/octet-stream", "unknown"},
	}
	for _, tt := range tests {
		resp := &http.Response{Header: http.Header{"Content-Disposition": {tt.disposition}}, Request: &http.Request{URL: mustParse(t, "http://h"+tt.path)}}
		got := name(resp, tt.mime)
		if got != tt.want {
			t.Errorf("%q %q: %q; want %q", tt.disposition, tt.path, got, tt.want)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add(`attachment; filename="a.pdf"`, "/b")
	f.Add(`attachment; filename=../../a`, "/%2f")
	f.Add(`x; filename*=UTF-8''%2e%2e%2f`, "/..")
	f.Fuzz(func(t *testing.T, disposition, path string) {
		resp := &http.Response{Header: http.Header{"Content-Disposition": {disposition}}, Request: &http.Request{URL: &url.URL{Path: path}}}
		got := name(resp, "image/png")
		if got == "" || len(got) > maxName+8 || strings.ContainsAny(got, "/\\\x00\n\r") || got[0] == '.' || !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
	})
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
