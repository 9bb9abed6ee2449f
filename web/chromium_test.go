package web

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"
	"gorm.io/gorm"

	"kurir/browser"
	"kurir/models"
	"kurir/problem"
)

// openChromium starts a real browser and a page of the given width. Every error that the page logs, such as a breach
// of the Content-Security-Policy, fails the test.
func openChromium(t *testing.T, width int, mobile bool) *rod.Page {
	t.Helper()
	if err := CheckAssets(); err != nil {
		t.Fatal(err)
	}
	binary, err := browser.FindChromium(os.Getenv("KURIR_CHROMIUM"))
	if err != nil {
		t.Fatal(err)
	}
	l := launcher.New().Bin(binary).Leakless(false).NoSandbox(os.Geteuid() == 0).Set("lang", "en-US").
		UserDataDir(t.TempDir())
	u, err := l.Launch()
	if err != nil {
		t.Fatal(err)
	}
	b := rod.New().ControlURL(u)
	if err := b.Connect(); err != nil {
		l.Kill()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			l.Kill()
		}
		l.Cleanup()
	})
	page := b.MustPage("about:blank").Timeout(10 * time.Minute)
	resize(page, width, mobile)
	watchLog(t, page)
	return page
}

func resize(page *rod.Page, width int, mobile bool) {
	height, scale := 900, 1.0
	if mobile {
		height, scale = 740, 2
	}
	page.MustSetViewport(width, height, scale, mobile)
}

// watchLog collects what the page complains about.
func watchLog(t *testing.T, page *rod.Page) {
	t.Helper()
	var mu sync.Mutex
	var complaints []string
	complain := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, s)
	}
	go page.EachEvent(
		func(e *proto.LogEntryAdded) {
			// An answer that is an error is what some of these tests ask for.
			if e.Entry.Level == proto.LogLogEntryLevelError && !strings.Contains(e.Entry.Text, "the server responded with a status of") {
				complain(e.Entry.Text + " " + e.Entry.URL)
			}
		},
		func(e *proto.RuntimeExceptionThrown) { complain(e.ExceptionDetails.Exception.Description) },
		func(e *proto.RuntimeConsoleAPICalled) {
			if e.Type == proto.RuntimeConsoleAPICalledTypeError {
				var all strings.Builder
				for _, arg := range e.Args {
					fmt.Fprint(&all, arg.Value, " ", arg.Description, " ")
				}
				// Leaving a page ends its event stream, which is an error to htmx.
				if !strings.Contains(all.String(), "htmx:sse:error") && !strings.Contains(all.String(), "Failed to fetch") {
					complain(all.String())
				}
			}
		},
	)()
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range complaints {
			t.Errorf("the page logged an error: %s", c)
		}
	})
}

// checkLayout fails when the page scrolls sideways or something to tap is smaller than a thumb.
func checkLayout(t *testing.T, page *rod.Page, name string) {
	t.Helper()
	if wide := page.MustEval(`() => document.documentElement.scrollWidth - document.documentElement.clientWidth`).Int(); wide > 0 {
		t.Errorf("%s: scrolls sideways by %d px", name, wide)
	}
	small := page.MustEval(`() => [...document.querySelectorAll('button, .button, summary, select, textarea, input:not([type=hidden], [type=radio], [type=checkbox], .unseen)')]
		.filter(e => e.checkVisibility()).map(e => [e.textContent.trim() || e.id, e.getBoundingClientRect().height])
		.filter(([, h]) => h < 44).map(String).join(' | ')`).Str()
	if small != "" {
		t.Errorf("%s: smaller than 44 px: %s", name, small)
	}
}

// shoot keeps a picture of the page when KURIR_SHOTS names a folder, for people to look at.
func shoot(t *testing.T, page *rod.Page, name string) {
	t.Helper()
	dir := os.Getenv("KURIR_SHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // pictures for people to look at
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture(page), 0o600); err != nil { //nolint:gosec // a file whose name the test itself made or knows
		t.Fatal(err)
	}
}

// picture is of the whole page, or of what is seen when a dialog covers it.
func picture(page *rod.Page) []byte {
	if page.MustHas("dialog[open]") {
		return page.MustScreenshot()
	}
	return page.MustScreenshotFullPage()
}

const (
	qrOne = "2@AbCdEfGhIjKlMnOpQrStUvWxYz0123456789/+AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQr==,QmFzZTY0S2V5T2ZOb2lzZVB1YmxpY0tleTEyMzQ1Njc4OTA=,SWRlbnRpdHlQdWJsaWNLZXkxMjM0NTY3ODkwMTIzNDU2Nzg5MA==,QWR2U2VjcmV0S2V5MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3OA==,1"
	qrTwo = "2@ZZZZEfGhIjKlMnOpQrStUvWxYz0123456789/+AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQr==,QmFzZTY0S2V5T2ZOb2lzZVB1YmxpY0tleTEyMzQ1Njc4OTA=,SWRlbnRpdHlQdWJsaWNLZXkxMjM0NTY3ODkwMTIzNDU2Nzg5MA==,QWR2U2VjcmV0S2V5MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3OA==,1"
)

func TestAPersonLinksAPhone(t *testing.T) {
	d := newDesk(t)
	page := openChromium(t, 360, true)

	page.MustNavigate(d.server.URL).MustWaitLoad()
	page.MustElement("#token").MustInput(goodToken)
	page.MustElement("form.card button").MustClick()
	page.MustElement("#later").MustClick()
	page.MustElement("#list-empty a").MustClick()
	page.MustElement("#name").MustInput("Toko")
	page.MustElement("form.card button").MustClick()
	if key := page.MustElement("#copy-key").MustText(); key != "kurir_test_secretkey" {
		t.Fatalf("key = %q", key)
	}
	if at := page.MustEval(`() => location.pathname`).Str(); at != "/instances/inst_new" {
		t.Errorf("after a POST the address is %s: loading it again would make another instance", at)
	}
	page.MustElementR("a.button", "link the phone").MustClick()
	page.MustElement("#panel-STARTING")

	// From here on nothing is loaded anew: a mark on the window proves it.
	page.MustEval(`() => { window.mark = 1 }`)
	d.instances.showQR("inst_new", qrOne, time.Minute)
	d.instances.become("inst_new", browser.Status{State: browser.StateScanQR, Since: time.Now()})
	first := *page.MustElement("#qr svg path").MustAttribute("d")
	page.MustElementR("#qr [role=timer]", `New code in \d+ s`)

	// The code changes while someone types the number, and must not take the text or the focus away.
	page.MustElement("#phone").MustInput("0812345")
	d.instances.showQR("inst_new", qrTwo, 20*time.Second)
	page.MustWait(`first => document.querySelector('#qr svg path')?.getAttribute('d') !== first`, first)
	if got := page.MustEval(`() => document.activeElement.id + '=' + document.activeElement.value`).Str(); got != "phone=0812345" {
		t.Errorf("after a new QR code the focus is on %s", got)
	}
	page.MustElement("#phone").MustInput("678")
	page.MustElement("#pairing button").MustClick()
	page.MustElementR(".pairing-code", "ABCD\\s*EFGH")
	checkLayout(t, page, "pairing code")
	d.instances.showQR("inst_new", qrOne, 20*time.Second)
	page.MustWait(`first => document.querySelector('#qr svg path')?.getAttribute('d') === first`, first)
	page.MustElementR(".pairing-code", "ABCD\\s*EFGH")

	d.instances.become("inst_new", browser.Status{
		State: browser.StateWorking, Since: time.Now(), Phone: "6281234567890", Pushname: "Budi",
	})
	page.MustElementR("#panel-working h2", "The phone is linked")
	page.MustElementR("#panel-working .who", `Budi\s*\+62 812-3456-7890`)
	page.MustElementR("#announce", "Toko: Connected: Budi")
	if page.MustHas("#qr") {
		t.Error("the QR code is still on the page of a linked phone")
	}
	checkLayout(t, page, "linked")

	// Unlinking asks first; a failure is said where one looks.
	page.MustElement("#manage [data-opens=unlink-inst_new]").MustClick()
	d.instances.failWith(problem.New(problem.Unavailable, ""))
	page.MustElement("#unlink-inst_new form button").MustClick()
	page.MustElementR("#notice", "kurir is shutting down")
	d.instances.failWith(nil)
	page.MustElement("#notice button").MustClick()
	page.MustElement("#manage [data-opens=stop-inst_new]").MustClick()
	page.MustElement("#stop-inst_new form button").MustClick()
	waitFor(t, "stop", func() bool { return strings.Contains(strings.Join(d.instances.actions(), ","), "stop inst_new") })
	d.instances.become("inst_new", browser.Status{State: browser.StateStopped})
	page.MustElement("#panel-STOPPED")
	if !page.MustEval(`() => window.mark === 1`).Bool() {
		t.Error("the page was loaded again")
	}
	page.MustElement("#manage [data-opens=delete-inst_new]").MustClick()
	page.MustElement("#delete-inst_new form button").MustClick()
	page.MustElement("#list-empty")
}

// hostile is what an attacker may choose as the name of a WhatsApp account.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}` + "\u202e" + `<hx-partial hx-target=body>`

func states() []View {
	since := time.Now().Add(-7 * time.Minute)
	return []View{
		{ID: "inst_1", Name: "Toko Berkah", Status: browser.Status{State: browser.StateWorking, Since: since, Phone: "6281234567890", Pushname: "Toko Berkah Jaya", WAVersion: "2.3000.1023",
			Capabilities: map[string]browser.Capability{"send": {OK: true}, "pairing_code": {Detail: "module WAWebAltDeviceLinkingApi is missing"}}}},
		{ID: "inst_2", Name: "Klinik Sehat", Status: browser.Status{State: browser.StateScanQR, Since: since}},
		{ID: "inst_3", Name: "Percobaan", Sandbox: true, Status: browser.Status{State: browser.StateScanQR, Since: since}},
		{ID: "inst_4", Name: "Gudang dengan nama yang panjang sekali_tanpa_spasi_sama_sekali_pada_akhirnya", Status: browser.Status{State: browser.StateStopped}},
		{ID: "inst_5", Name: hostile, Status: browser.Status{State: browser.StateDegraded, Since: since, Phone: "6281298765432", Pushname: hostile, Reason: hostile}},
		{ID: "inst_6", Name: "Kasir", Status: browser.Status{State: browser.StateFailed, Since: since, Reason: "Chromium ended 3 times in 10 minutes; next try in 40 s"}},
		{ID: "inst_7", Name: "Antar", Status: browser.Status{State: browser.StateLoggedOut, Since: since.Add(-50 * time.Hour), Phone: "6281211112222"}},
		{ID: "inst_8", Name: "Cabang", Status: browser.Status{State: browser.StateSyncing, Since: since, Phone: "6281211113333"}},
		{ID: "inst_9", Name: "Paspor", Status: browser.Status{State: browser.StatePasskeyRequired, Since: since}},
		{ID: "inst_10", Name: "Promo", Status: browser.Status{State: browser.StateRestricted, Since: since, Phone: "6281211114444", Reason: "until 2026-05-01 10:00 UTC"}},
		{ID: "inst_11", Name: "Baru", Status: browser.Status{State: browser.StateStarting, Since: time.Now()}},
	}
}

// TestEveryPageFits opens each page in both languages, on a phone and on a desk, by day and by night.
func TestEveryPageFits(t *testing.T) {
	d := newDesk(t, states()...)
	page := openChromium(t, 360, true)
	page.MustEval(`() => { window.alert = () => document.title = 'hacked' }`)

	for _, look := range []struct {
		language, scheme string
		width            int
	}{{"en", "light", 360}, {"id", "dark", 360}, {"id", "light", 1280}, {"en", "dark", 1280}} {
		name := fmt.Sprintf("%s-%s-%d-", look.language, look.scheme, look.width)
		see := func(what string) {
			t.Helper()
			checkLayout(t, page, name+what)
			shoot(t, page, name+what)
		}
		resize(page, look.width, look.width < 500)
		if err := (proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{
			{Name: "prefers-color-scheme", Value: look.scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}}).Call(page); err != nil {
			t.Fatal(err)
		}
		page.MustSetCookies(&proto.NetworkCookieParam{Name: languageCookie, Value: look.language, URL: d.server.URL})
		page.MustNavigate(d.server.URL).MustWaitLoad()
		ground := page.MustEval(`() => getComputedStyle(document.body).backgroundColor`).Str()
		if want := map[string]string{"light": "rgb(246, 246, 243)", "dark": "rgb(18, 20, 19)"}[look.scheme]; ground != want {
			t.Errorf("%s: the page is painted on %s, want %s", name, ground, want)
		}
		see("signin")
		page.MustElement("#token").MustInput("wrong")
		page.MustElement("form.card button").MustClick()
		page.MustElement("#wrong")
		page.MustElement("details summary").MustClick()
		see("signin-wrong")
		page.MustElement("#token").MustInput(goodToken)
		page.MustElement("form.card button").MustClick()
		page.MustElement("#later")
		see("account-new")
		page.MustElement("#later").MustClick()
		page.MustElement("#card-inst_11")
		see("list")
		page.MustElement("[data-opens=menu-inst_1]").MustClick()
		page.MustElement("#menu-inst_1[open]")
		see("list-menu")
		page.MustElement("#menu-inst_1 [data-opens=delete-inst_1]").MustClick()
		page.MustElement("#delete-inst_1[open]")
		see("list-delete")
		for _, v := range states() {
			d.instances.showQR("inst_2", qrOne, 48*time.Second)
			d.instances.showQR("inst_3", qrTwo, 17*time.Second)
			page.MustNavigate(d.server.URL + "/instances/" + v.ID).MustWaitLoad()
			page.MustElement("#panel > *")
			if v.ID == "inst_2" {
				page.MustElementR("#qr [role=timer]", `\d`)
				see(v.ID)
				page.MustElement("#phone").MustInput("081234567890")
				page.MustElement("#pairing button").MustClick()
				page.MustElement(".pairing-code")
				see(v.ID + "-pairing")
				continue
			}
			if v.ID == "inst_1" {
				page.MustElement("details summary").MustClick()
			}
			see(v.ID)
		}
		page.MustNavigate(d.server.URL + "/instances/new").MustWaitLoad()
		see("new")
		page.MustElement("#name").MustInput("Toko Baru")
		page.MustElement("form.card button").MustClick()
		page.MustElement("#copy-key")
		see("created")
		if err := d.instances.Delete(t.Context(), "inst_new"); err != nil {
			t.Fatal(err)
		}
		siti := d.person("siti", models.RoleOwner)
		page.MustNavigate(d.server.URL + "/account").MustWaitLoad()
		see("account")
		page.MustNavigate(d.server.URL + "/people").MustWaitLoad()
		see("people")
		page.MustElement("[data-opens=person-" + siti.ID + "]").MustClick()
		page.MustElement("#person-" + siti.ID + "[open]")
		see("person")
		d.sql(func(tx *gorm.DB) error { return tx.Delete(&siti).Error })
		page.MustNavigate(d.server.URL + "/instances/none").MustWaitLoad()
		see("not-found")
		page.MustElementR("header button", "Sign out|Keluar").MustClick()
		page.MustElement("#token")
		if title := page.MustInfo().Title; strings.Contains(title, "hacked") {
			t.Error("a hostile name ran as script")
		}
	}
	empty := newDesk(t)
	page.MustNavigate(empty.server.URL).MustWaitLoad()
	page.MustElement("#token").MustInput(goodToken)
	page.MustElement("form.card button").MustClick()
	page.MustElement("#later").MustClick()
	page.MustElement("#list-empty")
	checkLayout(t, page, "empty")
	shoot(t, page, "empty")
}
