package media

import (
	"mime"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDisposition(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.pdf":                  "a.pdf",
		"laporan bulan ini.pdf":  "laporan bulan ini.pdf",
		"日本 – ü.pdf":             "日本 – ü.pdf",
		"../../etc/passwd":       "passwd",
		`C:\Users\x\a.exe`:       "a.exe",
		"a\r\nSet-Cookie: x.pdf": "aSet-Cookie_ x.pdf",
		"gpj.\u202efdp.exe":      "gpj.fdp.exe",
		"a\u200b\u2066b.txt":     "ab.txt",
		`a"b.txt`:                "a_b.txt",
		"100%.txt":               "100%.txt",
		"\xff\xfe.txt":           "txt",
		"":                       "file.jpg",
		" . ":                    "file.jpg",
		"/":                      "file.jpg",
		"\x00":                   "file.jpg",
	} {
		header := Disposition(name, "image/jpeg")
		kind, params, err := mime.ParseMediaType(header)
		if err != nil || kind != "attachment" || params["filename"] != want {
			t.Errorf("%q: %s gives %q, want %q, %v", name, header, params["filename"], want, err)
		}
	}
}

func FuzzDisposition(f *testing.F) {
	f.Add("a.pdf", "image/jpeg")
	f.Add("\u202e\r\n\"%/\\", "a/b; c=\"")
	f.Fuzz(func(t *testing.T, name, kind string) {
		header := Disposition(name, kind)
		for _, h := range []string{header, ContentType(kind)} {
			if strings.ContainsFunc(h, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
				t.Fatalf("%q is no header", h)
			}
		}
		_, params, err := mime.ParseMediaType(header)
		got := params["filename"]
		if err != nil || got == "" || !utf8.ValidString(got) || len(got) > maxName || got != CleanName(got) {
			t.Fatalf("%q: %s, %q, %v", name, header, got, err)
		}
	})
}

func TestLongNamesKeepTheirEnding(t *testing.T) {
	t.Parallel()
	got := CleanName(strings.Repeat("ü", 5000) + ".pdf")
	if !strings.HasSuffix(got, "ü.pdf") || len(got) > maxName {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
