package handlers

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"kurir/contract"
)

// TestRoutesAreInTheContract holds the router and openapi.yaml to each other.
func TestRoutesAreInTheContract(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(contract.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	var written, routed []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			written = append(written, method+" "+path)
		}
	}
	for _, r := range newServer(Deps{Instances: &fakeInstances{}}).routes().Routes() {
		parts := strings.Split(r.Path, "/")
		for i, p := range parts {
			if name, ok := strings.CutPrefix(p, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		routed = append(routed, r.Method+" "+strings.Join(parts, "/"))
	}
	for _, r := range routed {
		if !slices.Contains(written, r) {
			t.Errorf("%s is a route and not in contract/openapi.yaml", r)
		}
	}
	for _, w := range written {
		if !slices.Contains(routed, w) {
			t.Errorf("%s is in contract/openapi.yaml and no route", w)
		}
	}
}

func TestTheContractIsServed(t *testing.T) {
	rec := newWorld(t).serve(t, http.MethodGet, "/openapi.yaml", nil, nil)
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/yaml" || rec.Body.String() != string(contract.OpenAPI()) {
		t.Errorf("HTTP %d, %s, %d bytes", rec.Code, rec.Header().Get("Content-Type"), rec.Body.Len())
	}
}
