package models

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/oklog/ulid/v2"
)

// NewMessageID returns a new id of a message: msg_ and a ULID.
func NewMessageID() string { return "msg_" + ulid.Make().String() }

// NewInstanceID returns a new id of an instance: inst_ and a ULID.
func NewInstanceID() string { return "inst_" + ulid.Make().String() }

// NewKeyID returns a new id of an API key: key_ and a ULID. It is not the key.
func NewKeyID() string { return "key_" + ulid.Make().String() }

// NewUserID returns a new id of a person of the console: usr_ and a ULID.
func NewUserID() string { return "usr_" + ulid.Make().String() }

// NewWAID returns a new WhatsApp message id: 3EB0 and 18 upper-case hex digits of crypto/rand, 22 characters, as
// WhatsApp Web mints them.
func NewWAID() string {
	var b [9]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process when the system has no randomness
	return "3EB0" + strings.ToUpper(hex.EncodeToString(b[:]))
}

// HashSecret returns what is stored of a secret (API key, cookie, admin token): its SHA-256 in hex. The secrets are
// long and random, so that a slow hash would add nothing.
func HashSecret(plain string) string {
	sum := sha256.Sum256([]byte(plain))
	return hex.EncodeToString(sum[:])
}
