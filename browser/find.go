package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// headlessShell is the name that tells Chromium's small headless build from the whole browser.
const headlessShell = "headless-shell"

// candidates are the names and places of Chromium, best first: the headless shell needs less than half of the
// memory of the whole browser.
func candidates() []string {
	return []string{
		"/usr/lib/chromium/chromium-headless-shell", // Debian: the binary behind /usr/bin/chromium-headless-shell
		"chromium-headless-shell",
		"chrome-headless-shell", // the name in Google's own zip
		"headless-shell",        // the chromedp image
		"/usr/lib/chromium/chromium",
		"chromium",
		"chromium-browser",
		"google-chrome-stable",
		"google-chrome",
		"/opt/google/chrome/chrome",
	}
}

// FindChromium returns the path of a Chromium that can be started: override when it is not empty, else the
// headless shell, Chromium or Chrome, whichever this machine has. The path is that of the real binary: a
// wrapper script would stand between kurir and the process it has to own. The error says what to install.
func FindChromium(override string) (string, error) {
	if override != "" {
		path, err := realBinary(override)
		if err != nil {
			return "", fmt.Errorf("find Chromium at %q: %w", override, err)
		}
		return path, nil
	}
	for _, name := range candidates() {
		if path, err := realBinary(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("find Chromium: none on this machine; install it (Debian: apt-get install chromium-headless-shell," +
		" or chromium) or set KURIR_CHROMIUM to its path")
}

// realBinary follows links and wrapper scripts from name (a path, or a name in $PATH) to an ELF executable.
func realBinary(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	head, err := readHead(path, 8<<10)
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(head, []byte("#!")) {
		return path, nil
	}
	for _, behind := range behindScript(path, head) {
		info, err := os.Stat(behind)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			continue
		}
		if b, err := readHead(behind, 2); err == nil && !bytes.Equal(b, []byte("#!")) {
			return behind, nil
		}
	}
	return "", fmt.Errorf("%s is a script and the Chromium that it starts was not found: give the path of the binary", path)
}

// behindScript lists what the wrapper script at path may start: the absolute paths in its text, and where
// distributions put the binary of a wrapper of that name.
func behindScript(path string, text []byte) []string {
	base := filepath.Base(path)
	var paths []string
	for _, word := range bytes.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'=;:$(){}", r) }) {
		if w := string(word); filepath.IsAbs(w) && strings.Contains(filepath.Base(w), "chrom") {
			paths = append(paths, w)
		}
	}
	dir := filepath.Dir(path)
	return append(paths, "/usr/lib/chromium/"+base, "/usr/lib64/chromium/"+base, "/usr/lib/chromium-browser/"+base,
		filepath.Join(dir, "chrome"), filepath.Join(dir, "chromium"))
}

// readHead returns the first bytes of a file, at most limit.
func readHead(path string, limit int) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the binary
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only: nothing to lose
	buf := make([]byte, limit)
	n, err := f.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return buf[:n], nil
}

// Version asks the binary for its version ("Chromium 156.0.8078.79"). It takes some 50 ms: it starts the binary.
func Version(ctx context.Context, binary string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", binary, err)
	}
	return strings.TrimSpace(string(out)), nil
}
