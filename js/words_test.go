package js_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"kurir/events"
)

// TestTheBridgeTellsTheWordsOfTheEvents reads the tables by which the bridge translates WhatsApp's words: it tells exactly
// those that package events, and with it the schema, knows.
func TestTheBridgeTellsTheWordsOfTheEvents(t *testing.T) {
	for _, tt := range []struct {
		file, table string
		want        []string
	}{
		{"src/happening.ts", "memberActions", events.Actions()},
		{"src/watch.ts", "presenceStates", events.PresenceStates()},
	} {
		source, err := os.ReadFile(tt.file)
		if err != nil {
			t.Fatal(err)
		}
		table := regexp.MustCompile(`(?s)const ` + tt.table + `: Record<string, string> = \{(.*?)\};`).FindSubmatch(source)
		if table == nil {
			t.Fatalf("%s has no table %s", tt.file, tt.table)
		}
		var got []string
		for _, word := range regexp.MustCompile(`\w+: "(\w+)"`).FindAllSubmatch(table[1], -1) {
			got = append(got, string(word[1]))
		}
		slices.Sort(got)
		slices.Sort(tt.want)
		if got = slices.Compact(got); !slices.Equal(got, tt.want) {
			t.Errorf("%s tells %v, package events knows %v", tt.table, got, tt.want)
		}
	}
}
