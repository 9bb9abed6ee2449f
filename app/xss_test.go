package app_test

import (
	_ "embed"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"

	"kurir/sandbox"
)

// xssCorpus is what attackers send as a name, a text, the name of a file: one a line. Whatever of it came to life would
// set __pwned, open a dialog, be a breach of the page's policy, or ask another host for something.
//
//go:embed testdata/xss.txt
var xssCorpus string

// tripwire is a browser's page that notices when something of an attacker came to life.
type tripwire struct {
	mu    sync.Mutex
	trips []string
}

const tripScript = `
	window.__trips = []
	for (const name of ['alert', 'confirm', 'prompt', 'print', 'open'])
		window[name] = (...args) => { window.__trips.push(name + '(' + args + ')') }
	document.addEventListener('securitypolicyviolation', e => window.__trips.push('policy: ' + e.violatedDirective + ' ' + e.blockedURI))
	window.addEventListener('error', e => window.__trips.push('error: ' + e.message))`

// laid lays the wire in a page; own is the host that it may talk to.
func laid(t *testing.T, page *rod.Page, own string) *tripwire {
	t.Helper()
	w := &tripwire{}
	page.MustEvalOnNewDocument(tripScript)
	for _, enable := range []interface{ Call(proto.Client) error }{proto.NetworkEnable{}, proto.LogEnable{}, proto.RuntimeEnable{}} {
		if err := enable.Call(page); err != nil {
			t.Fatal(err)
		}
	}
	go page.EachEvent(
		func(e *proto.PageJavascriptDialogOpening) {
			w.trip("dialog: " + e.Message)
			go func() { _ = proto.PageHandleJavaScriptDialog{Accept: true}.Call(page) }()
		},
		func(e *proto.RuntimeExceptionThrown) { w.trip("exception: " + e.ExceptionDetails.Text) },
		func(e *proto.LogEntryAdded) {
			if e.Entry.Source == proto.LogLogEntrySourceSecurity {
				w.trip("security: " + e.Entry.Text)
			}
		},
		func(e *proto.NetworkRequestWillBeSent) {
			if u, err := url.Parse(e.Request.URL); err != nil || u.Host != own && u.Scheme != "data" && u.Scheme != "blob" {
				w.trip("request: " + e.Request.URL)
			}
		},
	)()
	return w
}

func (w *tripwire) trip(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trips = append(w.trips, what)
}

// look returns what was tripped since the last look, on this document and by the browser's word.
func (w *tripwire) look(page *rod.Page) []string {
	var here []string
	for _, s := range page.MustEval(`() => { const all = [...(window.__trips || [])]; if (window.__pwned) all.push('__pwned'); window.__trips = []; window.__pwned = undefined; return all }`).Arr() {
		here = append(here, s.Str())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	here = append(here, w.trips...)
	w.trips = nil
	return here
}

// TestNothingOfAnAttackerComesToLife sends the corpus from simulated phones, as names, texts, captions, names of files and
// of groups, and opens every page that shows it in a real browser, with the pages open as it arrives too.
func TestNothingOfAnAttackerComesToLife(t *testing.T) {
	t.Parallel() // waits most of its time
	corpus := strings.Split(strings.TrimRight(xssCorpus, "\n"), "\n")
	if len(corpus) < 40 {
		t.Fatalf("the corpus has %d lines", len(corpus))
	}
	g := openGateway(t, t.TempDir())
	in := g.newInstance(corpus[1])
	const shop = "6281234567899"
	g.link(&in, sandbox.PhoneSpec{Number: shop, Name: corpus[0]})
	h := hand{g, openBrowser(t)}
	wire := laid(t, h.page, strings.TrimPrefix(g.url, "http://"))
	h.visit("/")
	h.page.MustElement("#token").MustInput(adminToken)
	h.page.MustElement("form.card button").MustClick()
	h.page.MustElement("#later").MustClick()
	h.see("#card-"+in.ID, "script")

	guest := func(i int) string { return fmt.Sprintf("62812345700%02d", i) }
	send := func(i int, m sandbox.Message) {
		t.Helper()
		if err := g.sandbox().SendFrom(guest(i), shop, m); err != nil {
			t.Fatalf("payload %d: %v", i, err)
		}
	}
	arrive := func(i int) {
		t.Helper()
		if _, err := g.sandbox().CreatePhone(sandbox.PhoneSpec{Number: guest(i), Name: corpus[i]}); err != nil {
			t.Fatalf("payload %d: %v", i, err)
		}
		send(i, sandbox.Message{Body: corpus[i]})
		send(i, sandbox.Message{Data: []byte("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"), Mimetype: "image/svg+xml", Filename: corpus[i] + ".svg", Body: corpus[i]})
		send(i, sandbox.Message{Data: []byte(corpus[i]), Mimetype: "text/html", Filename: corpus[i] + ".html", Type: "document"})
	}
	check := func(where string) {
		t.Helper()
		for _, s := range wire.look(h.page) {
			t.Errorf("%s: %s", where, s)
		}
		if at := h.page.MustEval(`() => location.origin`).Str(); at != g.url {
			t.Fatalf("%s: the browser went to %s", where, at)
		}
	}

	// As it arrives: pushed to pages that are open.
	h.visit("/sandbox/" + shop)
	for i := range len(corpus) / 2 {
		arrive(i)
	}
	h.page.MustWait(`n => document.querySelectorAll('ul.chats a.chat').length >= n`, len(corpus)/2)
	check("chats as they arrive")
	h.visit("/sandbox/" + shop + "/chats/" + guest(0) + "@c.us")
	for _, payload := range corpus {
		send(0, sandbox.Message{Body: payload})
	}
	h.page.MustWait(`n => document.querySelectorAll('.bubble').length >= n`, len(corpus))
	check("a chat as it arrives")
	shown := h.page.MustEval(`() => [...document.querySelectorAll('.bubble .words')].map(e => e.textContent)`).Arr()
	texts := map[string]bool{}
	for _, s := range shown {
		texts[s.Str()] = true
	}
	for _, payload := range corpus {
		if !texts[payload] {
			t.Errorf("not shown as it was written: %s", payload)
		}
	}
	for i := len(corpus) / 2; i < len(corpus); i++ {
		arrive(i)
	}

	paths := []string{"/", "/instances/" + in.ID, "/instances/" + in.ID + "/phone", "/sandbox", "/sandbox/" + shop, "/sandbox/" + shop + "/devices", "/sandbox/" + shop + "/settings", "/sandbox/" + shop + "/faults"}
	for i := range corpus {
		paths = append(paths, "/sandbox/"+shop+"/chats/"+guest(i)+"@c.us")
	}
	for i := 0; i < len(corpus); i += 10 {
		paths = append(paths, "/sandbox/"+guest(i), "/sandbox/"+guest(i)+"/chats/"+shop+"@c.us")
	}
	for i, name := range corpus { // the name of an account, as the instance's own
		if i%7 != 0 {
			continue
		}
		if err := g.sandbox().SetProfile(shop, name, name, nil); err != nil {
			t.Logf("name %q: %v", name, err)
		}
		h.visit("/instances/" + in.ID)
		check("instance of " + name)
	}
	for _, path := range paths {
		h.visit(path)
		check(path)
	}

	// The wire does hold: the same corpus as HTML trips it again and again. What would lead the page away is called off,
	// or the next payload would find it gone.
	h.page.MustNavigate("about:blank")
	wire.look(h.page)
	router := h.page.HijackRequests()
	router.MustAdd("*", func(r *rod.Hijack) { r.Response.Fail(proto.NetworkErrorReasonAborted) })
	go router.Run()
	defer router.MustStop()
	h.page.MustEval("() => {" + tripScript + "}")
	for _, payload := range corpus {
		h.page.MustEval(`html => { document.body.replaceChildren(document.createRange().createContextualFragment(html)) }`, payload)
	}
	h.page.MustWait(`() => window.__trips.length > 5`)
	if trips := wire.look(h.page); len(trips) < 10 {
		t.Errorf("as HTML the corpus trips the wire %d times: %v", len(trips), trips)
	}
}
