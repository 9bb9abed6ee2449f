package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// listed is the states of an instance's messages by their ids, as its key sees them.
func (g *gateway) listed(in instance, query string) map[string]string {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+"/v1/messages?"+query, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", in.Key)
	var d struct {
		Messages []struct{ ID, State string }
		Next     *string
	}
	g.do(req).into(g.t, &d)
	states := map[string]string{}
	for _, m := range d.Messages {
		states[m.ID] = m.State
	}
	return states
}

// TestWhatSendersNeed accepts messages for an instance that is not linked yet, calls some off, lets one expire and
// another wait for its time, and then links: what leaves, and in which order, is what was asked for.
func TestWhatSendersNeed(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.newInstance("pengirim")
	const to = "6281234567%03d"
	bulk := g.wa("/wa/send", map[string]any{"key": in.Key, "idempotency_key": "blast", "body": "promo",
		"phone": []string{fmt.Sprintf(to, 1), fmt.Sprintf(to, 2), fmt.Sprintf(to, 3)}})
	var many struct{ Items []struct{ ID string } }
	bulk.into(t, &many)
	if !bulk.Status || len(many.Items) != 3 {
		t.Fatalf("bulk %+v", bulk)
	}
	send := func(body string, more map[string]any) answer {
		fields := map[string]any{"key": in.Key, "phone": fmt.Sprintf(to, 9), "body": body}
		for k, v := range more {
			fields[k] = v
		}
		a := g.wa("/wa/send", fields)
		if !a.Status {
			t.Fatalf("%s: %+v", body, a)
		}
		return a
	}
	late := send("kode lama", map[string]any{"expires_in": 1})
	eventually(t, func() string {
		if st := g.listed(in, "state=queued,scheduled,expired&phone=0812-3456-7009")[late.ID]; st != "expired" {
			return "the late code is " + st
		}
		return ""
	})
	timed := send("nanti", map[string]any{"send_at": time.Now().Add(time.Hour).Unix(), "priority": "low"})
	otp := send("kode 123456", map[string]any{"priority": "high"})
	var place struct {
		Position int
		State    string
	}
	if otp.into(t, &place); place.Position != 1 || timed.Code != "SCHEDULED" {
		t.Errorf("position %d of a code before a blast, %s", place.Position, timed.Code)
	}
	if a := g.call("POST", "/v1/messages/"+many.Items[1].ID+"/cancel", nil); !a.Status {
		t.Fatalf("cancel: %+v", a)
	}
	again := g.wa("/wa/send", map[string]any{"key": in.Key, "idempotency_key": "blast", "body": "promo",
		"phone": []string{fmt.Sprintf(to, 1), fmt.Sprintf(to, 2), fmt.Sprintf(to, 3)}})
	if !strings.Contains(string(again.Data), `"repeated":true`) || !strings.Contains(string(again.Data), `"state":"cancelled"`) {
		t.Errorf("repeat: %s", again.Data)
	}
	want := map[string]string{
		many.Items[0].ID: "queued", many.Items[1].ID: "cancelled", many.Items[2].ID: "queued", late.ID: "expired", timed.ID: "scheduled", otp.ID: "queued",
	}
	if d := cmp.Diff(want, g.listed(in, "")); d != "" {
		t.Fatal(d)
	}

	g.link(&in, phoneSpec("6281100000305"))
	g.waitSent(in, otp.ID)
	g.waitSent(in, many.Items[2].ID)
	if a := g.call("POST", "/v1/messages/"+many.Items[1].ID+"/resend", nil); !a.Status {
		t.Fatalf("resend: %+v", a)
	}
	g.waitSent(in, many.Items[1].ID)
	if a := g.call("POST", "/v1/messages/"+otp.ID+"/resend", nil); a.HTTP != 409 || a.Code != "NOT_RESENDABLE" {
		t.Errorf("resend of a sent one: %+v", a)
	}
	order := []struct{ id, to, body string }{
		{otp.ID, fmt.Sprintf(to, 9), "kode 123456"}, {many.Items[0].ID, fmt.Sprintf(to, 1), "promo"}, {many.Items[2].ID, fmt.Sprintf(to, 3), "promo"}, {many.Items[1].ID, fmt.Sprintf(to, 2), "promo"},
	}
	var sent []time.Time
	for _, m := range order {
		got := g.inbox(m.to, 1)
		if len(got) != 1 || got[0].Body != m.body {
			t.Errorf("%s received %+v", m.to, got)
		}
		var row struct {
			SentAt time.Time `json:"sent_at"`
		}
		g.call("GET", "/v1/messages/"+m.id, nil).into(t, &row)
		sent = append(sent, row.SentAt)
	}
	for i := 1; i < len(sent); i++ {
		if !sent[i].After(sent[i-1]) {
			t.Errorf("%d left at %s, and the one before at %s", i, sent[i], sent[i-1])
		}
	}

	a := g.call("PATCH", "/v1/instances/"+in.ID, map[string]any{"pacing": map[string]any{"per_day": 4}})
	if !a.Status {
		t.Fatalf("pacing: %+v", a)
	}
	over := send("besok", nil)
	eventually(t, func() string {
		var v struct {
			Pacing struct {
				PerDay int `json:"per_day"`
				Now    struct {
					SentToday int `json:"sent_today"`
					Reason    string
				}
			}
		}
		g.call("GET", "/v1/instances/"+in.ID, nil).into(t, &v)
		if v.Pacing.PerDay != 4 || v.Pacing.Now.SentToday != 4 || v.Pacing.Now.Reason != "daily_limit" {
			return fmt.Sprintf("%+v", v)
		}
		return ""
	})
	if st := g.listed(in, "phone="+fmt.Sprintf(to, 9))[over.ID]; st != "queued" {
		t.Errorf("over the day's limit: %s", st)
	}
	g.call("PATCH", "/v1/instances/"+in.ID, json.RawMessage(`{"pacing":{"per_day":null}}`))
	g.waitSent(in, over.ID)
}
