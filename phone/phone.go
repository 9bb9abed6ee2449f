// Package phone reads telephone numbers and WhatsApp ids as people write them and prints the one form that
// WhatsApp uses.
//
// Invariant: a Target has a wid that WhatsApp Web can take as it is, and for a number the digits in
// international form. Nothing is guessed: a LID is a LID only when its writer says so, and regional oddities
// (Brazil's ninth digit, Mexico's 1) stay as written for WhatsApp's own check of the number.
package phone

import (
	"strings"

	"github.com/nyaruka/phonenumbers"

	"kurir/problem"
)

// Kind says what a Target is.
type Kind string

// The kinds of target.
const (
	User       Kind = "user"
	Group      Kind = "group"
	LID        Kind = "lid"
	Newsletter Kind = "newsletter"
	Broadcast  Kind = "broadcast"
)

// Target is whom a message is for.
type Target struct {
	WID   string // 62812…@c.us, …@g.us, …@lid, …@newsletter, …@broadcast
	Phone string // digits in international form; empty unless Kind is User
	Kind  Kind
}

// maxInput is the longest input that is looked at; the longest real one, an old group's id, has 31 characters.
const maxInput = 80

// minGroupDigits is where telephone numbers (15 digits at most) have long ended and group ids begin.
const minGroupDigits = 18

// Parse reads a number or a WhatsApp id. region (ISO 3166-1 alpha-2) is the country of numbers without a
// country code; empty means ID. The error is a *problem.Error with the code INVALID_PHONE.
func Parse(input, region string) (Target, error) {
	if len(input) > maxInput {
		return Target{}, problem.New(problem.InvalidPhone, "it is too long")
	}
	if region == "" {
		region = "ID"
	}
	s := strings.TrimSpace(input)
	if user, server, ok := strings.Cut(s, "@"); ok {
		return parseID(user, strings.ToLower(server))
	}
	s, ok := clean(s)
	if !ok {
		return Target{}, invalid(input)
	}
	if t, ok := parseGroup(s); ok {
		return t, nil
	}
	digits, ok := normalise(strings.ReplaceAll(s, "-", ""), strings.ToUpper(region))
	if !ok {
		return Target{}, invalid(input)
	}
	return Target{WID: digits + "@c.us", Phone: digits, Kind: User}, nil
}

// ValidRegion says whether region is a country that Parse knows.
func ValidRegion(region string) bool {
	return phonenumbers.GetCountryCodeForRegion(region) != 0
}

func invalid(input string) error {
	return problem.New(problem.InvalidPhone, "got "+quote(input))
}

// quote prints what was given so that the caller recognises it, and nothing that could disturb a log or a page.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' || r == '<' || r == '>' || r == 0x7f {
			r = '?'
		}
		b.WriteRune(r)
		if b.Len() > 40 {
			b.WriteString("…")
			break
		}
	}
	b.WriteByte('"')
	return b.String()
}

// parseID reads the forms with a server part. They pass through: who writes them knows what he means.
func parseID(user, server string) (Target, error) {
	wid := func(kind Kind) (Target, error) { return Target{WID: user + "@" + server, Kind: kind}, nil }
	switch server {
	case "c.us", "s.whatsapp.net":
		user, _, _ = strings.Cut(user, ":") // 62812…:7@s.whatsapp.net names a device of the user
		if digitsBetween(user, 6, 15) && user[0] != '0' {
			return Target{WID: user + "@c.us", Phone: user, Kind: User}, nil
		}
	case "g.us":
		creator, created, ok := strings.Cut(user, "-")
		if digitsBetween(creator, 5, 24) && (!ok || digitsBetween(created, 1, 12)) {
			return wid(Group)
		}
	case "lid":
		user, _, _ = strings.Cut(user, ":")
		if digitsBetween(user, 5, 20) {
			return wid(LID)
		}
	case "newsletter":
		if digitsBetween(user, 5, 24) {
			return wid(Newsletter)
		}
	case "broadcast":
		if user == "status" || digitsBetween(user, 5, 24) {
			return wid(Broadcast)
		}
	}
	return Target{}, invalid(user + "@" + server)
}

// parseGroup recognises a group's id without its server part: 18 digits or more, with at most one dash (the
// older form is the creator's number, a dash and the second of its making).
func parseGroup(s string) (Target, bool) {
	creator, created, dashed := strings.Cut(s, "-")
	if len(creator)+len(created) < minGroupDigits || s[0] == '0' {
		return Target{}, false
	}
	if !digitsBetween(creator, 1, 24) || dashed && !digitsBetween(created, 1, 12) {
		return Target{}, false
	}
	return Target{WID: s + "@g.us", Kind: Group}, true
}

// clean drops what people put between digits and leaves digits, dashes and one plus in front. It reports false
// when anything else is there: a letter in a number is a slip, not a vanity number.
func clean(s string) (string, bool) {
	// A number that went through a spreadsheet or a float: 6281234567890.0
	if head, tail, ok := strings.Cut(s, "."); ok && digitsBetween(head, 9, 15) && strings.Trim(tail, "0") == "" {
		s = head
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9', r == '-':
			b.WriteRune(r)
		case r == '+' || r == '＋':
			if strings.Trim(b.String(), "-") != "" {
				return "", false
			}
			b.Reset()
			b.WriteByte('+')
		case separates(r):
		case r >= '‐' && r <= '―', r == '−':
			b.WriteByte('-') // a dash that a word processor made longer
		default:
			d := phonenumbers.NormalizeDigitsOnly(string(r)) // digits of other scripts
			if len(d) != 1 {
				return "", false
			}
			b.WriteString(d)
		}
	}
	out := b.String()
	return out, strings.Trim(out, "+-") != ""
}

// separates says whether r is a separator or one of the invisible marks that telephone books put around numbers.
func separates(r rune) bool {
	switch {
	case r == ' ', r == '.', r == '(', r == ')', r == '\t', r == '\n', r == '\r', r == '\u00a0', r == '\u202f', r == '\ufeff':
		return true
	case r >= '\u2000' && r <= '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2060' && r <= '\u2069':
		return true
	}
	return false
}

func digitsBetween(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
