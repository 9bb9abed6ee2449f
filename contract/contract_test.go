package contract

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestValid holds the contract to OpenAPI, and its examples to its schemas.
func TestValid(t *testing.T) {
	if err := load(t).Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
}

// TestComplete holds every operation to what people need: words in both languages, an example of what goes in and out.
func TestComplete(t *testing.T) {
	for path, item := range load(t).Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			if op.Summary == "" || op.OperationID == "" || len(op.Tags) != 1 {
				t.Errorf("%s: no summary, operationId or tag", name)
			}
			if !strings.Contains(op.Description, "\n\nID: ") {
				t.Errorf("%s: its description has no Indonesian part", name)
			}
			if op.RequestBody != nil {
				wantExamples(t, name+" request", op.RequestBody.Value.Content)
			}
			for status, r := range op.Responses.Map() {
				if r.Value.Description == nil || *r.Value.Description == "" {
					t.Errorf("%s %s: no description", name, status)
				}
				wantExamples(t, name+" "+status, r.Value.Content)
			}
		}
	}
}

func wantExamples(t *testing.T, name string, content openapi3.Content) {
	t.Helper()
	for kind, media := range content {
		if strings.HasPrefix(kind, "image/") || kind == "*/*" {
			continue // a file is no text that could be shown
		}
		if media.Example == nil && len(media.Examples) == 0 {
			t.Errorf("%s %s: no example", name, kind)
		}
	}
}
