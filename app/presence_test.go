package app_test

import (
	"encoding/json"
	"testing"

	"kurir/events"
	"kurir/sandbox"
)

// TestPresenceOnlyWhenAskedFor: who types is told when a webhook names it, and not before.
func TestPresenceOnlyWhenAskedFor(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.linked("hadir", "6281100000951")
	const siti = "6281234572001"
	state := "recording"
	show := func() {
		t.Helper()
		if state = map[string]string{"composing": "recording", "recording": "composing"}[state]; g.sandbox().Type(siti, in.Number, state) != nil {
			t.Fatal("nobody types")
		}
	}
	show()
	show()
	if err := g.sandbox().SendFrom(siti, in.Number, sandbox.Message{Body: "halo"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { // what came before it has come, too
		if len(g.eventsOf(in, events.TypeMessage)) > 0 {
			return ""
		}
		return "the message did not arrive"
	})
	if early := g.eventsOf(in, events.TypePresence); len(early) > 0 {
		t.Errorf("nobody has asked, and the log has %s", early[0].Data)
	}
	hook := openReceiver(t)
	a := g.call("POST", "/v1/webhooks", map[string]any{"instance": in.ID, "url": "http://" + hook.addr + "/", "events": []string{events.TypePresence}})
	if !a.Status {
		t.Fatalf("webhook: %+v", a)
	}
	eventually(t, func() string { // the page is told a moment after the webhook was made
		show()
		if hook.got() > 0 {
			return ""
		}
		return "no presence arrived"
	})
	for _, e := range g.eventsOf(in, events.TypePresence) {
		var p events.Presence
		if err := json.Unmarshal(e.Data, &p); err != nil {
			t.Fatal(err)
		}
		if p.From.Phone != siti || p.State != "composing" && p.State != "recording" || p.Time.IsZero() {
			t.Errorf("presence %+v", p)
		}
	}
}
