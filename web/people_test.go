package web

import (
	"bufio"
	"encoding/csv"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"kurir/models"
)

// TestTheFirstAccount goes from the admin token to an account, and in again by its name.
func TestTheFirstAccount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if a := d.get("/"); !strings.Contains(a.text, `name="token"`) || strings.Contains(a.text, `name="password"`) {
		t.Error("while nobody has an account the sign-in page does not ask for the token")
	}
	a := d.post("/login", url.Values{"token": {goodToken}, "next": {"/sandbox"}})
	if to := a.Header.Get("Location"); to != "/account/new?next=%2Fsandbox" {
		t.Fatalf("to %q", to)
	}
	if a := d.get("/account/new?next=/sandbox"); !strings.Contains(a.text, `name="again"`) || !strings.Contains(a.text, `value="/sandbox"`) {
		t.Errorf("the page to make an account: %s", a.text)
	}
	form := func(name, password, again string) url.Values {
		return url.Values{"name": {name}, "password": {password}, "again": {again}, "next": {"/sandbox"}}
	}
	for words, f := range map[string]url.Values{
		"are not the same":  form("siti", goodPassword, goodPassword+"x"),
		"at least 10 chara": form("siti", "pendek", "pendek"),
		"2 to 40 charac":    form("Siti Rahma", goodPassword, goodPassword),
		"is not the name":   form("siti.rahma1", "Siti.Rahma1", "Siti.Rahma1"),
	} {
		a := d.post("/account/new", f)
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, words) || strings.Contains(a.text, f.Get("password")+`"`) {
			t.Errorf("%v: %d %s", f, a.StatusCode, a.text)
		}
	}
	a = d.post("/account/new", form("Siti", goodPassword, goodPassword))
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/sandbox" {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if a := d.get("/account"); !strings.Contains(a.text, "<bdi>siti</bdi> · Owner") {
		t.Errorf("afterwards: %s", a.text)
	}
	if s := d.sessions(); len(s) != 1 || s[0].UserID == nil {
		t.Errorf("the token's session is still there: %+v", s)
	}
	if a := d.post("/account/new", form("another", goodPassword, goodPassword)); a.Header.Get("Location") != "/people" {
		t.Errorf("a second first account: %d %s", a.StatusCode, a.text)
	}
	b := d.elsewhere()
	page := b.get("/")
	if !strings.Contains(page.text, `name="password"`) || strings.Contains(page.text, `name="token"`) || !strings.Contains(page.text, "/?with=token") {
		t.Errorf("the sign-in page: %s", page.text)
	}
	if a := b.try(" SITI ", goodPassword); a.StatusCode != http.StatusSeeOther || !b.open() {
		t.Errorf("sign in: %d", a.StatusCode)
	}
	c := d.elsewhere()
	if a := c.get("/?with=token"); !strings.Contains(a.text, `name="token"`) {
		t.Error("no way in with the token")
	}
	if a := c.post("/login", url.Values{"token": {goodToken}}); a.Header.Get("Location") != "/" || !c.open() {
		t.Errorf("with the token: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	want := []string{
		"admin console.signin OK", "admin user.create siti PASSWORD_INVALID", "admin user.create siti.rahma1 PASSWORD_INVALID",
		"admin user.create siti PASSWORD_INVALID", "admin user.create USER_NAME_INVALID", "admin user.create siti owner OK",
		"user:siti console.signin OK", "admin console.signin OK",
	}
	got := d.lines()
	if len(got) != len(want) {
		t.Errorf("the audit log: %q", got)
	}
	for _, l := range want {
		if !strings.Contains(strings.Join(got, "\n"), l) {
			t.Errorf("the audit log lacks %q: %q", l, got)
		}
	}
}

func TestChangeOnesPassword(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.person("siti", models.RoleOwner)
	here, phone, other := d.as("siti"), d.as("siti"), d.elsewhere().signIn()
	const next = "sate ayam madura"
	form := func(old, password, again string) url.Values {
		return url.Values{"old": {old}, "password": {password}, "again": {again}}
	}
	for words, f := range map[string]url.Values{
		"not your password until now": form("salah salah", next, next), "are not the same": form(goodPassword, next, next+"x"),
		"at least 10 characters": form(goodPassword, "x", "x"),
	} {
		if a := here.post("/account/password", f); a.StatusCode < 400 || !strings.Contains(a.text, words) || !phone.open() {
			t.Errorf("%v: %d %s", f, a.StatusCode, a.text)
		}
	}
	before := d.sessions()
	if a := here.post("/account/password", form(goodPassword, next, next)); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "The password is changed.") {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if !here.open() || phone.open() || !other.open() {
		t.Errorf("open: here %v, the phone %v, the token %v", here.open(), phone.open(), other.open())
	}
	for _, s := range d.sessions() {
		for _, old := range before {
			if s.UserID != nil && s.Hash == old.Hash {
				t.Error("a session is older than the password")
			}
		}
	}
	if a := d.elsewhere().try("siti", goodPassword); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the old password: %d", a.StatusCode)
	}
	if a := d.elsewhere().try("siti", next); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the new password: %d", a.StatusCode)
	}
	if a := other.post("/account/password", form(goodToken, next, next)); a.StatusCode != http.StatusNotFound {
		t.Errorf("the admin token has no password to change: %d", a.StatusCode)
	}
	// Who finds an open browser cannot try for ever.
	slowed(t, func() answer { return here.post("/account/password", form("salah salah", next, next)) })
}

func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.person("siti", models.RoleOwner)
	d.person("budi", models.RoleOperator)
	here, phone, budi, token := d.as("siti"), d.as("siti"), d.as("budi"), d.elsewhere().signIn()
	if a := here.post("/account/signout", nil); a.StatusCode != http.StatusSeeOther || here.open() || phone.open() || !budi.open() || !token.open() {
		t.Errorf("%d", a.StatusCode)
	}
	token2 := d.elsewhere().signIn()
	token.post("/account/signout", nil)
	if token.open() || token2.open() || !budi.open() {
		t.Error("the token's sessions")
	}
}

// TestAnOwnerManagesPeople goes through all that an owner can do to somebody.
func TestAnOwnerManagesPeople(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	siti := d.person("siti", models.RoleOwner)
	boss := d.as("siti")
	add := func(name, role string) answer {
		return boss.post("/people", url.Values{"name": {name}, "role": {role}, "password": {goodPassword}, "again": {goodPassword}})
	}
	if a := add("Budi", "operator"); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	for want, a := range map[int]answer{http.StatusConflict: add("budi", "operator"), http.StatusBadRequest: add("tono", "king")} {
		if a.StatusCode != want {
			t.Errorf("%d, want %d", a.StatusCode, want)
		}
	}
	u, err := d.db.UserByName(t.Context(), "budi")
	if err != nil || u.Role != models.RoleOperator {
		t.Fatal(u, err)
	}
	on := func(id, what string, form url.Values) answer { return boss.post("/people/"+id+"/"+what, form) }
	// What an owner does to somebody holds for the open browser too.
	b := d.as("budi")
	on(u.ID, "role", url.Values{"role": {"owner"}})
	if a := b.get("/people"); a.StatusCode != http.StatusOK {
		t.Errorf("as an owner: %d", a.StatusCode)
	}
	on(u.ID, "role", url.Values{"role": {"operator"}})
	if a := b.get("/people"); a.StatusCode != http.StatusForbidden || !b.open() {
		t.Errorf("as an operator: %d", a.StatusCode)
	}
	on(u.ID, "signout", nil)
	if b.open() {
		t.Error("signed out by an owner, and still in")
	}
	b = d.as("budi")
	on(u.ID, "disable", nil)
	if b.open() || d.elsewhere().try("budi", goodPassword).StatusCode != http.StatusUnauthorized {
		t.Error("locked out, and still in")
	}
	on(u.ID, "enable", nil)
	b = d.as("budi")
	a := on(u.ID, "password", nil)
	shown := regexp.MustCompile(`id="copy-password"[^>]*>([a-z0-9-]{19})<`).FindStringSubmatch(a.text)
	if shown == nil || b.open() || d.elsewhere().try("budi", goodPassword).StatusCode != http.StatusUnauthorized {
		t.Fatalf("a new password: %d %s", a.StatusCode, a.text)
	}
	if a := b.try("budi", shown[1]); a.StatusCode != http.StatusSeeOther || strings.Contains(boss.get("/people").text, shown[1]) {
		t.Errorf("with the new password: %d", a.StatusCode)
	}
	on(u.ID, "delete", nil)
	if b.open() || on(u.ID, "delete", nil).StatusCode != http.StatusNotFound {
		t.Error("deleted, and still there")
	}
	for _, what := range []string{"disable", "delete", "role"} {
		a := on(siti.ID, what, url.Values{"role": {"operator"}})
		if a.StatusCode != http.StatusConflict || !strings.Contains(a.text, "There must be an owner") || !boss.open() {
			t.Errorf("%s the last owner: %d", what, a.StatusCode)
		}
	}
	log := strings.Join(d.lines(), "\n")
	for _, l := range []string{
		"user:siti user.create budi operator OK", "user:siti user.create budi USER_EXISTS", "user:siti user.create BAD_REQUEST", "user:siti user.role budi owner OK",
		"user:siti user.signout budi OK", "user:siti user.disable budi OK", "user:siti user.enable budi OK", "user:siti user.password budi OK",
		"user:siti user.delete budi OK", "user:siti user.delete siti LAST_OWNER", "user:budi console.signin UNAUTHORIZED",
	} {
		if !strings.Contains(log, l) {
			t.Errorf("the audit log lacks %q:\n%s", l, log)
		}
	}
	if strings.Contains(log, shown[1]) || strings.Contains(log, goodPassword) {
		t.Error("a password is in the audit log")
	}
}

// TestAnOpenPageEndsWithItsSession: the event stream of an open page is over when the session is, not a ping later.
func TestAnOpenPageEndsWithItsSession(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko"})
	d.console.ping = time.Hour
	d.person("siti", models.RoleOwner)
	u := d.person("budi", models.RoleOperator)
	boss, b := d.as("siti"), d.as("budi")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.server.URL+"/console/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || !strings.Contains(lines.Text(), "data:") {
		t.Fatalf("%q", lines.Text())
	}
	boss.post("/people/"+u.ID+"/disable", nil)
	for lines.Scan() { // to its end
	}
	if err := lines.Err(); err != nil || t.Context().Err() != nil {
		t.Errorf("the stream broke: %v", err)
	}
}

func TestOperatorsSeeNoButtonsThatRefuse(t *testing.T) {
	t.Parallel()
	v := states()[0]
	d := newDesk(t, states()...)
	d.person("siti", models.RoleOwner)
	d.person("budi", models.RoleOperator)
	for _, path := range []string{"/", "/instances/" + v.ID, "/account"} {
		mine, theirs := d.as("siti").get(path).text, d.as("budi").get(path).text
		if has := strings.Contains(mine, "/keys\""); has != (path != "/account") {
			t.Errorf("%s leads an owner to the keys: %v", path, has)
		}
		found := 0
		for _, forOwners := range []string{"/delete\"", "/unlink\"", "/keys\"", "/instances/new", "/people", "/audit.csv"} {
			if strings.Contains(mine, forOwners) {
				found++
			}
			if strings.Contains(theirs, forOwners) {
				t.Errorf("%s shows an operator %s", path, forOwners)
			}
		}
		if found == 0 {
			t.Errorf("%s shows an owner nothing more", path)
		}
	}
}

func TestOwnersExportTheAuditLog(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.person("siti", models.RoleOwner)
	if err := d.db.AppendAudit(t.Context(), models.AuditEntry{IP: "127.0.0.1", Actor: "key_1", Action: "wa.send", Target: "=HYPERLINK(1)", Code: "OK"}); err != nil {
		t.Fatal(err)
	}
	a := d.as("siti").get("/audit.csv")
	rows, err := csv.NewReader(strings.NewReader(a.text)).ReadAll()
	if err != nil || a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") ||
		!strings.Contains(a.Header.Get("Content-Disposition"), "kurir-audit.csv") || len(rows) != 4 {
		t.Fatalf("%d %v %v %v", a.StatusCode, a.Header, rows, err)
	}
	if rows[1][6] != "'=HYPERLINK(1)" || rows[2][2] != "user:siti" || rows[3][4] != "audit.export" {
		t.Errorf("%q", rows)
	}
	if a := d.as("siti").get("/audit.csv?since=soon"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("%d", a.StatusCode)
	}
}
