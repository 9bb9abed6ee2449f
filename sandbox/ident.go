package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

const (
	userServer  = "@c.us"
	lidServer   = "@lid"
	groupServer = "@g.us"
	jidServer   = "@s.whatsapp.net" // how users are written on WhatsApp's own wire
)

// NewMessageID mints an id as WhatsApp Web does: 3EB0 and 18 hex digits, upper case.
func NewMessageID() string {
	var b [9]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return "3EB0" + strings.ToUpper(hex.EncodeToString(b[:]))
}

// isNumber says whether s can be a telephone number: 8 to 15 digits in international form without "+".
func isNumber(s string) bool {
	if len(s) < 8 || len(s) > 15 || s[0] == '0' {
		return false
	}
	return isDigits(s)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parseUser returns the number that s means: a number, optionally with "+", or the wid, jid or lid of a user. A
// device part ("62812:3@c.us") is dropped.
func parseUser(s string) (number string, err error) {
	user, server, found := strings.Cut(strings.TrimPrefix(s, "+"), "@")
	user, _, _ = strings.Cut(user, ":")
	switch {
	case found && "@"+server == lidServer:
		if number, ok := numberOfLID(user); ok {
			return number, nil
		}
	case !found || "@"+server == userServer || "@"+server == jidServer:
		if isNumber(user) {
			return user, nil
		}
	}
	return "", errorf(400, "%q is not a number or the id of a user", s)
}

func isGroup(wid string) bool { return strings.HasSuffix(wid, groupServer) }

// statusWID is the chat in which everybody posts their status.
const statusWID = "status@broadcast"

// isShared says whether a chat has the same name for everybody in it, so that messages in it need an author.
func isShared(wid string) bool { return isGroup(wid) || wid == statusWID }

func widOf(number string) string { return number + userServer }

// lidBits bounds numbers and lids: numbers have at most 15 digits, and 10^15 < 2^50.
const (
	lidBits = 50
	half    = lidBits / 2
	mask    = 1<<half - 1
)

// lidOf returns the lid of a number: a fixed permutation, so that nothing need be stored to find the way back.
func lidOf(number string) string {
	n, _ := strconv.ParseUint(number, 10, 64) // callers pass what isNumber accepted
	l, r := n>>half, n&mask
	for round := range uint64(4) {
		l, r = r, l^lidRound(r, round)
	}
	return strconv.FormatUint(1<<lidBits|l<<half|r, 10) + lidServer
}

// numberOfLID undoes lidOf for the user part of a lid.
func numberOfLID(user string) (string, bool) {
	v, err := strconv.ParseUint(user, 10, 64)
	if err != nil || v>>lidBits != 1 {
		return "", false
	}
	v &= 1<<lidBits - 1
	l, r := v>>half, v&mask
	for i := range uint64(4) {
		l, r = r^lidRound(l, 3-i), l
	}
	number := strconv.FormatUint(l<<half|r, 10)
	return number, isNumber(number)
}

func lidRound(x, round uint64) uint64 { return mix(x+round*0x9E37) & mask }

// mix is the finaliser of SplitMix64: every bit of x changes about half of the result's.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// Error is what the simulated WhatsApp answers when it refuses. Code follows HTTP's and WhatsApp's numbers (401
// unknown device, 404 not there, 463 restricted).
type Error struct {
	Code  int    `json:"code"`
	Text  string `json:"text"`
	Until int64  `json:"until,omitempty"` // epoch seconds at which it ends, when it does
}

func (e *Error) Error() string { return fmt.Sprintf("sandbox: %s (%d)", e.Text, e.Code) }

func errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}
