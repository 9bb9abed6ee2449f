package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kurir/licenses"
)

// The binary carries the licences of what is in it, and says them without settings or a database.
func TestLicencesArePrinted(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"licenses"}, nil, &out, &errs); code != 0 || out.String() != licenses.Text() || !strings.Contains(out.String(), "Apache License") {
		t.Errorf("%d: %d bytes, %s", code, out.Len(), &errs)
	}
}

// What kurir writes is for nobody else, also where it is made by a library that asks for more.
func TestFilesAreForNobodyElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"migrate"}, []string{"KURIR_DATA=" + dir}, &out, &errs); code != 0 {
		t.Fatalf("%d: %s", code, &errs)
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o666); err != nil { //nolint:gosec // as open as the umask allows: it is under test
		t.Fatal(err)
	}
	for _, name := range []string{"", "kurir.db", "new"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q: %v, %v", name, info, err)
		}
	}
}
