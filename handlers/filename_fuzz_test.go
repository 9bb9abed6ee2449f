package handlers

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"kurir/problem"
)

// FuzzFileName: a name is kept as it is, but for the spaces around it, or refused; one that is kept can stand in a folder, in
// a header and on a screen.
func FuzzFileName(f *testing.F) {
	for _, s := range []string{"a.pdf", "../a", `..\a`, "..", ".", " a ", "a\x00", "a\nb", "\u202ea", "\xff", "", strings.Repeat("é", 200), "con", "a/b", "…", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := fileName(in)
		if err != nil {
			if code := problem.CodeOf(err); code != problem.FilenameInvalid && code != problem.FilenameRequired || got != "" {
				t.Fatalf("%q: %q, %v", in, got, err)
			}
			return
		}
		if got != strings.TrimSpace(in) || !utf8.ValidString(got) || len(got) > maxFileName || filepath.Base(got) != got || !filepath.IsLocal(got) {
			t.Fatalf("%q became %q", in, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || strings.ContainsRune("/\\\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029", r) {
				t.Fatalf("%q holds %U", got, r)
			}
		}
		if again, err := fileName(got); err != nil || again != got {
			t.Fatalf("%q: the second time %q, %v", got, again, err)
		}
	})
}
