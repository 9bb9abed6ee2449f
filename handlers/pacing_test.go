package handlers

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/models"
	"kurir/outbox"
	"kurir/problem"
)

func TestPacing(t *testing.T) {
	t.Parallel()
	chosen := models.Pacing{Set: true, GapMS: 1000, JitterMS: 100, PerDay: 200, FirstPerDay: 20, QuietFrom: "22:00", QuietTo: "05:00"}
	set := func(w *world) { w.instances.all[0].Pacing = chosen }
	now := func(want models.Pacing) func(*testing.T, *world, *httptest.ResponseRecorder) {
		return func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
			if d := cmp.Diff(want, w.instances.all[0].Pacing); d != "" {
				t.Error(d)
			}
			if line := w.db.lines[0]; line.Action != "instance.update" || line.Code != "OK" || line.Actor != "admin" || line.InstanceID != "inst_1" {
				t.Errorf("%+v", line)
			}
		}
	}
	same := func(t *testing.T, w *world, _ *httptest.ResponseRecorder) {
		if len(w.instances.calls) > 0 || w.instances.all[0].Pacing != chosen {
			t.Errorf("%v, %+v", w.instances.calls, w.instances.all[0].Pacing)
		}
	}
	with := func(change func(*models.Pacing)) models.Pacing {
		p := chosen
		change(&p)
		return p
	}
	slow := with(func(p *models.Pacing) { p.GapMS = 5000 })
	usual := models.DefaultPacing(false)
	usual.Set, usual.GapMS = true, 1
	tests := []scenario{
		{name: "defaults", method: "GET", status: 200, want: []string{`"pacing":{"gap_ms":2000,"jitter_ms":3000,"typing":true,"per_day":1000,"first_contacts_per_day":50,"quiet_from":"","quiet_to":""}`}},
		{name: "where it stands", method: "GET", setup: func(w *world) {
			set(w)
			at := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
			w.outbox.pace = &outbox.PaceState{SentToday: 7, FirstContactsToday: 2, WaitsUntil: &at, Reason: "quiet_hours"}
		}, status: 200, want: []string{`"set":true`, `"gap_ms":1000`, `"now":{"sent_today":7,"first_contacts_today":2,"waits_until":"2026-11-23T22:00:00Z","reason":"quiet_hours"}`}},
		{name: "one figure", body: `{"pacing":{"gap_ms":5000}}`, setup: set, status: 200, want: []string{`"gap_ms":5000`, `"jitter_ms":100`}, check: now(slow)},
		{name: "one figure of the defaults", body: `{"pacing":{"gap_ms":1}}`, status: 200, check: now(usual)},
		{name: "all off", body: `{"pacing":{"gap_ms":0,"jitter_ms":0,"typing":false,"per_day":0,"first_contacts_per_day":0}}`, status: 200, want: []string{`"set":true,"gap_ms":0`}, check: now(models.Pacing{Set: true})},
		{name: "no quiet hours", body: `{"pacing":{"quiet_from":"","quiet_to":""}}`, setup: set, status: 200, check: now(with(func(p *models.Pacing) { p.QuietFrom, p.QuietTo = "", "" }))},
		{name: "the view sent back", body: `{"pacing":{"set":true,"gap_ms":5000,"now":{"sent_today":7}}}`, setup: set, status: 200, check: now(slow)},
		{name: "defaults again", body: `{"pacing":null}`, setup: set, status: 200, want: []string{`"gap_ms":2000`}, check: now(models.Pacing{})},
		{name: "default of one", body: `{"pacing":{"gap_ms":null,"typing":null}}`, setup: set, status: 200, check: now(with(func(p *models.Pacing) { p.GapMS, p.Typing = 2000, true }))},
		{name: "name", body: `{"name":" toko baru "}`, setup: set, status: 200, want: []string{`"name":"toko baru"`}, check: now(chosen)},
		{name: "no name", body: `{"name":""}`, setup: set, status: 400, want: []string{"`name`"}, check: same},
		{name: "nothing", body: `{}`, setup: set, status: 400, check: same},
		{name: "name taken", body: `{"name":"us"}`, setup: func(w *world) { w.instances.err = problem.New(problem.InstanceExists, "") }, status: 409},
		{name: "none", url: "/v1/instances/inst_9", body: `{"pacing":{}}`, status: 404},
		{name: "with a key", headers: byKey(), body: `{"pacing":{}}`, setup: set, status: 403, check: same},
	}
	for name, body := range map[string]string{
		"negative": `{"gap_ms":-1}`, "two hours": `{"gap_ms":7200000}`, "jitter": `{"jitter_ms":3600001}`, "per day": `{"per_day":-5}`, "first": `{"first_contacts_per_day":1000001}`,
		"text": `{"gap_ms":"fast"}`, "fraction": `{"gap_ms":1.5}`, "unknown": `{"gap":1}`, "half of the quiet hours": `{"quiet_to":""}`, "no time of day": `{"quiet_from":"25:00"}`,
		"one digit": `{"quiet_from":"9:00"}`, "no time": `{"quiet_from":"05:00"}`, "list": `[1]`, "number": `5`,
	} {
		tests = append(tests, scenario{name: name, body: `{"pacing":` + body + `}`, setup: set, status: 422, want: []string{`"code":"PACING_INVALID"`}, check: same})
	}
	for _, tt := range tests {
		if tt.method == "" {
			tt.method = "PATCH"
		}
		if tt.url == "" {
			tt.url = "/v1/instances/inst_1"
		}
		if tt.headers == nil {
			tt.headers = admin()
		}
		t.Run(tt.name, tt.run)
	}
}
