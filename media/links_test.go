package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Links that somebody puts into the folders lead nowhere: nothing outside is read, written or removed.
func TestLinksInTheFolderAreNotFollowed(t *testing.T) {
	t.Parallel()
	dir, outside := filepath.Join(t.TempDir(), "media"), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("secret"))
	name := hex.EncodeToString(sum[:])
	s, err := OpenStore(dir, 1<<20, nil)
	if err != nil {
		t.Fatal(err)
	}
	link := func(to, at string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: a link was followed", what)
		}
		if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" { //nolint:gosec // a file whose name the test itself made or knows
			t.Fatalf("%s: outside is now %q, %v", what, b, err)
		}
		if list, _ := os.ReadDir(outside); len(list) != 1 {
			t.Fatalf("%s: outside is now %v", what, list)
		}
	}

	at := filepath.Join(dir, name[:2], name)
	link(secret, at)
	f, err := s.Open(name)
	want("read", err)
	_ = f.Close()
	written := func(string, int64) error { return nil }
	// The same bytes come: the link must not count as the file.
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := os.WriteFile(fresh, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Take(context.Background(), fresh, written); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(at); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link stands where the file should: %v %v", info, err)
	}
	// What Chromium is said to have written is a link, or a pipe that nobody ever writes to.
	download := filepath.Join(t.TempDir(), "download")
	link(secret, download)
	want("take", s.Take(context.Background(), download, written))
	if err := syscall.Mkfifo(download, 0o600); err != nil {
		t.Fatal(err)
	}
	want("take a pipe", s.Take(context.Background(), download, written))
	// One of the 256 folders leads out.
	other := sha256.Sum256([]byte("other"))
	link(outside, filepath.Join(dir, hex.EncodeToString(other[:1])))
	if err := os.WriteFile(download, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("store", s.Take(context.Background(), download, written))

	// The next start removes links, though the database knows of such a file.
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	link(secret, at)
	if _, err := OpenStore(dir, 1<<20, map[string]bool{name: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(at); err == nil {
		t.Error("the link is still there")
	}
	want("start", os.ErrExist)
}
