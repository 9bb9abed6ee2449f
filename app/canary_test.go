package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"kurir/sandbox"
)

// canaries are secrets by name. After a full round none may be where it does not belong.
type canaries map[string]string

// forms are what a secret may look like where somebody has copied it: as it is, in hex, escaped, and in base64, where
// what stands before it decides the letters.
func forms(secret string) []string {
	list := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret))}
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := enc.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
			// What the neighbours have a part in is left out: shift bytes before, up to two after.
			list = append(list, text[(shift*8+5)/6:len(text)-3])
		}
	}
	return list
}

// in returns the names of the canaries in a text.
func (c canaries) in(text string) (found []string) {
	for name, secret := range c {
		for _, form := range forms(secret) {
			if strings.Contains(text, form) {
				found = append(found, name)
				break
			}
		}
	}
	return found
}

// TestTheCanarySearchFinds: the search itself must be able to find.
func TestTheCanarySearchFinds(t *testing.T) {
	t.Parallel()
	c := canaries{"x": "kunci rahasia/é?+1"}
	for name, text := range map[string]string{
		"plain": "a kunci rahasia/é?+1 b", "query": "?key=" + url.QueryEscape(c["x"]) + "&", "path": "/" + url.PathEscape(c["x"]),
		"hex": "0x" + hex.EncodeToString([]byte(c["x"])), "basic": base64.StdEncoding.EncodeToString([]byte("user:" + c["x"])),
		"base64 0": base64.StdEncoding.EncodeToString([]byte(c["x"])), "base64 1": base64.StdEncoding.EncodeToString([]byte("a" + c["x"] + "b")),
		"base64 2": base64.URLEncoding.EncodeToString([]byte("ab" + c["x"] + "cd")), "base64 3": base64.RawStdEncoding.EncodeToString([]byte("abc" + c["x"] + "c")),
	} {
		if len(c.in(text)) != 1 {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
	if len(c.in("kunci rahasia")) != 0 {
		t.Error("found where it is not")
	}
}

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestNoSecretLeaks runs a full round with canary secrets and then looks for them wherever a secret may have gone: the
// log at its most talkative, what receivers of webhooks see, answers, the audit log, and every file on disk.
func TestNoSecretLeaks(t *testing.T) {
	dir := t.TempDir()
	var log safeBuffer
	g := openGatewayLog(t, dir, slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := &round{t: t, g: g, c: canaries{ //nolint:gosec // a secret of the tests and of nobody
		"admin token": adminToken, "password": "canary-sandi-burung-kenari", "wrong password": "canary-salah-kenari-9",
		"wrong token": "canary_admin_token_that_is_wrong", "wrong key": "kurir_live_CanaryKeyThatOpensNothing0000000",
	}}
	received := r.receivers()
	r.keysAndWebhooks()
	r.people()
	r.messages()
	r.console.CloseIdleConnections()
	eventually(t, func() string {
		all := received.String()
		for _, w := range []string{`"type":"message.sent"`, `"body":"halo kenari"`, "/v1/media/", "refusing /refuse"} {
			if !strings.Contains(all, w) {
				return "no receiver has seen " + w
			}
		}
		return ""
	})
	r.mediaLink(received.String())
	r.audit()
	g.close()

	// The canaries did reach where they belong, or this test looks for what was never there.
	for name := range r.c {
		if name != "wrong token" && name != "wrong key" && name != "wrong password" && name != "admin token" && name != "password" && !r.shown[name] {
			t.Errorf("%s was never shown", name)
		}
	}
	r.nowhere("the log", log.String())
	if !strings.Contains(log.String(), "level=DEBUG") || !strings.Contains(log.String(), "wrong key") {
		t.Error("the log is not the talkative one, or a part of the round is missing")
	}
	r.nowhere("what receivers saw", received.String())
	r.onDisk(dir)
}

// round is what the test does and what it was told.
type round struct {
	t       *testing.T
	g       *gateway
	c       canaries
	shown   map[string]bool // canaries that an answer showed, once
	in      instance
	hooks   string // addresses of the receivers
	console *http.Client
}

// nowhere fails for every canary in a text.
func (r *round) nowhere(where, text string) {
	r.t.Helper()
	for _, name := range r.c.in(text) {
		r.t.Errorf("%s holds the %s", where, name)
	}
}

// once notes that an answer showed a secret as it should.
func (r *round) once(name, secret, answer string) {
	r.t.Helper()
	if secret == "" || !strings.Contains(answer, secret) {
		r.t.Fatalf("the %s was not shown: %s", name, answer)
	}
	if r.shown == nil {
		r.shown = map[string]bool{}
	}
	r.c[name], r.shown[name] = secret, true
}

// receivers takes webhooks at /, refuses them at /refuse with an answer that repeats the request, and writes down all
// that arrives but the signature.
func (r *round) receivers() *safeBuffer {
	var seen safeBuffer
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		headers := q.Header.Clone()
		headers.Del("Webhook-Signature")
		if q.URL.Path == "/refuse" {
			_, _ = fmt.Fprintf(&seen, "refusing ")
			http.Error(w, "no: "+string(body), http.StatusInternalServerError)
		}
		_, _ = fmt.Fprintln(&seen, q.URL, headers, string(body))
	}))
	r.t.Cleanup(s.Close)
	r.hooks = s.URL
	return &seen
}

// send is a request whose answer may hold no secret but those that are not canaries yet.
func (r *round) send(client *http.Client, method, path, body string, header ...string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.g.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range header {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	headers := resp.Header.Clone()
	headers.Del("Set-Cookie") // the one place for the console's cookies
	text := fmt.Sprint(resp.Status, headers, string(b))
	r.nowhere("the answer to "+method+" "+strings.SplitN(path, "?", 2)[0], text)
	return text
}

var (
	keyID       = regexp.MustCompile(`(key_[0-9A-Z]{26})`)
	keyShown    = regexp.MustCompile(`"key":"([^"]+)"`)
	secretShown = regexp.MustCompile(`"secret":"(whsec_[^"]+)"`)
)

// The keys of the round that came after the first.
const rotatedKey, consoleKey, consoleRotated = "API key after its rotation", "key made in the console", "key replaced in the console"

func first(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

func (r *round) keysAndWebhooks() {
	admin, asJSON := "Authorization: Bearer "+adminToken, "Content-Type: application/json"
	text := r.send(httpClient, "POST", "/v1/instances", `{"name":"kenari","sandbox":true}`, admin, asJSON)
	r.in.ID, r.in.Key = first(regexp.MustCompile(`"id":"(inst_[^"]+)"`), text), first(keyShown, text)
	r.once("API key", r.in.Key, text)
	for _, path := range []string{"/", "/refuse"} {
		text = r.send(httpClient, "POST", "/v1/webhooks", fmt.Sprintf(`{"instance":%q,"url":%q}`, r.in.ID, r.hooks+path), admin, asJSON)
		secret := first(secretShown, text)
		r.once("webhook secret of "+path, secret, text)
		hook := first(regexp.MustCompile(`"id":"([a-z]+_[0-9A-Z]{26})"`), text)
		text = r.send(httpClient, "POST", "/v1/webhooks/"+hook+"/rotate", "", admin)
		r.once("webhook secret of "+path+" after its rotation", first(secretShown, text), text)
	}
	list := r.send(httpClient, "GET", "/v1/instances/"+r.in.ID+"/keys", "", admin)
	text = r.send(httpClient, "POST", "/v1/keys/"+first(keyID, list)+"/rotate", `{"overlap":"1h"}`, admin, asJSON)
	r.once(rotatedKey, first(keyShown, text), text)
	r.g.link(&r.in, sandbox.PhoneSpec{Number: "6281100000771", Name: "Kenari"})
	for _, path := range []string{"/v1/instances", "/v1/instances/" + r.in.ID, "/v1/webhooks", "/v1/stats"} {
		r.send(httpClient, "GET", path, "", admin)
	}
}

// people goes through the console: wrong and right, a secret in the wrong field, and every page.
func (r *round) people() {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.console = &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	form := func(path string, fields ...string) string {
		v := url.Values{}
		for i := 0; i < len(fields); i += 2 {
			v.Set(fields[i], fields[i+1])
		}
		return r.send(r.console, "POST", path, v.Encode(), "Content-Type: application/x-www-form-urlencoded")
	}
	cookies := func(when string) {
		for _, c := range jar.Cookies(must(url.Parse(r.g.url))) {
			r.once(c.Name+" cookie "+when, c.Value, c.Value)
		}
	}
	form("/login", "token", r.c["wrong token"])
	form("/login", "token", adminToken)
	cookies("of the token")
	form("/account/new", "name", "siti", "password", r.c["password"], "again", r.c["wrong password"])
	form("/account/new", "name", "siti", "password", r.c["password"], "again", r.c["password"])
	cookies("of siti")
	for _, path := range []string{"/", "/instances/" + r.in.ID, "/account", "/people", "/audit.csv", "/instances/none"} {
		if text := r.send(r.console, "GET", path, ""); !strings.HasPrefix(text, "200") && path != "/instances/none" {
			r.t.Errorf("%s: %.60s", path, text)
		}
	}
	form("/people", "name", "budi", "role", "operator", "password", r.c["password"], "again", r.c["password"])
	id := first(regexp.MustCompile(`person-(usr_[0-9A-Z]+)`), r.send(r.console, "GET", "/people", ""))
	text := form("/people/" + id + "/password")
	r.once("new password", first(regexp.MustCompile(`id="copy-password"[^>]*>([a-z0-9-]+)<`), text), text)
	keys := "/instances/" + r.in.ID + "/keys"
	copied := regexp.MustCompile(`id="copy-key"[^>]*>([0-9A-Za-z_]+)<`)
	text = form(keys, "name", "konsol", "scope", "send")
	r.once(consoleKey, first(copied, text), text)
	made := regexp.MustCompile(`/keys/(key_[0-9A-Z]+)/rotate`).FindAllStringSubmatch(r.send(r.console, "GET", keys, ""), -1)
	mine := keys + "/" + made[len(made)-1][1]
	text = form(mine+"/rotate", "hours", "24")
	r.once(consoleRotated, first(copied, text), text)
	if text = form(mine + "/rotate"); !strings.HasPrefix(text, "400") {
		r.t.Errorf("no overlap: %.60s", text)
	}
	form("/account/password", "old", r.c["wrong password"], "password", r.c["password"], "again", r.c["password"])
	form("/logout")
	form("/login", "name", "siti", "password", r.c["wrong password"])
	// A password as the name comes back in its own field, as every form does, so this answer alone is not looked at.
	if head, err := postForm(r.t, r.console, r.g.url+"/login", url.Values{"name": {r.c["wrong password"]}, "password": {"x"}}); err != nil || head.StatusCode != http.StatusUnauthorized {
		r.t.Errorf("%d, %v", head.StatusCode, err)
	}
}

// messages sends well and badly, with right and wrong keys in every place where a key can be.
func (r *round) messages() {
	right, wrong, asJSON := r.in.Key, r.c["wrong key"], "Content-Type: application/json"
	sent := r.send(httpClient, "POST", "/wa/send", fmt.Sprintf(`{"key":%q,"phone":"6281234567001","body":"dari kenari","wait":true}`, right), asJSON)
	if !strings.HasPrefix(sent, "200") {
		r.t.Fatal(sent)
	}
	for _, key := range []string{right, r.c[rotatedKey], r.c[consoleKey], r.c[consoleRotated], wrong} {
		r.send(httpClient, "POST", "/wa/send", fmt.Sprintf(`{"key":%q,"phone":"12","body":"x"}`, key), asJSON)
		r.send(httpClient, "POST", "/wa/send", fmt.Sprintf(`{"key":%q,"phone":`, key), asJSON)
		r.send(httpClient, "POST", "/wa/send", "key="+url.QueryEscape(key)+"&phone=12", "Content-Type: application/x-www-form-urlencoded")
		r.send(httpClient, "POST", "/wa/sendfileurl", fmt.Sprintf(`{"key":%q,"phone":"6281234567001","url":"http://127.0.0.1:1/x?k=%s"}`, key, url.QueryEscape("a")), asJSON)
		r.send(httpClient, "POST", "/wa/status?key="+url.QueryEscape(key), `{"id":"msg_1"}`, asJSON)
		r.send(httpClient, "GET", "/v1/messages", "", "X-Api-Key: "+key)
		r.send(httpClient, "GET", "/v1/messages/none", "", "Authorization: Bearer "+key)
		r.send(httpClient, "GET", "/v1/messages", "", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("kurir:"+key)))
		r.send(httpClient, "GET", "/v1/instances", "", "Authorization: Bearer "+key)
		r.send(httpClient, "POST", "/v1/messages", `{"phone":"6281234567001","body":"x","priority":"odd"}`, "X-Api-Key: "+key, asJSON)
	}
	r.send(httpClient, "GET", "/v1/instances", "", "Authorization: Bearer "+r.c["wrong token"])
	for _, m := range []sandbox.Message{{Body: "halo kenari"}, {Data: noise(2000), Filename: "kenari.pdf"}} {
		if err := r.g.sandbox().SendFrom("6281234567001", r.in.Number, m); err != nil {
			r.t.Fatal(err)
		}
	}
}

// mediaLink opens a link that a webhook brought, and the same link changed.
func (r *round) mediaLink(received string) {
	link := first(regexp.MustCompile(`"(https?://[^"]*(/v1/media/[^"]+))"`), received)
	if link == "" {
		r.t.Fatalf("no link to the file: %s", received)
	}
	u := must(url.Parse(strings.ReplaceAll(link, `\u0026`, "&")))
	eventually(r.t, func() string { // it may still be on its way from WhatsApp
		if text := r.send(httpClient, "GET", u.RequestURI(), ""); !strings.HasPrefix(text, "200") {
			return text
		}
		return ""
	})
	r.send(httpClient, "GET", u.RequestURI()+"0", "")
}

// audit reads back all that kurir tells of what happened.
func (r *round) audit() {
	admin := "Authorization: Bearer " + adminToken
	lines := r.send(httpClient, "GET", "/v1/audit?limit=1000", "", admin)
	csv := r.send(httpClient, "GET", "/v1/audit.csv", "", admin)
	for _, w := range []string{"wa.send", "console.signin", "user.create", "user:siti", "webhook.create", "webhook.rotate", "key.create", "key.rotate", "instance.create", "UNAUTHORIZED"} {
		if !strings.Contains(lines, w) || !strings.Contains(csv, w) {
			r.t.Errorf("the audit log does not know of %s", w)
		}
	}
	hooks := r.send(httpClient, "GET", "/v1/webhooks", "", admin)
	for _, m := range regexp.MustCompile(`"id":"(wh_[^"]+|hook_[^"]+|[a-z]+_[0-9A-Z]{26})"`).FindAllStringSubmatch(hooks, -1) {
		r.send(httpClient, "GET", "/v1/webhooks/"+m[1], "", admin)
		r.send(httpClient, "GET", "/v1/webhooks/"+m[1]+"/deliveries", "", admin)
	}
	r.send(httpClient, "GET", "/v1/events?limit=1000", "", admin)
}

// onDisk looks into every file of the data folder. Webhook secrets must be stored to sign with, in the database and
// nowhere else; that they are found there shows that the search can find.
func (r *round) onDisk(dir string) {
	files, stored := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path) //nolint:gosec // a file whose name the test itself made or knows
		if err != nil {
			return err
		}
		files++
		name := must(filepath.Rel(dir, path))
		for _, canary := range r.c.in(string(b)) {
			if strings.HasPrefix(canary, "webhook secret") && strings.HasPrefix(name, "kurir.db") {
				stored++
				continue
			}
			r.t.Errorf("%s holds the %s", name, canary)
		}
		return nil
	})
	if err != nil || files < 2 || stored < 2 {
		r.t.Errorf("%d files, %d webhook secrets in the database, %v", files, stored, err)
	}
}
