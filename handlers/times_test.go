package handlers

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

var jakarta = time.FixedZone("Asia/Jakarta", 7*60*60)

func TestParseTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC) // 08:00 in Jakarta
	for text, want := range map[string]time.Time{
		"2026-12-01T08:00:00+07:00":     at,
		"2026-12-01t01:00:00z":          at,
		"2026-12-01T01:00Z":             at,
		"2026-12-01T08:00:00+0700":      at,
		"2026-12-01T08:00:00+07":        at,
		"2026-12-01T08:00:00.250+07:00": at.Add(250 * time.Millisecond),
		"2026-12-01 08:00:00 +07:00":    at,
		"2026-12-01T08:00:00 07:00":     at, // the plus was not encoded
		"2026-11-30 20:00:00 -0500":     at,
		"2026-12-01 08:00":              at, // the instance's zone
		"2026-12-01T08:00":              at,
		"2026-12-01 08.00":              at,
		" 2026-12-01 08:00:00 ":         at,
		"2026-12-01 08:00 WIB":          at,
		"2026-12-01 09:00 wita":         at,
		"2026-12-01 10.00 WIT":          at,
		"2026-12-01 01:00 UTC":          at,
		"1796086800":                    at,
		"1796086800.5":                  at.Add(500 * time.Millisecond),
		"1796086800000":                 at,
		"1796086800250":                 at.Add(250 * time.Millisecond),
		"1.7960868e9":                   at,
	} {
		got, err := parseTime(intake.Value{Kind: intake.String, Text: text}, jakarta)
		if err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"tomorrow", "2026-12-01", "08:00", "01/12/2026 08:00", "2026-13-01 08:00", "2026-12-01 25:00", "2026-12-01 08:00 WIX", "-5", "1e400", "1e15e", "99999999999999999",
		"2026-12-01 08:00 Asia/Jakarta", "0x10", ".", "NaN", "2026-12-01T08:00:00+07:00 WIB", "2026-02-30 08:00", " ",
	} {
		if got, err := parseTime(intake.Value{Kind: intake.String, Text: text}, jakarta); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, kind := range []intake.Kind{intake.Bool, intake.Other, intake.List} {
		if got, err := parseTime(intake.Value{Kind: kind, Text: "1796086800"}, jakarta); err == nil {
			t.Errorf("%d: %v", kind, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Second, "1.5": 1500 * time.Millisecond, "3e2": 5 * time.Minute, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute,
		" 10S ": 10 * time.Second, "2d": 48 * time.Hour, "0.5d": 12 * time.Hour, "366d": 366 * 24 * time.Hour, "1500ms": 1500 * time.Millisecond,
	} {
		got, err := parseDuration(intake.Value{Kind: intake.String, Text: text})
		if err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"0", "-1", "0.5", "soon", "5 m", "367d", "1e300", "1e400", "NaN", "-5m", "d", "m", "5x", "1d2h", "0x1p4"} {
		if got, err := parseDuration(intake.Value{Kind: intake.String, Text: text}); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	if _, err := parseDuration(intake.Value{Kind: intake.Bool, Text: "true"}); err == nil {
		t.Error("true is a duration")
	}
}

func TestTimingApply(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	for name, tt := range map[string]struct {
		t       timing
		code    problem.Code
		before  time.Time
		expires time.Time
	}{
		"nothing":                   {},
		"later":                     {t: timing{sendAt: in(time.Hour)}, before: in(time.Hour)},
		"now":                       {t: timing{sendAt: now}},
		"a little ago is now":       {t: timing{sendAt: in(-pastTolerance)}},
		"long ago":                  {t: timing{sendAt: in(-pastTolerance - 1)}, code: problem.SendAtInvalid},
		"in a year":                 {t: timing{sendAt: in(maxAhead)}, before: in(maxAhead)},
		"too far":                   {t: timing{sendAt: in(maxAhead + 1)}, code: problem.SendAtInvalid},
		"expires":                   {t: timing{expiresIn: time.Minute}, expires: in(time.Minute)},
		"expires at":                {t: timing{expiresAt: in(time.Minute)}, expires: in(time.Minute)},
		"expired":                   {t: timing{expiresAt: now}, code: problem.ExpiresInvalid},
		"expires too late":          {t: timing{expiresAt: in(maxAhead + 1)}, code: problem.ExpiresInvalid},
		"expires after it is sent":  {t: timing{sendAt: in(time.Hour), expiresIn: 2 * time.Hour}, before: in(time.Hour), expires: in(2 * time.Hour)},
		"expires when it is sent":   {t: timing{sendAt: in(time.Hour), expiresAt: in(time.Hour)}, code: problem.ExpiresInvalid},
		"expires before it is sent": {t: timing{sendAt: in(time.Hour), expiresIn: time.Minute}, code: problem.ExpiresInvalid},
	} {
		var m models.Message
		err := tt.t.apply(&m, now)
		if (err != nil) != (tt.code != "") || err != nil && problem.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %q", name, err, tt.code)
			continue
		}
		if err == nil && (!m.NotBefore.Equal(tt.before) || tt.expires.IsZero() != (m.ExpiresAt == nil) || m.ExpiresAt != nil && !m.ExpiresAt.Equal(tt.expires)) {
			t.Errorf("%s: %v, %v", name, m.NotBefore, m.ExpiresAt)
		}
	}
}

// FuzzTiming: whatever stands in the fields, reading ends, and what it takes is in bounds and the same again.
func FuzzTiming(f *testing.F) {
	for _, s := range [][3]string{
		{"2026-12-01T08:00:00+07:00", "5m", ""}, {"2026-12-01 08.00 WITA", "", "1796086800"}, {"1796086800250", "2d", ""}, {"1e15", "1e18", "-1"},
		{" +", "d", "12345 12:45"}, {"2026-12-01 08:00 \xff", "9223372036854775807", "+07:00"}, {"0000-01-01 00:00", "1h1h1h", "9999-12-31 23:59"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	now := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, sendAt, expiresIn, expiresAt string) {
		form, err := intake.Read(strings.NewReader(bodyOf(map[string]any{"send_at": sendAt, "expires_in": expiresIn, "expires_at": expiresAt})), intake.Options{MaxText: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		one, err := readTiming(&form, jakarta)
		if err != nil {
			return
		}
		if two, err := readTiming(&form, jakarta); err != nil || one.words() != two.words() {
			t.Fatalf("%q, then %q, %v", one.words(), two.words(), err)
		}
		var m models.Message
		if one.apply(&m, now) != nil {
			return
		}
		if m.NotBefore.After(now.Add(maxAhead)) || !m.NotBefore.IsZero() && m.NotBefore.Before(now) {
			t.Fatalf("not before %v", m.NotBefore)
		}
		if m.ExpiresAt != nil && (!m.ExpiresAt.After(now) || !m.ExpiresAt.After(m.NotBefore) || m.ExpiresAt.After(now.Add(maxAhead))) {
			t.Fatalf("expires %v", m.ExpiresAt)
		}
	})
}

func TestSendTiming(t *testing.T) {
	t.Parallel()
	body := func(more string) string {
		return `{"key":"` + goodKey + `","phone":"62812345678","body":"a",` + more + `}`
	}
	soon := time.Now().Add(2 * time.Hour).Truncate(time.Second)
	stored := func(ok func(models.Message) bool) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if m := w.db.last(t); !ok(m) {
				t.Errorf("%+v", m)
			}
		}
	}
	has := func(p int) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return stored(func(m models.Message) bool { return m.Priority == p && m.NotBefore.IsZero() && m.ExpiresAt == nil })
	}
	at := func(want time.Time) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return stored(func(m models.Message) bool { return m.NotBefore.Equal(want) })
	}
	nothing := func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		if len(w.db.messages) > 0 || len(w.outbox.woken) > 0 {
			t.Errorf("accepted: %+v", w.db.messages)
		}
	}
	tests := []scenario{
		{name: "high", body: body(`"priority":"High "`), status: 200, want: []string{`"priority":"high"`}, check: has(10)},
		{name: "low as a number", body: body(`"priority":-10`), status: 200, want: []string{`"priority":"low"`}, check: has(-10)},
		{name: "normal", body: body(`"priority":"normal"`), status: 200, lack: []string{`"priority"`}, check: has(0)},
		{name: "0", body: body(`"priority":0`), status: 200, check: has(0)},
		{name: "nothing said", body: body(`"priority":"","send_at":null,"expires_in":" ","expires_at":""`), status: 200, lack: []string{"send_at", "expires_at"}, check: has(0)},
		{name: "form", headers: asForm(), body: "key=" + goodKey + "&phone=62812345678&body=a&priority=10", status: 200, check: has(10)},
		{name: "urgent", body: body(`"priority":"urgent"`), status: 422, want: []string{`"code":"PRIORITY_INVALID"`, "high, normal or low", "(urgent)"}, check: nothing},
		{name: "9", body: body(`"priority":9`), status: 422, want: []string{`"code":"PRIORITY_INVALID"`}, check: nothing},
		{name: "true", body: body(`"priority":true`), status: 422, want: []string{`"code":"PRIORITY_INVALID"`}, check: nothing},
		{name: "an object", body: body(`"priority":{"a":1}`), status: 422, want: []string{`"code":"PRIORITY_INVALID"`}, check: nothing},

		{name: "send_at", body: body(`"send_at":"` + soon.UTC().Format(time.RFC3339) + `"`), status: 200, want: []string{`"code":"SCHEDULED"`, `"state":"scheduled"`, `"send_at":"` + soon.UTC().Format(time.RFC3339), "at its time"}, lack: []string{`"position"`}, check: at(soon)},
		{name: "epoch", body: body(`"send_at":` + itoa(soon.Unix())), status: 200, check: at(soon)},
		{name: "epoch in a form, milliseconds", headers: asForm(), body: "key=" + goodKey + "&phone=62812345678&body=a&send_at=" + itoa(soon.UnixMilli()), status: 200, check: at(soon)},
		{name: "local time of the instance", body: body(`"send_at":"` + soon.In(jakarta).Format("2006-01-02 15:04:05") + `"`), status: 200, check: at(soon)},
		{name: "WIT", body: body(`"send_at":"` + soon.In(time.FixedZone("", 9*3600)).Format("2006-01-02 15:04:05") + ` WIT"`), status: 200, check: at(soon)},
		{name: "a moment ago is now", body: body(`"send_at":` + itoa(time.Now().Add(-time.Minute).Unix())), status: 200, want: []string{`"code":"QUEUED"`}, lack: []string{"send_at"}, check: has(0)},
		{name: "an hour ago", body: body(`"send_at":` + itoa(time.Now().Add(-time.Hour).Unix())), status: 422, want: []string{`"code":"SEND_AT_INVALID"`, "has passed", "kurir's clock"}, check: nothing},
		{name: "in two years", body: body(`"send_at":` + itoa(time.Now().Add(2*maxAhead).Unix())), status: 422, want: []string{`"code":"SEND_AT_INVALID"`, "too far ahead"}, check: nothing},
		{name: "tomorrow", headers: map[string]string{"Accept-Language": "id"}, body: body(`"send_at":"besok"`), status: 422, want: []string{`"code":"SEND_AT_INVALID"`, "harus waktu", "besok"}, check: nothing},
		{name: "send_at is an object", body: body(`"send_at":{}`), status: 422, want: []string{`"code":"SEND_AT_INVALID"`}, check: nothing},

		{name: "expires_in", body: body(`"expires_in":300`), status: 200, want: []string{`"code":"QUEUED"`, `"expires_at":"`}, check: stored(func(m models.Message) bool {
			left := time.Until(*m.ExpiresAt)
			return left > 4*time.Minute && left <= 5*time.Minute
		})},
		{name: "expires_at", body: body(`"expires_at":"` + soon.Format(time.RFC3339) + `"`), status: 200, check: stored(func(m models.Message) bool { return m.ExpiresAt.Equal(soon) })},
		{name: "both", body: body(`"expires_at":"` + soon.Format(time.RFC3339) + `","expires_in":"5m"`), status: 422, want: []string{`"code":"EXPIRES_INVALID"`}, check: nothing},
		{name: "expired", body: body(`"expires_at":1700000000`), status: 422, want: []string{`"code":"EXPIRES_INVALID"`, "has passed"}, check: nothing},
		{name: "never sent", body: body(`"send_at":` + itoa(soon.Unix()) + `,"expires_in":"1h"`), status: 422, want: []string{`"code":"EXPIRES_INVALID"`, "before it is sent"}, check: nothing},
		{name: "0 seconds", body: body(`"expires_in":0`), status: 422, want: []string{`"code":"EXPIRES_INVALID"`}, check: nothing},

		{name: "place", body: body(`"x":1`), setup: func(w *world) {
			w.outbox.place.Position, w.outbox.place.ETA = 7, &soon
		}, status: 200, want: []string{`"position":7`, `"eta":"` + soon.Format(time.RFC3339)}},
		{name: "unknown eta", body: body(`"x":1`), setup: func(w *world) { w.outbox.place.Position = 1 }, status: 200, want: []string{`"position":1`}, lack: []string{`"eta"`}},
		{name: "nobody waits for tomorrow", body: body(`"wait":true,"send_at":` + itoa(soon.Unix())), status: 200, want: []string{`"code":"SCHEDULED"`}, check: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if w.outbox.waited != 0 {
				t.Errorf("waited %s", w.outbox.waited)
			}
		}},
		{name: "expired while it was waited for", body: body(`"wait":true,"expires_in":5`), setup: func(w *world) {
			w.outbox.settle = func(m *models.Message) { m.State, m.Code = models.MessageExpired, "EXPIRED" }
		}, status: 410, want: []string{`"status":false`, `"code":"EXPIRED"`, `"state":"expired"`}},
	}
	for _, tt := range tests {
		tt.url = "/wa/send"
		t.Run(tt.name, tt.run)
	}
	file := `{"key":"` + goodKey + `","phone":"62812345678","body":"aGFsbw==","filename":"a.txt","priority":"high","send_at":` + itoa(soon.Unix()) + `,"expires_in":"3h"}`
	scenario{url: "/wa/sendfile", body: file, status: 200, want: []string{`"code":"SCHEDULED"`}, check: stored(func(m models.Message) bool {
		return m.Priority == 10 && m.NotBefore.Equal(soon) && m.ExpiresAt != nil && m.FilePath != ""
	})}.sub(t, "file")
	scenario{url: "/wa/sendfile", body: strings.Replace(file, "3h", "1h", 1), status: 422, want: []string{`"code":"EXPIRES_INVALID"`}, check: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) { w.wantNoFiles(t) }}.sub(t, "file, refused")
	scenario{url: "/wa/sendfile", body: strings.Replace(file, `"62812345678"`, `["1","2"]`, 1), status: 422, want: []string{`"code":"BULK_INVALID"`, "/wa/sendfileurl"}, check: func(t *testing.T, w *world, _ *httptest.ResponseRecorder) { w.wantNoFiles(t) }}.sub(t, "file for two")
}
