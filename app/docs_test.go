package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-rod/rod"

	"kurir/contract"
)

// TestTheContractIsReadAndTried is how a developer gets to know the API: /docs in a browser, every operation on it, the key
// of a sandbox instance put in, a text sent from there. Nothing is asked of another host, nothing breaks the page's policy,
// and the key is neither in an address nor kept.
func TestTheContractIsReadAndTried(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.linked("docs", "6281100000177")
	h := hand{g, openBrowser(t)}
	h.look("en", "light", 1280)
	wire := laid(t, h.page, strings.TrimPrefix(g.url, "http://"))

	h.visit("/") // nobody is signed in: the contract is open, as /openapi.yaml is
	h.visit("/docs?url=" + "https://example.com/other.yaml")
	h.see("#docs .info .title", "kurir")
	h.page.MustWait(`() => document.querySelectorAll('#docs .opblock').length > 0`)
	listed := operations(t, h.page)
	for _, want := range contractOperations(t) {
		if !slices.Contains(listed, want) {
			t.Errorf("%s is not listed", want)
		}
	}

	h.see("#docs .auth-wrapper .authorize", "Authorize").MustClick()
	h.see(".modal-ux h4", "key")
	h.page.MustElement("#api_key_value").MustInput(in.Key)
	h.page.MustElement(`.modal-ux form:has(#api_key_value) button.authorize`).MustClick()
	h.see(".modal-ux form button", "Logout")
	h.page.MustElement(".modal-ux .btn-done").MustClick()

	// The two ways to send, by the example that the contract has first, and by one's own words.
	const queued, own = "6281234567890", "6281234567871"
	for i, operation := range []struct{ id, key string }{
		{"operations-WAChatPro-waSend", `"key": "kurir_test_0123456789abcdef", `},
		{"operations-Messages-sendMessage", ""},
	} {
		block := "#" + operation.id + " "
		h.page.MustElement(block + ".opblock-summary-control").MustClick()
		h.page.MustElement(block + ".try-out__btn").MustClick()
		h.page.MustElement(block + "button.execute").MustClick()
		if status, a := h.tried(block, "QUEUED"); status != "200" || !a.Status {
			t.Errorf("%s: HTTP %s %+v", operation.id, status, a)
		}
		if got := g.inbox(queued, i+1); got[i].Body != "Halo dari kurir" {
			t.Errorf("%s: the phone received %+v", operation.id, got[i])
		}
		h.page.MustElement(block + "textarea.body-param__text").MustSelectAllText().
			MustInput(`{` + operation.key + `"phone": "0812-3456-7871", "body": "Halo dari /docs", "wait": true}`)
		h.page.MustElement(block + "button.execute").MustClick()
		if status, a := h.tried(block, "SENT"); status != "200" || !a.Status {
			t.Errorf("%s: HTTP %s %+v", operation.id, status, a)
		}
		if got := g.inbox(own, i+1); got[i].Body != "Halo dari /docs" {
			t.Errorf("%s: the phone received %+v", operation.id, got[i])
		}
	}
	if dir := os.Getenv("KURIR_SHOTS"); dir != "" { // for people to look at
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int{360, 1280} {
				h.look("id", scheme, width)
				h.page.MustScreenshot(filepath.Join(dir, fmt.Sprintf("docs-%s-%d.png", scheme, width)))
			}
		}
	}

	for _, s := range wire.look(h.page) {
		t.Error(s)
	}
	kept := h.page.MustEval(`async () => JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage},
		await indexedDB.databases(), performance.getEntriesByType('resource').map(r => r.name)])`).Str()
	if strings.Contains(kept, in.Key) || !strings.Contains(kept, g.url+"/openapi.yaml") {
		t.Errorf("kept or asked for: %s", kept)
	}
	h.page.MustReload()
	h.see("#docs .auth-wrapper .authorize.unlocked", "Authorize")

	// From the console and back.
	h.page.MustElement(".back a").MustClick()
	h.page.MustElement("#token").MustInput(adminToken)
	h.page.MustElement("form.card button").MustClick()
	h.page.MustElement("#later").MustClick()
	h.see("main a[href='/docs']", "API").MustClick()
	h.see("#docs .info .title", "kurir")
	for _, s := range wire.look(h.page) {
		t.Error(s)
	}
}

// operations are those that the page lists, as METHOD /path.
func operations(t *testing.T, page *rod.Page) []string {
	t.Helper()
	var all []string
	for _, o := range page.MustEval(`() => [...document.querySelectorAll('#docs .opblock')].map(e => e.querySelector('.opblock-summary-method').textContent + ' ' + e.querySelector('[data-path]').dataset.path)`).Arr() {
		all = append(all, o.Str())
	}
	return all
}

func contractOperations(t *testing.T) []string {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			all = append(all, method+" "+path)
		}
	}
	if len(all) < 50 {
		t.Fatalf("the contract has %d operations", len(all))
	}
	return all
}

// tried waits until the operation shows an answer with that code, and returns what it shows.
func (h hand) tried(block, code string) (status string, a answer) {
	h.t.Helper()
	live := block + ".live-responses-table .response "
	text := h.see(live+".highlight-code code", `"code": "`+code+`"`).MustText()
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		h.t.Fatalf("the page shows %q: %v", text, err)
	}
	return strings.Fields(h.page.MustElement(live + ".response-col_status").MustText())[0], a
}
