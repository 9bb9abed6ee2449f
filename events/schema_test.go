package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"kurir/browser"
	"kurir/models"
)

// payloads has one of each type, the test of a webhook too.
func payloads() []Payload {
	return []Payload{
		&Message{}, &MessageSent{}, &MessageAck{}, &MessageFailed{}, &MessageReaction{}, &MessageEdited{}, &MessageRevoked{}, &MessageMedia{}, &SessionState{},
		&SessionQR{}, &GroupParticipants{}, &GroupSubject{}, &CallReceived{}, &Presence{}, &WebhookDisabled{}, &WebhookTest{},
	}
}

// field is what the schema and the struct must agree about.
type field struct {
	required bool
	kind     string // JSON's type; of a time "time", of an object "object"
	fields   map[string]field
	item     *field // of an array
}

// ofStruct reads a Go type as encoding/json writes it.
func ofStruct(t *testing.T, typ reflect.Type) field {
	t.Helper()
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return field{kind: "time"}
	case typ == reflect.TypeFor[json.RawMessage]():
		return field{} // anything
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return ofStruct(t, typ.Elem())
	case reflect.String:
		return field{kind: "string"}
	case reflect.Bool:
		return field{kind: "boolean"}
	case reflect.Int, reflect.Int64:
		return field{kind: "integer"}
	case reflect.Slice:
		item := ofStruct(t, typ.Elem())
		return field{kind: "array", item: &item}
	case reflect.Struct:
		f := field{kind: "object", fields: map[string]field{}}
		for sf := range typ.Fields() {
			name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
			switch {
			case sf.Anonymous && name == "":
				maps.Copy(f.fields, ofStruct(t, sf.Type).fields)
			case sf.IsExported() && name != "":
				one := ofStruct(t, sf.Type)
				one.required = options != "omitempty"
				f.fields[name] = one
			case sf.IsExported():
				t.Errorf("%s.%s has no JSON name", typ, sf.Name)
			}
		}
		return f
	}
	t.Fatalf("a %s in a payload", typ)
	return field{}
}

type node = map[string]any

// ofSchema reads a part of the schema in the same way.
func ofSchema(t *testing.T, defs node, n node) field {
	t.Helper()
	f := field{}
	if ref, ok := n["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/$defs/")
		target, ok := defs[name].(node)
		if !ok {
			t.Fatalf("%s leads nowhere", ref)
		}
		f = ofSchema(t, defs, target)
	}
	if kind, ok := n["type"].(string); ok {
		f.kind = kind
	}
	if n["format"] == "date-time" {
		f.kind = "time"
	}
	if _, ok := n["enum"]; ok {
		f.kind = "string" // the only enums there are
	}
	if items, ok := n["items"].(node); ok {
		item := ofSchema(t, defs, items)
		f.item = &item
	}
	properties, _ := n["properties"].(node)
	if f.kind == "object" && f.fields == nil {
		f.fields = map[string]field{}
	}
	for name, p := range properties {
		f.fields[name] = ofSchema(t, defs, p.(node))
	}
	required, _ := n["required"].([]any)
	for _, name := range required {
		one, ok := f.fields[name.(string)]
		if !ok {
			t.Errorf("%s is required and described nowhere", name)
		}
		one.required = true
		f.fields[name.(string)] = one
	}
	return f
}

func compare(t *testing.T, at string, got, want field) {
	t.Helper()
	if got.kind != want.kind || got.required != want.required {
		t.Errorf("%s: the schema says %q, required %t; the struct %q, %t", at, got.kind, got.required, want.kind, want.required)
	}
	for name := range want.fields {
		if _, ok := got.fields[name]; !ok {
			t.Errorf("%s.%s is not in the schema", at, name)
		}
	}
	for name, one := range got.fields {
		if other, ok := want.fields[name]; ok {
			compare(t, at+"."+name, one, other)
		} else {
			t.Errorf("%s.%s is in the schema only", at, name)
		}
	}
	switch {
	case got.item != nil && want.item != nil:
		compare(t, at+"[]", *got.item, *want.item)
	case got.item != nil || want.item != nil:
		t.Errorf("%s: one of the two knows nothing of its items", at)
	}
}

func readSchema(t *testing.T) (root, defs node) {
	t.Helper()
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	return root, root["$defs"].(node)
}

func TestTheSchemaHasTheFieldsOfTheStructs(t *testing.T) {
	t.Parallel()
	root, defs := readSchema(t)
	for _, p := range payloads() {
		def, ok := defs[p.Type()].(node)
		if !ok {
			t.Errorf("%s is not in the schema", p.Type())
			continue
		}
		if def["description"] == nil || def["examples"] == nil {
			t.Errorf("%s has no description, or no example", p.Type())
		}
		compare(t, p.Type(), ofSchema(t, defs, def), ofStruct(t, reflect.TypeOf(p).Elem()))
	}
	envelope, want := ofSchema(t, defs, root), ofStruct(t, reflect.TypeFor[Envelope]())
	data, object := want.fields["data"], envelope.fields["data"]
	data.kind, object.fields = "object", nil // the schema knows more than the struct
	want.fields["data"], envelope.fields["data"] = data, object
	compare(t, "envelope", envelope, want)
}

// words returns the words that a part of the schema allows, sorted.
func words(n any) []string {
	var out []string
	for _, w := range n.(node)["enum"].([]any) {
		out = append(out, w.(string))
	}
	slices.Sort(out)
	return out
}

func TestTheSchemaHasTheWordsOfTheCode(t *testing.T) {
	t.Parallel()
	root, defs := readSchema(t)
	same := func(what string, n any, want ...string) {
		t.Helper()
		slices.Sort(want)
		if got := words(n); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the code %v", what, got, want)
		}
	}
	of := func(def, property string) any { return defs[def].(node)["properties"].(node)[property] }
	same("types", root["properties"].(node)["type"], append(Types(), TypeWebhookTest)...)
	same("states of media", of("media", "state"), string(models.MediaPending), string(models.MediaStored), string(models.MediaSkipped),
		string(models.MediaTooLarge), string(models.MediaGone), string(models.MediaFailed))
	same("states of messages", of("message.failed", "state"), string(models.MessageFailed), string(models.MessageUnknown),
		string(models.MessageExpired), string(models.MessageCancelled))
	same("acks", of("message.ack", "state"), AckState(2), AckState(3), AckState(4))
	same("actions", of("group.participants", "action"), Actions()...)
	same("states of presence", of("presence", "state"), PresenceStates()...)
	same("states", defs["state"], string(browser.StateStopped), string(browser.StateStarting), string(browser.StateScanQR),
		string(browser.StatePasskeyRequired), string(browser.StateSyncing), string(browser.StateWorking), string(browser.StateDegraded),
		string(browser.StateRestricted), string(browser.StateLoggedOut), string(browser.StateFailed))
}

// compiled returns the schema as a validator that checks times and addresses too.
func compiled(t *testing.T) (event *jsonschema.Schema, part func(name string) *jsonschema.Schema) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("kurir.json", doc); err != nil {
		t.Fatal(err)
	}
	at := func(fragment string) *jsonschema.Schema {
		t.Helper()
		s, err := c.Compile("kurir.json" + fragment)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return at(""), func(name string) *jsonschema.Schema { return at("#/$defs/" + name) }
}

// fill sets every field of a struct, those that are left out when empty too. The words of enums are given by name.
func fill(v reflect.Value, enums map[string]string, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), enums, path)
	case reflect.String:
		v.SetString("x")
		for suffix, word := range enums {
			if strings.HasSuffix(path, suffix) {
				v.SetString(word)
			}
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), enums, path)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 1, 2, 3, 456_000, time.UTC)))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), enums, path+"."+v.Type().Field(i).Name)
			}
		}
	}
}

func TestEventsAreValid(t *testing.T) {
	t.Parallel()
	event, _ := compiled(t)
	enums := map[string]string{
		".Phone": "6281234567890", ".SHA256": strings.Repeat("0a", 32), ".URL": "https://example.com/a", "message.ack.State": "read",
		"message.failed.State": "expired", ".Media.State": "stored", "session.state.State": "WORKING", ".Last.State": "SYNCING",
		".Action": "join", "presence.State": "composing",
	}
	for _, p := range payloads() {
		bare := reflect.New(reflect.TypeOf(p).Elem())
		fill(bare.Elem(), enums, p.Type())
		full := bare.Interface().(Payload)
		valid(t, event, full)

		// What the schema says is checked and not only there: without any one field that is required it is refused.
		j, err := encode(full)
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range ofStruct(t, bare.Type().Elem()).fields {
			var data node
			if err := json.Unmarshal(j, &data); err != nil {
				t.Fatal(err)
			}
			delete(data, name)
			if err := event.Validate(wrapped(t, p.Type(), data)); (err != nil) != f.required {
				t.Errorf("%s without %s: %v", p.Type(), name, err)
			}
			data[name] = node{"a": []any{1}}
			if err := event.Validate(wrapped(t, p.Type(), data)); err == nil && f.kind != "object" {
				t.Errorf("%s with an odd %s is valid", p.Type(), name)
			}
		}
	}
}

func wrapped(t *testing.T, name string, data any) any {
	t.Helper()
	raw, err := encode(data)
	if err != nil {
		t.Fatal(err)
	}
	j, err := Envelope{
		ID: "evt_01KAT2X5N8Q4R7S9T0V1W2X3Y4", Type: name, Time: time.Now(), Data: raw, Metadata: json.RawMessage(`{"a":1}`),
	}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func valid(t *testing.T, event *jsonschema.Schema, p Payload) {
	t.Helper()
	if err := event.Validate(wrapped(t, p.Type(), p)); err != nil {
		t.Errorf("%s: %v", p.Type(), err)
	}
}

// What the log itself writes, envelope and all.
func TestWhatTheLogWritesIsValid(t *testing.T) {
	t.Parallel()
	db, in := open(t)
	log := NewLog(db, 0)
	group := incoming("B", "1-2@g.us", "", "")
	group.Author, group.Media = &Person{LID: "5@lid"}, &Media{MimeType: "image/png", FileName: "../x", Size: 1}
	group.Describe(models.MediaPending)
	if _, err := log.Append(t.Context(), in, incoming("A", "1@lid", "", "1@lid"), group); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"STARTING", "WORKING"} {
		if err := log.AppendState(t.Context(), in, SessionState{State: s, Since: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.AppendQR(t.Context(), in, time.Now()); err != nil {
		t.Fatal(err)
	}
	list, err := db.Events(t.Context(), in, 0, nil, 10)
	if err != nil || len(list) != 5 {
		t.Fatal(len(list), err)
	}
	event, _ := compiled(t)
	for _, e := range list {
		j, err := Wrap(e).JSON()
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
		if err != nil {
			t.Fatal(err)
		}
		if err := event.Validate(v); err != nil {
			t.Errorf("%s: %v", j, err)
		}
	}
}

func TestTheExamplesAreValid(t *testing.T) {
	t.Parallel()
	root, defs := readSchema(t)
	event, part := compiled(t)
	check := func(s *jsonschema.Schema, name string, n any) {
		examples, _ := n.(node)["examples"].([]any)
		for i, e := range examples {
			if err := s.Validate(e); err != nil {
				t.Error(fmt.Sprint(name, " ", i), err)
			}
		}
	}
	check(event, "envelope", root)
	for name, n := range defs {
		check(part(name), name, n)
	}
}
