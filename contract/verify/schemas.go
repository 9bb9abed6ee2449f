package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// schemas are the schemas of bodies, compiled once. kin compiles a schema for each value that it looks at, with the
// compiler that is used here: it looks at the first body of each kind, and these at all.
type schemas struct {
	tree map[string]any // the closed contract

	mu       sync.Mutex // the compiler is for one goroutine
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema // by pointer
	judged   map[string]bool               // kinds of which kin has seen one
}

const resource = "kurir:contract"

func newSchemas(closed []byte) (*schemas, error) {
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(closed))
	if err != nil {
		return nil, err
	}
	s := &schemas{tree: tree.(map[string]any), compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}, judged: map[string]bool{}}
	s.compiler.DefaultDraft(jsonschema.Draft2020)
	s.compiler.AssertFormat()
	return s, s.compiler.AddResource(resource, tree)
}

// pointer leads to a place in the contract by its names; a reference on the way is followed.
func (s *schemas) pointer(names ...string) string {
	at, ptr := any(s.tree), "#"
	for _, name := range names {
		m, _ := at.(map[string]any)
		at, ptr = m[name], ptr+"/"+escape(name)
		next, _ := at.(map[string]any)
		if ref, ok := next["$ref"].(string); ok && name != "schema" {
			ptr, at = ref, s.tree
			for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := at.(map[string]any)
				at = m[part]
			}
		}
	}
	return ptr
}

func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
}

// check holds a JSON text to the schema at a pointer.
func (s *schemas) check(ptr string, body []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("decode the body: %w", err)
	}
	return s.checkValue(ptr, v)
}

func (s *schemas) checkValue(ptr string, v any) error {
	s.mu.Lock()
	schema, ok := s.compiled[ptr]
	if !ok {
		var err error
		if schema, err = s.compiler.Compile(resource + ptr); err != nil {
			s.mu.Unlock()
			return err
		}
		s.compiled[ptr] = schema
	}
	s.mu.Unlock()
	var wrong *jsonschema.ValidationError
	if err := schema.Validate(v); errors.As(err, &wrong) {
		return errors.New(strings.Join(leaves(wrong), "; "))
	}
	return nil
}

// leaves are the innermost reasons of an error. A schema that fails has seen none of the fields of its value, and all of
// them count as unknown then: that is said only where it is the reason itself.
func leaves(err *jsonschema.ValidationError) []string {
	var known, unknown []string
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if len(e.Causes) > 0 {
			return
		}
		if _, ok := e.ErrorKind.(*kind.FalseSchema); ok {
			unknown = append(unknown, "/"+strings.Join(e.InstanceLocation, "/")+" is unknown")
			return
		}
		known = append(known, e.Error())
	}
	walk(err)
	if len(known) > 0 {
		return known
	}
	return unknown
}

// first says whether this is the first time that it is asked about a kind of body.
func (s *schemas) first(kind string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.judged[kind]
	s.judged[kind] = true
	return !was
}
