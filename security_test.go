package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that SECURITY.md names is in the tree, and every threat names one.
func TestSecurityNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	there, declared := map[string]bool{}, regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // a file whose name the test itself made or knows
		for _, m := range declared.FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	for _, m := range named.FindAllSubmatch(page, -1) {
		if !there[string(m[1])] {
			t.Errorf("SECURITY.md names %s, which does not exist", m[1])
		}
	}
	threats := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| who | does") {
			continue
		}
		if threats++; !named.MatchString(line) {
			t.Errorf("no test holds: %s", line)
		}
	}
	if threats < 15 {
		t.Errorf("%d threats were read", threats)
	}
}

// Each package of npm is pinned to the hash of what it was; without one npm takes whatever the registry gives.
func TestEveryPackageHasItsHash(t *testing.T) {
	for _, file := range []string{"package-lock.json", "sandbox/conformance/package-lock.json"} {
		text, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			t.Fatal(err)
		}
		var lock struct {
			LockfileVersion int
			Packages        map[string]struct {
				Resolved, Integrity string
				Link                bool
			}
		}
		if err := json.Unmarshal(text, &lock); err != nil {
			t.Fatal(err)
		}
		if lock.LockfileVersion < 2 || len(lock.Packages) < 2 {
			t.Errorf("%s: version %d, %d packages", file, lock.LockfileVersion, len(lock.Packages))
		}
		for name, p := range lock.Packages {
			if name == "" { // kurir itself
				continue
			}
			if p.Link || !strings.HasPrefix(p.Integrity, "sha512-") || p.Resolved != "" && !strings.HasPrefix(p.Resolved, "https://registry.npmjs.org/") {
				t.Errorf("%s: %s is %q from %q", file, name, p.Integrity, p.Resolved)
			}
		}
	}
}
