package app_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kurir/app"
)

func settings(t *testing.T, dir string) app.Config {
	t.Helper()
	cfg, err := app.LoadConfig([]string{
		"KURIR_ADDR=127.0.0.1:0", "KURIR_SANDBOX_ADDR=127.0.0.1:0", "KURIR_DATA=" + dir, "KURIR_ADMIN_TOKEN=" + adminToken,
		"KURIR_CHROMIUM=" + os.Getenv("KURIR_CHROMIUM"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestDataIsForKurirAlone: folders and the database that an earlier version or a copy left open to others are closed.
func TestDataIsForKurirAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, sub := range []string{"", "files", "media", "profiles", "downloads"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, sub), 0o777); err != nil { //nolint:gosec // too open on purpose: kurir must close it
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "kurir.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "kurir.db"), 0o666); err != nil { //nolint:gosec // too open on purpose: kurir must close it
		t.Fatal(err)
	}
	var out bytes.Buffer
	_ = app.Doctor(t.Context(), settings(t, dir), &out)
	if !strings.Contains(out.String(), "others on this machine may read") {
		t.Errorf("doctor says nothing of it: %s", &out)
	}
	g := openGateway(t, dir)
	in := g.newInstance("Toko")
	g.waitState(in.ID, "SCAN_QR_CODE")
	open := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // Chromium's files come and go
		}
		info, err := d.Info()
		if rel, _ := filepath.Rel(dir, path); err == nil && info.Mode().Perm()&0o077 != 0 && strings.Count(rel, "/") < 2 && d.IsDir() {
			t.Errorf("%s is %v", rel, info.Mode())
		}
		open++
		return nil
	})
	if err != nil || open < 5 {
		t.Errorf("%d looked at, %v", open, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "kurir.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kurir.db is %v, %v", info.Mode(), err)
	}
}

// TestALinkIsNoFolder: kurir does not start when somebody has put a link where it keeps its files.
func TestALinkIsNoFolder(t *testing.T) {
	for _, sub := range []string{"files", "media", "profiles", "downloads", "certificates", "sandbox"} {
		dir, elsewhere := t.TempDir(), t.TempDir()
		if err := os.Symlink(elsewhere, filepath.Join(dir, sub)); err != nil {
			t.Fatal(err)
		}
		a, err := app.Open(t.Context(), settings(t, dir), slog.New(slog.DiscardHandler))
		if err == nil {
			_ = a.Close(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), "must be a folder") {
			t.Errorf("%s: %v", sub, err)
		}
		if list, _ := os.ReadDir(elsewhere); len(list) > 0 {
			t.Errorf("%s: written elsewhere: %v", sub, list)
		}
	}
}
