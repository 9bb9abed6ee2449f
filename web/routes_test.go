package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"kurir/browser"
	"kurir/models"
)

const (
	ownerName, operatorName = "siti", "budi"
	goodPassword            = "kopi susu gula aren" //nolint:gosec // a secret of the tests and of nobody
)

// person makes somebody with goodPassword.
func (d *desk) person(name string, role models.Role) models.User {
	d.t.Helper()
	hash, err := hasher.Hash(d.t.Context(), goodPassword)
	if err != nil {
		d.t.Fatal(err)
	}
	u := models.User{Name: name, Role: role, Password: hash}
	if err := d.db.CreateUser(d.t.Context(), &u); err != nil {
		d.t.Fatal(err)
	}
	return u
}

func (d *desk) try(name, password string) answer {
	d.t.Helper()
	return d.post("/login", url.Values{"name": {name}, "password": {password}})
}

// as is a browser in which somebody has signed in.
func (d *desk) as(name string) *desk {
	d.t.Helper()
	b := d.elsewhere()
	if a := b.try(name, goodPassword); a.StatusCode != http.StatusSeeOther {
		d.t.Fatalf("sign in as %s: %d %s", name, a.StatusCode, a.text)
	}
	return b
}

// open says whether the browser is signed in.
func (d *desk) open() bool {
	d.t.Helper()
	return !strings.Contains(d.get("/").text, `action="/login"`)
}

// TestEveryRouteHasItsGuard asks every route of the table, as nobody, as an operator and as an owner. The table is the
// only way in, and a route that is not named here fails the test.
func TestEveryRouteHasItsGuard(t *testing.T) {
	t.Parallel()
	want := map[string]access{
		"GET /console/assets/{name}": anyone, "POST /login": anyone, "POST /language": anyone, "GET /docs": anyone, "GET /licenses": anyone,

		"GET /{$}": operator, "GET /console/events": operator, "POST /logout": operator, "/": operator,
		"GET /account": operator, "POST /account/password": operator, "POST /account/signout": operator,
		"GET /instances/{id}": operator, "POST /instances/{id}/pairing-code": operator, "POST /instances/{id}/scan": operator,
		"POST /instances/{id}/start": operator, "POST /instances/{id}/stop": operator, "POST /instances/{id}/restart": operator,
		"GET /instances/{id}/phone": operator, "GET /sandbox": operator, "GET /sandbox/find": operator, "GET /sandbox/{number}": operator,
		"GET /sandbox/{number}/{screen}": operator, "GET /sandbox/{number}/chats/{chat}": operator,
		"GET /sandbox/{number}/chats/{chat}/files/{message}": operator, "POST /sandbox/{number}/{action}": operator,

		"GET /account/new": owner, "POST /account/new": owner, "GET /people": owner, "POST /people": owner, "POST /people/{id}/role": owner,
		"POST /people/{id}/disable": owner, "POST /people/{id}/enable": owner, "POST /people/{id}/signout": owner,
		"POST /people/{id}/password": owner, "POST /people/{id}/delete": owner, "GET /audit.csv": owner,
		"GET /instances/new": owner, "POST /instances": owner, "POST /instances/{id}/unlink": owner, "POST /instances/{id}/delete": owner,
		"GET /instances/{id}/keys": owner, "POST /instances/{id}/keys": owner,
		"GET /instances/{id}/keys/{key}": owner, "POST /instances/{id}/keys/{key}": owner,
		"POST /instances/{id}/keys/{key}/rotate": owner, "POST /instances/{id}/keys/{key}/revoke": owner,
	}
	for _, rt := range newDesk(t).console.table() {
		who, ok := want[rt.pattern]
		if !ok {
			t.Errorf("%s: say here who may use it", rt.pattern)
			continue
		}
		delete(want, rt.pattern)
		if method, _, _ := strings.Cut(rt.pattern, " "); method == "POST" && rt.action == "" && rt.pattern != "POST /language" {
			t.Errorf("%s changes something and leaves no line in the audit log", rt.pattern)
		}
		t.Run(rt.pattern, func(t *testing.T) {
			t.Parallel()
			askRoute(t, rt, who)
		})
	}
	for pattern := range want {
		t.Errorf("%s is gone", pattern)
	}
}

// askRoute uses a console of its own, because some routes end the session that asks.
func askRoute(t *testing.T, rt route, who access) {
	d := newDesk(t, View{ID: "inst_1", Name: "Rahasia Toko", Sandbox: true, Status: browser.Status{State: browser.StateWorking}})
	ownerUser, operatorUser := d.person(ownerName, models.RoleOwner), d.person(operatorName, models.RoleOperator)
	d.person("third", models.RoleOwner)
	k, _ := d.key("inst_1", "Rahasia Kasir")
	method, path, ok := strings.Cut(rt.pattern, " ")
	if !ok {
		method, path = "GET", "/nothing/here"
	}
	path = strings.NewReplacer("{$}", "", "{number}", "6281234567890", "{screen}", "chats", "{chat}", "x@c.us", "{message}", "m", "{action}", "read",
		"{name}", "console.css", "{key}", k.ID).Replace(path)
	browsers := map[string]*desk{"": d.elsewhere(), operatorName: d.as(operatorName), ownerName: d.as(ownerName)}
	for _, name := range []string{"", operatorName, ownerName} { // the owner last, who may delete the operator
		b := browsers[name]
		target := operatorUser.ID // an operator reaches for himself, an owner for another
		if strings.HasPrefix(path, "/people/") && name == operatorName {
			target = ownerUser.ID
		}
		id := "inst_1"
		if strings.HasPrefix(path, "/people/") {
			id = target
		}
		before, done, keys := d.lines(), d.instances.actions(), d.keys("inst_1")
		a := b.request(method, strings.ReplaceAll(path, "{id}", id))
		allowed := who == anyone || name != "" && (who == operator || name == ownerName)
		switch {
		case !allowed && name == "":
			signIn := a.StatusCode == http.StatusOK && strings.Contains(a.text, `action="/login"`) && path == "/"
			away := a.StatusCode == http.StatusSeeOther && strings.HasPrefix(a.Header.Get("Location"), "/?next=")
			if !signIn && !away && (a.StatusCode != http.StatusUnauthorized || path != "/console/events") {
				t.Errorf("signed out: %d %s", a.StatusCode, a.Header.Get("Location"))
			}
		case !allowed && (a.StatusCode != http.StatusForbidden || !strings.Contains(a.text, "Only an owner may do this")):
			t.Errorf("%s: %d", name, a.StatusCode)
		case allowed && (a.StatusCode == http.StatusForbidden || strings.HasPrefix(a.Header.Get("Location"), "/?next=")):
			t.Errorf("%s: %d to %s", name, a.StatusCode, a.Header.Get("Location"))
		}
		if !allowed {
			if now := d.instances.actions(); len(now) != len(done) || strings.Contains(a.text, "Rahasia") {
				t.Errorf("%q did it all the same: %v; %d", name, now, a.StatusCode)
			}
			if all, err := d.db.Users(t.Context()); err != nil || len(all) != 3 {
				t.Errorf("people: %v, %v", all, err)
			}
			if now := d.keys("inst_1"); len(now) != 1 || now[0].Hash != keys[0].Hash || now[0].SettingsPrint() != keys[0].SettingsPrint() {
				t.Errorf("%q changed the keys: %+v", name, now)
			}
		}
		news := d.lines()[len(before):]
		switch refused := slices.ContainsFunc(news, func(l string) bool { return strings.HasSuffix(l, " OWNER_ONLY") }); {
		case !allowed && name == operatorName && rt.action != "" && !refused:
			t.Errorf("the audit log does not know that %s was refused: %v", name, news)
		case rt.pattern == "POST /account/new": // there are people already, so it does nothing: TestTheFirstAccount
		case allowed && name != "" && rt.action != "" && who != anyone && !slices.ContainsFunc(news, func(l string) bool {
			return strings.HasPrefix(l, "user:"+name+" "+rt.action)
		}):
			t.Errorf("the audit log does not know what %s did: %v", name, news)
		case name == "" && who != anyone && len(news) > 0:
			t.Errorf("somebody who is not signed in fills the audit log: %v", news)
		}
	}
}

// request is one of a browser; an event stream is left after its first bytes.
func (d *desk) request(method, path string) answer {
	d.t.Helper()
	if path == "/console/events" {
		return d.peek(path)
	}
	var form url.Values
	if method == "POST" {
		form = url.Values{"name": {"x"}, "scope": {"send"}, "hours": {"24"}}
	}
	return d.do(method, path, form)
}

// peek opens an event stream and leaves it when the answer begins.
func (d *desk) peek(path string) answer {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.server.URL+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return answer{resp, ""}
}
