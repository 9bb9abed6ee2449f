package web

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"

	"kurir/models"
	"kurir/problem"
)

var (
	inputs    = regexp.MustCompile(`<input [^>]*>`)
	textareas = regexp.MustCompile(`<textarea [^>]*name="([a-z]+)"[^>]*>([^<]*)</textarea>`)
	attribute = regexp.MustCompile(`([a-z]+)(?:="([^"]*)")?`)
)

// formIn is what a browser sends when the form of a page is sent as it is.
func formIn(t *testing.T, a answer) url.Values {
	t.Helper()
	_, text, ok := strings.Cut(a.text, `<form class="card form"`)
	text, _, closed := strings.Cut(text, "</form>")
	if !ok || !closed {
		t.Fatalf("no form: %d %s", a.StatusCode, a.text)
	}
	form := url.Values{}
	for _, input := range inputs.FindAllString(text, -1) {
		has := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(input, -1) {
			if _, twice := has[m[1]]; !twice {
				has[m[1]] = html.UnescapeString(m[2])
			}
		}
		if _, checked := has["checked"]; checked || has["type"] != "checkbox" {
			form.Add(has["name"], has["value"])
		}
	}
	for _, m := range textareas.FindAllStringSubmatch(text, -1) {
		form.Set(m[1], strings.ReplaceAll(strings.ReplaceAll(html.UnescapeString(m[2]), "\r", ""), "\n", "\r\n"))
	}
	return form
}

// set gives a key other settings past the console.
func (d *desk) set(id string, change func(*models.APIKey)) models.APIKey {
	d.t.Helper()
	k, err := d.db.ChangeKey(d.t.Context(), id, func(k *models.APIKey) error { change(k); return nil })
	if err != nil {
		d.t.Fatal(err)
	}
	return k
}

// settings are a key's, for reading.
func settings(k models.APIKey) string {
	end := "never"
	if k.ExpiresAt != nil {
		end = k.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return fmt.Sprint(k.Name, " ", k.Scopes, k.IPTexts(), k.Recipients, k.RatePerMinute, " ", end)
}

// TestAnOwnerChangesAKey: the form has what holds, sent as it is it changes nothing, and what is changed holds at once, for
// the same secret.
func TestAnOwnerChangesAKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Region: "ID", Zone: "Asia/Jakarta"}, View{ID: "inst_2", Name: "Klinik", Region: "ID"})
	k, secret := d.key("inst_1", "Kasir <2>")
	theirs, _ := d.key("inst_2", "Rahasia Klinik")
	d.person("siti", models.RoleOwner)
	boss, at := d.as("siti"), "/instances/inst_1/keys/"+k.ID

	// A number of Hong Kong looks like one of Indonesia, and the end is one that a day cannot say.
	end := time.Date(2099, 1, 1, 1, 0, 0, 0, time.UTC)
	k = d.set(k.ID, func(k *models.APIKey) {
		k.ExpiresAt, k.RatePerMinute = &end, 7
		k.Recipients = []string{"85291234567@c.us", "6281234567890@c.us", "120363012345678901@g.us", "5215512345678@c.us", "123456@c.us", "12345678901@lid"}
		k.IPs, _ = models.ParseKeyIPs([]string{"192.0.2.7", "10.0.0.0/8", "2001:db8::/32"})
	})
	page := boss.get(at)
	for _, want := range []string{"Change the key Kasir &lt;2&gt;", `value="2099-01-01"`, "Now it ends at 01-01-2099 08:00 WIB"} {
		if page.StatusCode != http.StatusOK || !strings.Contains(page.text, want) {
			t.Errorf("the page lacks %q: %d %s", want, page.StatusCode, page.text)
		}
	}
	if !strings.Contains(boss.get("/instances/inst_1/keys").text, `href="`+at+`"`) {
		t.Error("nothing leads to the page")
	}
	form := formIn(t, page)
	if a := boss.post(at, form); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/instances/inst_1/keys?changed="+k.ID {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	// Only the order of the scopes is the house's own.
	before, now := k, d.keys("inst_1")[0]
	before.Scopes = now.Scopes
	if settings(now) != settings(before) || len(now.Scopes) != 2 {
		t.Errorf("a form that was sent as it is has changed\n%s to\n%s", settings(k), settings(now))
	}

	form = formIn(t, boss.get(at))
	form["scope"] = []string{"send", "manage"}
	form.Set("name", " Kasir 3 ")
	form.Set("until", "2098-12-31")
	form.Set("ips", "192.0.2.8")
	form.Set("recipients", "0812-3456-7891")
	form.Set("rate", "")
	a := boss.get(boss.post(at, form).Header.Get("Location"))
	if got := settings(d.keys("inst_1")[0]); got != "Kasir 3 [manage send] [192.0.2.8] [6281234567891@c.us] 0 2098-12-31T17:00:00Z" {
		t.Error(got)
	}
	if !strings.Contains(a.text, "Saved: Kasir 3.") || d.opens(secret) != k.ID || strings.Contains(a.text, secret) {
		t.Errorf("opens %s: %s", d.opens(secret), a.text)
	}
	form = formIn(t, boss.get(at))
	for _, limit := range []string{"until", "ips", "recipients"} {
		form.Del(limit)
	}
	boss.post(at, form)
	if got := settings(d.keys("inst_1")[0]); got != "Kasir 3 [manage send] [] [] 0 never" {
		t.Error(got)
	}

	// Another site, and a key of another instance.
	if a := boss.post(at, form, "Sec-Fetch-Site", "cross-site"); a.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", a.StatusCode)
	}
	for _, path := range []string{"/instances/inst_1/keys/" + theirs.ID, "/instances/none/keys/" + theirs.ID, "/instances/inst_2/keys/key_none"} {
		form.Set("seen", theirs.SettingsPrint())
		for _, a := range []answer{boss.get(path), boss.post(path, form)} {
			if a.StatusCode != http.StatusNotFound || strings.Contains(path, "inst_1") && strings.Contains(a.text, "Rahasia Klinik") {
				t.Errorf("%s: %d %s", path, a.StatusCode, a.text)
			}
		}
	}
	if got := d.keys("inst_2")[0]; settings(got) != settings(theirs) {
		t.Errorf("the key of another instance is %s", settings(got))
	}
	log := strings.Join(d.lines(), "\n")
	for _, l := range []string{"user:siti key.update inst_1 " + k.ID + " OK", "user:siti key.update inst_1 " + theirs.ID + " NOT_FOUND"} {
		if !strings.Contains(log, l) {
			t.Errorf("the audit log lacks %q:\n%s", l, log)
		}
	}
}

// TestAChangeThatCannotBe: each field says what is wrong with it, all of what was typed stays, and nothing is changed.
func TestAChangeThatCannotBe(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Region: "ID", Zone: "Asia/Jakarta"})
	k, _ := d.key("inst_1", "Kasir")
	d.signIn()
	at := "/instances/inst_1/keys/" + k.ID
	typed := url.Values{
		"name": {strings.Repeat("x", 101)}, "until": {"2020-01-01"}, "ips": {"192.0.2.300"}, "recipients": {"0812-3456-7890\r\nBudi & Siti"}, "rate": {"0"},
		"seen": {k.SettingsPrint()},
	}
	a := d.post(at, typed, "Accept-Language", "id")
	for field, words := range map[string]string{
		"name": "Tulis untuk apa key ini, 1 sampai 100 karakter.", "scopes": "Centang setidaknya satu", "until": "Hari terakhir tidak boleh hari yang sudah lewat.",
		"ips": "Bukan alamat internet: “192.0.2.300”.", "recipients": "Bukan nomor tujuan: “Budi &amp; Siti”.", "rate": "harus angka dari 1 sampai 1000000",
	} {
		if !strings.Contains(a.text, `<p id="`+field+`-wrong" class="wrong" role="alert">`) || !strings.Contains(a.text, words) {
			t.Errorf("%s does not say what is wrong: %d %s", field, a.StatusCode, a.text)
		}
	}
	if back := formIn(t, a); back.Encode() != typed.Encode() || a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%d, of what was typed there is\n%v, want\n%v", a.StatusCode, back, typed)
	}
	if strings.Count(a.text, " autofocus") != 1 || !regexp.MustCompile(`<input id="name"[^>]* autofocus>`).MatchString(a.text) {
		t.Errorf("the reader is not taken to the first that is wrong: %s", a.text)
	}
	if got := d.keys("inst_1")[0]; settings(got) != settings(k) {
		t.Errorf("changed to %s", settings(got))
	}
	if log := strings.Join(d.lines(), "\n"); !strings.Contains(log, "key.update inst_1 "+k.ID+" "+string(problem.KeyInvalid)) {
		t.Error(log)
	}
}

// TestTwoOwnersChangeAKey: who saves second is shown what the first one saved, loses nothing of what he typed, and can save
// it all the same. A key that was ended meanwhile is said to be gone.
func TestTwoOwnersChangeAKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Region: "ID", Zone: "Asia/Jakarta"})
	k, _ := d.key("inst_1", "Kasir")
	other, _ := d.key("inst_1", "Gudang")
	d.signIn()
	at := "/instances/inst_1/keys/" + k.ID
	form := formIn(t, d.get(at))
	d.set(k.ID, func(k *models.APIKey) { k.Name, k.RatePerMinute = "Kasir <baru>", 42 })
	form.Set("name", "Kasir saya")
	a := d.post(at, form)
	for _, want := range []string{"Somebody else has changed this key", "<bdi>Kasir &lt;baru&gt;</bdi>", "<dd>42</dd>", `value="Kasir saya"`} {
		if a.StatusCode != http.StatusConflict || !strings.Contains(a.text, want) {
			t.Errorf("the page lacks %q: %d %s", want, a.StatusCode, a.text)
		}
	}
	if got := d.keys("inst_1")[0]; got.Name != "Kasir <baru>" {
		t.Errorf("saved over the other's: %s", settings(got))
	}
	if a := d.post(at, formIn(t, a)); a.StatusCode != http.StatusSeeOther || d.keys("inst_1")[0].Name != "Kasir saya" || d.keys("inst_1")[0].RatePerMinute != 0 {
		t.Errorf("saved again: %d, %s", a.StatusCode, settings(d.keys("inst_1")[0]))
	}
	form = formIn(t, d.get(at))
	if err := d.db.DeleteKey(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	for _, a := range []answer{d.post(at, form), d.get(at)} {
		if a.StatusCode != http.StatusNotFound || !strings.Contains(a.text, "This key is not there any more") || !strings.Contains(a.text, "card-"+other.ID) {
			t.Errorf("a key that was ended: %d %s", a.StatusCode, a.text)
		}
	}
	log := strings.Join(d.lines(), "\n")
	for _, code := range []string{"KEY_CHANGED", "NOT_FOUND", "OK"} {
		if !strings.Contains(log, "key.update inst_1 "+k.ID+" "+code) {
			t.Errorf("the audit log lacks %s:\n%s", code, log)
		}
	}
}

// TestAKeyThatHasEndedWorksAgain when it gets a later last day; its other settings can be changed without one.
func TestAKeyThatHasEndedWorksAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Region: "ID", Zone: "Asia/Jakarta"})
	k, secret := d.key("inst_1", "Kasir")
	d.signIn()
	end := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	d.set(k.ID, func(k *models.APIKey) { k.ExpiresAt = &end })
	at := "/instances/inst_1/keys/" + k.ID
	page := d.get(at)
	if strings.Contains(page.text, ` min="`) {
		t.Error("the browser would not send the form: its day is before the first one")
	}
	form := formIn(t, page)
	form.Set("name", "Kasir lama")
	if a := d.post(at, form); a.StatusCode != http.StatusSeeOther || settings(d.keys("inst_1")[0]) != "Kasir lama [read send] [] [] 0 2026-01-02T03:04:00Z" || d.opens(secret) != "KEY_EXPIRED" {
		t.Errorf("%d %s, opens %s", a.StatusCode, settings(d.keys("inst_1")[0]), d.opens(secret))
	}
	form = formIn(t, d.get(at))
	form.Set("until", "2099-12-31")
	if a := d.post(at, form); a.StatusCode != http.StatusSeeOther || d.opens(secret) != k.ID {
		t.Errorf("%d, opens %s", a.StatusCode, d.opens(secret))
	}
}

// walkKeyChange changes a key from its list, badly at first, then while somebody else does, and at a desk too.
func (d *desk) walkKeyChange(t *testing.T, page *rod.Page, language, id string) {
	t.Helper()
	see := func(what string) {
		t.Helper()
		for _, width := range []int{1280, 360} {
			resize(page, width, width < 500)
			name := fmt.Sprintf("%s-%s-%d", language, what, width)
			checkLayout(t, page, name)
			shoot(t, page, name)
		}
	}
	d.set(id, func(k *models.APIKey) {
		end := time.Date(2099, 1, 1, 1, 0, 0, 0, time.UTC)
		k.ExpiresAt, k.RatePerMinute = &end, 50
	})
	page.MustNavigate(d.server.URL + "/instances/inst_4/keys").MustWaitLoad()
	page.MustElement("[data-opens=key-" + id + "]").MustClick()
	see("key-open")
	page.MustElement("#key-" + id + " a.button").MustClick()
	page.MustElement("#until")
	see("key-change")
	page.MustElement("#name").MustSelectAllText().MustInput("Kasir 2")
	page.MustElement("#recipients").MustSelectAllText().MustInput("081234567890\nBudi")
	page.MustElement("#rate").MustSelectAllText().MustInput("banyak")
	page.MustElement("form.card > .button").MustClick()
	page.MustElement("#rate-wrong")
	if got := page.MustEval(`() => document.activeElement.id + " " + document.querySelector("#name").value`).Str(); got != "recipients Kasir 2" {
		t.Errorf("%s: after a mistake the reader is at %q", language, got)
	}
	see("key-change-wrong")
	page.MustElement("#recipients").MustSelectAllText().MustInput("081234567890\n+85291234567")
	page.MustElement("#rate").MustSelectAllText().MustInput("60")
	d.set(id, func(k *models.APIKey) { k.Name = "Kasir dari orang lain" })
	page.MustElement("form.card > .button").MustClick()
	page.MustElementR("#changed", "Kasir dari orang lain")
	see("key-change-conflict")
	page.MustElement("form.card > .button").MustClick()
	page.MustElementR("#done", "Kasir 2")
	see("key-changed")
	if got := settings(d.keys("inst_4")[0]); !strings.HasPrefix(got, "Kasir 2 [read send]") || !strings.HasSuffix(got, "[6281234567890@c.us 85291234567@c.us] 60 2099-01-01T01:00:00Z") {
		t.Errorf("%s: saved %s", language, got)
	}
	if at := page.MustEval(`() => location.pathname + location.search`).Str(); at != "/instances/inst_4/keys" {
		t.Errorf("loading the page again would say once more that it was saved: %s", at)
	}
	if err := d.db.DeleteKey(t.Context(), d.goneKey(page)); err != nil {
		t.Fatal(err)
	}
	page.MustElement("form.card > .button").MustClick()
	page.MustElement("#gone")
	see("key-gone")
}

// goneKey makes one more key, opens its form and returns its id.
func (d *desk) goneKey(page *rod.Page) string {
	d.t.Helper()
	k, _ := d.key("inst_4", "Sementara")
	page.MustNavigate(d.server.URL + "/instances/inst_4/keys/" + k.ID).MustWaitLoad()
	return k.ID
}
