package sandbox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSeed(t *testing.T) {
	got, err := ParseSeed("chats=10000, messages=200000,contacts=20000", 7)
	if err != nil {
		t.Fatal(err)
	}
	want := PhoneSpec{Number: got.Number, Contacts: 20_000, Chats: 10_000, Messages: 200_000, Seed: 7}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := parseUser(got.Number); err != nil {
		t.Error(err)
	}
	again, _ := ParseSeed("chats=1", 7)
	other, _ := ParseSeed("chats=1", 8)
	if again.Number != got.Number || other.Number == got.Number {
		t.Errorf("seed 7 makes %s and %s, seed 8 %s", got.Number, again.Number, other.Number)
	}
}

func TestParseSeedRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":                  "is not chats=N",
		"chat=1":            "is not chats=N",
		"chats":             "whole number",
		"chats=-1":          "from 0 to 10000",
		"chats=10001":       "from 0 to 10000",
		"chats=1,chats=2":   "twice",
		"messages=1":        "need chats",
		"contacts=1;chats=": "whole number",
	} {
		if _, err := ParseSeed(text, 1); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", text, err, why)
		}
	}
}

func TestTheSameSeedMakesTheSameHistory(t *testing.T) {
	spec, err := ParseSeed("chats=30,messages=300,contacts=40", 42)
	if err != nil {
		t.Fatal(err)
	}
	past := func(seed uint64) string {
		spec.Seed = seed
		g := newSeed(spec, 1_760_000_000)
		var all strings.Builder
		for i := range spec.Chats {
			c := g.chat(i)
			all.WriteString(c.WID + c.Name)
			for k := range g.count(i) {
				m := g.message(i, k, &c)
				all.WriteString(m.ID + m.Body)
			}
		}
		return all.String()
	}
	one, again, other := past(42), past(42), past(43)
	if one != again || one == other {
		t.Error("a history is its seed's and no other's")
	}
}
