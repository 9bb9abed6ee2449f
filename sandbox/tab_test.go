package sandbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"

	"kurir/browser"
	"kurir/sandbox"
)

// tab is the sandbox's page in a real Chromium, with unmodified wa-js in it.
type tab struct {
	t       *testing.T
	cmd     *exec.Cmd
	browser *rod.Browser
	page    *rod.Page
}

// waScript is wa-js as npm delivers it.
func waScript(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile(filepath.FromSlash("../node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js"))
	if err != nil {
		t.Fatalf("wa-js is missing, run npm ci: %v", err)
	}
	return "window.WPPConfig={disableGoogleAnalytics:true};window.complaints=[];" +
		"for(const k of ['error','warn']){const f=console[k];console[k]=(...a)=>{complaints.push(a.map(String).join(' '));f(...a)}}" +
		"addEventListener('error',e=>complaints.push(String(e.message)));addEventListener('unhandledrejection',e=>complaints.push(String(e.reason&&e.reason.stack||e.reason)));\n" + string(src)
}

// openTab starts Chromium on a profile and opens the page, the scripts before it.
func openTab(t *testing.T, s *sandbox.Server, profile string, scripts ...string) *tab {
	t.Helper()
	if err := sandbox.CheckAssets(); err != nil {
		t.Fatal(err)
	}
	tb := &tab{t: t}
	tb.launch(profile, s.ChromiumArgs())
	t.Cleanup(tb.close)
	page, err := tb.browser.Page(proto.TargetCreateTarget{})
	if err != nil {
		t.Fatal(err)
	}
	tb.page = page.Timeout(2 * time.Minute)
	for _, script := range scripts {
		if _, err := tb.page.EvalOnNewDocument(script); err != nil {
			t.Fatal(err)
		}
	}
	if err := tb.page.Navigate("https://web.whatsapp.com/"); err != nil {
		t.Fatal(err)
	}
	return tb
}

func (tb *tab) launch(profile string, args []string) {
	tb.t.Helper()
	bin, err := browser.FindChromium(os.Getenv("KURIR_CHROMIUM"))
	if err != nil {
		tb.t.Fatal(err)
	}
	args = append([]string{"--headless", "--no-sandbox", "--remote-debugging-port=0", "--user-data-dir=" + profile}, args...)
	// Not the test's context: close ends it, so that its profile is flushed.
	tb.cmd = exec.CommandContext(context.Background(), bin, append(args, "about:blank")...) //nolint:gosec // a program of the test's own
	stderr, err := tb.cmd.StderrPipe()
	if err != nil {
		tb.t.Fatal(err)
	}
	if err := tb.cmd.Start(); err != nil {
		tb.t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		_, url, found := strings.Cut(lines.Text(), "DevTools listening on ")
		if !found {
			continue
		}
		go func() { // Chromium must not block on a full pipe
			for lines.Scan() {
			}
		}()
		tb.browser = rod.New().ControlURL(url)
		if err := tb.browser.Connect(); err != nil {
			tb.t.Fatal(err)
		}
		return
	}
	tb.t.Fatal("Chromium did not open its debugging port")
}

// close ends Chromium so that its profile is flushed, and waits until it is gone.
func (tb *tab) close() {
	if tb.cmd == nil {
		return
	}
	_ = tb.browser.Close()
	_ = tb.cmd.Wait()
	tb.cmd = nil
}

// eval runs the body of an async function and decodes what it returns.
func (tb *tab) eval(body string, into any) {
	tb.t.Helper()
	if err := tb.tryEval(body, into); err != nil {
		tb.t.Fatalf("%s: %v", body, err)
	}
}

func (tb *tab) tryEval(body string, into any) error {
	result, err := tb.page.Eval("async () => JSON.stringify((await (async () => {" + body + "})()) ?? null)")
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal([]byte(result.Value.Str()), into)
}

// until waits for an expression of the page to be true.
func (tb *tab) until(expression string) {
	tb.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		var ok bool
		err := tb.tryEval("return !!("+expression+")", &ok)
		if ok {
			return
		}
		if time.Now().After(deadline) {
			var state any
			_ = tb.tryEval(`return [location.href, importNamespace("WAWebSocketModel").Socket.attributes, importNamespace("WAWebStreamModel").Stream.attributes, window.complaints]`, &state)
			tb.t.Fatalf("%s does not come true (%v): %v", expression, err, state)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// link shows the QR to a phone and waits until the page is usable.
func (tb *tab) link(s *sandbox.Server, number string) {
	tb.t.Helper()
	tb.until(`document.querySelector("[data-ref] canvas")`)
	var qr string
	tb.eval(`return document.querySelector("[data-ref]").dataset.ref`, &qr)
	if err := s.Scan(number, qr); err != nil {
		tb.t.Fatal(err)
	}
	tb.until(`importNamespace("WAWebSocketModel").Socket.hasSynced`)
}

// quiet fails the test when the page or wa-js complained on the console.
func (tb *tab) quiet() {
	tb.t.Helper()
	var complaints []string
	tb.eval("return window.complaints", &complaints)
	if len(complaints) > 0 {
		tb.t.Errorf("the page complained: %s", strings.Join(complaints, "\n"))
	}
}

func openServer(t *testing.T) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Open(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
