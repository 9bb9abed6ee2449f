package app_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"

	"kurir/app"
	"kurir/browser"
	"kurir/web"
)

// openBrowser starts the Chromium of a person who looks at the console, on a phone-sized screen.
func openBrowser(t *testing.T) *rod.Page {
	t.Helper()
	binary, err := browser.FindChromium(os.Getenv("KURIR_CHROMIUM"))
	if err != nil {
		t.Fatal(err)
	}
	l := launcher.New().Bin(binary).Leakless(false).NoSandbox(os.Geteuid() == 0).UserDataDir(t.TempDir())
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
	page := b.MustPage("about:blank").Timeout(6 * time.Minute)
	page.MustSetViewport(360, 740, 2, true)
	return page
}

// hand is a person with the console open.
type hand struct {
	*gateway
	page *rod.Page
}

// see waits until the element is there and holds text that fits.
func (h hand) see(selector, fits string) *rod.Element {
	h.t.Helper()
	e, err := h.page.ElementR(selector, fits)
	if err != nil {
		h.t.Fatalf("%s with %q is not on the page: %v\n%s", selector, fits, err, h.page.MustElement("body").MustText())
	}
	return e
}

// tap presses a button once the console's script has taken it up: a form that has just come in by itself works before
// that too, by loading the page again.
func (h hand) tap(selector, fits string) {
	h.t.Helper()
	button := h.see(selector, fits)
	button.MustWait(`() => { const form = this.closest('[hx-post]'); return !form || form.hasAttribute('data-htmx-powered') }`)
	button.MustClick()
}

func (h hand) visit(path string) { h.page.MustNavigate(h.url + path).MustWaitLoad() }

// fits fails when the page scrolls sideways or something to tap is smaller than a thumb.
func (h hand) fits(name string) {
	h.t.Helper()
	if wide := h.page.MustEval(`() => document.documentElement.scrollWidth - document.documentElement.clientWidth`).Int(); wide > 0 {
		h.t.Errorf("%s: scrolls sideways by %d px", name, wide)
	}
	small := h.page.MustEval(`() => [...document.querySelectorAll('button, .button, summary, .phone a, .people a, textarea, input:not([type=hidden], [type=radio], .unseen)')]
		.filter(e => e.checkVisibility() && !e.closest('.owner h2')).map(e => [e.textContent.trim() || e.id || e.className, e.getBoundingClientRect().height])
		.filter(([, h]) => h < 44).map(String).join(' | ')`).Str()
	if small != "" {
		h.t.Errorf("%s: smaller than 44 px: %s", name, small)
	}
}

// shoot keeps a picture in the folder that KURIR_SHOTS names, for people to look at.
func (h hand) shoot(name string) {
	h.t.Helper()
	h.fits(name)
	dir := os.Getenv("KURIR_SHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // a file whose name the test itself made or knows
		h.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), h.page.MustScreenshot(), 0o600); err != nil { //nolint:gosec // a file whose name the test itself made or knows
		h.t.Fatal(err)
	}
}

func (h hand) look(language, scheme string, width int) {
	h.t.Helper()
	height := 740
	if width > 500 {
		height = 860
	}
	h.page.MustSetViewport(width, height, 2, width < 500)
	err := proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}.Call(h.page)
	if err != nil {
		h.t.Fatal(err)
	}
	h.page.MustSetCookies(&proto.NetworkCookieParam{Name: "kurir_language", Value: language, URL: h.url})
}

// picture is a PNG that is large enough to look at.
func picture(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for x := range 320 {
		for y := range 200 {
			img.Set(x, y, color.RGBA{uint8(40 + x/3), uint8(200 - y/2), 150, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAPersonHoldsAPhone is how a developer without a phone tries kurir: one tap links, what programs send arrives
// on the customer's phone, and what the customer answers arrives at the program.
func TestAPersonHoldsAPhone(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.newInstance("Toko Berkah")
	h := hand{g, openBrowser(t)}
	h.look("en", "light", 360)
	h.visit("/")
	h.page.MustElement("#token").MustInput(adminToken)
	h.page.MustElement("form.card button").MustClick()
	h.page.MustElement("#later").MustClick()
	h.see("#card-"+in.ID, "Toko Berkah")

	// Scan with one tap.
	h.visit("/instances/" + in.ID)
	h.tap("#head a", "simulated phone")
	h.see(".scan-card", "Toko Berkah shows a code")
	h.shoot("scan")
	h.tap(".scan-card button", "Scan")
	g.waitState(in.ID, "WORKING")
	h.see("#screen-chats", "No chats yet")
	h.tap("#phone-tabs a", "Devices")
	h.see("#screen-devices li", "Connected")
	h.shoot("devices")

	// What a program sends arrives by itself.
	const customer = "6281234567811"
	h.visit("/sandbox/" + customer)
	h.see("#screen-chats", "Nothing has arrived")
	h.shoot("customer-empty")
	h.tap("#screen-chats a", "Toko Berkah")
	h.page.MustEval(`() => { window.mark = 1 }`)
	send := func(path string, fields map[string]any) {
		t.Helper()
		fields["key"], fields["phone"], fields["wait"] = in.Key, customer, true
		if a := g.wa(path, fields); !a.Status {
			t.Fatalf("%s: %+v", path, a)
		}
	}
	send("/wa/send", map[string]any{"body": "Halo <b>Kak</b>, pesanan sudah siap 😀"})
	h.see(".bubble .words", "Halo <b>Kak</b>, pesanan sudah siap")
	send("/wa/sendfile", map[string]any{"filename": "roti.png", "caption": "Ini rotinya", "body": base64.StdEncoding.EncodeToString(picture(t))})
	h.see(".bubble .words", "Ini rotinya")
	h.page.MustWait(`() => document.querySelector('.bubble img')?.naturalWidth === 320`)
	send("/wa/sendfile", map[string]any{"filename": "tagihan November.pdf", "body": base64.StdEncoding.EncodeToString([]byte("%PDF-1.4\n<script>alert(1)</script>"))})
	h.see(".bubble .document", "tagihan November.pdf")
	h.see(".read-bar", "3 unread")
	h.shoot("chat")

	// Reading is told.
	h.tap(".read-bar button", "Mark as read")
	h.page.MustWait(`() => !document.querySelector('.read-bar')`)
	eventually(t, func() string {
		list, err := g.sandbox().ShownMessages(phoneOf(g, in), customer+"@c.us", 10)
		if err != nil || len(list) != 3 || list[2].Ack != 3 {
			return fmt.Sprintf("not read: %+v %v", list, err)
		}
		return ""
	})

	// The answer reaches the program, a text and a picture.
	h.page.MustElement("#write").MustInput("Terima kasih, saya ambil sore")
	h.page.MustElement(".compose-row button").MustClick()
	h.see(".bubble.mine .words", "Terima kasih, saya ambil sore")
	h.page.MustWait(`() => document.querySelector('#write').value === ''`)
	photo := filepath.Join(t.TempDir(), "bukti transfer.png")
	if err := os.WriteFile(photo, picture(t), 0o600); err != nil {
		t.Fatal(err)
	}
	h.page.MustElement("#file").MustSetFiles(photo)
	h.see("#chosen", "bukti transfer.png")
	h.page.MustElement("#write").MustInput("Sudah transfer ya")
	h.page.MustElement(".compose-row button").MustClick()
	h.page.MustWait(`() => document.querySelector('.bubble.mine img')?.naturalWidth === 320`)
	h.page.MustWait(`() => document.querySelector('#chosen').hidden`)
	eventually(t, func() string {
		a := g.wa("/wa/messages", map[string]any{"key": in.Key, "phone": customer, "limit": 20})
		var list []struct {
			Type, Body, Caption string
			FromMe              bool `json:"from_me"`
		}
		a.into(t, &list)
		if len(list) == 5 && list[3].Body == "Terima kasih, saya ambil sore" && !list[3].FromMe && list[4].Type == "image" {
			return ""
		}
		return "messages: " + string(a.Data)
	})

	// In flight mode nothing arrives until it is over.
	if err := g.sandbox().SetOffline(customer, true); err != nil {
		t.Fatal(err)
	}
	h.see("#offline-bar", "Flight mode")
	send("/wa/send", map[string]any{"body": "Masih ada?"})
	h.shoot("offline")
	h.tap("#offline-bar button", "Go online")
	h.see(".bubble .words", "Masih ada\\?")
	if !h.page.MustEval(`() => window.mark === 1`).Bool() {
		t.Error("the page was loaded again")
	}

	// Trouble: the next message is refused once, so kurir tries it twice.
	h.visit("/sandbox/" + customer + "/faults")
	h.tap("button[value=server_error]", "Start")
	h.see("#faults-now li", "WhatsApp refuses")
	h.shoot("faults")
	var sent struct{ Attempts int }
	if a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": "Sudah dikirim", "wait": 30}); a.Code != "SENT" {
		t.Errorf("with the fault: %+v", a)
	} else if a.into(t, &sent); sent.Attempts != 2 {
		t.Errorf("sent after %d attempts", sent.Attempts)
	}
	h.see("#faults-now", "All is well")

	h.everyLook(in, customer)

	// Unlinking on the phone.
	h.look("en", "light", 360)
	h.visit("/sandbox/" + phoneOf(g, in) + "/devices")
	h.tap("#screen-devices button", "Unlink")
	g.waitState(in.ID, "LOGGED_OUT", "SCAN_QR_CODE")
	h.page.MustElement("#screen-devices .scan-card, #screen-devices .screen-empty")
}

// everyLook opens the screens in both languages, by day and by night, on a phone and on a desk.
func (h hand) everyLook(in instance, customer string) {
	h.t.Helper()
	own := phoneOf(h.gateway, in)
	for _, look := range []struct {
		language, scheme string
		width            int
	}{{"id", "dark", 360}, {"id", "light", 360}, {"en", "light", 1280}, {"id", "dark", 1280}} {
		h.look(look.language, look.scheme, look.width)
		for name, path := range map[string]string{
			"desk": "/sandbox", "chats": "/sandbox/" + customer, "chat": "/sandbox/" + customer + "/chats/" + own + "@c.us",
			"own": "/sandbox/" + own, "own-chat": "/sandbox/" + own + "/chats/" + customer + "@c.us",
			"devices": "/sandbox/" + own + "/devices", "faults": "/sandbox/" + own + "/faults", "settings": "/sandbox/" + own + "/settings",
		} {
			h.visit(path)
			if name == "chat" || name == "own-chat" {
				h.page.MustWait(`() => document.querySelector('.bubble img')?.naturalWidth === 320`)
			}
			h.shoot(fmt.Sprintf("%s-%s-%d-%s", look.language, look.scheme, look.width, name))
		}
	}
}

// phoneOf is the number that an instance is linked with.
func phoneOf(g *gateway, in instance) string {
	g.t.Helper()
	return g.status(in.ID).Phone
}

// TestThePhonesOfAnotherProcessAreThere says where the phones are when the simulator is not kurir's own.
func TestThePhonesOfAnotherProcessAreThere(t *testing.T) {
	if app.PhonesOf(app.Config{SandboxControl: "http://127.0.0.1:1"}) != nil {
		t.Error("the console offers phones that are elsewhere")
	}
}

// TestEveryFaultOfTheConsoleIsOneOfTheSimulator holds the two lists together.
func TestEveryFaultOfTheConsoleIsOneOfTheSimulator(t *testing.T) {
	for _, group := range web.FaultGroups() {
		for _, kind := range group.Kinds {
			if !app.HasFault(kind) {
				t.Errorf("%s is offered and unknown", kind)
			}
		}
	}
	if got, want := web.MagicNumbers(), app.Magic(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the console's magic numbers are %v, the simulator's %v", got, want)
	}
}
