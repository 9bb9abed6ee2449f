package contract

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"kurir/events"
	"kurir/problem"
)

var update = flag.Bool("update", false, "write the generated parts of openapi.yaml")

// TestGenerated holds those parts of the contract that say again what is said elsewhere: the codes of the catalogue, and
// the schema of events, which lies in the contract so that it is one document.
func TestGenerated(t *testing.T) {
	want := openAPI
	for name, text := range map[string]string{"schemas": codeSchema() + eventSchemas(t), "examples": codeExamples(t)} {
		want = between(t, want, name, text)
	}
	if bytes.Equal(want, openAPI) {
		return
	}
	if !*update {
		t.Fatal("problem/catalog.go or events/schema.json has changed: go test ./contract -run Generated -update")
	}
	if err := os.WriteFile("openapi.yaml", want, 0o600); err != nil {
		t.Fatal(err)
	}
}

// between puts text in place of what is between the marks of that name.
func between(t *testing.T, doc []byte, name, text string) []byte {
	t.Helper()
	begin := bytes.Index(doc, []byte("    # BEGIN "+name))
	end := bytes.Index(doc, []byte("    # END "+name))
	if begin < 0 || end < begin {
		t.Fatalf("openapi.yaml has no marks of %s", name)
	}
	begin += bytes.IndexByte(doc[begin:], '\n') + 1
	return slices.Concat(doc[:begin], []byte(text), doc[end:])
}

func codeSchema() string {
	var codes []string
	for code := range problem.Catalog {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	return fmt.Sprintf("    ErrorCode:\n      description: 'A code of the catalogue of errors; see the examples of the same names. ID: kode dari katalog kesalahan.'\n"+
		"      enum: [%s]\n", strings.Join(codes, ", "))
}

// eventSchemas is events/schema.json with its $defs as components of their own, because tools know no other place. JSON
// is YAML.
func eventSchemas(t *testing.T) string {
	t.Helper()
	var root map[string]json.RawMessage
	moved := strings.ReplaceAll(string(events.Schema()), "#/$defs/", "#/components/schemas/event.")
	if err := json.Unmarshal([]byte(moved), &root); err != nil {
		t.Fatal(err)
	}
	var defs map[string]json.RawMessage
	if err := json.Unmarshal(root["$defs"], &defs); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"$schema", "$id", "$defs"} {
		delete(root, name)
	}
	text := "    Event: " + line(t, root) + "\n"
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		text += "    event." + name + ": " + line(t, defs[name]) + "\n"
	}
	return text
}

// codeExamples is an answer for each code.
func codeExamples(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, code := range slices.Sorted(maps.Keys(problem.Catalog)) {
		e := problem.Catalog[code]
		fmt.Fprintf(&b, "    %s:\n      summary: %s\n      description: %s\n      x-status: %d\n      value: %s\n", code, line(t, e.EN), line(t, "ID: "+e.ID), e.Status,
			line(t, map[string]any{"status": false, "code": code, "message": e.EN, "data": nil, "request_id": "req_ABCDEFGHIJKLMNOPQRST"}))
	}
	return b.String()
}

// line is JSON on one line, with its texts as they are.
func line(t *testing.T, v any) string {
	t.Helper()
	var b, compact bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&compact, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	return compact.String()
}
