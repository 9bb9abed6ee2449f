package handlers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kurir/models"
)

func TestWebhookLife(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	var calls atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = traffic.Delivery(r, body)
		}
		if err != nil {
			t.Error(err)
		}
		if calls.Add(1) == 2 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer receiver.Close()
	if err := g.hooks.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	made := g.call("POST", "/v1/webhooks", `{"instance":"`+g.b+`","url":"`+receiver.URL+`/in?token=x","events":["message","message"],"metadata":{"shop":7}}`)
	var hook webhookView
	made.into(t, &hook)
	if made.HTTP != 201 || made.ID != hook.ID || !strings.HasPrefix(hook.Secret, "whsec_") || fmt.Sprint(hook.Events) != "[message]" || !hook.Enabled {
		t.Fatal(made.Text)
	}
	path := "/v1/webhooks/" + hook.ID
	for _, p := range []string{path, "/v1/webhooks", "/v1/webhooks?instance=" + g.b} {
		if r := g.call("GET", p, ""); r.HTTP != 200 || !strings.Contains(r.Text, hook.ID) || strings.Contains(r.Text, "whsec_") {
			t.Error(r.Text)
		}
	}
	if r := g.call("GET", "/v1/webhooks?instance=", ""); string(r.Data) != "[]" {
		t.Error(r.Text)
	}
	if r := g.call("POST", path+"/test", ""); r.HTTP != 200 || !strings.Contains(r.Text, `"delivered":true`) {
		t.Error(r.Text)
	}
	// The first delivery fails once and is tried again in 5 s; a person does not wait for that.
	g.say(g.b, 1)
	var list []deliveryView
	for deadline := time.Now().Add(time.Minute); len(list) == 0 || list[0].Attempts == 0; {
		if time.Now().After(deadline) {
			t.Fatal("no attempt")
		}
		g.call("GET", path+"/deliveries?state=pending", "").into(t, &list)
	}
	if d := list[0]; d.Status != 500 || d.NextAt == nil || d.Type != "message" || d.Seq != 1 || !strings.HasPrefix(d.ID, "dlv_") {
		t.Errorf("%+v", d)
	}
	if r := g.call("POST", path+"/deliveries/"+list[0].ID+"/retry", ""); r.HTTP != 200 {
		t.Error(r.Text)
	}
	delivered := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			if g.call("GET", path+"/deliveries?state=delivered", "").into(t, &list); len(list) == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d delivered, want %d", len(list), n)
			}
		}
	}
	delivered(1)
	if r := g.call("POST", path+"/replay?from_seq=1", ""); r.HTTP != 200 || !strings.Contains(r.Text, `"deliveries":1`) {
		t.Error(r.Text)
	}
	delivered(2)
	if r := g.call("GET", path+"/deliveries?limit=1&after="+list[0].ID, ""); !strings.Contains(r.Text, list[1].ID) || strings.Contains(r.Text, list[0].ID) {
		t.Error(r.Text)
	}
	var rotated webhookView
	r := g.call("POST", path+"/rotate", `{"overlap_hours":1}`)
	if r.into(t, &rotated); rotated.Secret == hook.Secret || rotated.Secret == "" || rotated.OldSecretUntil == nil {
		t.Error(r.Text)
	}
	if r := g.call("POST", path+"/rotate", ""); r.HTTP != 200 {
		t.Error(r.Text)
	}
	if r := g.call("PATCH", path, `{"enabled":false,"events":["*"],"metadata":null}`); !strings.Contains(r.Text, `"enabled":false`) ||
		!strings.Contains(r.Text, `"events":["*"]`) || strings.Contains(r.Text, "shop") || !strings.Contains(r.Text, "operator") {
		t.Error(r.Text)
	}
	if r := g.call("POST", path+"/replay?from_seq=1", ""); r.HTTP != 409 || r.Code != "WEBHOOK_DISABLED" {
		t.Error(r.Text)
	}
	if r := g.call("PATCH", path, `{"enabled":true}`); !strings.Contains(r.Text, `"enabled":true`) || strings.Contains(r.Text, "operator") {
		t.Error(r.Text)
	}
	if r := g.call("DELETE", path, ""); r.HTTP != 200 {
		t.Error(r.Text)
	}
	if r := g.call("GET", path, ""); r.HTTP != 404 {
		t.Error(r.Text)
	}
	if got := strings.Join(g.s.DB.(*fakeDB).actions(), " "); !strings.HasPrefix(got, "webhook.create:SECRET_SHOWN webhook.test:OK webhook.retry:OK webhook.replay:OK") {
		t.Error(got)
	}
	for _, line := range g.s.DB.(*fakeDB).lines {
		if strings.Contains(fmt.Sprintf("%+v", line), "whsec_") || strings.Contains(fmt.Sprintf("%+v", line), "token=") {
			t.Errorf("a secret in the audit log: %+v", line)
		}
	}
}

func TestWebhooksThatMayNotBe(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	hook := models.Webhook{URL: "https://example.com/", Events: models.AllEvents} // of all instances
	if err := g.db.CreateWebhook(t.Context(), &hook); err != nil {
		t.Fatal(err)
	}
	path := "/v1/webhooks/" + hook.ID
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "/v1/webhooks", `{}`, "422 WEBHOOK_URL_INVALID"},
		{"POST", "/v1/webhooks", `{"instance":"` + g.a + `","url":"http://127.0.0.1/"}`, "422 WEBHOOK_URL_INVALID"},
		{"POST", "/v1/webhooks", `{"url":"http://localhost/"}`, "422 WEBHOOK_URL_INVALID"},
		{"POST", "/v1/webhooks", `{"instance":"none","url":"https://example.com/"}`, "404 NOT_FOUND"},
		{"POST", "/v1/webhooks", `{"url":"https://example.com/","events":["messages"]}`, "422 EVENT_TYPE_UNKNOWN"},
		{"POST", "/v1/webhooks", `{"url":"https://example.com/","metadata":[1]}`, "400 BAD_REQUEST"},
		{"POST", "/v1/webhooks", `{"url":"https://example.com/","metadata":{"a":"` + strings.Repeat("a", 5000) + `"}}`, "400 BAD_REQUEST"},
		{"POST", "/v1/webhooks", `x`, "400 BAD_REQUEST"},
		{"PATCH", path, `{"url":"http://10.0.0.1/"}`, "422 WEBHOOK_URL_INVALID"},
		{"PATCH", "/v1/webhooks/none", `{}`, "404 NOT_FOUND"},
		{"DELETE", "/v1/webhooks/none", ``, "404 NOT_FOUND"},
		{"POST", "/v1/webhooks/none/test", ``, "404 NOT_FOUND"},
		{"POST", "/v1/webhooks/none/rotate", ``, "404 NOT_FOUND"},
		{"POST", path + "/rotate", `{"overlap_hours":721}`, "400 BAD_REQUEST"},
		{"GET", "/v1/webhooks/none/deliveries", ``, "404 NOT_FOUND"},
		{"GET", path + "/deliveries?state=x", ``, "400 BAD_REQUEST"},
		{"GET", path + "/deliveries?after=1", ``, "400 BAD_REQUEST"},
		{"POST", path + "/deliveries/dlv_1/retry", ``, "404 NOT_FOUND"},
		{"POST", path + "/deliveries/x/retry", ``, "404 NOT_FOUND"},
		{"POST", path + "/replay", ``, "400 BAD_REQUEST"},
		{"POST", path + "/replay?from_seq=1", ``, "400 BAD_REQUEST"}, // of which instance?
		{"GET", "/v1/webhooks?limit=9999", ``, "422 LIMIT_INVALID"},
	} {
		if r := g.call(tt.method, tt.path, tt.body); fmt.Sprint(r.HTTP, " ", r.Code) != tt.want {
			t.Errorf("%s %s %s: %s, want %s", tt.method, tt.path, tt.body, r.Text, tt.want)
		}
	}
	if r := g.call("GET", "/v1/stats", ""); r.HTTP != 200 || !strings.Contains(r.Text, `"webhooks":1`) || !strings.Contains(r.Text, `"database_bytes":`) {
		t.Error(r.Text)
	}
}

func TestEventsNeedTheAdminToken(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/events", "/v1/events/stream", "/v1/webhooks", "/v1/stats"} {
		t.Run(path, scenario{method: "GET", url: path, status: 401, want: []string{"UNAUTHORIZED"}}.run)
	}
}
