package events

import _ "embed" // for the schema

// The embed is written by hand: what it says beside the fields, nothing else could say. A test holds the fields to the
// structs of types.go.
//
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of an event, with the data of each type under its name in $defs.
func Schema() []byte { return schema }
