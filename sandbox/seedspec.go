package sandbox

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseSeed reads how much history a phone is to have, "chats=10000,messages=200000,contacts=20000" in any order; what
// is not named is none. seed chooses which history and which number: the same seed makes the same phone again.
func ParseSeed(text string, seed uint64) (PhoneSpec, error) {
	spec := PhoneSpec{Number: fmt.Sprintf("62815%08d", mix(seed)%100_000_000), Seed: seed}
	fields := map[string]struct {
		value *int
		most  int
	}{"contacts": {&spec.Contacts, MaxContacts}, "chats": {&spec.Chats, MaxChats}, "messages": {&spec.Messages, MaxMessages}}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, digits, _ := strings.Cut(strings.TrimSpace(part), "=")
		field, known := fields[name]
		n, err := strconv.Atoi(digits)
		switch {
		case !known:
			return PhoneSpec{}, fmt.Errorf("%q is not chats=N, messages=N or contacts=N", part)
		case seen[name]:
			return PhoneSpec{}, fmt.Errorf("%s is given twice", name)
		case err != nil || n < 0 || n > field.most:
			return PhoneSpec{}, fmt.Errorf("%s must be a whole number from 0 to %d, not %q", name, field.most, digits)
		}
		*field.value, seen[name] = n, true
	}
	if spec.Messages > 0 && spec.Chats == 0 {
		return PhoneSpec{}, fmt.Errorf("messages need chats: add chats=N")
	}
	return spec, nil
}
