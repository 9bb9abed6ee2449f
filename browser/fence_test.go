package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"
)

// TestThePageIsFencedIn: whatever runs in the page cannot replace it, open a window, or use anything of the machine.
func TestThePageIsFencedIn(t *testing.T) {
	var reached atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/frame" {
			reached.Add(1)
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<script>parent.postMessage('here', '*')</script>"))
	}))
	t.Cleanup(elsewhere.Close)
	cfg := testConfig(t, fakeWeb(t))
	cfg.DownloadDir = filepath.Join(t.TempDir(), "downloads")
	s := started(t, cfg)
	await(t, s, StateScanQR)
	js(t, s, `fake.link("62812:3@c.us")`)
	await(t, s, StateWorking)
	js(t, s, `window.mark = 1`)
	since := s.Status().Since

	away := elsewhere.URL + "/"
	for name, act := range map[string]string{
		"location":       `location.href = "` + away + `"`,
		"link":           `const a = document.createElement("a"); a.href = "` + away + `"; document.body.append(a); a.click()`,
		"form":           `const f = document.createElement("form"); f.method = "post"; f.action = "` + away + `"; document.body.append(f); f.submit()`,
		"redirect":       `location.href = "/redirect?to=" + encodeURIComponent("` + away + `")`,
		"refresh":        `const m = document.createElement("meta"); m.httpEquiv = "refresh"; m.content = "0;url=` + away + `"; document.head.append(m)`,
		"window":         `window.open("` + away + `")`,
		"window, itself": `window.open(location.href + "?popup")`,
		"target":         `const a = document.createElement("a"); a.href = "` + away + `"; a.target = "_blank"; document.body.append(a); a.click()`,
		"frame":          `const f = document.createElement("iframe"); f.src = "data:text/html,<script>top.location='` + away + `'</script>"; document.body.append(f)`,
	} {
		js(t, s, `(() => { `+act+` })()`)
		// What was asked for has been decided when a frame that is asked for later is there.
		if got := js(t, s, `new Promise(ok => { const f = document.createElement("iframe"); f.src = "`+elsewhere.URL+`/frame"; addEventListener("message", () => ok("there"), { once: true }); document.body.append(f) })`); got != `"there"` {
			t.Fatalf("%s: a frame of the page did not load: %s", name, got)
		}
		if js(t, s, `window.mark`) != "1" {
			t.Fatalf("%s: the page was replaced", name)
		}
		eventually(t, func() error { return onePage(t, s) })
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("another host was asked for a document %d times", n)
	}
	if st := s.Status(); st.State != StateWorking || !st.Since.Equal(since) {
		t.Errorf("the session was disturbed: %+v", st)
	}

	for _, name := range []string{"camera", "microphone", "geolocation", "notifications", "clipboard-read", "clipboard-write", "midi"} {
		if got := js(t, s, `navigator.permissions.query({ name: "`+name+`" }).then(p => p.state, e => "error " + e)`); got != `"denied"` && !strings.HasPrefix(got, `"error`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, act := range map[string]string{
		"camera": `navigator.mediaDevices ? navigator.mediaDevices.getUserMedia({ video: true }).then(() => "given", () => "refused") : "refused"`,
		"place":  `new Promise(ok => navigator.geolocation ? navigator.geolocation.getCurrentPosition(() => ok("given"), () => ok("refused")) : ok("refused"))`,
		"paste":  `navigator.clipboard ? navigator.clipboard.readText().then(() => "given", () => "refused") : "refused"`,
	} {
		if got := js(t, s, act); got != `"refused"` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// onePage says whether the page is the only one.
func onePage(t *testing.T, s *Session) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := chromiumOf(t, s)
	list, err := proto.TargetGetTargets{}.Call(c.on(ctx, ""))
	if err != nil {
		return err
	}
	pages := 0
	for _, info := range list.TargetInfos {
		if info.Type == proto.TargetTargetInfoTypePage {
			pages++
		}
	}
	if pages != 1 {
		return errManyPages(pages)
	}
	return nil
}

type errManyPages int

func (e errManyPages) Error() string { return "there are other windows than the page" }
