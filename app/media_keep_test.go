package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kurir/app"
	"kurir/janitor"
	"kurir/sandbox"
)

// TestMediaIsKeptUntilItWasDelivered: the file of a message stays while a webhook has not been given the events that
// mention it, however short the retention, also over a restart, and goes after that.
func TestMediaIsKeptUntilItWasDelivered(t *testing.T) {
	var up atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	quick := func(c *app.Config) {
		c.Waits.Webhook.Schedule = make([]time.Duration, 1000)
		for i := range c.Waits.Webhook.Schedule {
			c.Waits.Webhook.Schedule[i] = 50 * time.Millisecond
		}
		c.Waits.Webhook.Breath = 50 * time.Millisecond
	}
	g := openGateway(t, dir, quick)
	in := g.linked("simpan", "6281100000502")
	if a := g.call("POST", "/v1/webhooks", map[string]any{"instance": in.ID, "url": srv.URL}); !a.Status {
		t.Fatalf("%+v", a)
	}
	told := g.fileOf(in, g.sendFile(in.Number, sandbox.Message{Data: noise(1000), Filename: "a.pdf"}))
	g.endOf(in, told.ID)
	url, key := told.URL, "X-Api-Key: "+in.Key
	keep := janitor.Retention{Media: time.Nanosecond}
	for range 3 {
		g.app.CleanNow(t.Context(), keep)
	}
	if resp, _ := g.get(url, key); resp.StatusCode != http.StatusOK {
		t.Errorf("not delivered, and HTTP %d", resp.StatusCode)
	}

	g.close()
	g = openGateway(t, dir, quick)
	g.waitState(in.ID, "WORKING")
	if resp, _ := g.get(url, key); resp.StatusCode != http.StatusOK || resp.Header.Get("Sum") != sha(noise(1000)) {
		t.Errorf("after a restart: HTTP %d", resp.StatusCode)
	}
	up.Store(true)
	eventually(t, func() string {
		g.app.CleanNow(t.Context(), keep)
		if resp, body := g.get(url, key); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "NOT_FOUND") {
			return "delivered, and it is still there: " + resp.Status
		}
		return ""
	})
	if n := g.mediaFiles(); n != 0 {
		t.Errorf("%d files are left on disk", n)
	}
	// It can still be asked for, by its chat: kurir knows nothing of it any more, the page does.
	m := g.lastMessage(in)
	a := g.call("POST", "/v1/messages/"+m+"/media", map[string]any{"instance": in.ID, "chat": friend})
	if a.HTTP != 202 {
		t.Fatalf("%+v", a)
	}
	if resp, _ := g.get("/v1/media/"+a.ID+"?wait=50", key); resp.StatusCode != http.StatusOK || resp.Header.Get("Sum") != sha(noise(1000)) ||
		!strings.Contains(resp.Header.Get("Content-Disposition"), "a.pdf") {
		t.Errorf("asked for by its chat: HTTP %d %v", resp.StatusCode, resp.Header)
	}
	// What a deleted instance leaves goes too, whatever the retention.
	if a := g.call("DELETE", "/v1/instances/"+in.ID, nil); !a.Status {
		t.Fatalf("%+v", a)
	}
	eventually(t, func() string {
		g.app.CleanNow(t.Context(), janitor.Retention{})
		if n := g.mediaFiles(); n != 0 {
			return "files of a deleted instance are left"
		}
		return ""
	})
}

// lastMessage is WhatsApp's id of the newest message from the friend.
func (g *gateway) lastMessage(in instance) string {
	g.t.Helper()
	var list []struct {
		ID string `json:"id"`
	}
	g.wa("/wa/messages", map[string]any{"key": in.Key, "phone": friend, "limit": 1}).into(g.t, &list)
	if len(list) != 1 {
		g.t.Fatalf("%d messages", len(list))
	}
	return list[0].ID
}
