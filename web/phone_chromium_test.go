package web

import (
	"strings"
	"testing"

	"github.com/go-rod/rod/lib/input"
)

// TestAHostileChatInABrowser shows what an attacker may send to a real browser, as part of the page and as it arrives.
func TestAHostileChatInABrowser(t *testing.T) {
	d := newDesk(t, sandboxView())
	d.phones.phone.Name = hostile
	page := openChromium(t, 360, true)
	page.MustNavigate(d.server.URL).MustWaitLoad()
	page.MustElement("#token").MustInput(goodToken)
	page.MustElement("form.card button").MustClick()
	page.MustElement("#later").MustClick()
	page.MustElement("#card-inst_1")
	page.MustEvalOnNewDocument(`window.alert = () => document.title = 'hacked'`)

	messages := hostileMessages()
	d.phones.arrive(messages[0])
	page.MustNavigate(d.server.URL + guestPage + "/chats/" + guestChat).MustWaitLoad()
	page.MustElementR(".bubble .words", "script")
	for _, m := range messages[1:] {
		d.phones.arrive(m)
	}
	page.MustWait(`n => document.querySelectorAll('.bubble').length === n`, len(messages))
	checkLayout(t, page, "hostile chat")
	shoot(t, page, "hostile-chat")
	if n := page.MustEval(`() => document.querySelectorAll('.phone script, .phone [onclick], .phone img').length`).Int(); n > 0 {
		t.Errorf("%d elements of an attacker are on the page", n)
	}

	// A picture with a script in it, opened by its address: the browser saves it and stays where it is.
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>document.title = 'hacked'</script></svg>`
	d.phones.change(func() { d.phones.files["m4"] = fakeFile{"x.svg", "image/svg+xml", svg} })
	before := page.MustEval(`() => location.href`).Str()
	if err := page.Navigate(d.server.URL + guestPage + "/chats/" + guestChat + "/files/m4"); err == nil {
		t.Error("the browser opened a file that it should save")
	}
	if at := page.MustEval(`() => location.href`).Str(); at != before {
		t.Errorf("the browser went to %s", at)
	}
	for _, path := range []string{guestPage, guestPage + "/faults", guestPage + "/settings", "/sandbox/" + shopNumber + "/devices", "/sandbox"} {
		page.MustNavigate(d.server.URL + path).MustWaitLoad()
		checkLayout(t, page, path)
		if title := page.MustEval(`() => document.title`).Str(); strings.Contains(title, "hacked") {
			t.Errorf("%s: a script of an attacker ran", path)
		}
	}
}

// TestAPhoneIsUsedByKeyboard writes and sends without touching anything.
func TestAPhoneIsUsedByKeyboard(t *testing.T) {
	d := newDesk(t, sandboxView())
	page := openChromium(t, 1280, false)
	page.MustNavigate(d.server.URL).MustWaitLoad()
	page.MustElement("#token").MustInput(goodToken)
	page.MustElement("form.card button").MustClick()
	page.MustElement("#later").MustClick()
	page.MustElement("#card-inst_1")
	page.MustNavigate(d.server.URL + guestPage + "/chats/" + guestChat).MustWaitLoad()
	page.MustElement("#write").MustFocus()
	page.Keyboard.MustType('H', 'a', input.Enter)
	waitFor(t, "the message", func() bool { return len(d.phones.actions()) == 1 })
	page.MustWait(`() => document.querySelector('#write').value === '' && document.activeElement.id === 'write'`)
	page.Keyboard.MustType(input.Enter) // nothing was written: nothing is sent
	page.Keyboard.MustType('x', input.Enter)
	waitFor(t, "the second message", func() bool { return len(d.phones.actions()) == 2 })
	d.phones.mu.Lock()
	defer d.phones.mu.Unlock()
	if d.phones.drafts[0].Text != "Ha" || d.phones.drafts[1].Text != "x" {
		t.Errorf("sent %+v", d.phones.drafts)
	}
}
