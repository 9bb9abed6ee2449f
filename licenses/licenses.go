// Package licenses has the licences of what others wrote and kurir's binary has in it: they ask to go along with it.
//
// Invariant: the text is what `make licenses` (licenses/gather) makes of this tree; a test compares.
package licenses

import _ "embed"

//go:embed licenses.txt
var text string

// Text is the list of what is in the binary, and the licences.
func Text() string { return text }
