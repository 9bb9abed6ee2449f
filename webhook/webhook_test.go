package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kurir/events"
	"kurir/fetch/dnstest"
	"kurir/models"
	"kurir/problem"
)

func TestACallIsSignedAsStandardWebhooksSay(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, Config{}), newReceiver(t, nil)
	w.start()
	hook := w.hook(r.URL+"/in?x=1", events.TypeMessage)
	if _, err := w.db.UpdateWebhook(t.Context(), hook.ID, map[string]any{"metadata": `{"shop":7}`}); err != nil {
		t.Fatal(err)
	}
	ids := w.say("1@c.us", 1)
	w.until("a call", func() bool { return w.states(hook.ID)["delivered"] == 1 })
	c := r.got()[0]
	verify(t, hook.Secret, c)
	if c.id != ids[0] || c.length != int64(len(c.body)) || c.header.Get("Content-Type") != "application/json" {
		t.Errorf("id %s, length %d of %d, %v", c.id, c.length, len(c.body), c.header)
	}
	var got map[string]any
	if err := json.Unmarshal(c.body, &got); err != nil {
		t.Fatal(err)
	}
	if got["id"] != ids[0] || got["seq"] != 1.0 || got["type"] != "message" || got["instance"] != w.instance ||
		got["data"].(map[string]any)["body"] != "1" || got["metadata"].(map[string]any)["shop"] != 7.0 {
		t.Errorf("%s", c.body)
	}

	// While both secrets are valid, receivers with either accept; after it, only the new one.
	after, err := w.db.RotateSecret(t.Context(), hook.ID, time.Now().Add(time.Hour))
	if err != nil || after.Secret == hook.Secret {
		t.Fatal(err)
	}
	w.say("1@c.us", 1)
	w.until("the second call", func() bool { return w.states(hook.ID)["delivered"] == 2 })
	verify(t, hook.Secret, r.got()[1])
	verify(t, after.Secret, r.got()[1])
	if _, err := w.db.RotateSecret(t.Context(), hook.ID, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	w.say("1@c.us", 1)
	w.until("the third call", func() bool { return w.states(hook.ID)["delivered"] == 3 })
	if s, _ := standard.NewWebhook(after.Secret); s.Verify(r.got()[2].body, r.got()[2].header) == nil {
		t.Error("the old secret signs after its end")
	}
}

// verify checks a call as receivers do: by the library of Standard Webhooks, and by GitHub's header.
func verify(t *testing.T, secret string, c call) {
	t.Helper()
	verifyBy(t, secret, c, (*standard.Webhook).Verify)
}

func verifyBy(t *testing.T, secret string, c call, check func(*standard.Webhook, []byte, http.Header) error) {
	t.Helper()
	s, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(s, c.body, c.header); err != nil {
		t.Errorf("Standard Webhooks: %v", err)
	}
	if check(s, append([]byte(" "), c.body...), c.header) == nil {
		t.Error("a changed body is accepted")
	}
	if strings.Count(c.header.Get("webhook-signature"), "v1,") == 1 {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write(c.body)
		if want := "sha256=" + hex.EncodeToString(m.Sum(nil)); c.header.Get("X-Hub-Signature-256") != want {
			t.Errorf("X-Hub-Signature-256 %s, want %s", c.header.Get("X-Hub-Signature-256"), want)
		}
	}
}

// fast are pauses for tests that fail on purpose: more than any of them has failures, so that nothing is given up.
var fast = slices.Repeat([]time.Duration{time.Millisecond}, 1000)

func TestOrderIsKeptPerChat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Schedule: fast, Breath: time.Millisecond})
	r := newReceiver(t, func(_ call, n int) int {
		if n%3 == 0 {
			return 500
		}
		return 204
	})
	w.start()
	hook := w.hook(r.URL)
	want := map[string][]string{}
	for range 10 {
		for _, chat := range []string{"1@c.us", "2@c.us", "3@g.us", ""} {
			want[chat] = append(want[chat], w.say(chat, 3)...)
		}
	}
	w.until("all", func() bool { return w.states(hook.ID)["delivered"] == 120 })
	firsts := r.firsts()
	for chat, ids := range want {
		got := slices.DeleteFunc(slices.Clone(firsts), func(id string) bool { return !slices.Contains(ids, id) })
		if d := cmp.Diff(ids, got); d != "" {
			t.Errorf("chat %q: %s", chat, d)
		}
	}
}

func TestADeadReceiverDelaysNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Timeout: time.Hour})
	hang := make(chan struct{})
	dead := newReceiver(t, func(call, int) int { <-hang; return 200 })
	t.Cleanup(func() { close(hang) })
	alive := newReceiver(t, nil)
	w.start()
	hookDead, hookAlive := w.hook(dead.URL), w.hook(alive.URL)
	for i := range 50 {
		w.say(string(rune('a'+i%26))+"@c.us", 2)
	}
	w.until("the other's", func() bool { return w.states(hookAlive.ID)["delivered"] == 100 })
	if n := w.states(hookDead.ID)["pending"]; n != 100 {
		t.Errorf("%d wait for the dead one", n)
	}
	if n := len(dead.got()); n > 8 {
		t.Errorf("%d calls at once to one receiver", n)
	}
	w.d.cancel() // do not wait for the dead
}

// What was not known to be taken when kurir ended is sent again, with the same id; what was known is not.
func TestARestartRepeatsWithTheSameID(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kurir.db")
	first := openWorld(t, path, Config{Timeout: time.Hour})
	hang, arrived := make(chan struct{}), make(chan struct{})
	r := newReceiver(t, func(_ call, n int) int {
		if n == 2 {
			close(arrived)
			<-hang // it has taken it, and kurir ends before it hears so
		}
		return 200
	})
	first.start()
	hook := first.hook(r.URL)
	ids := first.say("1@c.us", 3)
	<-arrived
	first.d.cancel()
	first.close()
	close(hang)

	second := openWorld(t, path, Config{})
	second.start()
	second.until("all", func() bool { return second.states(hook.ID)["delivered"] == 3 })
	var got []string
	for _, c := range r.got() {
		got = append(got, c.id)
	}
	if d := cmp.Diff([]string{ids[0], ids[1], ids[1], ids[2]}, got); d != "" {
		t.Error(d)
	}
}

func TestRedirectsAndPrivateAddresses(t *testing.T) {
	t.Parallel()
	names := dnstest.Resolver(t, func(string, int) []netip.Addr { return nil }) // knows nobody; localhost is in the machine's own list
	w := newWorld(t, Config{Resolver: names, Timeout: patience})
	reached := newReceiver(t, nil)
	port := reached.URL[strings.LastIndexByte(reached.URL, ':'):]
	redirect := newReceiver(t, nil)
	redirect.Config.Handler = http.RedirectHandler(reached.URL, http.StatusTemporaryRedirect)
	live := models.Instance{Name: "live", Region: "ID"}
	if err := w.db.CreateInstance(t.Context(), &live); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		instance, url, want string
	}{
		{w.instance, redirect.URL, "redirects are not followed"},
		{live.ID, reached.URL, "not public"},
		{live.ID, "http://localhost" + port, "not public"}, // after DNS
		{"", reached.URL, "not public"},
		{w.instance, "http://10.1.2.3/", "not public"},
		{w.instance, "http://169.254.169.254/", "not public"},
		{w.instance, "http://no-such-host.invalid/", "host name"},
		{w.instance, "http://127.0.0.1:1/", "refused"},
	} {
		hook := models.Webhook{InstanceID: tt.instance, URL: tt.url, Events: models.AllEvents}
		if err := w.db.CreateWebhook(t.Context(), &hook); err != nil {
			t.Fatal(err)
		}
		got, err := w.d.Test(t.Context(), hook.ID)
		if err != nil || got.Delivered || !strings.Contains(got.Error, tt.want) {
			t.Errorf("%s: %+v, %v; want %s", tt.url, got, err, tt.want)
		}
	}
	if n := len(reached.got()); n != 0 {
		t.Errorf("the receiver behind was called %d times", n)
	}
	hook := w.hook("http://localhost" + port) // of a sandbox instance
	if got, err := w.d.Test(t.Context(), hook.ID); err != nil || !got.Delivered || got.Status != 200 || got.Response != "answer 200" {
		t.Errorf("%+v, %v", got, err)
	}
	verify(t, hook.Secret, reached.got()[0])
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	d := New(nil, Config{})
	for url, want := range map[string][2]bool{ // of a live, of a sandbox instance
		"https://example.com/in?token=1": {true, true}, "http://example.com:8080/": {true, true},
		"http://127.0.0.1:9/": {false, true}, "http://localhost/": {false, true}, "http://[::1]/": {false, true},
		"http://192.168.1.1/": {}, "http://0x7f.1/": {}, "ftp://example.com/": {}, "https://u:p@example.com/": {},
		"https://example.com/#x": {}, "https:///x": {}, "": {}, "http://0../": {}, "http://a..b/": {}, "http://.com/": {},
		"http://99999999999999999999/": {}, "http://1.0x/": {}, "https://example.com/a b": {},
		"https://example.com/" + strings.Repeat("a", 2000): {},
	} {
		for i, sandbox := range []bool{false, true} {
			if err := d.CheckURL(url, sandbox); (err == nil) != want[i] || err != nil && problem.CodeOf(err) != problem.WebhookURLInvalid {
				t.Errorf("%s, sandbox %t: %v", url, sandbox, err)
			}
		}
	}
	d.cancel()
}

func TestRetryAndReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Schedule: []time.Duration{}})
	r := newReceiver(t, func(_ call, n int) int {
		if n == 1 {
			return 500
		}
		return 200
	})
	w.start()
	hook := w.hook(r.URL, events.TypeMessage)
	ids := w.say("1@c.us", 3)
	w.until("an end", func() bool { s := w.states(hook.ID); return s["failed"] == 1 && s["delivered"] == 2 })
	list, err := w.db.Deliveries(t.Context(), hook.ID, models.DeliveryFailed, 0, 10)
	if err != nil || len(list) != 1 || list[0].EventID != ids[0] || list[0].Status != 500 || list[0].Response != "answer 500" || list[0].Attempts != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := w.db.RetryDelivery(t.Context(), hook.ID, list[0].ID); err != nil {
		t.Fatal(err)
	}
	w.until("the retry", func() bool { return w.states(hook.ID)["delivered"] == 3 })
	if n, err := w.db.Replay(t.Context(), hook.ID, w.instance, 2); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	w.until("the replay", func() bool { return w.states(hook.ID)["delivered"] == 5 })
	var got []string
	for _, c := range r.got() {
		got = append(got, c.id)
	}
	if d := cmp.Diff([]string{ids[0], ids[1], ids[2], ids[0], ids[1], ids[2]}, got); d != "" {
		t.Error(d)
	}
	for id, want := range map[string]problem.Code{"none": problem.NotFound} {
		if err := w.db.RetryDelivery(t.Context(), id, 1); problem.CodeOf(err) != want {
			t.Error(err)
		}
	}
	if _, err := w.db.UpdateWebhook(t.Context(), hook.ID, map[string]any{"enabled": false}); err != nil {
		t.Fatal(err)
	}
	if err := w.db.RetryDelivery(t.Context(), hook.ID, list[0].ID); problem.CodeOf(err) != problem.WebhookDisabled {
		t.Error(err)
	}
	if _, err := w.db.Replay(context.Background(), hook.ID, w.instance, 1); problem.CodeOf(err) != problem.WebhookDisabled {
		t.Error(err)
	}
}
