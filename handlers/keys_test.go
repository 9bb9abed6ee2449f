package handlers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kurir/guess"
	"kurir/models"
)

const toBudi = `{"phone":"081234567890","body":"a"}`

// make makes a key through the API.
func (h *house) make(by, body string) keyView {
	h.t.Helper()
	r := h.call("POST", "/v1/instances/inst_1/keys", by, "", body)
	var k keyView
	if r.into(h.t, &k); r.HTTP != 201 || r.Code != codeSecret || k.ID != r.ID || !strings.HasPrefix(k.Key, "kurir_test_") {
		h.t.Fatal(r.Text)
	}
	return k
}

func (h *house) want(code string, r got) {
	h.t.Helper()
	if r.Code != code {
		h.t.Errorf("%d %s, want %s", r.HTTP, r.Text, code)
	}
}

func TestKeyLife(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.make(adminToken, `{"name":" toko ","ips":["192.0.2.7","10.0.0.9/8","::ffff:198.51.100.0/120"],"recipients":["0812-3456-7890",6281234567890,"120363012345678901@g.us"],"rate_per_minute":50,"expires_at":"2099-01-01 08:00 WIB"}`)
	if k.Name != "toko" || fmt.Sprint(k.Scopes, k.IPs, k.Recipients, k.Rate, k.ExpiresAt) !=
		"[send read] [192.0.2.7 10.0.0.0/8 198.51.100.0/24] [6281234567890 120363012345678901@g.us] 50 2099-01-01 01:00:00 +0000 UTC" {
		t.Errorf("%+v", k)
	}
	h.want("QUEUED", h.call("POST", "/wa/send", k.Key, "", toBudi))
	h.want("IP_NOT_ALLOWED", h.call("POST", "/wa/send", k.Key, "192.0.2.8", toBudi))
	if r := h.call("GET", "/v1/instances/inst_1/keys", adminToken, "", ""); strings.Contains(r.Text, k.Key) || !strings.Contains(r.Text, k.Hint) {
		t.Error(r.Text)
	}
	// A change, a rotation and a revocation hold from the next call on.
	h.want("OK", h.call("PATCH", "/v1/keys/"+k.ID, adminToken, "", `{"scopes":["read"],"ips":[],"expires_at":null}`))
	h.want("SCOPE_MISSING", h.call("POST", "/wa/send", k.Key, "192.0.2.8", toBudi))
	h.want("OK", h.call("PATCH", "/v1/keys/"+k.ID, adminToken, "", `{"scopes":["send"]}`))
	var turned keyView
	h.call("POST", "/v1/keys/"+k.ID+"/rotate", adminToken, "", "").into(t, &turned)
	if turned.OldUntil == nil || time.Until(*turned.OldUntil) < 23*time.Hour || turned.Key == k.Key {
		t.Errorf("%+v", turned)
	}
	h.want("QUEUED", h.call("POST", "/wa/send", k.Key, "", toBudi))
	h.want("QUEUED", h.call("POST", "/wa/send", turned.Key, "", toBudi))
	var again keyView
	h.call("POST", "/v1/keys/"+k.ID+"/rotate", adminToken, "", `{"overlap":"0"}`).into(t, &again)
	h.want("UNAUTHORIZED", h.call("POST", "/wa/send", turned.Key, "", toBudi))
	h.want("QUEUED", h.call("POST", "/wa/send", again.Key, "", toBudi))
	h.want("OK", h.call("DELETE", "/v1/keys/"+k.ID, adminToken, "", ""))
	h.want("UNAUTHORIZED", h.call("POST", "/wa/send", again.Key, "", toBudi))
	for _, bad := range []string{
		`{}`, `{"name":""}`, `{"name":"a","scopes":[]}`, `{"name":"a","scopes":["all"]}`, `{"name":"a","ip":["192.0.2.1"]}`, `{"name":"a","ips":["x"]}`,
		`{"name":"a","ips":["::/0.0.0.0"]}`, `{"name":"a","recipients":["abc"]}`, `{"name":"a","recipients":[null]}`, `{"name":"a","rate_per_minute":-1}`,
		`{"name":"a","expires_at":"2020-01-01T00:00:00Z"}`, `{"name":"a","expires_at":"soon"}`, `{"name":"a","ips":"192.0.2.1"}`,
	} {
		h.want("KEY_INVALID", h.call("POST", "/v1/instances/inst_1/keys", adminToken, "", bad))
	}
	for _, bad := range []string{`{"overlap":"31d"}`, `{"overlap":"x"}`, `{"overlap":-5}`, `{"overlap":true}`} {
		h.want("KEY_INVALID", h.call("POST", "/v1/keys/"+h.thing("{key}")+"/rotate", adminToken, "", bad))
	}
}

func TestKeysGiveNoMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	self := h.make(adminToken, `{"name":"m","scopes":["manage","send"],"expires_at":"2099-01-01T00:00:00Z","rate_per_minute":10000}`)
	strong := h.make(adminToken, `{"name":"s","scopes":["read"]}`)
	const end = `"expires_at":"2098-01-01T00:00:00Z"`
	h.make(self.Key, `{"name":"child","scopes":["send"],"rate_per_minute":5,`+end+`}`)
	for _, more := range []string{
		`{"name":"c","scopes":["read"],` + end + `}`, `{"name":"c","scopes":["send"]}`, `{"name":"c","scopes":["send"],"rate_per_minute":10001,` + end + `}`,
	} {
		h.want("SCOPE_MISSING", h.call("POST", "/v1/instances/inst_1/keys", self.Key, "", more))
	}
	for _, longer := range []string{`{"expires_at":null}`, `{"expires_at":"2099-01-02T00:00:00Z"}`, `{"scopes":["manage","send","read"]}`} {
		h.want("SCOPE_MISSING", h.call("PATCH", "/v1/keys/"+self.ID, self.Key, "", longer))
	}
	h.want("SCOPE_MISSING", h.call("POST", "/v1/keys/"+strong.ID+"/rotate", self.Key, "", ""))
	h.want("SECRET_SHOWN", h.call("POST", "/v1/keys/"+self.ID+"/rotate", self.Key, "", ""))
}

func TestRecipientList(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.key("inst_1", models.Rights{Scopes: models.Scopes(), Recipients: []string{"6281111111111@c.us"}})
	stranger := h.thing("{message}") // to another number
	for _, try := range []struct{ url, body string }{
		{"/wa/send", toBudi}, {"/wa/sendfile", `{"phone":"081234567890","filename":"a.txt","body":"YQ=="}`},
		{"/wa/sendfileurl", `{"phone":"081234567890","url":"http://127.0.0.1:1/a"}`}, {"/v1/messages", toBudi}, {"/v1/messages/" + stranger + "/resend", ""},
	} {
		before := h.state()
		h.want("RECIPIENT_NOT_ALLOWED", h.call("POST", try.url, k, "", try.body))
		if h.state() != before {
			t.Errorf("%s was refused and has changed something", try.url)
		}
	}
	before := h.state()
	r := h.call("POST", "/wa/send", k, "", `{"phone":["0811-1111-1111","081234567890"],"body":"a"}`)
	if h.want("BULK_INVALID", r); !strings.Contains(r.Text, `"index":1`) || !strings.Contains(r.Text, "RECIPIENT_NOT_ALLOWED") || h.state() != before {
		t.Error(r.Text)
	}
	h.want("QUEUED", h.call("POST", "/wa/send", k, "", `{"phone":"+62 811-1111-1111","body":"a"}`))
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(d *Deps) { d.WAAlways200 = true })
	k := h.make(adminToken, `{"name":"slow","rate_per_minute":2}`)
	var turned keyView
	h.call("POST", "/v1/keys/"+k.ID+"/rotate", adminToken, "", "").into(t, &turned)
	r := h.call("POST", "/wa/send", k.Key, "", toBudi)
	if h.want("QUEUED", r); r.Header.Get("RateLimit-Limit") != "2" || r.Header.Get("RateLimit-Remaining") != "1" || r.Header.Get("RateLimit-Reset") != "30" {
		t.Error(r.Header)
	}
	h.want("QUEUED", h.call("POST", "/wa/send", turned.Key, "", toBudi)) // one count for both secrets
	before := h.state()
	r = h.call("POST", "/wa/send", k.Key, "", toBudi)
	if h.want("RATE_LIMITED", r); r.HTTP != 200 || r.Header.Get("Retry-After") == "" || r.Header.Get("RateLimit-Remaining") != "0" || h.state() != before {
		t.Error(r.HTTP, r.Header)
	}
	if r = h.call("GET", "/v1/events", turned.Key, "", ""); r.HTTP != 429 {
		t.Error(r.Text)
	}
	lines, err := h.db.Audit(context.Background(), "inst_1", 0, 100)
	for _, l := range lines {
		if l.Code == "RATE_LIMITED" {
			t.Errorf("a refused call is in the audit log: %+v", l)
		}
	}
	if r = h.call("POST", "/wa/send", h.keys["send"], "", toBudi); err != nil || r.Code != "QUEUED" || r.Header.Get("RateLimit-Limit") != "" {
		t.Error("another key", r.Text, err)
	}
}

func TestWrongKeysFlood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newServer(w.deps)
	h := &house{t: t, handler: held(t, w.deps, s.router())}
	begun := time.Now()
	send := func(key string) got { return h.call("POST", "/wa/send", key, "192.0.2.1", toBudi) }
	codes := map[string]int{}
	for i := range 2000 {
		r := send(fmt.Sprintf("kurir_live_%032d", i))
		if codes[r.Code]++; r.Code == "TOO_MANY_GUESSES" && (r.HTTP != 429 || r.Header.Get("Retry-After") == "") {
			t.Fatal(r.Text)
		}
	}
	if codes["UNAUTHORIZED"] < guess.Burst || codes["TOO_MANY_GUESSES"] < 1900 || codes["UNAUTHORIZED"]+codes["TOO_MANY_GUESSES"] != 2000 {
		t.Error(codes)
	}
	if took := time.Since(begun); w.db.lookups > 0 || w.db.hashed > int(took/keyTTL)+1 { // once in keyTTL
		t.Errorf("%d lookups, all keys read %d times in %s", w.db.lookups, w.db.hashed, took)
	}
	for range guess.Burst { // no try comes back while the test goes on, however slow the machine is
		s.guesses.Take(guess.Address("192.0.2.1"), time.Now().Add(time.Hour))
	}
	h.want("QUEUED", send(goodKey)) // never seen before, and from the same address
	h.want("TOO_MANY_GUESSES", h.call("GET", "/v1/instances", adminToken, "192.0.2.1", ""))
	if r := h.call("GET", "/v1/instances", adminToken, "192.0.2.2", ""); r.HTTP != 200 {
		t.Error(r.Text)
	}
	for range 2 * guess.Burst { // the operator's neighbour
		h.call("GET", "/v1/instances", "wrong-admin-token", "192.0.2.2", "")
	}
	if r := h.call("GET", "/v1/instances", adminToken, "192.0.2.2", ""); r.HTTP != 200 {
		t.Error("the operator is locked out by his neighbour", r.Text)
	}
}

// BenchmarkRightKey compares the time of a call with a right key before and after 200,000 wrong ones have come from its
// own address.
func BenchmarkRightKey(b *testing.B) {
	for _, wrong := range []int{0, 200_000} {
		b.Run(fmt.Sprint("after", wrong, "wrong"), func(b *testing.B) {
			w := newWorld(b)
			ask := func(key string) int {
				return w.serve(b, "GET", "/v1/messages", map[string]string{"X-Api-Key": key}, nil).Code
			}
			for i := range wrong {
				ask(fmt.Sprintf("kurir_live_%032d", i))
			}
			for b.Loop() {
				if code := ask(goodKey); code != 200 {
					b.Fatal(code)
				}
			}
		})
	}
}
