package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/skip2/go-qrcode"

	"kurir/browser"
	"kurir/licenses"
	"kurir/problem"
)

func TestPagesNeedASession(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko"})
	for _, test := range []struct {
		method, path string
		header       []string
		status       int
		location     string
	}{
		{method: "GET", path: "/instances/inst_1", status: 303, location: "/?next=%2Finstances%2Finst_1"},
		{method: "GET", path: "/instances/new", status: 303, location: "/?next=%2Finstances%2Fnew"},
		{method: "POST", path: "/instances", status: 303, location: "/?next=%2Finstances"},
		{method: "POST", path: "/instances/inst_1/delete", status: 303, location: "/?next=%2Finstances%2Finst_1%2Fdelete"},
		{method: "POST", path: "/instances/inst_1/stop", header: []string{"HX-Request", "true"}, status: 401},
		{method: "GET", path: "/console/events", status: 401},
	} {
		a := d.do(test.method, test.path, url.Values{}, test.header...)
		if a.StatusCode != test.status || a.Header.Get("Location") != test.location || strings.Contains(a.text, "Toko") {
			t.Errorf("%s %s: %d %q", test.method, test.path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if a := d.get("/"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, `name="token"`) || strings.Contains(a.text, "Toko") {
		t.Errorf("/: %d, not the sign-in page: %s", a.StatusCode, a.text)
	}
	if done := d.instances.actions(); len(done) > 0 {
		t.Errorf("done without a session: %v", done)
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	d := newDesk(t, states()...).signIn()
	for _, path := range []string{"/", "/instances/inst_1", "/instances/inst_2", "/instances/new", "/nothing", "/login", "/docs"} {
		a := d.get(path)
		csp := a.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'self'; img-src 'self' data: blob:;") ||
			!strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy = %q", path, csp)
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control = %q", path, got)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", path, name, got, want)
			}
		}
		for _, inline := range []string{" style=", "<style", " onclick=", "<script>", "javascript:"} {
			if strings.Contains(a.text, inline) && !strings.Contains(hostile, inline) {
				t.Errorf("%s holds %q, which the policy forbids", path, inline)
			}
		}
	}
}

func TestHostileNamesAreText(t *testing.T) {
	t.Parallel()
	d := newDesk(t, states()...).signIn()
	for _, path := range []string{"/", "/instances/inst_5"} {
		a := d.get(path)
		for _, tag := range []string{"<script>alert", "<img src=x", "<hx-partial hx-target=body"} {
			if strings.Contains(a.text, tag) {
				t.Errorf("%s: %s reached the page as markup", path, tag)
			}
		}
		if !strings.Contains(a.text, "&lt;script&gt;alert(1)") {
			t.Errorf("%s does not show the name", path)
		}
	}
}

func TestEveryStateHasWordsAndAWayOn(t *testing.T) {
	t.Parallel()
	for _, state := range allStates() {
		d := newDesk(t, View{ID: "inst_1", Name: "Toko", Status: browser.Status{
			State: state, Since: time.Now(), Reason: "the reason why",
		}}).signIn()
		for _, language := range languages() {
			texts := text{Lang: language, texts: d.console.texts[language]}
			a := d.get("/instances/inst_1", "Accept-Language", language)
			word := texts.T("state." + string(state))
			if !strings.Contains(a.text, ">"+word+"<") {
				t.Errorf("%s in %s: the page does not say %q", state, language, word)
			}
			todo := texts.T("todo." + string(state))
			switch state {
			case browser.StateScanQR: // the page is the instruction
			case browser.StateWorking:
				if !strings.Contains(a.text, todo) {
					t.Errorf("%s in %s: the page does not say %q", state, language, todo)
				}
			default:
				if !strings.Contains(a.text, todo) || !strings.Contains(a.text, "the reason why") {
					t.Errorf("%s in %s: the page lacks the reason or what to do: %q", state, language, todo)
				}
			}
		}
	}
}

func allStates() []browser.State {
	return []browser.State{
		browser.StateStopped, browser.StateStarting, browser.StateScanQR, browser.StatePasskeyRequired,
		browser.StateSyncing, browser.StateWorking, browser.StateDegraded, browser.StateRestricted,
		browser.StateLoggedOut, browser.StateFailed,
	}
}

// TestADeadWebhookIsALineInTheConsole: with its host and no more of its address, which can hold a secret.
func TestADeadWebhookIsALineInTheConsole(t *testing.T) {
	t.Parallel()
	v := View{ID: "inst_1", Name: "Toko", Status: browser.Status{State: browser.StateWorking}}
	quiet := newDesk(t, v).signIn().get("/instances/inst_1", "Accept-Language", "id")
	v.DeadWebhooks = []DeadWebhook{{Host: "<i>toko.example", Since: time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local)}}
	loud := newDesk(t, v).signIn().get("/instances/inst_1", "Accept-Language", "id")
	const line = "Program Anda di &lt;i&gt;toko.example tidak menerima apa pun dari nomor ini sejak 20-11-2026"
	if strings.Contains(quiet.text, "Program Anda di") || !strings.Contains(loud.text, line) {
		t.Errorf("the page does not say %q", line)
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	for _, action := range []struct{ path, does string }{
		{"start", "start"}, {"stop", "stop"}, {"restart", "restart"}, {"unlink", "logout"}, {"scan", "scan"}, {"delete", "delete"},
	} {
		d := newDesk(t, View{ID: "inst_1", Name: "Toko", Sandbox: true}).signIn()
		path := "/instances/inst_1/" + action.path

		d.instances.failWith(problem.New(problem.Unavailable, "secret detail"))
		a := d.post(path, nil, "HX-Request", "true")
		if a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.text, "kurir is shutting down") || strings.Contains(a.text, "<html") {
			t.Errorf("%s that fails, by script: %d %s", action.path, a.StatusCode, a.text)
		}
		a = d.post(path, nil)
		if a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.text, "kurir is shutting down") || !strings.Contains(a.text, "<html") {
			t.Errorf("%s that fails, without script: %d", action.path, a.StatusCode)
		}
		d.instances.failWith(nil)
		a = d.post(path, nil, "HX-Request", "true")
		if redirect := a.Header.Get("HX-Redirect"); a.StatusCode != http.StatusNoContent || (redirect == "/") != (action.path == "delete") {
			t.Errorf("%s by script: %d, redirect %q", action.path, a.StatusCode, redirect)
		}
		a = d.post(path, nil)
		want := map[bool]string{true: "/", false: "/instances/inst_1"}[action.path == "delete"]
		if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != want {
			t.Errorf("%s without script: %d to %q", action.path, a.StatusCode, a.Header.Get("Location"))
		}
		call := action.does + " inst_1"
		if diff := cmp.Diff([]string{call, call, call, call}, d.instances.actions()); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", action.path, diff)
		}
	}
	d := newDesk(t).signIn()
	if a := d.post("/instances/inst_1/explode", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown action: %d", a.StatusCode)
	}
	if a := d.get("/instances/inst_1"); a.StatusCode != http.StatusNotFound || !strings.Contains(a.text, "Not found") {
		t.Errorf("an unknown instance: %d", a.StatusCode)
	}
}

func TestCreateShowsTheKeyOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t).signIn()
	for _, name := range []string{"", "  ", strings.Repeat("x", 61), "\xff"} {
		if a := d.post("/instances", url.Values{"name": {name}}); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, "1 to 60") {
			t.Errorf("name %q: %d", name, a.StatusCode)
		}
	}
	d.instances.failWith(problem.New(problem.InstanceExists, ""))
	if a := d.post("/instances", url.Values{"name": {"Toko"}}); a.StatusCode != http.StatusConflict || !strings.Contains(a.text, `value="Toko"`) {
		t.Errorf("a name that exists: %d, and the form must keep what was typed", a.StatusCode)
	}
	d.instances.failWith(nil)
	a := d.post("/instances", url.Values{"name": {" Toko "}, "sandbox": {"1"}})
	if a.StatusCode != http.StatusCreated || !strings.Contains(a.text, ">kurir_test_secretkey</code>") {
		t.Errorf("created: %d %s", a.StatusCode, a.text)
	}
	host := strings.TrimPrefix(d.server.URL, "http://")
	if want := "curl http://" + host + "/wa/send -d key=kurir_test_secretkey -d phone="; !strings.Contains(a.text, want) {
		t.Errorf("no curl to paste: want %q", want)
	}
	for _, path := range []string{"/", "/instances/inst_new"} {
		if a := d.get(path); strings.Contains(a.text, "secretkey") || !strings.Contains(a.text, "Simulator") {
			t.Errorf("%s shows the key again, or does not know the simulator", path)
		}
	}
}

func TestPairingCode(t *testing.T) {
	t.Parallel()
	d := newDesk(t, View{ID: "inst_1", Name: "Toko", Status: browser.Status{State: browser.StateScanQR}}).signIn()
	form := url.Values{"phone": {" 0812-3456 "}}
	for _, header := range [][]string{{"HX-Request", "true"}, nil} {
		a := d.post("/instances/inst_1/pairing-code", form, header...)
		if a.StatusCode != http.StatusOK || !strings.Contains(a.text, "<span>ABCD</span><span>EFGH</span>") {
			t.Errorf("%v: %d %s", header, a.StatusCode, a.text)
		}
	}
	d.instances.failWith(problem.New(problem.InvalidPhone, ""))
	a := d.post("/instances/inst_1/pairing-code", form, "HX-Request", "true", "Accept-Language", "id")
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, "bukan nomor telepon") || !strings.Contains(a.text, `value="0812-3456"`) {
		t.Errorf("a wrong number: %d %s", a.StatusCode, a.text)
	}
	if got := d.instances.actions()[0]; got != "pair inst_1 0812-3456" {
		t.Errorf("asked for %q", got)
	}
}

func TestQRIsTheCodeThatWhatsAppShows(t *testing.T) {
	t.Parallel()
	svg, err := qrSVG(qrOne, `a "label"`)
	if err != nil {
		t.Fatal(err)
	}
	want, err := qrcode.New(qrOne, qrcode.Low)
	if err != nil {
		t.Fatal(err)
	}
	// Paint the path again and compare it module by module.
	size := len(want.Bitmap())
	got := make([][]bool, size)
	for i := range got {
		got[i] = make([]bool, size)
	}
	_, path, _ := strings.Cut(string(svg), ` d="`)
	path, _, _ = strings.Cut(path, `"`)
	for run := range strings.SplitSeq(strings.Trim(path, "z"), "z") {
		var x, y, length, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &length, &back); err != nil || back != length {
			t.Fatalf("run %q: %v", run, err)
		}
		for i := range length {
			got[y][x+i] = true
		}
	}
	if diff := cmp.Diff(want.Bitmap(), got); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(svg), `aria-label="a &#34;label&#34;"`) {
		t.Error("the label is not escaped")
	}
}

func TestCurlNeedsAPlainHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"kurir.example:8443": "http://kurir.example:8443/", "[::1]:8080": "http://[::1]:8080/",
		"evil$(reboot)": "http://127.0.0.1:8080/", "a;b": "http://127.0.0.1:8080/",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		if got := curl(r, "k", "hi"); !strings.HasPrefix(got, "curl "+want) {
			t.Errorf("Host %s: %s", host, got)
		}
	}
}

// TestLicencesGoAlong with what the console sends, for whoever gets a page of it.
func TestLicencesGoAlong(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, path := range []string{"/", "/docs"} {
		if a := d.get(path); !strings.Contains(a.text, `<a href="/licenses">`) {
			t.Errorf("%s does not lead to them: %d %s", path, a.StatusCode, a.text)
		}
	}
	a := d.get("/licenses")
	if a.StatusCode != http.StatusOK || a.text != licenses.Text() || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d %s, %d bytes", a.StatusCode, a.Header.Get("Content-Type"), len(a.text))
	}
}
