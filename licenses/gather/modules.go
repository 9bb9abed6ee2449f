package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// goPackage is what `go list` says of a package.
type goPackage struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// goModules returns the modules of which a package is compiled into kurir, for each machine that it is built for, and Go
// itself. A package's licences are those in its folder and in the folders above, up to its module's.
func goModules(ctx context.Context, root string) ([]component, error) {
	goroot, err := goCommand(ctx, root, "", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	std := component{Name: "The Go standard library and runtime"}
	if std.Texts, err = licencesIn(strings.TrimSpace(string(goroot)), ""); err != nil {
		return nil, err
	}
	found := map[string]*component{}
	for _, arch := range []string{"amd64", "arm64"} {
		out, err := goCommand(ctx, root, arch, "list", "-deps", "-json=Dir,Standard,Module", ".")
		if err != nil {
			return nil, err
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p goPackage
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("read go list: %w", err)
			}
			if p.Standard || p.Module == nil || p.Module.Main {
				continue
			}
			c, ok := found[p.Module.Path]
			if !ok {
				c = &component{Name: p.Module.Path, Version: p.Module.Version}
				found[p.Module.Path] = c
			}
			if err := c.addFrom(p.Module.Dir, p.Dir); err != nil {
				return nil, err
			}
		}
	}
	list := make([]component, 0, len(found))
	for _, c := range found {
		slices.SortFunc(c.Texts, func(a, b licence) int { return strings.Compare(a.Name, b.Name) })
		list = append(list, *c)
	}
	slices.SortFunc(list, byName)
	return append([]component{std}, list...), nil
}

// addFrom adds the licences of a package's folder and of those above it.
func (c *component) addFrom(module, dir string) error {
	for {
		name, err := filepath.Rel(module, dir)
		if err != nil || strings.HasPrefix(name, "..") {
			return fmt.Errorf("%s is not in %s", dir, module)
		}
		texts, err := licencesIn(dir, name)
		if err != nil {
			return err
		}
		for _, l := range texts {
			if !slices.Contains(c.Texts, l) {
				c.Texts = append(c.Texts, l)
			}
		}
		if name == "." {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// goCommand runs go for the system that kurir is built for.
func goCommand(ctx context.Context, root, arch string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // words of this file
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=-mod=readonly")
	if arch != "" {
		cmd.Env = append(cmd.Env, "GOARCH="+arch)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, &errs)
	}
	return out, nil
}
