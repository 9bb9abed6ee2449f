package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"kurir/gate"
	"kurir/guess"
	"kurir/models"
)

func cookieOf(t *testing.T, a answer, name string) *http.Cookie {
	t.Helper()
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("%d: no cookie %s", a.StatusCode, name)
	return nil
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko"})
	if a := d.post("/login", url.Values{"token": {"wrong"}}); a.StatusCode != http.StatusUnauthorized || len(a.Cookies()) > 0 {
		t.Fatalf("a wrong token: %d, cookies %v", a.StatusCode, a.Cookies())
	}
	a := d.post("/login", url.Values{"token": {" " + goodToken + "\n"}, "next": {"/instances/inst_1"}})
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/account/new?next=%2Finstances%2Finst_1" {
		t.Fatalf("sign in: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	c := cookieOf(t, a, sessionCookie)
	if !c.HttpOnly || c.Secure || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 7*24*3600 || len(c.Value) != 43 {
		t.Errorf("cookie = %+v", c)
	}
	stored := d.sessions()
	if len(stored) != 1 || strings.Contains(fmt.Sprint(stored), c.Value) || stored[0].Hash != hashCookie(c.Value) || stored[0].IP != "127.0.0.1" {
		t.Errorf("stored: %+v", stored)
	}
	if life := time.Until(stored[0].ExpiresAt); life < 6*24*time.Hour || life > 7*24*time.Hour {
		t.Errorf("the session lives %s", life)
	}
	if a := d.get("/"); !strings.Contains(a.text, "Toko") {
		t.Errorf("signed in, / shows %s", a.text)
	}
	if a := d.post("/logout", nil); a.StatusCode != http.StatusSeeOther || cookieOf(t, a, sessionCookie).MaxAge >= 0 || len(d.sessions()) != 0 {
		t.Errorf("sign out: %d, left %v", a.StatusCode, d.sessions())
	}
	if a := d.get("/", "Cookie", sessionCookie+"="+c.Value); strings.Contains(a.text, "Toko") {
		t.Error("the cookie still works after signing out")
	}
}

func TestCookieIsSecureBehindTLS(t *testing.T) {
	t.Parallel()
	for trusted, d := range map[bool]*desk{true: newDesk(t), false: newDesk(t)} {
		if trusted {
			d.gate.Proxies = gate.Proxies{netip.MustParsePrefix("127.0.0.0/8")}
		}
		a := d.post("/login", url.Values{"token": {goodToken}}, "X-Forwarded-Proto", "https")
		if c := cookieOf(t, a, sessionCookie); c.Secure != trusted {
			t.Errorf("proxy trusted: %v, cookie = %+v", trusted, c)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko"}).signIn()
	d.sql(func(tx *gorm.DB) error {
		return tx.Exec("UPDATE console_sessions SET expires_at = ?", time.Now().UTC().Add(-time.Second)).Error
	})
	if a := d.get("/"); strings.Contains(a.text, "Toko") {
		t.Error("a session that is over still opens the console")
	}
}

// TestSessionsOfTheTokenEndWithIt: another admin token ends what the old one had opened, and nothing else.
func TestSessionsOfTheTokenEndWithIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko"})
	d.person("siti", models.RoleOwner)
	token, siti := d.elsewhere().signIn(), d.as("siti")
	before := d.elsewhere().signIn() // by a kurir that did not note with what
	d.sql(func(tx *gorm.DB) error {
		return tx.Exec("UPDATE console_sessions SET opened_with = '' WHERE rowid = (SELECT max(rowid) FROM console_sessions)").Error
	})
	if !token.open() || !siti.open() || before.open() {
		t.Fatalf("open: with the token %v, siti %v, from before %v", token.open(), siti.open(), before.open())
	}
	for _, s := range d.sessions() {
		if (s.UserID == nil) == (s.OpenedWith == "") && s.Hash != hashCookie(before.cookie(sessionCookie)) {
			t.Errorf("%+v", s)
		}
	}
	d.console.deps.AdminPrint = "print of another token"
	if token.open() || !siti.open() {
		t.Errorf("after the token was changed: with the old one open %v, siti %v", token.open(), siti.open())
	}
	if a := token.post("/instances/inst_1/delete", nil); a.StatusCode != http.StatusSeeOther || len(d.instances.actions()) > 0 {
		t.Errorf("the old session still does things: %d %v", a.StatusCode, d.instances.actions())
	}
	if !d.elsewhere().signIn().open() {
		t.Error("no way in with the new one")
	}
}

// cookie is what the browser holds.
func (d *desk) cookie(name string) string {
	d.t.Helper()
	u, err := url.Parse(d.server.URL)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, c := range d.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	wrong := 0
	slowed(t, func() answer {
		a := d.post("/login", url.Values{"token": {"guess"}})
		if a.StatusCode == http.StatusUnauthorized {
			wrong++
		}
		return a
	})
	if wrong < guess.Burst {
		t.Errorf("slowed down after %d wrong tokens", wrong)
	}
	for range guess.Burst { // nor does one come back now
		d.console.guesses.addresses.Take(guess.Address("127.0.0.1"), notSoon())
	}
	a := d.post("/login", url.Values{"token": {goodToken}})
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !strings.Contains(a.text, "Wait ") {
		t.Errorf("the right one then: %d, Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko"}).signIn()
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		for _, path := range []string{"/instances/inst_1/delete", "/instances", "/login", "/logout", "/language"} {
			if a := d.post(path, url.Values{"name": {"x"}, "token": {goodToken}}, header...); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %v: %d", path, header, a.StatusCode)
			}
		}
	}
	if done := d.instances.actions(); len(done) > 0 {
		t.Errorf("done for another site: %v", done)
	}
	if a := d.post("/instances/inst_1/stop", nil, "Sec-Fetch-Site", "same-origin"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("kurir's own form: %d", a.StatusCode)
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/instances/inst_1": "/instances/inst_1", "/a?b=c": "/a", "": "/", "instances": "/", "//evil.example": "/",
		"https://evil.example/": "/", `/\evil.example`: "/", "/\t/evil.example": "/", "javascript:alert(1)": "/", "/%2f/evil": "/",
	} {
		if got := localPath(in); got != want {
			t.Errorf("localPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBigFormsAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if a := d.post("/login", url.Values{"token": {strings.Repeat("x", 1<<20)}}); a.StatusCode != http.StatusUnauthorized || len(a.Cookies()) > 0 {
		t.Errorf("a token of 1 MB: %d", a.StatusCode)
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	if err := CheckAssets(); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	page := d.get("/")
	for name, kind := range map[string]string{"console.js": "text/javascript", "console.css": "text/css", "icon.svg": "image/svg+xml"} {
		address := d.console.assets.url(name)
		if !strings.Contains(page.text, address) {
			t.Errorf("the page does not load %s", address)
		}
		a := d.get(address)
		if a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), kind) || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", name, a.StatusCode, a.Header)
		}
		if a := d.get("/console/assets/"+name, "If-None-Match", a.Header.Get("ETag")); a.StatusCode != http.StatusNotModified || a.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s again: %d %v", name, a.StatusCode, a.Header)
		}
	}
	reference := d.get("/docs")
	for name, kind := range map[string]string{"swagger-ui.js": "text/javascript", "swagger-ui.css": "text/css", "docs.js": "text/javascript", "docs.css": "text/css"} {
		address := d.console.assets.url(name)
		if !strings.Contains(reference.text, address) || strings.Contains(page.text, address) {
			t.Errorf("%s is not for /docs alone", address)
		}
		zipped, plain := strings.HasPrefix(name, "swagger"), d.get(address, "Accept-Encoding", "identity")
		packed := d.get(address, "Accept-Encoding", "gzip")
		if (packed.Header.Get("Content-Encoding") == "gzip") != zipped || plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: encoding %q and %q", name, packed.Header.Get("Content-Encoding"), plain.Header.Get("Content-Encoding"))
		}
		for _, a := range []answer{plain, packed} {
			if a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), kind) {
				t.Errorf("%s: %d %v", name, a.StatusCode, a.Header)
			}
		}
		if zipped && (len(plain.text) < 2*len(packed.text) || string(unzip([]byte(packed.text))) != plain.text) {
			t.Errorf("%s: %d bytes packed, %d plain", name, len(packed.text), len(plain.text))
		}
	}
	if a := d.get("/console/assets/nothing.js"); a.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown asset: %d", a.StatusCode)
	}
}

// TestGuessesAreCountedByTheCaller: who guesses cannot give himself new addresses, and behind a proxy that is trusted one
// who guesses does not slow others down.
func TestGuessesAreCountedByTheCaller(t *testing.T) {
	t.Parallel()
	wrong := func(d *desk, from string) answer {
		return d.post("/login", url.Values{"token": {"wrong"}}, "X-Forwarded-For", from)
	}
	forged, n := newDesk(t), 0
	slowed(t, func() answer { n++; return wrong(forged, fmt.Sprintf("198.51.100.%d", n%250)) })
	behind := newDesk(t)
	behind.gate.Proxies = gate.Proxies{netip.MustParsePrefix("127.0.0.0/8")}
	slowed(t, func() answer { return wrong(behind, "198.51.100.1") })
	if got := wrong(behind, "203.0.113.9").StatusCode; got != http.StatusUnauthorized {
		t.Errorf("another behind the same proxy: %d", got)
	}
	for _, s := range behind.sessions() {
		t.Errorf("signed in: %v", s)
	}
}
