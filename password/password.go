// Package password keeps people's passwords: argon2id, written in the PHC format with its parameters, so that they can be
// raised later and old hashes still open.
//
// Invariant: never more than a few hashes are computed at once, and few callers wait for one, so that a flood of guesses
// takes neither the machine's memory nor its time without end. A check costs the same whether the name is known or not.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"kurir/problem"
)

// The bounds of a password. There are no rules on what is in it: long beats strange.
const (
	MinLength = 10  // characters
	MaxBytes  = 256 // so that nobody can make kurir hash a book
)

// params are argon2id's costs.
type params struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

// current is what new hashes get: OWASP's second choice, 19 MiB and two passes. kurir runs on machines with 1 GB.
var current = params{memory: 19 * 1024, time: 2, threads: 1} //nolint:gochecknoglobals // a constant of a struct type

// The largest costs that a stored hash may ask for: the database is not to be able to take the machine either.
const (
	mostMemory = 256 * 1024
	mostTime   = 16
	saltBytes  = 16
	keyBytes   = 32
)

const (
	atOnce  = 2                // hashes computed at the same moment
	inLine  = 32               // callers that may wait for their turn
	waiting = 10 * time.Second // and for how long
)

// Hasher computes hashes, a few at once. It is safe for concurrent use.
type Hasher struct {
	turns chan struct{}
	line  chan struct{}
	decoy string // a hash that no password opens, for names that nobody has
}

// New returns a hasher. There is one in a process, or the bound on memory is none.
func New() *Hasher {
	return &Hasher{
		turns: make(chan struct{}, atOnce), line: make(chan struct{}, atOnce+inLine),
		decoy: current.encode(random(saltBytes), random(keyBytes)),
	}
}

// CheckNew says whether a password may be chosen by the person of that name: PASSWORD_INVALID when not.
func CheckNew(name, plain string) error {
	switch {
	case len(plain) > MaxBytes, utf8.RuneCountInString(plain) < MinLength, !utf8.ValidString(plain),
		strings.TrimSpace(plain) == "", strings.EqualFold(strings.TrimSpace(plain), name):
		return problem.New(problem.PasswordInvalid, "")
	}
	return nil
}

// Random returns a password for somebody who will choose another: 80 bits, easy to read out.
func Random() string {
	text := strings.ToLower(rand.Text())[:16]
	return strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:]}, "-")
}

// Hash returns the password's hash in the PHC format.
func (h *Hasher) Hash(ctx context.Context, plain string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := random(saltBytes)
	return current.encode(salt, current.key(plain, salt)), nil
}

// Check says whether the password opens a hash. An empty hash is that of nobody: it takes as long and opens to nothing.
// stale says that the hash has costs from an earlier kurir and is to be made anew.
func (h *Hasher) Check(ctx context.Context, hash, plain string) (ok, stale bool, err error) {
	if len(plain) > MaxBytes { // none is as long, so this is no secret
		return false, false, nil
	}
	nobody := hash == ""
	if nobody {
		hash = h.decoy
	}
	p, salt, key, err := decode(hash)
	if err != nil {
		return false, false, err
	}
	done, err := h.turn(ctx)
	if err != nil {
		return false, false, err
	}
	defer done()
	same := subtle.ConstantTimeCompare(p.key(plain, salt), key) == 1
	return same && !nobody, p != current, nil
}

// turn waits until a hash may be computed; UNAVAILABLE when too many wait.
func (h *Hasher) turn(ctx context.Context) (done func(), err error) {
	busy := func() error { return problem.New(problem.Unavailable, "too many people sign in at this moment") }
	select {
	case h.line <- struct{}{}:
	default:
		return nil, busy()
	}
	limit := time.NewTimer(waiting)
	defer limit.Stop()
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns; <-h.line }, nil
	case <-limit.C:
		err = busy()
	case <-ctx.Done():
		err = ctx.Err()
	}
	<-h.line
	return nil, err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return b
}

func (p params) key(plain string, salt []byte) []byte {
	return argon2.IDKey([]byte(plain), salt, p.time, p.memory, p.threads, keyBytes)
}

// encode writes the PHC string, for example $argon2id$v=19$m=19456,t=2,p=1$SALT$KEY.
func (p params) encode(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

var errDamaged = errors.New("the stored hash of a password is damaged")

func decode(phc string) (p params, salt, key []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errDamaged
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil ||
		parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.time, p.threads) ||
		p.memory > mostMemory || p.time < 1 || p.time > mostTime || p.threads < 1 {
		return p, nil, nil, errDamaged
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) < 8 || len(key) != keyBytes {
		return p, nil, nil, errDamaged
	}
	return p, salt, key, nil
}
