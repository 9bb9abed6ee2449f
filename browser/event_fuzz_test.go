package browser

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzBridgeEvent: whatever a page that was taken over says happened, it is an event of one kind or it is refused, and what
// is taken is what was said: written down and read again it is the same.
func FuzzBridgeEvent(f *testing.F) {
	for kind, data := range map[string]string{
		"message": `{"id":"3EB0","chat":"62812@c.us","body":"halo","from_me":false,"time":1760000000}`, "edited": `{"id":"a","author":{"wid":"1@c.us"},"time_ms":1}`,
		"revoked": `{"id":"a","by":null}`, "reaction": `{"reaction":"👍","from":{"wid":"1@lid"}}`, "group.participants": `{"people":[{},{"phone":"1"}],"action":"add"}`,
		"group.subject": `{"subject":"\u202e"}`, "call": `{"video":true,"from":[]}`, "presence": `{"state":1e999}`, "x": `null`, "message ": `[]`,
	} {
		f.Add(kind, data)
	}
	f.Fuzz(func(t *testing.T, kind, data string) {
		e, known, err := decodeHappening(kind, json.RawMessage(data))
		if err != nil || !known {
			if !known && (err != nil || e.Type != "") {
				t.Fatalf("%q %q: unknown, and %+v %v", kind, data, e, err)
			}
			return
		}
		if !json.Valid([]byte(data)) {
			t.Fatalf("%q: %q was taken", kind, data)
		}
		kinds, v := 0, reflect.ValueOf(e)
		for i := range v.NumField() {
			if field := v.Field(i); field.Kind() == reflect.Pointer && !field.IsNil() {
				kinds++
				said, err := json.Marshal(field.Interface())
				if err != nil {
					t.Fatalf("%q %q: %v", kind, data, err)
				}
				again := reflect.New(field.Type().Elem())
				if err := json.Unmarshal(said, again.Interface()); err != nil || !reflect.DeepEqual(again.Interface(), field.Interface()) {
					t.Fatalf("%q %q: %s is read as %+v, %v", kind, data, said, again.Interface(), err)
				}
			}
		}
		if kinds != 1 || e.Type == "" {
			t.Fatalf("%q %q: %d kinds, type %q", kind, data, kinds, e.Type)
		}
	})
}
