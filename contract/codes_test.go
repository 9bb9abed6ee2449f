package contract

import (
	"slices"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"kurir/problem"
)

// notAnswers are the codes that are no answer of the API: each has its example, and is a word of the schema ErrorCode.
var notAnswers = map[problem.Code]string{
	problem.Duplicate:         "of an item, in BULK_INVALID",
	problem.Restricted:        "of a message that waits",
	problem.FirstContactLimit: "of a message that waits",
	problem.FieldUnsupported:  "at the addresses of other gateways",
	problem.OwnerOnly:         "in the console",
	problem.UserExists:        "in the console",
	problem.UserNameInvalid:   "in the console",
	problem.PasswordInvalid:   "in the console",
	problem.LastOwner:         "in the console",
	problem.KeyChanged:        "in the console",
}

// TestEveryCodeHasItsStatus: each code of the catalogue is in an answer of some operation, under its status, or it is known
// why not. Whether it is all the answers that there are, contract/verify sees.
func TestEveryCodeHasItsStatus(t *testing.T) {
	doc, found := load(t), map[problem.Code]bool{}
	note := func(where string, status int, content openapi3.Content) {
		for _, code := range codesIn(content) {
			entry, ok := problem.Catalog[code]
			if !ok || entry.Status != status {
				t.Errorf("%s has %s under HTTP %d", where, code, status)
			}
			found[code] = true
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for name, r := range op.Responses.Map() {
				if status, err := strconv.Atoi(name); err == nil && status >= 400 {
					note(method+" "+path, status, r.Value.Content)
				}
			}
		}
	}
	note("MethodNotAllowed", 405, doc.Components.Responses["MethodNotAllowed"].Value.Content) // of every address
	for code, entry := range problem.Catalog {
		why, none := notAnswers[code]
		switch {
		case !found[code] && !none:
			t.Errorf("%s is in no answer of the contract", code)
		case found[code] && none:
			t.Errorf("%s is in an answer of the contract, and only %s", code, why)
		}
		if example := doc.Components.Examples[string(code)]; example == nil || example.Value.Extensions["x-status"] != float64(entry.Status) {
			t.Errorf("%s has no example with HTTP %d", code, entry.Status)
		}
	}
}

func codesIn(content openapi3.Content) (list []problem.Code) {
	for _, media := range content {
		for _, example := range media.Examples {
			value, _ := example.Value.Value.(map[string]any)
			code, _ := value["code"].(string)
			list = append(list, problem.Code(code))
		}
	}
	slices.Sort(list)
	return list
}
