// Package contract holds the contract of kurir's HTTP interface, for programs and people: openapi.yaml.
//
// Invariant: what it says is true of the routes, bodies, answers and codes. Nothing here makes it so; the tests that hold it
// are here (its parts), in handlers (its routes) and, through contract/verify, wherever a test sends a request.
package contract

import _ "embed" // for the contract

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI returns the contract, OpenAPI 3.1 as YAML.
func OpenAPI() []byte { return openAPI }
