package app_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"kurir/app"
)

// madeKey is a key that the API has just made or rotated.
type madeKey struct{ ID, Key string }

func (g *gateway) makeKey(in instance, body map[string]any) (k madeKey) {
	g.t.Helper()
	a := g.call("POST", "/v1/instances/"+in.ID+"/keys", body)
	if a.into(g.t, &k); a.Code != "SECRET_SHOWN" {
		g.t.Fatalf("%+v", a)
	}
	return k
}

func (g *gateway) rotate(k madeKey, overlap string) (next madeKey) {
	g.t.Helper()
	a := g.call("POST", "/v1/keys/"+k.ID+"/rotate", map[string]any{"overlap": overlap})
	if a.into(g.t, &next); a.Code != "SECRET_SHOWN" || next.ID != k.ID || next.Key == k.Key {
		g.t.Fatalf("%+v", a)
	}
	return next
}

// with is a request with a key in its header.
func (g *gateway) with(key, method, path string) answer {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	return g.do(req)
}

// follow opens the stream of events with a key. The channel has its lines and is closed at its end.
func (g *gateway) follow(key string) <-chan string {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/v1/events/stream", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	resp, err := httpClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		g.t.Fatal(resp.Status)
	}
	lines, done := make(chan string, 1000), make(chan struct{})
	g.t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		defer close(lines)
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

// until reads a stream to a line with that word, or with "" to its end, and returns what came.
func (g *gateway) until(name string, lines <-chan string, word string) string {
	g.t.Helper()
	var all strings.Builder
	for limit := time.After(patience); ; {
		select {
		case l, ok := <-lines:
			all.WriteString(l + "\n")
			if !ok && word == "" || ok && word != "" && strings.Contains(l, word) {
				return all.String()
			}
			if !ok {
				g.t.Fatalf("%s ended before %q: %s", name, word, all.String())
			}
		case <-limit:
			g.t.Fatalf("%s: waited in vain for %q: %s", name, word, all.String())
		}
	}
}

// TestALifeOfKeys: a key for sending sends and reads nothing, both secrets work in the overlap of a rotation, and a key
// that ends takes its open streams with it.
func TestALifeOfKeys(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.linked("kunci", "6281100000781")
	const to = "6281234567081"
	k := g.makeKey(in, map[string]any{"name": "kirim", "scopes": []string{"send"}})
	sent := 0
	send := func(key, body string) string {
		t.Helper()
		a := g.wa("/wa/send", map[string]any{"key": key, "phone": to, "body": body, "wait": true})
		if !a.Status {
			t.Fatalf("%s: %+v", body, a)
		}
		sent++
		if got := g.inbox(to, sent); len(got) != sent || got[sent-1].Body != body {
			t.Fatalf("%s: received %+v", body, got)
		}
		return a.ID
	}
	refused := func(a answer, status int, code string) {
		t.Helper()
		if a.HTTP != status || a.Code != code {
			t.Errorf("%d %s, want %d %s", a.HTTP, a.Code, status, code)
		}
	}
	send(k.Key, "satu")
	refused(g.wa("/wa/chats", map[string]any{"key": k.Key}), 403, "SCOPE_MISSING")
	refused(g.wa("/wa/messages", map[string]any{"key": k.Key, "phone": to}), 403, "SCOPE_MISSING")
	for _, path := range []string{"/v1/messages", "/v1/events", "/v1/events/stream", "/v1/instances/" + in.ID} {
		refused(g.with(k.Key, "GET", path), 403, "SCOPE_MISSING")
	}
	second := g.rotate(k, "1h")
	send(k.Key, "dua, dengan yang lama")
	send(second.Key, "tiga, dengan yang baru")
	third := g.rotate(k, "1h")
	refused(g.wa("/wa/send", map[string]any{"key": k.Key, "phone": to, "body": "x"}), 401, "UNAUTHORIZED")
	send(second.Key, "empat")
	send(third.Key, "lima")
	if a := g.call("DELETE", "/v1/keys/"+k.ID, nil); !a.Status {
		t.Fatalf("%+v", a)
	}
	for _, key := range []string{second.Key, third.Key} {
		refused(g.wa("/wa/send", map[string]any{"key": key, "phone": to, "body": "x"}), 401, "UNAUTHORIZED")
	}

	reader := func(name string) madeKey {
		return g.makeKey(in, map[string]any{"name": name, "scopes": []string{"read"}})
	}
	revoked, ends, replaced, moved := reader("dicabut"), reader("berakhir"), reader("diganti"), reader("pindah")
	streams := map[string]<-chan string{
		"revoked": g.follow(revoked.Key), "ended": g.follow(ends.Key), "replaced": g.follow(replaced.Key), "from elsewhere": g.follow(moved.Key),
	}
	for name, lines := range streams {
		g.until(name, lines, "retry:")
	}
	first := send(in.Key, "enam")
	for name, lines := range streams {
		g.until(name, lines, first)
	}
	g.call("DELETE", "/v1/keys/"+revoked.ID, nil)
	last := send(in.Key, "tujuh")
	if all := g.until("revoked", streams["revoked"], ""); strings.Contains(all, last) {
		t.Errorf("the stream of a revoked key went on: %s", all)
	}
	soon := time.Now().Add(2 * time.Second)
	for _, a := range []answer{
		g.call("PATCH", "/v1/keys/"+ends.ID, map[string]any{"expires_at": soon.UnixMilli()}),
		g.call("PATCH", "/v1/keys/"+moved.ID, map[string]any{"ips": []string{"192.0.2.1"}}),
	} {
		if !a.Status {
			t.Fatalf("%+v", a)
		}
	}
	g.rotate(replaced, "2s")
	for _, name := range []string{"ended", "replaced", "from elsewhere"} { // nothing happens: the next ping finds out
		g.until(name, streams[name], "")
	}
	if time.Now().Before(soon) {
		t.Error("a stream ended before its key")
	}
}

// TestAnotherAdminTokenEndsItsSessions: who knew the old token is out when kurir comes back with another.
func TestAnotherAdminTokenEndsItsSessions(t *testing.T) {
	dir := t.TempDir()
	jar := must(cookiejar.New(nil))
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	const another = "another-admin-token-of-the-tests"
	// The same name for each kurir, whatever its port: cookies know no ports.
	open := func(g *gateway) bool {
		t.Helper()
		resp := must(visit(t, browser, g.url+"/people"))
		return resp.StatusCode == http.StatusOK
	}
	g := openGateway(t, dir)
	must(postForm(t, browser, g.url+"/login", url.Values{"token": {adminToken}}))
	if !open(g) {
		t.Fatal("not signed in")
	}
	g.close()
	g = openGateway(t, dir)
	if !open(g) {
		t.Error("the same token, and the session is over")
	}
	g.close()
	g = openGateway(t, dir, func(c *app.Config) { c.AdminToken = another })
	if open(g) {
		t.Error("another token, and the session of the old one is open")
	}
}
