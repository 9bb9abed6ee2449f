package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kurir/events"
	"kurir/sandbox"
)

// TestEventsReachTheUser is the way of an event to the last line: phone → WhatsApp Web → log → webhook.
func TestEventsReachTheUser(t *testing.T) {
	g := openGateway(t, t.TempDir())
	var mu sync.Mutex
	var bodies []string
	var secret string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := traffic.Delivery(r, body); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if s, err := standard.NewWebhook(secret); err != nil || s.Verify(body, r.Header) != nil {
			t.Errorf("signature: %v", r.Header)
		}
		bodies = append(bodies, string(body))
	}))
	t.Cleanup(receiver.Close)
	in := g.newInstance("events")
	mu.Lock()
	made := g.call("POST", "/v1/webhooks", map[string]any{"instance": in.ID, "url": receiver.URL, "metadata": map[string]any{"shop": 7}})
	var hook struct {
		Secret string `json:"secret"`
	}
	made.into(t, &hook)
	secret = hook.Secret
	mu.Unlock()
	g.link(&in, sandbox.PhoneSpec{Number: "6281100000131", Name: "Toko events"})

	sent := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": "6281234560001", "body": "dari API", "wait": true})
	if !sent.Status {
		t.Fatalf("%+v", sent)
	}
	if err := g.sandbox().SendFrom("6281234560001", in.Number, sandbox.Message{Body: "halo <toko>"}); err != nil {
		t.Fatal(err)
	}

	want := []string{
		`"type":"session.qr"`, `"state":"WORKING"`, `"message_id":"` + sent.ID + `"`, `"body":"halo <toko>"`,
		`"state":"delivered"`, `"metadata":{"shop":7}`,
	}
	eventually(t, func() string {
		mu.Lock()
		defer mu.Unlock()
		all := strings.Join(bodies, "\n")
		for _, w := range want {
			if !strings.Contains(all, w) {
				return fmt.Sprintf("no event has %s:\n%s", w, all)
			}
		}
		return ""
	})
	var list []events.Envelope
	g.call("GET", "/v1/events?instance="+in.ID, nil).into(t, &list)
	count := map[string]int{}
	for i, e := range list {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
		count[e.Type]++
	}
	if count["message"] != 1 || count["message.sent"] != 1 || count["session.qr"] != 1 {
		t.Errorf("%v", count)
	}
}
