package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

// killedCopy copies a folder while its server runs and adds half a line to the journal.
func killedCopy(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(to, "journal.jsonl"), os.O_APPEND|os.O_WRONLY, 0) //nolint:gosec // a file whose name the test itself made or knows
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(`{"op":"message","acc`); err != nil {
		t.Fatal(err)
	}
	return to
}
