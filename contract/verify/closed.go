package verify

import (
	"encoding/json"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	refPrefix   = "#/components/schemas/"
	closedEvent = "verify.Event"
)

// closeAnswers returns the contract as JSON, with every object of an answer closed: a field that the contract does not
// have is an error. Callers are told to pass over what they do not know, so the contract itself leaves them open. Requests
// stay open, too.
//
// An object is closed where it is used, not where it is described: Message is the whole of an answer's data, and a part
// of SentMessage.
func closeAnswers(doc *openapi3.T) ([]byte, error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		return nil, err
	}
	delete(tree, "servers") // kin's router wants the whole address when there are any
	components := object(tree, "components")
	c := &closer{schemas: object(components, "schemas"), done: map[string]bool{}}
	answers := []any{components["responses"]}
	for _, item := range object(tree, "paths") {
		for _, op := range item.(map[string]any) {
			if op, ok := op.(map[string]any); ok {
				answers = append(answers, op["responses"])
			}
		}
	}
	for _, responses := range answers {
		list, _ := responses.(map[string]any)
		for _, r := range list {
			for _, media := range object(r, "content") {
				if m := media.(map[string]any); m["schema"] != nil {
					m["schema"] = c.value(m["schema"])
				}
			}
		}
	}
	c.schemas[closedEvent] = c.value(map[string]any{"$ref": refPrefix + "Event"})
	return json.Marshal(tree)
}

// object is a member of an object that is one itself, else nil.
func object(of any, name string) map[string]any {
	m, _ := of.(map[string]any)
	o, _ := m[name].(map[string]any)
	return o
}

type closer struct {
	schemas map[string]any
	done    map[string]bool // components whose fields are closed
}

// value closes the schema of a whole value and returns what is to stand in its place.
func (c *closer) value(schema any) any {
	s, ok := schema.(map[string]any)
	if !ok {
		return schema
	}
	if s["properties"] == nil && s["allOf"] == nil && s["$ref"] == nil && (s["anyOf"] != nil || s["oneOf"] != nil) {
		for _, word := range []string{"anyOf", "oneOf"} {
			list, _ := s[word].([]any)
			for i := range list {
				list[i] = c.value(list[i])
			}
		}
		return s
	}
	c.inside(s)
	switch {
	case s["additionalProperties"] != nil || !c.hasFields(s):
		return s // a map, an object of any kind, or none at all
	case s["$ref"] != nil:
		return map[string]any{"allOf": []any{s}, "unevaluatedProperties": false}
	}
	s["unevaluatedProperties"] = false
	return s
}

// inside closes the values in a schema and leaves itself open.
func (c *closer) inside(s map[string]any) {
	if name, ok := refOf(s); ok && !c.done[name] {
		c.done[name] = true
		c.inside(object(c.schemas, name))
	}
	for name, p := range object(s, "properties") {
		object(s, "properties")[name] = c.value(p)
	}
	for _, word := range []string{"items", "additionalProperties"} {
		if s[word] != nil {
			s[word] = c.value(s[word])
		}
	}
	for _, part := range parts(s) {
		c.inside(part)
	}
}

// hasFields says whether a schema names fields of an object.
func (c *closer) hasFields(s map[string]any) bool {
	if name, ok := refOf(s); ok && c.hasFields(object(c.schemas, name)) {
		return true
	}
	for _, part := range parts(s) {
		if c.hasFields(part) {
			return true
		}
	}
	return len(object(s, "properties")) > 0
}

// parts are the schemas that say more about the same value.
func parts(s map[string]any) (list []map[string]any) {
	for _, word := range []string{"allOf", "anyOf", "oneOf"} {
		several, _ := s[word].([]any)
		for _, part := range several {
			if p, ok := part.(map[string]any); ok {
				list = append(list, p)
			}
		}
	}
	for _, word := range []string{"then", "else"} {
		if p, ok := s[word].(map[string]any); ok {
			list = append(list, p)
		}
	}
	return list
}

func refOf(s map[string]any) (string, bool) {
	ref, _ := s["$ref"].(string)
	return strings.CutPrefix(ref, refPrefix)
}
