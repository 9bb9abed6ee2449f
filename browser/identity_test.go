package browser

import (
	"encoding/json"
	"strings"
	"testing"
)

// seen is what a page or a worker finds out about its browser.
type seen struct {
	UA        string   `json:"ua"`
	Languages []string `json:"languages"`
	Zone      string   `json:"zone"`
	Hints     struct {
		Platform, PlatformVersion, Architecture string
		Mobile                                  bool
		Brands, FullVersionList                 []struct{ Brand, Version string }
	} `json:"hints"`
	Webdriver  *bool   `json:"webdriver"`
	Inner      [2]int  `json:"inner"`
	Outer      [2]int  `json:"outer"`
	Screen     [2]int  `json:"screen"`
	Ratio      float64 `json:"ratio"`
	Persisted  bool    `json:"persisted"`
	Visibility string  `json:"visibility"`
	Headers    string  `json:"headers"`
}

const look = `(async () => JSON.stringify({ ua: navigator.userAgent, languages: navigator.languages, zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  hints: await navigator.userAgentData.getHighEntropyValues(["fullVersionList", "platformVersion", "architecture"]),
  webdriver: navigator.webdriver, inner: [innerWidth, innerHeight], outer: [outerWidth, outerHeight], screen: [screen.width, screen.height], ratio: devicePixelRatio,
  persisted: await navigator.storage.persisted(), visibility: document.visibilityState, headers: await (await fetch("/headers")).text() }))()`

const lookInWorkers = `Promise.all([
  new Promise((ok) => { const w = new Worker("/worker.js"); w.onmessage = (e) => ok(e.data); w.postMessage(1); }),
  new Promise((ok) => { const w = new SharedWorker("/worker.js"); w.port.onmessage = (e) => ok(e.data); w.port.postMessage(1); }),
  navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready).then((r) => new Promise((ok) => {
    const c = new MessageChannel(); c.port1.onmessage = (e) => ok(e.data); r.active.postMessage(1, [c.port2]); })),
]).then(JSON.stringify)`

// identityInChromium prints and checks what the page of a session sees.
func identityInChromium(t *testing.T, s *Session) {
	version := chromiumOf(t, s).who.full
	major, _, _ := strings.Cut(version, ".")
	var page seen
	var workers []seen
	decodeJS(t, s, look, &page)
	decodeJS(t, s, lookInWorkers, &workers)
	if all, err := json.MarshalIndent(page, "", " "); err == nil {
		t.Logf("the page sees %s", all)
	}
	if len(workers) != 3 {
		t.Fatalf("%d workers", len(workers))
	}
	for i, v := range append(workers, page) {
		where := []string{"worker", "shared worker", "service worker", "page"}[i]
		if want := "Chrome/" + major + ".0.0.0 Safari/537.36"; !strings.HasSuffix(v.UA, want) {
			t.Errorf("%s: user agent %q", where, v.UA)
		}
		brands := map[string]string{}
		for _, b := range append(v.Hints.Brands, v.Hints.FullVersionList...) {
			brands[b.Brand] = b.Version
		}
		if len(brands) != 3 || brands["Google Chrome"] != version || brands["Chromium"] != version || v.Hints.Platform != "Linux" || v.Hints.Mobile {
			t.Errorf("%s: client hints %+v", where, v.Hints)
		}
		if v.Zone != "Asia/Jakarta" || strings.Join(v.Languages, ",") != "id-ID,id,en-US,en" {
			t.Errorf("%s: zone %s, languages %v", where, v.Zone, v.Languages)
		}
		if all, _ := json.Marshal(v); strings.Contains(string(all), "eadless") {
			t.Errorf("%s: says Headless: %s", where, all)
		}
	}
	if page.Webdriver == nil || *page.Webdriver {
		t.Errorf("navigator.webdriver %v", page.Webdriver)
	}
	if !page.Persisted || page.Visibility != "visible" {
		t.Errorf("persisted %v, visibility %s", page.Persisted, page.Visibility)
	}
	if page.Screen != [2]int{1366, 768} || page.Inner != [2]int{1366, 641} || page.Outer != [2]int{1366, 728} || page.Ratio != 1 {
		t.Errorf("screen %v, inner %v, outer %v, ratio %v", page.Screen, page.Inner, page.Outer, page.Ratio)
	}
	for _, want := range []string{
		"Accept-Language: id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7", `"Google Chrome";v="` + major + `"`, `Sec-Ch-Ua-Platform: "Linux"`,
		"Sec-Ch-Ua-Mobile: ?0", "User-Agent: " + page.UA,
	} {
		if !strings.Contains(page.Headers, want) {
			t.Errorf("headers without %s:\n%s", want, page.Headers)
		}
	}
}

func decodeJS(t *testing.T, s *Session, expression string, v any) {
	t.Helper()
	text, err := unquote([]byte(js(t, s, expression)))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The lists that Chrome 124 and 131 send.
func TestBrands(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"124.0.6367.60": `Chromium 124, Google Chrome 124, Not-A.Brand 99`,
		"131.0.6778.85": `Google Chrome 131, Chromium 131, Not_A Brand 24`,
	} {
		who, err := newIdentity("Chromium "+version, "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range who.brands(who.major, "") {
			got = append(got, b.Brand+" "+b.Version)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %v, want %s", version, got, want)
		}
	}
	if _, err := newIdentity("Chromium", ""); err == nil {
		t.Error("no version passes")
	}
	if got := (identity{major: "1", language: "en-GB"}).languages(); got != "en-GB,en" {
		t.Error(got)
	}
}
