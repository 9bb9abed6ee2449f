package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// rooms are the folders whose dist is embedded.
func rooms() []string { return []string{"js", "sandbox", "web"} }

// copied are the files of dist that are an npm package's own file, as it is.
func copied() map[string]string {
	return map[string]string{
		"js/dist/wa.js":              "@wppconnect/wa-js",
		"web/dist/swagger-ui.js.gz":  "swagger-ui-dist",
		"web/dist/swagger-ui.css.gz": "swagger-ui-dist",
	}
}

// own are the files of dist with nothing of others in them.
func own() []string { return []string{"sandbox/dist/index.html"} }

// bundles are what the makers of a package have bundled into it: the list of its licences, and the map that says what is in
// it, where there is one.
func bundles() map[string]struct{ licences, sources string } {
	return map[string]struct{ licences, sources string }{
		"@wppconnect/wa-js": {"dist/wppconnect-wa.js.LICENSE.txt", ""},
		"swagger-ui-dist":   {"swagger-ui-bundle.js.LICENSE.txt", "swagger-ui-bundle.js.map"},
	}
}

// npmPackages returns the packages of which something is in what is embedded.
func npmPackages(root string) ([]component, error) {
	var names []string
	for _, room := range rooms() {
		files, err := os.ReadDir(filepath.Join(root, room, "dist"))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			name := room + "/dist/" + f.Name()
			if f.Name() == ".gitkeep" || slices.Contains(own(), name) {
				continue
			}
			if whole, ok := copied()[name]; ok {
				names = append(names, whole)
				continue
			}
			parts, err := bundled(root, name)
			if err != nil {
				return nil, err
			}
			names = append(names, parts...)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("nothing is built yet: make page")
	}
	slices.Sort(names)
	list := []component{}
	for _, name := range slices.Compact(names) {
		c, err := npmPackage(root, name)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// packageOf is the package that a file belongs to: of one that is in another, the inner one.
var packageOf = regexp.MustCompile(`^.*node_modules/((?:@[^/]+/)?[^/]+)/`)

// bundled returns the packages of which esbuild has put something into a file of dist.
func bundled(root, name string) (packages []string, err error) {
	raw, err := os.ReadFile(filepath.Join(root, "bin/meta", strings.ReplaceAll(name, "/", "-")+".json")) //nolint:gosec // a file that make page has made
	if err != nil {
		return nil, fmt.Errorf("nothing says what is in %s (make page builds it anew): %w", name, err)
	}
	var meta struct {
		Outputs map[string]struct {
			Inputs map[string]struct{ BytesInOutput int }
		}
	}
	if err := json.Unmarshal(raw, &meta); err != nil || len(meta.Outputs) == 0 {
		return nil, fmt.Errorf("read what is in %s: %w", name, err)
	}
	for _, out := range meta.Outputs {
		for input, in := range out.Inputs {
			if m := packageOf.FindStringSubmatch(input); m != nil && in.BytesInOutput > 0 {
				packages = append(packages, m[1])
			}
		}
	}
	return packages, nil
}

func npmPackage(root, name string) (component, error) {
	dir := filepath.Join(root, "node_modules", name)
	var about struct{ Version string }
	raw, err := os.ReadFile(filepath.Join(dir, "package.json")) //nolint:gosec // a file of the tree's own dependencies
	if err == nil {
		err = json.Unmarshal(raw, &about)
	}
	if err != nil {
		return component{}, fmt.Errorf("read package.json of %s: %w", name, err)
	}
	c := component{Name: name, Version: about.Version}
	texts, err := licencesIn(dir, "")
	if err != nil {
		return c, err
	}
	bundle := bundles()[name]
	for _, l := range texts { // a package has such a list for each of its bundles
		if !strings.HasSuffix(l.Name, ".LICENSE.txt") {
			c.Texts = append(c.Texts, l)
		}
	}
	if bundle.licences != "" {
		l, err := readLicence(dir, bundle.licences, bundle.licences)
		if err != nil {
			return c, err
		}
		c.Texts = append(c.Texts, l)
	}
	if bundle.sources != "" {
		c.Inside, err = insideOf(filepath.Join(dir, bundle.sources))
	}
	return c, err
}

// insideOf returns the packages that a source map names.
func insideOf(path string) (names []string, err error) {
	raw, err := os.ReadFile(path) //nolint:gosec // a file of the tree's own dependencies
	if err != nil {
		return nil, err
	}
	var sources struct{ Sources []string }
	if err := json.Unmarshal(raw, &sources); err != nil || len(sources.Sources) == 0 {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	for _, source := range sources.Sources {
		if m := packageOf.FindStringSubmatch(source); m != nil {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
