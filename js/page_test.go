package js_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/launcher/flags"
	"github.com/go-rod/rod/lib/proto"

	"kurir/js"
)

// event is what the bridge sends through the binding.
type event struct {
	Seq  int             `json:"seq"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// page is one tab with the bridge in it.
type page struct {
	t      testing.TB // of the test that uses it now
	rod    *rod.Page
	mu     sync.Mutex
	events []event
	more   chan struct{}
}

// chromiumPath finds the browser; the tests of this package are about nothing else and fail without one.
func chromiumPath(t testing.TB) string {
	t.Helper()
	for _, p := range []string{os.Getenv("KURIR_CHROMIUM"), "/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/chromium", "/usr/bin/google-chrome"} {
		if st, err := os.Stat(p); p != "" && err == nil && !st.IsDir() { //nolint:gosec // a file whose name the test itself made or knows
			return p
		}
	}
	t.Fatal("no Chromium found: run make test, it installs one, or set KURIR_CHROMIUM")
	return ""
}

// openBrowser starts Chromium with a profile of its own and the simulator's switches.
func openBrowser(t testing.TB, profile string, args []string) *rod.Browser {
	t.Helper()
	l := launcher.New().Leakless(false).Bin(chromiumPath(t)).UserDataDir(profile).NoSandbox(true).Headless(true)
	for _, a := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		l.Set(flags.Flag(name), value)
	}
	u, err := l.Launch()
	if err != nil {
		t.Fatalf("launch Chromium: %v", err)
	}
	b := rod.New().ControlURL(u)
	if err := b.Connect(); err != nil {
		l.Kill()
		t.Fatalf("connect to Chromium: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			l.Kill()
		}
		l.Cleanup()
	})
	return b
}

// openPage opens WhatsApp Web with the scripts in it, the way package browser does.
func openPage(t testing.TB, b *rod.Browser) *page {
	t.Helper()
	scripts, err := js.Scripts()
	if err != nil {
		t.Fatal(err)
	}
	rp, err := b.Page(proto.TargetCreateTarget{URL: "about:blank"})
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t: t, rod: rp, more: make(chan struct{}, 1)}
	wait := rp.EachEvent(func(e *proto.RuntimeBindingCalled) { p.got(e.Payload) }, func(e *proto.RuntimeExceptionThrown) {
		t.Logf("exception in the page: %s %s", e.ExceptionDetails.Text, e.ExceptionDetails.Exception.Description)
	}, func(e *proto.RuntimeConsoleAPICalled) {
		if e.Type != proto.RuntimeConsoleAPICalledTypeError {
			return
		}
		for _, a := range e.Args {
			t.Logf("console.error: %s %s", a.Value, a.Description)
		}
	})
	go wait()
	check(t, proto.RuntimeEnable{}.Call(rp))
	check(t, proto.RuntimeAddBinding{Name: "kurirEvent"}.Call(rp))
	for _, s := range scripts {
		if _, err := rp.EvalOnNewDocument(s); err != nil {
			t.Fatal(err)
		}
	}
	check(t, rp.Navigate("https://web.whatsapp.com/"))
	return p
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *page) got(payload string) {
	var e event
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		e.Type = fmt.Sprintf("not JSON: %q", payload)
	}
	p.mu.Lock()
	p.events = append(p.events, e)
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// run is t.Run for a test that uses the page.
func (p *page) run(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		before := p.t
		defer func() { p.t = before }()
		p.t = t
		f(t)
	})
}

// all returns the events that came so far.
func (p *page) all() []event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// wait returns the first event, of those that came and those to come, that ok accepts.
func (p *page) wait(what string, ok func(event) bool) event {
	p.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for i := 0; ; {
		events := p.all()
		for ; i < len(events); i++ {
			if ok(events[i]) {
				return events[i]
			}
		}
		select {
		case <-p.more:
		case <-deadline.C:
			p.t.Fatalf("no event %s; came: %s", what, names(events))
		}
	}
}

func names(events []event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "\n  %d %s %.200s", e.Seq, e.Type, e.Data)
	}
	return b.String()
}

// raw calls the bridge and returns its answer as it came.
func (p *page) raw(method string, args any) string {
	p.t.Helper()
	a, err := json.Marshal(args)
	check(p.t, err)
	r, err := proto.RuntimeEvaluate{Expression: fmt.Sprintf("kurir.call(%q, %s)", method, a), AwaitPromise: true, ReturnByValue: true}.Call(p.rod)
	check(p.t, err)
	if r.ExceptionDetails != nil {
		p.t.Fatalf("%s threw: %s", method, r.ExceptionDetails.Exception.Description)
	}
	return r.Result.Value.Str()
}

type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Until   int64  `json:"until"`
	Reload  bool   `json:"reload"`
}

// call returns the result of a method, or its error.
func call[T any](p *page, method string, args any) (T, *failure) {
	p.t.Helper()
	var out struct {
		OK    T        `json:"ok"`
		Error *failure `json:"error"`
	}
	answer := p.raw(method, args)
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		p.t.Fatalf("%s answered %.300q: %v", method, answer, err)
	}
	return out.OK, out.Error
}

// must returns the result of a method that has to succeed.
func must[T any](p *page, method string, args any) T {
	p.t.Helper()
	v, fail := call[T](p, method, args)
	if fail != nil {
		p.t.Fatalf("%s: %s: %s", method, fail.Code, fail.Message)
	}
	return v
}

// hand gives a file to the page, as package browser does.
func (p *page) hand(id string, content []byte) {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "upload")
	check(p.t, os.WriteFile(path, content, 0o600))
	r, err := proto.RuntimeEvaluate{Expression: fmt.Sprintf("kurir.fileInput(%q)", id)}.Call(p.rod)
	check(p.t, err)
	check(p.t, proto.DOMSetFileInputFiles{Files: []string{path}, ObjectID: r.Result.ObjectID}.Call(p.rod))
}

// reload loads the page again and waits until it can send.
func (p *page) reload() {
	p.t.Helper()
	p.mu.Lock()
	p.events = nil
	p.mu.Unlock()
	check(p.t, p.rod.Reload())
	ready(p.t, p)
}

// eval returns the value of an expression as JSON.
func (p *page) eval(expression string) string {
	p.t.Helper()
	r, err := proto.RuntimeEvaluate{Expression: expression, AwaitPromise: true, ReturnByValue: true}.Call(p.rod)
	check(p.t, err)
	if r.ExceptionDetails != nil {
		p.t.Fatalf("%s threw: %s", expression, r.ExceptionDetails.Exception.Description)
	}
	return r.Result.Value.JSON("", "")
}
