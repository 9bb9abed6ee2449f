package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRealBinary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	elf := write("chromium-real", "\x7fELF", 0o755)
	wrapper := write("wrapper", "#!/bin/sh -e\nexec \""+elf+"\" --flag \"$@\"\n", 0o755)
	beside := filepath.Join(dir, "google")
	if err := os.Mkdir(beside, 0o755); err != nil { //nolint:gosec // as a distribution makes it
		t.Fatal(err)
	}
	chrome := write("google/chrome", "\x7fELF", 0o755)
	script := write("google/google-chrome", "#!/bin/bash\nHERE=$(dirname $0)\nexec \"$HERE/chrome\" \"$@\"\n", 0o755)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(script, link); err != nil {
		t.Fatal(err)
	}
	empty := write("lost", "#!/bin/sh\nexec something-else\n", 0o755)
	if err := os.Chmod(write("plain", "\x7fELF", 0o600), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{elf: elf, wrapper: elf, link: chrome} {
		if got, err := FindChromium(path); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %s", path, got, err, want)
		}
	}
	for path, want := range map[string]string{
		empty: "is a script", filepath.Join(dir, "plain"): "permission denied", filepath.Join(dir, "none"): "no such file",
	} {
		if got, err := FindChromium(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want …%s…", path, got, err, want)
		}
	}
}

func TestNoChromiumSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, err := FindChromium(""); err != nil && !strings.Contains(err.Error(), "apt-get install chromium-headless-shell") {
		t.Errorf("%q, %v", path, err)
	}
}
