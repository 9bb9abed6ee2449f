// Package problem is the one catalogue of errors that a caller of kurir can meet. Each has a code, an HTTP
// status and a sentence in English and Indonesian that says what to do. It imports nothing of kurir.
//
// Invariant: every code that leaves kurir is in the catalogue; anything else shows INTERNAL and is logged.
package problem

import (
	"errors"
	"time"
)

// Code names an error for programs. Codes never change their meaning.
type Code string

// Error is an error with a code of the catalogue.
type Error struct {
	Code   Code
	Detail string // the case at hand, appended to the catalogue's sentence; must not hold secrets
	Err    error  // the cause, for the log only
	// Until is when this passes by itself, where WhatsApp said so (RESTRICTED); else zero.
	Until time.Time
}

// New returns an error of the given code about the given case.
func New(code Code, detail string) *Error { return &Error{Code: code, Detail: detail} }

// Wrap returns an error of the given code with a cause that only the log sees.
func Wrap(code Code, detail string, err error) *Error {
	return &Error{Code: code, Detail: detail, Err: err}
}

func (e *Error) Error() string {
	s := string(e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// UntilOf returns when the error in err's chain passes by itself; zero when nobody knows.
func UntilOf(err error) time.Time {
	var e *Error
	if errors.As(err, &e) {
		return e.Until
	}
	return time.Time{}
}

// CodeOf returns the code in err's chain, or Internal when it has none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
