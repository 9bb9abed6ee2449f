package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/models"
	"kurir/models/modelstest"
	"kurir/webhook"
)

// house is the handlers on a real database, with two instances and keys of every kind.
type house struct {
	t         *testing.T
	db        *models.DB
	instances *fakeInstances
	s         *server
	handler   http.Handler
	keys      map[string]string // plain, by what they are
	callers   int               // each call comes from an address of its own
}

func newHouse(t *testing.T, change ...func(*Deps)) *house {
	t.Helper()
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	db := modelstest.Open(t, models.Config{})
	h := &house{t: t, db: db, keys: map[string]string{}}
	for _, id := range []string{"inst_1", "inst_2"} {
		if err := db.CreateInstance(ctx, &models.Instance{ID: id, Name: id, Region: "ID", Sandbox: true}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := db.Instances(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h.instances = &fakeInstances{all: all}
	hooks := webhook.New(db, webhook.Config{Log: log})
	t.Cleanup(func() {
		if err := hooks.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	closing := make(chan struct{})
	close(closing) // who would wait for events gets an answer
	d := Deps{
		DB: db, Keys: db, Instances: h.instances, Outbox: &fakeOutbox{}, CheckAdmin: func(token string) bool { return token == adminToken },
		Events: db, Webhooks: db, Deliverer: hooks, Closing: closing, FilesDir: t.TempDir(), MaxFileBytes: 1000, MaxMediaBytes: 1_000_000, Log: log,
		Stats: func(ctx context.Context) (any, error) { return db.Stats(ctx) }, Region: "ID",
		Media: &fakeMedia{w: &world{instances: h.instances}},
	}
	for _, f := range change {
		f(&d)
	}
	h.s = newServer(d)
	h.handler = held(t, d, h.s.router())
	past := time.Now().Add(-time.Second)
	for _, scope := range models.Scopes() {
		h.keys[string(scope)] = h.key("inst_1", models.Rights{Scopes: []models.Scope{scope}})
	}
	h.keys["expired"] = h.key("inst_1", models.Rights{Scopes: models.Scopes(), ExpiresAt: &past})
	h.keys["elsewhere"] = h.key("inst_1", models.Rights{Scopes: models.Scopes(), IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	h.keys["other"] = h.key("inst_2", models.Rights{Scopes: models.Scopes()})
	h.keys["wrong"] = "kurir_live_" + strings.Repeat("x", 32)
	return h
}

func (h *house) key(instance string, r models.Rights) string {
	h.t.Helper()
	_, plain, err := h.db.CreateKey(context.Background(), models.NewKey{InstanceID: instance, Name: "k", Rights: r})
	if err != nil {
		h.t.Fatal(err)
	}
	return plain
}

// call makes a request with a key in a header; empty: without. from is the caller's address; empty: a new one.
func (h *house) call(method, url, key, from, body string) got {
	h.t.Helper()
	req := httptest.NewRequestWithContext(h.t.Context(), method, url, strings.NewReader(body))
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if from == "" {
		h.callers++
		from = fmt.Sprintf("10.%d.%d.%d", h.callers>>16, h.callers>>8&255, h.callers&255)
	}
	req.RemoteAddr = from + ":1234"
	rec := httptest.NewRecorder()
	h.handler.ServeHTTP(rec, req)
	out := got{HTTP: rec.Code, Text: rec.Body.String(), Header: rec.Header()}
	_ = json.Unmarshal(rec.Body.Bytes(), &out) // some answers are files or streams
	return out
}

// thing makes what a placeholder in an address stands for, always of inst_1.
func (h *house) thing(name string) string {
	h.t.Helper()
	ctx := context.Background()
	switch name {
	case "{key}":
		k, _, err := h.db.CreateKey(ctx, models.NewKey{InstanceID: "inst_1", Name: "thing", Rights: models.Rights{Scopes: []models.Scope{models.ScopeManage}}})
		if err != nil {
			h.t.Fatal(err)
		}
		return k.ID
	case "{webhook}":
		w := models.Webhook{InstanceID: "inst_1", URL: "http://127.0.0.1:1/", Events: models.AllEvents}
		if err := h.db.CreateWebhook(ctx, &w); err != nil {
			h.t.Fatal(err)
		}
		return w.ID
	}
	m, _, err := h.db.Enqueue(ctx, models.Message{InstanceID: "inst_1", Chat: "6281234567890@c.us", Kind: "text", Body: "x"}, models.AuditEntry{Actor: "test"})
	if err != nil {
		h.t.Fatal(err)
	}
	return m.ID
}

func (h *house) fill(text string) string {
	for _, name := range []string{"{key}", "{webhook}", "{message}"} {
		if strings.Contains(text, name) {
			text = strings.ReplaceAll(text, name, h.thing(name))
		}
	}
	return text
}

// state is all that a call could change.
func (h *house) state() any {
	h.t.Helper()
	ctx := context.Background()
	keys, err := h.db.Keys(ctx, "")
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range keys {
		keys[i].LastUsedAt = nil
	}
	hooks, err := h.db.Webhooks(ctx, nil, "", 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	messages, err := h.db.Messages(ctx, models.MessageFilter{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := json.Marshal([]any{keys, hooks, messages, h.instances.calls})
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// door is a route as it is called for a thing of inst_1, and the scopes that open it. Without any it is the operator's.
type door struct {
	route  string
	url    string // default: the route's, with inst_1 in it
	body   string
	scopes string // separated by commas; open: everybody may
	common bool   // it names nothing of an instance: another key does the same with its own
	wa     bool   // the admin token does not open it
}

func doors() []door {
	const send, read, manage = "send", "read", "manage"
	phone := `{"phone":"081234567890","body":"a"}`
	return []door{
		{route: "GET /healthz", scopes: "open"},
		{route: "GET /openapi.yaml", scopes: "open"},
		{route: "GET /readyz", scopes: "open"},
		{route: "POST /wa/send", scopes: send, body: phone, common: true, wa: true},
		{route: "POST /wa/sendfile", scopes: send, body: `{"phone":"081234567890","filename":"a.txt","body":"YQ=="}`, common: true, wa: true},
		{route: "POST /wa/sendfileurl", scopes: send, body: `{"phone":"081234567890","url":"http://127.0.0.1:1/a"}`, common: true, wa: true},
		{route: "POST /wa/cancel", scopes: send, body: `{"id":"{message}"}`, wa: true},
		{route: "POST /wa/status", scopes: "send,read", body: `{"id":"{message}"}`, wa: true},
		{route: "POST /wa/chats", scopes: read, common: true, wa: true},
		{route: "POST /wa/messages", scopes: read, body: phone, common: true, wa: true},
		{route: "POST /wa/contacts", scopes: read, common: true, wa: true},
		{route: "POST /v1/messages", scopes: send, body: `{"instance":"inst_1","phone":"081234567890","body":"a"}`},
		{route: "GET /v1/messages", scopes: read, url: "/v1/messages?instance=inst_1"},
		{route: "GET /v1/messages/:id", scopes: "send,read", url: "/v1/messages/{message}"},
		{route: "POST /v1/messages/:id/cancel", scopes: send, url: "/v1/messages/{message}/cancel"},
		{route: "POST /v1/messages/:id/resend", scopes: send, url: "/v1/messages/{message}/resend"},
		{route: "POST /v1/messages/:id/media", scopes: read, url: "/v1/messages/3EB0AA/media", body: `{"instance":"inst_1"}`},
		{route: "GET /v1/media/:id", scopes: read, url: "/v1/media/med_stored"},
		{route: "HEAD /v1/media/:id", scopes: read, url: "/v1/media/med_stored"},
		{route: "GET /v1/events", scopes: read, url: "/v1/events?instance=inst_1"},
		{route: "GET /v1/events/schema", scopes: read, common: true},
		{route: "GET /v1/events/stream", scopes: read, url: "/v1/events/stream?instance=inst_1"},
		{route: "POST /v1/webhooks", scopes: manage, body: `{"instance":"inst_1","url":"http://127.0.0.1:1/"}`},
		{route: "GET /v1/webhooks", scopes: manage, url: "/v1/webhooks?instance=inst_1"},
		{route: "GET /v1/webhooks/:id", scopes: manage, url: "/v1/webhooks/{webhook}"},
		{route: "PATCH /v1/webhooks/:id", scopes: manage, url: "/v1/webhooks/{webhook}", body: `{"enabled":false}`},
		{route: "DELETE /v1/webhooks/:id", scopes: manage, url: "/v1/webhooks/{webhook}"},
		{route: "POST /v1/webhooks/:id/test", scopes: manage, url: "/v1/webhooks/{webhook}/test"},
		{route: "POST /v1/webhooks/:id/rotate", scopes: manage, url: "/v1/webhooks/{webhook}/rotate"},
		{route: "POST /v1/webhooks/:id/replay", scopes: manage, url: "/v1/webhooks/{webhook}/replay?from_seq=1"},
		{route: "GET /v1/webhooks/:id/deliveries", scopes: manage, url: "/v1/webhooks/{webhook}/deliveries"},
		{route: "POST /v1/webhooks/:id/deliveries/:delivery/retry", scopes: manage, url: "/v1/webhooks/{webhook}/deliveries/dlv_1/retry"},
		{route: "GET /v1/instances/:id", scopes: manage},
		{route: "PATCH /v1/instances/:id", scopes: manage, body: `{"name":"x"}`},
		{route: "POST /v1/instances/:id/start", scopes: manage},
		{route: "POST /v1/instances/:id/stop", scopes: manage},
		{route: "POST /v1/instances/:id/restart", scopes: manage},
		{route: "POST /v1/instances/:id/logout", scopes: manage},
		{route: "GET /v1/instances/:id/qr", scopes: manage},
		{route: "POST /v1/instances/:id/pairing-code", scopes: manage, body: phone},
		{route: "GET /v1/instances/:id/media", scopes: manage},
		{route: "PUT /v1/instances/:id/media", scopes: manage, body: `{}`},
		{route: "POST /v1/instances/:id/keys", scopes: manage, body: `{"name":"n","scopes":["manage"]}`},
		{route: "GET /v1/instances/:id/keys", scopes: manage},
		{route: "PATCH /v1/keys/:id", scopes: manage, url: "/v1/keys/{key}", body: `{"name":"n"}`},
		{route: "DELETE /v1/keys/:id", scopes: manage, url: "/v1/keys/{key}"},
		{route: "POST /v1/keys/:id/rotate", scopes: manage, url: "/v1/keys/{key}/rotate"},
		{route: "POST /v1/instances", body: `{"name":"n"}`},
		{route: "GET /v1/instances"},
		{route: "DELETE /v1/instances/:id"},
		{route: "GET /v1/audit"},
		{route: "GET /v1/audit.csv"},
		{route: "GET /v1/stats"},
	}
}

// TestEveryDoor tries every route of the product with every kind of key. A route that is not in the table fails it.
func TestEveryDoor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var routes []string
	for _, r := range h.s.routes().Routes() {
		routes = append(routes, r.Method+" "+r.Path)
	}
	var known []string
	for _, d := range doors() {
		known = append(known, d.route)
	}
	slices.Sort(routes)
	slices.Sort(known)
	if diff := cmp.Diff(routes, known); diff != "" {
		t.Fatalf("who may call these? say so in doors(): %s", diff)
	}
	for _, d := range doors() {
		t.Run(d.route, func(t *testing.T) { h.t = t; h.try(d) })
	}
}

func (h *house) try(d door) {
	h.t.Helper()
	method, path, _ := strings.Cut(d.route, " ")
	if d.url == "" {
		d.url = strings.ReplaceAll(path, ":id", "inst_1")
	}
	refused := func(who, key, code string) {
		h.t.Helper()
		url, body := h.fill(d.url), h.fill(d.body)
		before := h.state()
		if r := h.call(method, url, key, "", body); r.Code != code || r.HTTP == 200 {
			h.t.Errorf("%s: HTTP %d, want %s: %s", who, r.HTTP, code, r.Text)
		}
		if diff := cmp.Diff(before, h.state()); diff != "" {
			h.t.Errorf("%s was refused and has changed something: %s", who, diff)
		}
	}
	allowed := func(who, key string) got {
		h.t.Helper()
		r := h.call(method, h.fill(d.url), key, "", h.fill(d.body))
		if slices.Contains([]int{401, 403, 429, 500}, r.HTTP) || r.HTTP == 404 && !strings.Contains(r.Text, "delivery") {
			h.t.Errorf("%s: HTTP %d: %s", who, r.HTTP, r.Text)
		}
		return r
	}
	if d.scopes == "open" {
		allowed("nobody", "")
		return
	}
	refused("nobody", "", "UNAUTHORIZED")
	refused("a wrong key", h.keys["wrong"], "UNAUTHORIZED")
	refused("an expired key", h.keys["expired"], "KEY_EXPIRED")
	refused("a key from elsewhere", h.keys["elsewhere"], "IP_NOT_ALLOWED")
	for _, scope := range []string{"send", "read", "manage"} {
		if slices.Contains(strings.Split(d.scopes, ","), scope) {
			allowed("a key to "+scope, h.keys[scope])
		} else {
			refused("a key to "+scope, h.keys[scope], "SCOPE_MISSING")
		}
	}
	switch {
	case d.scopes == "":
		refused("a key with every scope", h.keys["other"], "SCOPE_MISSING")
	case d.common:
		if r := allowed("another instance's key", h.keys["other"]); strings.Contains(r.Text, "inst_1") {
			h.t.Errorf("another instance's key sees %s", r.Text)
		}
	default:
		refused("another instance's key", h.keys["other"], "NOT_FOUND")
	}
	if d.wa {
		refused("the operator", adminToken, "UNAUTHORIZED")
	} else {
		allowed("the operator", adminToken)
	}
}

// TestOthersThings are the ways to name something of another instance that the table has no room for.
func TestOthersThings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	global := models.Webhook{URL: "http://127.0.0.1:1/", Events: models.AllEvents}
	if err := h.db.CreateWebhook(context.Background(), &global); err != nil {
		t.Fatal(err)
	}
	mine := h.key("inst_2", models.Rights{Scopes: models.Scopes()})
	for _, call := range []string{
		"GET /v1/webhooks?instance=", "GET /v1/webhooks/" + global.ID, "DELETE /v1/webhooks/" + global.ID,
		"GET /v1/instances/inst_9", "GET /v1/instances/inst_9/keys", "PATCH /v1/keys/key_none", "GET /v1/messages?instance=inst_9",
	} {
		method, url, _ := strings.Cut(call, " ")
		if r := h.call(method, url, mine, "", "{}"); r.Code != "NOT_FOUND" || strings.Contains(r.Text, "127.0.0.1") {
			t.Errorf("%s: %s", call, r.Text)
		}
	}
	message, hook := h.thing("{message}"), h.thing("{webhook}")
	for _, url := range []string{"/v1/messages", "/v1/webhooks", "/v1/events"} {
		if r := h.call("GET", url, mine, "", ""); r.HTTP != 200 || strings.Contains(r.Text, message) || strings.Contains(r.Text, hook) || strings.Contains(r.Text, global.ID) {
			t.Errorf("%s: %s", url, r.Text)
		}
		if r := h.call("GET", url, h.key("inst_1", models.Rights{Scopes: models.Scopes()}), "", ""); r.HTTP != 200 || strings.Contains(r.Text, global.ID) {
			t.Errorf("%s: %s", url, r.Text)
		}
	}
	// A webhook for which nobody is named is the key's own instance's.
	var made webhookView
	if h.call("POST", "/v1/webhooks", mine, "", `{"url":"http://127.0.0.1:1/"}`).into(t, &made); made.Instance != "inst_2" {
		t.Errorf("%+v", made)
	}
	// What there is not and what is another's cannot be told apart.
	other, none := h.call("GET", "/v1/webhooks/"+hook, mine, "", ""), h.call("GET", "/v1/webhooks/whk_none", mine, "", "")
	if strings.ReplaceAll(text(other), hook, "X") != strings.ReplaceAll(text(none), "whk_none", "X") {
		t.Errorf("%s and %s", other.Text, none.Text)
	}
}

func text(r got) string {
	before, _, _ := strings.Cut(r.Text, `"request_id"`)
	return fmt.Sprint(r.HTTP, before)
}

func TestKeyInURL(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.keys["send"]
	for _, url := range []string{
		"/wa/send?key=" + key, "/wa/send?KEY=x", "/v1/messages?api_key=x", "/v1/events?token=x", "/v1/instances?access_token=x", "/wa/chats?phone=" + key,
		"/v1/nothing?x-api-key=x", "/v1/messages?a=1&a=kurir_admin_ABC",
	} {
		for _, with := range []string{"", key, adminToken} {
			r := h.call("POST", url, with, "", `{"phone":"081234567890","body":"a"}`)
			if r.HTTP != 400 || r.Code != "KEY_IN_URL" || strings.Contains(r.Text, key) {
				t.Errorf("%s: %s", url, r.Text)
			}
		}
	}
	if messages, err := h.db.Messages(context.Background(), models.MessageFilter{Limit: 1}); err != nil || len(messages) > 0 {
		t.Errorf("%v, %v", messages, err)
	}
}

// There are bounds to what a caller may fill the database with.
func TestTooMany(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, of := range map[string]struct {
		url, body, code string
		most            int
	}{
		"keys":     {"/v1/instances/inst_2/keys", `{"name":"a"}`, "TOO_MANY_KEYS", 100},
		"webhooks": {"/v1/webhooks", `{"url":"https://example.com/hook"}`, "TOO_MANY_WEBHOOKS", 1000},
	} {
		made, r := 0, h.call("POST", of.url, adminToken, "", of.body)
		for ; r.HTTP == http.StatusCreated && made <= of.most; made++ {
			r = h.call("POST", of.url, adminToken, "", of.body)
		}
		if r.HTTP != http.StatusConflict || r.Code != of.code || made > of.most || made < of.most-1 { // inst_2 has a key
			t.Errorf("after %d %s: %s", made, name, r.Text)
		}
	}
}
