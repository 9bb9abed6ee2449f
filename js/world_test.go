package js_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kurir/sandbox"
)

const (
	owner = "6281234500001"
	peer  = "6281234500002"
)

func newID() string {
	b := make([]byte, 9)
	_, _ = rand.Read(b) // never fails
	return "3EB0" + strings.ToUpper(hex.EncodeToString(b))
}

func sha(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// world opens a simulator with the owner's phone.
func world(t testing.TB, spec sandbox.PhoneSpec) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Open(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	spec.Number, spec.Name = owner, "Toko Budi"
	if _, err := s.CreatePhone(spec); err != nil {
		t.Fatal(err)
	}
	return s
}

type stateData struct {
	Mode, Info, Socket, Stream  string
	Registered, Synced, Ready   bool
	WID, LID, Pushname, Version string
	Passkey                     bool
}

// link scans the first QR code and waits until the page can send.
func link(t testing.TB, s *sandbox.Server, p *page) stateData {
	t.Helper()
	e := p.wait("qr", func(e event) bool { return e.Type == "qr" && !strings.Contains(string(e.Data), `"text":""`) })
	var qr struct {
		Text string `json:"text"`
		TTL  int    `json:"ttl_ms"`
	}
	check(t, json.Unmarshal(e.Data, &qr))
	if parts := strings.Split(qr.Text, ","); len(parts) != 5 || slices.Contains(parts, "") {
		t.Fatalf("QR text %q, want five parts", qr.Text)
	}
	if qr.TTL < 50_000 || qr.TTL > 60_000 {
		t.Errorf("the first code lives %d ms, want nearly 60 s", qr.TTL)
	}
	check(t, s.Scan(owner, qr.Text))
	return ready(t, p)
}

func ready(t testing.TB, p *page) stateData {
	t.Helper()
	var st stateData
	p.wait("state: ready to send", func(e event) bool {
		if e.Type != "state" {
			return false
		}
		st = stateData{}
		check(t, json.Unmarshal(e.Data, &st))
		return st.Mode == "MAIN" && st.Registered && st.Synced && st.Ready
	})
	return st
}

// inbox returns what has come to the peer by that id.
func inbox(t testing.TB, s *sandbox.Server, id string) sandbox.Received {
	t.Helper()
	var found sandbox.Received
	_, err := s.WaitInbox(t.Context(), peer, func(list []sandbox.Received) bool {
		i := slices.IndexFunc(list, func(r sandbox.Received) bool { return r.ID == id })
		if i >= 0 {
			found = list[i]
		}
		return i >= 0
	})
	check(t, err)
	return found
}

type m map[string]any

var png = mustHex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082")

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(fmt.Sprintf("bad test data: %v", err))
	}
	return b
}
