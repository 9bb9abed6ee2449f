package web

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kurir/browser"
	"kurir/problem"
)

const guestPage = "/sandbox/" + guestNumber

func TestPhonesNeedASession(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandboxView())
	d.phones.files["m1"] = fakeFile{"a.png", "image/png", "secret"}
	for _, path := range []string{
		"/sandbox", guestPage, guestPage + "/settings", guestPage + "/chats/" + guestChat, guestPage + "/chats/" + guestChat + "/files/m1", "/instances/inst_1/phone",
	} {
		if a := d.get(path); a.StatusCode != http.StatusSeeOther || strings.Contains(a.text, "Sari") || strings.Contains(a.text, "secret") {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	if a := d.get("/console/events?screen=desk"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("events: %d", a.StatusCode)
	}
	for _, action := range []string{"send", "read", "auto-read", "offline", "unlink", "scan", "fault", "end-fault"} {
		if a := d.post(guestPage+"/"+action, nil); a.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d", action, a.StatusCode)
		}
	}
	d.signIn()
	for _, action := range []string{"send", "read", "fault"} {
		if a := d.post(guestPage+"/"+action, nil, "Origin", "https://evil.example"); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another site: %d", action, a.StatusCode)
		}
	}
	if done := d.phones.actions(); len(done) > 0 {
		t.Errorf("done: %v", done)
	}
}

func TestPhonePages(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandboxView(), View{ID: "inst_2", Name: "Nyata"}).signIn()
	for path, want := range map[string]string{
		"/sandbox": "Simulated phones", guestPage: "Sari", guestPage + "/devices": "Linked devices", guestPage + "/settings": "Flight mode",
		guestPage + "/faults": "Numbers that always behave", guestPage + "/chats/" + guestChat: "No messages yet",
		"/sandbox/" + shopNumber + "/devices": "Unlink", "/instances/inst_1": `href="/instances/inst_1/phone"`, "/": `href="/instances/inst_1/phone"`,
	} {
		if a := d.get(path); a.StatusCode != http.StatusOK || !strings.Contains(a.text, want) || strings.Contains(a.text, "style=") {
			t.Errorf("%s: %d, without %q", path, a.StatusCode, want)
		}
	}
	if a := d.get("/instances/inst_2"); strings.Contains(a.text, "/phone") {
		t.Error("a real instance has a simulated phone")
	}
	for path, want := range map[string]int{
		"/sandbox/abc": 400, guestPage + "/nothing": 404, guestPage + "/chats/none@c.us": 404, guestPage + "/chats/" + guestChat + "/files/none": 404,
		"/sandbox/find?number=abc": 422, "/console/events?screen=nothing": 404, "/instances/none/phone": 404,
	} {
		if a := d.get(path); a.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, a.StatusCode, want)
		}
	}
	if a := d.get("/sandbox/find?number=+0812+3456+7890"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != guestPage {
		t.Errorf("find: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if a := d.get("/instances/inst_1/phone"); a.Header.Get("Location") != "/sandbox/"+shopNumber {
		t.Errorf("phone of an instance: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if a := d.get(guestPage, "Accept-Language", "id"); !strings.Contains(a.text, "Pelanggan") {
		t.Errorf("in Indonesian: %s", a.text)
	}
}

func TestPhonesElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandboxView()).signIn()
	d.console.deps.Phones = nil
	for _, path := range []string{"/sandbox", guestPage} {
		if a := d.get(path); a.StatusCode != http.StatusNotFound || !strings.Contains(a.text, "KURIR_SANDBOX_CONTROL") {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.text)
		}
	}
	if a := d.get("/console/events?screen=desk"); a.StatusCode != http.StatusNotFound {
		t.Errorf("events: %d", a.StatusCode)
	}
	if a := d.get("/instances/inst_1"); strings.Contains(a.text, "/phone") {
		t.Error("the instance's page leads to a phone that is not here")
	}
}

// TestFilesOfMessagesNeverRun holds that what a sender calls a page, a script or a picture with script in it comes
// as a download, and a picture only as the type that it was shown as.
func TestFilesOfMessagesNeverRun(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandboxView()).signIn()
	const script = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	for claimed, want := range map[string]string{
		"text/html": "", "text/html; charset=utf-8": "", "image/svg+xml": "", "application/xhtml+xml": "", "text/xml": "", "application/pdf": "",
		"application/javascript": "", "": "", "nonsense": "", "multipart/x-mixed-replace": "", "image/png\r\nX-Evil: 1": "", "message/rfc822": "",
		"image/png": "image/png", "IMAGE/PNG": "image/png", "image/jpg": "image/jpeg", "audio/ogg; codecs=opus": "audio/ogg", "video/mp4": "video/mp4",
	} {
		d.phones.change(func() { d.phones.files["m1"] = fakeFile{"x.html", claimed, script} })
		a := d.get(guestPage + "/chats/" + guestChat + "/files/m1")
		kind, disposition := a.Header.Get("Content-Type"), a.Header.Get("Content-Disposition")
		if want == "" && (kind != "application/octet-stream" || !strings.HasPrefix(disposition, "attachment")) ||
			want != "" && (kind != want || !strings.HasPrefix(disposition, "inline")) || a.text != script {
			t.Errorf("%q is served as %q, %q", claimed, kind, disposition)
		}
		csp := a.Header.Get("Content-Security-Policy")
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Evil") != "" ||
			!strings.Contains(csp, "sandbox") || !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%q: headers %v", claimed, a.Header)
		}
	}
}

// TestMediaAreShown looks at how each kind of file is on the page, and that players can ask for a part of it.
func TestMediaAreShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandboxView()).signIn()
	for _, test := range []struct{ kind, claimed, want string }{
		{"image", "image/jpeg", `<img src="`}, {"sticker", "image/webp", "bubble bare"}, {"video", "video/mp4", `<video class="media" src="`},
		{"ptt", "audio/ogg; codecs=opus", `<audio src="`}, {"document", "application/pdf", `class="document" href="`}, {"image", "image/tiff", `class="document" href="`},
	} {
		d.phones.change(func() { d.phones.messages = nil })
		d.phones.arrive(PhoneMessage{ID: "m1", Kind: test.kind, File: &PhoneAttachment{Type: test.claimed, Size: 2_500_000}})
		if a := d.get(guestPage + "/chats/" + guestChat); !strings.Contains(a.text, test.want) {
			t.Errorf("%s as %s: no %q", test.kind, test.claimed, test.want)
		}
	}
	for what, f := range map[string]PhoneAttachment{"Downloading": {Fetching: true}, "could not be downloaded": {Gone: true}} {
		d.phones.arrive(PhoneMessage{ID: "m2", Kind: "image", File: &f})
		if a := d.get(guestPage + "/chats/" + guestChat); !strings.Contains(a.text, what) {
			t.Errorf("the page does not say %q", what)
		}
	}
	d.phones.files["m1"] = fakeFile{"", "video/mp4", "0123456789"}
	if a := d.get(guestPage+"/chats/"+guestChat+"/files/m1", "Range", "bytes=2-4"); a.StatusCode != http.StatusPartialContent || a.text != "234" {
		t.Errorf("a part: %d %q", a.StatusCode, a.text)
	}
}

func TestNamesOfFiles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"tagihan.pdf": "tagihan.pdf", "../../etc/passwd": "passwd", `C:\x\y.exe`: "y.exe", "a\r\nSet-Cookie: x=1": "aSet-Cookie x=1",
		"gpj.\u202eexe": "gpj.exe", ".htaccess": "htaccess", "\xff\x00": "", "…/": "", strings.Repeat("x", 200) + ".pdf": strings.Repeat("x", 116) + ".pdf",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("cleanName(%q) = %q, want %q", name, got, want)
		}
	}
	d := newDesk(t, sandboxView()).signIn()
	d.phones.files["m1"] = fakeFile{"tagihan \"é\r\nX: y.pdf", "application/pdf", "x"}
	a := d.get(guestPage + "/chats/" + guestChat + "/files/m1")
	if got := a.Header.Get("Content-Disposition"); got != "attachment; filename*=utf-8''tagihan%20%C3%A9X%20y.pdf" {
		t.Errorf("Content-Disposition = %q", got)
	}
}

// hostileMessages are what an attacker may send.
func hostileMessages() []PhoneMessage {
	return []PhoneMessage{
		{ID: `x" onclick="alert(1)`, Kind: "chat", Text: hostile, Quoted: hostile, Author: hostile},
		{ID: "m2", Kind: hostile, Text: hostile},
		{ID: "../../../logout", Kind: "document", Text: hostile, File: &PhoneAttachment{Name: hostile + ".svg", Type: "image/svg+xml", Size: 12}},
		{ID: "m4", Kind: "image", File: &PhoneAttachment{Name: hostile, Type: "image/svg+xml"}},
		{ID: "m5", Kind: "document", File: &PhoneAttachment{Name: "x.png", Type: "image/png"}},
	}
}

func TestHostileMessagesAreText(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandboxView()).signIn()
	d.phones.phone.Name = hostile
	for _, m := range hostileMessages() {
		d.phones.arrive(m)
	}
	for _, path := range []string{"/sandbox", guestPage, guestPage + "/chats/" + guestChat, "/sandbox/" + shopNumber} {
		a := d.get(path)
		for _, tag := range []string{"<script>alert", "<img src=x", "<hx-partial hx-target=body", `onclick="alert`, "<img src="} {
			if strings.Contains(a.text, tag) && (tag != "<img src=" || strings.Contains(a.text, `<img src="/sandbox`)) {
				t.Errorf("%s: %s reached the page", path, tag)
			}
		}
		if a.StatusCode != http.StatusOK || !strings.Contains(a.text, "&lt;script&gt;alert(1)") {
			t.Errorf("%s: %d, does not show the words", path, a.StatusCode)
		}
	}
	a := d.get(guestPage + "/chats/" + guestChat)
	if !strings.Contains(a.text, "/files/..%2F..%2F..%2Flogout") {
		t.Error("the id of a message leads out of the folder")
	}
}

func TestPhoneActions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		action string
		form   url.Values
		screen string
		does   string
	}{
		{"send", url.Values{"chat": {guestChat}, "text": {" Halo\r\nya "}}, "/chats/" + guestChat, "send " + guestNumber + " " + guestChat},
		{"read", url.Values{"chat": {guestChat}}, "/chats/" + guestChat, "read " + guestNumber + " " + guestChat},
		{"auto-read", url.Values{"on": {"1"}}, "/settings", "auto-read " + guestNumber + " true"},
		{"offline", url.Values{"on": {"0"}}, "/settings", "offline " + guestNumber + " false"},
		{"unlink", url.Values{"device": {"device1"}}, "/devices", "unlink " + guestNumber + " device1"},
		{"scan", url.Values{"instance": {"inst_1"}}, "/devices", "scan " + guestNumber + " inst_1"},
		{"fault", url.Values{"kind": {"no_ack"}, "life": {"once"}}, "/faults", "fault {Kind:no_ack Number:" + guestNumber + " Own:false Once:true}"},
		{"end-fault", url.Values{"id": {"fault1"}}, "/faults", "end-fault fault1"},
	} {
		d := newDesk(t, sandboxView()).signIn()
		path := guestPage + "/" + test.action
		if a := d.post(path, test.form, "HX-Request", "true"); a.StatusCode != http.StatusNoContent {
			t.Errorf("%s by script: %d %s", test.action, a.StatusCode, a.text)
		}
		if a := d.post(path, test.form); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != guestPage+test.screen {
			t.Errorf("%s without script: %d to %q", test.action, a.StatusCode, a.Header.Get("Location"))
		}
		if diff := cmp.Diff([]string{test.does, test.does}, d.phones.actions()); diff != "" {
			t.Errorf("%s: %s", test.action, diff)
		}
		d.phones.fail = problem.New(problem.InstanceNotReady, "")
		for _, header := range [][]string{{"HX-Request", "true"}, nil} {
			if a := d.post(path, test.form, header...); a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.text, "in flight mode") {
				t.Errorf("%s that fails: %d %s", test.action, a.StatusCode, a.text)
			}
		}
	}
	d := newDesk(t, sandboxView()).signIn()
	for action, form := range map[string]url.Values{
		"explode": {}, "fault": {"kind": {"crash"}}, "send": {"chat": {guestChat}, "text": {" "}},
	} {
		if a := d.post(guestPage+"/"+action, form); a.StatusCode < 400 || a.StatusCode >= 500 {
			t.Errorf("%s: %d", action, a.StatusCode)
		}
	}
	if a := d.post("/sandbox/"+shopNumber+"/fault", url.Values{"kind": {"crash"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a fault of the shop's page: %d", a.StatusCode)
	}
	if diff := cmp.Diff([]string{"fault {Kind:crash Number:" + shopNumber + " Own:true Once:false}"}, d.phones.actions()); diff != "" {
		t.Error(diff)
	}
}

// upload is a form as a browser sends it.
func (d *desk) upload(filename string, data []byte) answer {
	d.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("chat", guestChat)
	_ = w.WriteField("text", "ini")
	part, _ := w.CreateFormFile("file", filename)
	_, _ = part.Write(data)
	_ = w.Close()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.server.URL+guestPage+"/send", &b)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("HX-Request", "true")
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return answer{resp, ""}
}

func TestAPhoneSendsFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandboxView()).signIn()
	png := "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 100)
	for _, f := range []struct{ name, data string }{{`..\foto.jpg`, png}, {"x.png", "<svg xmlns='http://www.w3.org/2000/svg'/>"}, {"kosong.txt", ""}} {
		if a := d.upload(f.name, []byte(f.data)); a.StatusCode != http.StatusNoContent {
			t.Fatalf("%s: %d", f.name, a.StatusCode)
		}
	}
	var got []string
	for _, m := range d.phones.drafts {
		got = append(got, fmt.Sprint(m.Filename, " ", m.Type, " ", m.Document, " ", m.Text, " ", len(m.Data)))
	}
	want := []string{"foto.jpg image/png false ini 108", "x.png image/svg+xml true ini 41", "kosong.txt text/plain true ini 0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if a := d.upload("besar.bin", make([]byte, maxPhoneFile+2<<20)); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a file that is too big: %d", a.StatusCode)
	}
}

func TestAPhoneIsLive(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandboxView()).signIn()
	chat, _ := d.listen("/console/events?screen=chat&phone=" + guestNumber + "&chat=" + url.QueryEscape(guestChat))
	list, _ := d.listen("/console/events?screen=chats&phone=" + guestNumber)
	faults, _ := d.listen("/console/events?screen=faults&phone=" + guestNumber)
	beside, leave := d.listen("/console/events?screen=desk")
	expect(t, chat, "desk-list", "phone-top", "screen-chat")
	expect(t, list, "desk-list", "phone-top", "screen-chats", "phone-tabs")
	expect(t, faults, "desk-list", "phone-top", "faults-now", "phone-tabs")
	expect(t, beside, "desk-list")
	leave()

	d.phones.arrive(PhoneMessage{ID: "m1", Kind: "chat", Text: hostile})
	if e := expect(t, chat, "screen-chat"); !strings.Contains(e, "&lt;script&gt;") || strings.Contains(e, "<script>") {
		t.Errorf("the new message: %s", e)
	}
	expect(t, list, "screen-chats", "phone-tabs")
	expect(t, faults, "phone-tabs")
	d.phones.change(func() { d.phones.phone.Offline = true })
	expect(t, chat, "phone-top")
	d.phones.change(func() {
		d.phones.faults = []PhoneFault{{ID: "fault1", Kind: FaultNoAck, Number: guestNumber, Count: 1}, {ID: "f2", Name: hostile}}
	})
	if e := expect(t, chat, "phone-top"); !strings.Contains(e, "Trouble is switched on: 2") {
		t.Errorf("with faults: %s", e)
	}
	// What was sent meanwhile for the other page may come in one event or two.
	waitFor(t, "the fault in the list", func() bool { return strings.Contains(next(t, faults), "Never confirmed") })

	d.instances.showQR("inst_1", qrOne, time.Minute)
	d.instances.become("inst_1", browser.Status{State: browser.StateScanQR})
	waitFor(t, "the instance's new state", func() bool { return strings.Contains(next(t, chat), "Waiting for you to scan") })
	d.console.Close()
	for range chat { // until it is closed
	}
}
