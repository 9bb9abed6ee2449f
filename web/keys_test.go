package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"
	"gorm.io/gorm"

	"kurir/models"
	"kurir/problem"
)

// row gives an instance of the fakes its row in the database, without which it has no keys.
func (d *desk) row(id string) {
	d.t.Helper()
	if _, err := d.db.Instance(d.t.Context(), id); problem.CodeOf(err) != problem.NotFound {
		return
	}
	if err := d.db.CreateInstance(d.t.Context(), &models.Instance{ID: id, Name: id, Region: "ID", TimeZone: "Asia/Jakarta"}); err != nil {
		d.t.Fatal(err)
	}
}

// key makes a key past the console.
func (d *desk) key(instance, name string) (models.APIKey, string) {
	d.t.Helper()
	d.row(instance)
	k, plain, err := d.db.CreateKey(d.t.Context(), models.NewKey{InstanceID: instance, Name: name})
	if err != nil {
		d.t.Fatal(err)
	}
	return k, plain
}

func (d *desk) keys(instance string) []models.APIKey {
	d.t.Helper()
	all, err := d.db.Keys(d.t.Context(), instance)
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// opens says what a secret opens, or the code of the refusal.
func (d *desk) opens(secret string) string {
	d.t.Helper()
	k, err := d.db.KeyByPlain(d.t.Context(), secret)
	if err == nil {
		err = k.Open(time.Now())
	}
	if err != nil {
		return string(problem.CodeOf(err))
	}
	return k.ID
}

var copied = regexp.MustCompile(`id="copy-key"[^>]*>(kurir_[a-z]+_[0-9A-Za-z]{32})<`)

// secretIn is the secret that a page shows.
func secretIn(t *testing.T, a answer) string {
	t.Helper()
	m := copied.FindStringSubmatch(a.text)
	if m == nil || a.Header.Get("Location") != "" {
		t.Fatalf("no secret: %d %s", a.StatusCode, a.text)
	}
	return m[1]
}

// TestAnOwnerManagesKeys makes a key with all that one can have, rotates it and ends it.
func TestAnOwnerManagesKeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Sandbox: true, Region: "ID", Zone: "Asia/Jakarta"}, View{ID: "inst_2", Name: "Klinik", Region: "ID"})
	d.row("inst_1")
	theirs, theirSecret := d.key("inst_2", "Rahasia Klinik")
	d.person("siti", models.RoleOwner)
	boss := d.as("siti")
	if a := boss.get("/instances/inst_1/keys"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "There are no keys.") || strings.Contains(a.text, "Rahasia Klinik") {
		t.Errorf("the keys of an instance without: %d %s", a.StatusCode, a.text)
	}
	a := boss.post("/instances/inst_1/keys", url.Values{
		"name": {" Kasir <2> "}, "scope": {"send"}, "until": {"2099-12-31"}, "ips": {"192.0.2.7\r\n10.0.0.9/8\r\n"},
		"recipients": {"0812-3456-7890, 0812 3456 7891\r\n120363012345678901@g.us\r\n081234567892"}, "rate": {"50"},
	})
	secret := secretIn(t, a)
	k := d.keys("inst_1")[0]
	if a.StatusCode != http.StatusCreated || !strings.HasPrefix(secret, "kurir_test_") || !strings.Contains(a.text, "never used") || d.opens(secret) != k.ID || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", a.StatusCode, d.opens(secret))
	}
	if got := fmt.Sprintln(k.Name, k.Scopes, k.IPTexts(), k.RecipientTexts(), k.RatePerMinute, k.ExpiresAt.UTC().Format(time.RFC3339)); got !=
		"Kasir <2> [send] [192.0.2.7 10.0.0.0/8] [6281234567890 6281234567891 120363012345678901@g.us 6281234567892] 50 2099-12-31T17:00:00Z\n" {
		t.Error(got)
	}
	list := boss.get("/instances/inst_1/keys")
	for _, want := range []string{
		"Kasir &lt;2&gt;", k.Hint, "Send messages", "works until 31-12-2099", "Only from: 192.0.2.7, 10.0.0.0/8",
		"Only to: 6281234567890, 6281234567891, 120363012345678901@g.us and 1 more", "120363012345678901@g.us, 6281234567892</dd>", "<dd>50</dd>",
		"If you replace the key again during this time, the oldest one ends at once.",
	} {
		if !strings.Contains(list.text, want) {
			t.Errorf("the list lacks %q: %s", want, list.text)
		}
	}
	if strings.Contains(list.text, secret) || strings.Contains(list.text, "Rahasia Klinik") {
		t.Error("the list shows a secret again, or a key of another instance")
	}

	rotate := func(hours string) answer {
		return boss.post("/instances/inst_1/keys/"+k.ID+"/rotate", url.Values{"hours": {hours}})
	}
	a = rotate("24")
	second := secretIn(t, a)
	if second == secret || d.opens(secret) != k.ID || d.opens(second) != k.ID || !strings.Contains(a.text, "The key before it works too, until ") {
		t.Errorf("rotated: the old one opens %s, the new one %s: %s", d.opens(secret), d.opens(second), a.text)
	}
	waitFor(t, "the use to be noted", func() bool { return d.keys("inst_1")[0].LastUsedAt != nil })
	list = boss.get("/instances/inst_1/keys", "Accept-Language", "id")
	for _, want := range []string{"Key sebelumnya juga masih berlaku, sampai ", " WIB.", "yang paling lama itu langsung tidak berlaku", "terakhir dipakai"} {
		if !strings.Contains(list.text, want) {
			t.Errorf("in the overlap the list lacks %q: %s", want, list.text)
		}
	}
	third := secretIn(t, rotate("168"))
	if d.opens(secret) != "UNAUTHORIZED" || d.opens(second) != k.ID || d.opens(third) != k.ID {
		t.Errorf("rotated again: %s %s %s", d.opens(secret), d.opens(second), d.opens(third))
	}
	fourth := secretIn(t, rotate("0"))
	if d.opens(third) != "UNAUTHORIZED" || d.opens(fourth) != k.ID {
		t.Errorf("rotated without overlap: %s %s", d.opens(third), d.opens(fourth))
	}
	for _, hours := range []string{"", "2", "-1", "721", "x"} {
		if a := rotate(hours); a.StatusCode != http.StatusBadRequest || d.opens(fourth) != k.ID {
			t.Errorf("an overlap of %q: %d", hours, a.StatusCode)
		}
	}

	// A key of another instance is not there, whoever knows its id.
	for _, path := range []string{"/instances/inst_1/keys/" + theirs.ID, "/instances/none/keys/" + theirs.ID, "/instances/inst_2/keys/key_none"} {
		for what, form := range map[string]url.Values{"rotate": {"hours": {"24"}}, "revoke": nil} {
			if a := boss.post(path+"/"+what, form); a.StatusCode != http.StatusNotFound || d.opens(theirSecret) != theirs.ID {
				t.Errorf("%s/%s: %d", path, what, a.StatusCode)
			}
		}
	}
	for _, a := range []answer{boss.get("/instances/none/keys"), boss.post("/instances/none/keys", url.Values{"name": {"x"}, "scope": {"send"}})} {
		if a.StatusCode != http.StatusNotFound || strings.Contains(a.text, "Rahasia Klinik") {
			t.Errorf("keys of no instance: %d %s", a.StatusCode, a.text)
		}
	}

	a = boss.post("/instances/inst_1/keys/"+k.ID+"/revoke", nil)
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/instances/inst_1/keys" || d.opens(fourth) != "UNAUTHORIZED" || d.opens(theirSecret) != theirs.ID {
		t.Errorf("revoked: %d, opens %s", a.StatusCode, d.opens(fourth))
	}
	log := strings.Join(d.lines(), "\n")
	for _, l := range []string{
		"user:siti key.create inst_1 " + k.ID + " OK", "user:siti key.rotate inst_1 " + k.ID + " OK", "user:siti key.rotate inst_1 " + k.ID + " BAD_REQUEST",
		"user:siti key.rotate inst_1 " + theirs.ID + " NOT_FOUND", "user:siti key.delete inst_1 " + theirs.ID + " NOT_FOUND", "user:siti key.delete inst_1 " + k.ID + " OK",
	} {
		if !strings.Contains(log, l) {
			t.Errorf("the audit log lacks %q:\n%s", l, log)
		}
	}
	for _, s := range []string{secret, second, third, fourth} {
		if strings.Contains(log, s) {
			t.Error("a secret is in the audit log")
		}
	}
}

// TestAKeyThatCannotBe: the form says what is wrong and keeps what was typed, and nothing is made.
func TestAKeyThatCannotBe(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Region: "ID", Zone: "Asia/Jakarta"})
	d.row("inst_1")
	d.signIn()
	good := func(change ...string) url.Values {
		f := url.Values{"name": {"Kasir"}, "scope": {"read"}}
		for i := 0; i < len(change); i += 2 {
			f.Set(change[i], change[i+1]) //nolint:gosec // pairs: there is always one more
		}
		return f
	}
	yesterday := time.Now().Add(-36 * time.Hour).Format(time.DateOnly)
	for _, test := range []struct {
		form  url.Values
		words string
	}{
		{good("name", " "), "Say in 1 to 100 characters"}, {good("name", strings.Repeat("x", 101)), "Say in 1 to 100 characters"},
		{good("scope", ""), "Tick at least one"}, {good("scope", "all"), "Tick at least one"},
		{good("until", yesterday), "must be a day that has not passed"}, {good("until", "soon"), "must be a day that has not passed"},
		{good("ips", "192.0.2.1\r\n192.0.2.300"), "Not an internet address: “192.0.2.300”."},
		{good("ips", strings.Repeat("192.0.2.1\n", 101)), "Not an internet address: there are too many."},
		{good("recipients", "abc"), "Not a number to send to: “abc”."}, {good("rate", "0"), "from 1 to 1000000"}, {good("rate", "many"), "from 1 to 1000000"},
	} {
		a := d.post("/instances/inst_1/keys", test.form)
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, test.words) || copied.MatchString(a.text) {
			t.Errorf("%v: %d %s", test.form, a.StatusCode, a.text)
		}
		for name, v := range test.form {
			if name != "scope" && !strings.Contains(a.text, strings.TrimSpace(v[0])) {
				t.Errorf("%v: what was typed as %s is lost", test.form, name)
			}
		}
	}
	if all := d.keys("inst_1"); len(all) != 0 {
		t.Errorf("made: %+v", all)
	}
	// Today is a last day too.
	zone, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	secretIn(t, d.post("/instances/inst_1/keys", good("until", time.Now().In(zone).Format(time.DateOnly))))
	for len(d.keys("inst_1")) < models.MaxKeys {
		d.key("inst_1", "lagi")
	}
	if a := d.post("/instances/inst_1/keys", good()); a.StatusCode != http.StatusConflict || !strings.Contains(a.text, "as many keys as it may have") {
		t.Errorf("one too many: %d %s", a.StatusCode, a.text)
	}
}

// TestAKeyThatHasEnded is shown as such, and cannot be replaced.
func TestAKeyThatHasEnded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Zone: "Asia/Jakarta"})
	d.signIn()
	k, _ := d.key("inst_1", "Kasir")
	d.sql(func(tx *gorm.DB) error {
		return tx.Exec("UPDATE api_keys SET expires_at = ?", time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)).Error
	})
	a := d.get("/instances/inst_1/keys")
	for want, is := range map[string]bool{"ended: 02-01-2026 10:04 WIB": true, `class="tag">Ended<`: true, "/keys/" + k.ID + "/rotate": false, "/keys/" + k.ID + "/revoke": true} {
		if strings.Contains(a.text, want) != is {
			t.Errorf("%q: want %v: %s", want, is, a.text)
		}
	}
}

// TestKeysOnAPhone goes through the pages of keys, as a person with a phone does, in both languages.
func TestKeysOnAPhone(t *testing.T) {
	d := newDesk(t, View{ID: "inst_4", Name: "Gudang dengan nama yang panjang sekali_tanpa_spasi_sama_sekali_pada_akhirnya", Region: "ID", Zone: "Asia/Jakarta"})
	d.row("inst_4")
	for _, language := range languages() {
		d.walkKeys(t, language)
	}
}

func (d *desk) walkKeys(t *testing.T, language string) {
	page := openChromium(t, 360, true)
	see := func(what string) {
		t.Helper()
		checkLayout(t, page, language+" "+what)
		if high := page.MustEval(`() => document.querySelector(".bar").offsetHeight`).Int(); high > 80 {
			t.Errorf("%s: the bar is %d px high", what, high)
		}
		shoot(t, page, language+"-"+what)
	}
	page.MustSetCookies(&proto.NetworkCookieParam{Name: languageCookie, Value: language, URL: d.server.URL})
	page.MustNavigate(d.server.URL).MustWaitLoad()
	page.MustElement("#token").MustInput(goodToken)
	page.MustElement("form.card button").MustClick()
	page.MustElement("#later")
	page.MustNavigate(d.server.URL + "/instances/inst_4/keys").MustWaitLoad()
	see("keys-none")
	page.MustElement("summary").MustClick()
	page.MustElement("#name").MustInput("Kasir dengan nama yang panjang sekali_tanpa_spasi_sama_sekali_pada_akhirnya")
	page.MustElement("#recipients").MustInput("081234567890\n081234567891\n081234567892\n081234567893")
	page.MustElement("#ips").MustInput("192.0.2.300")
	see("keys-form")
	page.MustElement("form.card > .button").MustClick()
	page.MustElement("#ips-wrong")
	if got := page.MustEval(`() => document.activeElement.id`).Str(); got != "ips" {
		t.Errorf("%s: the reader is taken to %q, not to what is wrong", language, got)
	}
	see("keys-wrong")
	page.MustElement("#ips").MustSelectAllText().MustInput("2001:db8:1234:5678:9abc:def0:1234:5678\n192.0.2.0/24")
	see("keys-long")
	page.MustElement("form.card > .button").MustClick()
	page.MustElement("#copy-key")
	see("keys-made")
	if at := page.MustEval(`() => location.pathname`).Str(); at != "/instances/inst_4/keys" {
		t.Errorf("after a POST the address is %s", at)
	}
	id := d.keys("inst_4")[0].ID
	for range 2 { // the second time in the overlap of the first
		before := page.MustElement("#copy-key").MustText()
		page.MustElement("[data-opens=key-" + id + "]").MustClick()
		page.MustElement("#key-" + id + "[open]")
		see("key")
		page.MustElement("[data-opens=rotate-" + id + "]").MustClick()
		page.MustElement("#rotate-" + id + "[open]")
		see("key-rotate")
		page.MustElement("#rotate-" + id + " form button").MustClick()
		page.MustWait(`before => { const e = document.querySelector("#copy-key"); return e && e.textContent !== before }`, before)
		see("key-rotated")
	}
	d.walkKeyChange(t, page, language, id)
	page.MustElement("[data-opens=key-" + id + "]").MustClick()
	page.MustElement("[data-opens=revoke-" + id + "]").MustClick()
	page.MustElement("#revoke-" + id + "[open]")
	see("key-revoke")
	page.MustElement("#revoke-" + id + " form button").MustClick()
	// Asked as one: an element that is on the page before as well is lost with it, and rod has no second look for that.
	page.MustWait(`id => document.querySelector("form.card") && !document.querySelector("#card-" + id)`, id)
	if left := d.keys("inst_4"); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}
