package browser

import (
	"encoding/binary"
	"strings"
	"testing"
)

// levelDBLog writes records as LevelDB does: fragments in blocks of 32 KB.
func levelDBLog(records ...string) []byte {
	var log []byte
	for _, r := range records {
		for begin := true; begin || r != ""; begin = false {
			left := 32<<10 - len(log)%(32<<10)
			if left < 7 {
				log = append(log, make([]byte, left)...)
				left = 32 << 10
			}
			part := r[:min(len(r), left-7)]
			r = r[len(part):]
			kind := map[[2]bool]byte{{true, true}: 1, {true, false}: 2, {false, false}: 3, {false, true}: 4}[[2]bool{begin, r == ""}]
			log = append(log, 0, 0, 0, 0)
			log = binary.LittleEndian.AppendUint16(log, uint16(len(part))) //nolint:gosec // a small number of the test, which fits
			log = append(append(log, kind), part...)
		}
	}
	return log
}

func TestSplitLog(t *testing.T) {
	t.Parallel()
	records := []string{"a", strings.Repeat("b", 32<<10-7-8-7-3), "c" + strings.Repeat("d", 100_000), "e"}
	log := levelDBLog(records...)
	if got := splitLog(log); strings.Join(got, "|") != strings.Join(records, "|") {
		t.Errorf("%d records", len(got))
	}
	// What is not whole was not written: the last record, cut short.
	if got := splitLog(log[:len(log)-1]); strings.Join(got, "|") != strings.Join(records[:3], "|") {
		t.Errorf("%d records of a log that is cut", len(got))
	}
	if got := splitLog(append(log, make([]byte, 20)...)); len(got) != 4 {
		t.Errorf("%d records of a log that was allocated ahead", len(got))
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	record := "\x01\x0a_http://x\x00" // not whole: the key is longer
	entry := func(key, value string) string {
		put := func(s string) string { return string(binary.AppendUvarint(nil, uint64(len(s)))) + s }
		return "\x01" + put("_https://web.whatsapp.com\x00\x01"+key) + put(value)
	}
	records := []string{record, "12345678abcd" + entry("WALid", "\x01\"5@lid\"") + entry("wide", "\x00\x16\x04a\x00")}
	for _, c := range []struct {
		key, value string
		want       bool
	}{
		{"WALid", `"5@lid"`, true}, {"WALid", `"5@li`, false}, {"WALid", "", false}, {"ALid", `"5@lid"`, false}, {"wide", "Жa", true}, {"wide", "Ж", false},
	} {
		if got := holds(records, "https://web.whatsapp.com", c.key, c.value); got != c.want {
			t.Errorf("%s=%s: %v", c.key, c.value, got)
		}
	}
}
