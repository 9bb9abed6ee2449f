// Command gather writes licenses/licenses.txt: the licences of what others wrote and kurir's binary has in it. It runs at
// the root of the tree, after `make page`, by `make licenses`.
//
// Invariant: a Go module counts when a package of it is compiled in, an npm package when a byte of it is in what is
// embedded, and neither passes without a licence that this project may pass on (policy.go).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const file = "licenses/licenses.txt"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	text, err := gather(ctx, ".")
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gather:", err)
		os.Exit(1)
	}
}

// component is something that somebody else wrote.
type component struct {
	Name, Version string
	Licences      []string // SPDX, as the texts were recognised
	Texts         []licence
	Inside        []string // packages that its maker has bundled into it and of which no file of their own came along
}

// licence is a file that goes along.
type licence struct {
	Name string // of the file in the component, with slashes
	Text string
}

// gather returns the file for the tree at root. Its errors name every component that may not go along.
func gather(ctx context.Context, root string) (string, error) {
	modules, err := goModules(ctx, root)
	if err != nil {
		return "", err
	}
	packages, err := npmPackages(root)
	if err != nil {
		return "", err
	}
	all := slices.Concat(modules, packages)
	var wrong []error
	for i := range all {
		if err := all[i].judge(); err != nil {
			wrong = append(wrong, err)
		}
	}
	return render(all), errors.Join(wrong...)
}

const preface = `kurir has in it what others wrote, listed here with its licences, which follow below.
Made by make licenses; what it counts, licenses/gather says.
`

// render writes the list, and each text once.
func render(all []component) string {
	var b strings.Builder
	b.WriteString(preface + "\n")
	type block struct {
		text string
		of   []string
	}
	var blocks []*block
	for _, c := range all {
		name := strings.TrimSpace(c.Name + " " + c.Version)
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(c.Licences, ", "))
		if len(c.Inside) > 0 {
			fmt.Fprintf(&b, "  has in it, bundled by its makers: %s\n", strings.Join(c.Inside, ", "))
		}
		for _, l := range c.Texts {
			i := slices.IndexFunc(blocks, func(other *block) bool { return other.text == l.Text })
			if i < 0 {
				blocks, i = append(blocks, &block{text: l.Text}), len(blocks)
			}
			if of := name + " (" + l.Name + ")"; !slices.Contains(blocks[i].of, of) {
				blocks[i].of = append(blocks[i].of, of)
			}
		}
	}
	for _, block := range blocks {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 100), strings.Join(block.of, "\n"), block.text)
	}
	return b.String()
}

// licenceName is what files with licences, and what licences ask to pass on, are called.
var licenceName = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying|^notice|^patents|\.licen[cs]e\.txt$`)

// licencesIn returns the texts of a folder, but not those of folders in it. name is the folder's within its component.
func licencesIn(dir, name string) (list []licence, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenceName.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		l, err := readLicence(dir, filepath.ToSlash(filepath.Join(name, e.Name())), e.Name())
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

func readLicence(dir, name, path string) (licence, error) {
	raw, err := os.ReadFile(filepath.Join(dir, path)) //nolint:gosec // a file of the tree's own dependencies
	if err != nil {
		return licence{}, err
	}
	lines := strings.Split(strings.ReplaceAll(string(raw), "\r", ""), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return licence{name, strings.Trim(strings.Join(lines, "\n"), "\n")}, nil
}

func byName(a, b component) int { return cmp.Compare(a.Name, b.Name) }
