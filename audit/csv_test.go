package audit

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/models"
	"kurir/problem"
)

// log is a log in memory that breaks at a line.
type log struct {
	lines []models.AuditEntry
	bad   int64
	most  int
}

var errBroken = errors.New("broken")

func (l *log) AuditLines(_ context.Context, f models.AuditFilter, limit int) ([]models.AuditEntry, error) {
	var out []models.AuditEntry
	for _, a := range l.lines {
		if a.ID > f.After && len(out) < limit {
			if a.ID == l.bad {
				return nil, errBroken
			}
			out = append(out, a)
		}
	}
	l.most = max(l.most, len(out))
	return out, nil
}

func TestWriteCSV(t *testing.T) {
	t.Parallel()
	l := &log{}
	for i := range 2*page + 1 {
		l.lines = append(l.lines, models.AuditEntry{
			ID: int64(i + 1), Time: time.Unix(1e9, 5000).UTC(), Actor: "key_1", Action: fmt.Sprint("a", i), Target: `say "hi", all`, Hash: models.Digest{0xab, 1},
		})
	}
	var b bytes.Buffer
	flushed := 0
	if err := WriteCSV(t.Context(), &b, func() error { flushed++; return nil }, l, models.AuditFilter{After: 1}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 2*page+1 || flushed != 3 || l.most > page {
		t.Fatalf("%d rows, %d flushes, at most %d at once, %v", len(rows), flushed, l.most, err)
	}
	want := []string{"2", "2001-09-09T01:46:40.000005Z", "key_1", "", "a1", "", `say "hi", all`, "", "", "0", "", "ab01"}
	if d := cmp.Diff(want, rows[1]); d != "" {
		t.Error(d)
	}
}

func TestNoFormulas(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "+62812": "'+62812", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "key_1": "key_1", "": "", "a=b": "a=b",
	} {
		a := models.AuditEntry{Actor: in, IP: in, Action: in, InstanceID: in, Target: in, Code: in, RequestID: in}
		for i, cell := range cells(&a)[2:9] {
			if cell != want {
				t.Errorf("%q in column %d is %q", in, i+2, cell)
			}
		}
	}
}

func TestAnErrorIsTold(t *testing.T) {
	t.Parallel()
	l := &log{lines: []models.AuditEntry{{ID: 1}, {ID: 2}}, bad: 2}
	if err := WriteCSV(t.Context(), &bytes.Buffer{}, nil, l, models.AuditFilter{}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	l.bad = 0
	if err := WriteCSV(t.Context(), &bytes.Buffer{}, func() error { return errBroken }, l, models.AuditFilter{}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	f, err := Filter(url.Values{"after": {"7"}, "since": {"2026-11-28T08:00:00+07:00"}, "instance": {"inst_1"}})
	if err != nil || f.After != 7 || f.InstanceID != "inst_1" || !f.Since.Equal(time.Date(2026, 11, 28, 1, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := Filter(url.Values{"since": {"2026-11-28"}}); err != nil || f.Since.Hour() != 0 || f.Since.Day() != 28 {
		t.Errorf("%+v, %v", f, err)
	}
	for _, q := range []url.Values{{"after": {"x"}}, {"after": {"-1"}}, {"since": {"yesterday"}}} {
		if _, err := Filter(q); problem.CodeOf(err) != problem.BadRequest {
			t.Errorf("%v: %v", q, err)
		}
	}
}
