package js_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"kurir/browser"
	"kurir/sandbox"
)

// TestPasskey lets WhatsApp ask for a passkey while linking.
func TestPasskey(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	f, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultPasskey, Account: owner})
	check(t, err)
	p := openPage(t, openBrowser(t, t.TempDir(), s.ChromiumArgs()))
	e := p.wait("qr", func(e event) bool { return e.Type == "qr" })
	var qr struct{ Text string }
	check(t, json.Unmarshal(e.Data, &qr))
	check(t, s.Scan(owner, qr.Text))
	p.wait("a passkey is asked for", func(e event) bool { return e.Type == "state" && strings.Contains(string(e.Data), `"passkey":true`) })
	s.ClearFault(f)
	if st := ready(t, p); st.Passkey {
		t.Error("the passkey is still asked for on a linked page")
	}
}

// TestRestart links, reloads the page and expects everything to be there again: the state without a QR code, the
// messages that went out before.
func TestRestart(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	b := openBrowser(t, t.TempDir(), s.ChromiumArgs())
	p := openPage(t, b)
	link(t, s, p)
	id := newID()
	must[browser.Sent](p, "send", m{"id": id, "chat": peer + "@c.us", "kind": "text", "body": "x"})
	check(t, p.rod.Close())

	p = openPage(t, b)
	ready(t, p)
	absent := newID()
	got := must[map[string]browser.Presence](p, "lookup", m{"chat": peer + "@c.us", "ids": []string{id, absent}})
	if got[id].Found != browser.FoundPresent || got[absent].Found != browser.FoundAbsent {
		t.Errorf("lookup after a restart: %+v", got)
	}
	for _, e := range p.all() {
		if e.Type == "qr" {
			t.Errorf("a QR code on a linked page: %s", e.Data)
		}
	}
	p.run(t, "sent before, not again", func(t *testing.T) {
		// The page may have gone before it noted the ack; then it sends the message again by itself, once.
		args := m{"id": id, "chat": peer + "@c.us", "kind": "text", "body": "x"}
		must[browser.Sent](p, "send", args)
		before := inbox(t, s, id).Copies
		must[browser.Sent](p, "send", args)
		if r := inbox(t, s, id); r.Copies != before || before > 2 {
			t.Errorf("the wire brought the message %d times, then %d times", before, r.Copies)
		}
	})
	p.run(t, "locked", func(t *testing.T) {
		f, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultDropSocket, Account: owner, Seconds: 60})
		check(t, err)
		check(t, p.rod.Close())
		p = openPage(t, b)
		p.wait("registered", func(e event) bool { return e.Type == "state" && strings.Contains(string(e.Data), `"registered":true`) })
		if got := must[map[string]browser.Presence](p, "lookup", m{"chat": peer + "@c.us", "ids": []string{id}}); got[id].Found != browser.FoundUnknown {
			t.Errorf("lookup while the messages are locked: %+v", got)
		}
		s.ClearFault(f)
		ready(t, p)
		if got := must[map[string]browser.Presence](p, "lookup", m{"chat": peer + "@c.us", "ids": []string{id}}); got[id].Found != browser.FoundPresent {
			t.Errorf("lookup after that: %+v", got)
		}
	})
	p.run(t, "unlinked by the phone", func(t *testing.T) {
		check(t, s.Unlink(owner))
		p.wait("logout", func(e event) bool { return e.Type == "logout" })
		p.wait("a new QR code", func(e event) bool { return e.Type == "qr" && !strings.Contains(string(e.Data), `"text":""`) })
	})
}

// TestRounds lets the codes of a round run out: the bridge asks for another round and never tells of an old code.
func TestRounds(t *testing.T) {
	s, err := sandbox.Open(t.Context(), sandbox.Config{RefLifetimes: []time.Duration{300 * time.Millisecond, 200 * time.Millisecond}})
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	_, err = s.CreatePhone(sandbox.PhoneSpec{Number: owner})
	check(t, err)
	p := openPage(t, openBrowser(t, t.TempDir(), s.ChromiumArgs()))
	seen := map[string]int{}
	var texts []string
	p.wait("the second round", func(e event) bool {
		if e.Type != "qr" {
			return false
		}
		var qr struct{ Text string }
		check(t, json.Unmarshal(e.Data, &qr))
		if qr.Text != "" {
			seen[qr.Text]++
		}
		texts = append(texts, qr.Text)
		return len(seen) == 4
	})
	for text, n := range seen {
		if n > 1 {
			t.Errorf("told %d times: %.20s…", n, text)
		}
	}
	if !slices.Contains(texts, "") {
		t.Error("nobody said that the first round was over")
	}
	check(t, s.Scan(owner, texts[len(texts)-1]))
	ready(t, p)
}

// TestPairingCode links by a code.
func TestPairingCode(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	p := openPage(t, openBrowser(t, t.TempDir(), s.ChromiumArgs()))
	p.wait("qr", func(e event) bool { return e.Type == "qr" })
	got := must[struct{ Code string }](p, "pairingCode", m{"phone": owner})
	if len(strings.ReplaceAll(got.Code, "-", "")) != 8 {
		t.Fatalf("pairing code %q, want 8 characters", got.Code)
	}
	check(t, s.EnterCode(owner, got.Code))
	ready(t, p)
	before := len(p.all())
	// The page may be gone before it answers.
	if _, err := (proto.RuntimeEvaluate{Expression: `kurir.call("logout", {})`, AwaitPromise: true, ReturnByValue: true}).Call(p.rod); err != nil && !strings.Contains(err.Error(), "navigated") {
		t.Fatal(err)
	}
	p.wait("a new QR code", func(e event) bool {
		i := slices.IndexFunc(p.all(), func(x event) bool { return string(x.Data) == string(e.Data) })
		return i >= before && e.Type == "qr" && !strings.Contains(string(e.Data), `"text":""`)
	})
}
