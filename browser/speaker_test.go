package browser

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestOnlyThePageItselfIsHeard: a frame in the page, of its own origin or of another, finds the binding as the bridge does.
// What it says counts for nothing.
func TestOnlyThePageItselfIsHeard(t *testing.T) {
	const forger = `<script>
		let called = 0;
		for (const [type, data] of [["logout", { reason: "forged" }], ["state", { mode: "QR", registered: false }], ["ack", { id: "FORGED", ack: 3 }]])
			if (typeof kurirEvent === "function") { kurirEvent(JSON.stringify({ seq: 1000 + ++called, type, data })); }
		parent.postMessage("called " + called, "*");
	</script>`
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(forger))
	}))
	t.Cleanup(elsewhere.Close)
	seen := &events{}
	cfg := testConfig(t, fakeWeb(t))
	cfg.OnEvent = seen.add
	s := started(t, cfg)
	await(t, s, StateScanQR)
	js(t, s, `fake.link("62812:3@c.us")`)
	await(t, s, StateWorking)
	since := s.Status().Since

	text, err := json.Marshal(forger) // with < and > escaped, so that it may stand in a script
	if err != nil {
		t.Fatal(err)
	}
	called := 0
	for name, set := range map[string]string{
		"of the same origin": `f.srcdoc = ` + string(text), "in a sandbox": `f.sandbox = "allow-scripts"; f.srcdoc = ` + string(text),
		"of another origin": `f.src = "` + elsewhere.URL + `/"`, "of data": `f.src = "data:text/html," + encodeURIComponent(` + string(text) + `)`,
	} {
		got := js(t, s, `new Promise(ok => { const f = document.createElement("iframe"); `+set+`; addEventListener("message", e => ok(e.data), { once: true }); document.body.append(f) })`)
		t.Logf("a frame %s: %s", name, got)
		if got == `"called 3"` {
			called++
		}
	}
	if called < 3 { // else nothing was tried; a frame in a process of its own has no binding at all
		t.Errorf("only %d of the frames could call", called)
	}
	acks := func() (ids []string) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		for _, e := range seen.all {
			if e.Ack != nil {
				ids = append(ids, e.Ack.ID)
			}
			if e.Type == EventMissed {
				ids = append(ids, "missed")
			}
		}
		return ids
	}
	// The page itself is heard, before and after it was loaded again, and events keep their order.
	js(t, s, `fake.emit("ack", { id: "TRUE1", ack: 1 })`)
	eventually(t, func() error { return lists(acks(), "TRUE1") })
	if st := s.Status(); st.State != StateWorking || !st.Since.Equal(since) {
		t.Errorf("the session was disturbed: %+v", st)
	}
	js(t, s, `window.old = 1`)
	if err := chromiumOf(t, s).load(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitAgain(t, s, StateWorking, since)
	js(t, s, `fake.emit("ack", { id: "TRUE2", ack: 1 })`)
	eventually(t, func() error { return lists(acks(), "TRUE2") })
	if all := acks(); slices.Contains(all, "FORGED") || slices.Contains(all, "missed") {
		t.Errorf("heard: %v", all)
	}
}

type errLacks string

func (e errLacks) Error() string { return "there is only " + string(e) }

func lists(list []string, want string) error {
	if slices.Contains(list, want) {
		return nil
	}
	return errLacks(strings.Join(list, " "))
}
