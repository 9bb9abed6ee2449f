package verify

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"kurir/problem"
)

// TestElsewhere holds the list of codes that are produced elsewhere to the tree: the tests are there, and speak of the
// codes.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for code, test := range Elsewhere() {
		if _, ok := problem.Catalog[code]; !ok {
			t.Errorf("%s is not in the catalogue", code)
		}
		if body := bodyOf(t, test); !bytes.Contains(body, []byte(code)) {
			t.Errorf("%s/%s does not speak of %s: %.60s", test.Dir, test.Name, code, body)
		}
	}
}

// bodyOf is the source of a test function, with that of the functions of its file that it names; empty when there is none.
func bodyOf(t *testing.T, test Test) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", test.Dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		source, err := os.ReadFile(name) //nolint:gosec // a file of this tree, by its name
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		functions := map[string][]byte{}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				functions[f.Name.Name] = source[set.Position(f.Pos()).Offset:set.Position(f.End()).Offset]
			}
		}
		body := functions[test.Name]
		if body == nil {
			continue
		}
		for name, other := range functions {
			if bytes.Contains(functions[test.Name], []byte("."+name+"(")) || bytes.Contains(functions[test.Name], []byte("\t"+name+"(")) {
				body = slices.Concat(body, other)
			}
		}
		return body
	}
	return nil
}
