package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurir/app"
	"kurir/browser"
	"kurir/contract/verify"
	"kurir/gate/acmetest"
	"kurir/sandbox"
)

// Waits are generous: the machine is small, shared and noisy. They end as soon as what they wait for is there.
const patience = 60 * time.Second

const adminToken = "admin-token-of-the-tests"

// traffic is the contract, to which these tests hold what kurir answers and what it sends to webhooks.
var traffic *verify.Contract

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		os.Exit(runHelper())
	}
	contract, err := verify.New()
	if err != nil {
		panic(err)
	}
	traffic = contract
	httpClient.Transport = contract.Transport(httpClient.Transport)
	goleak.VerifyTestMain(m, acmetest.Leaks())
}

// gateway is a running App and what a test needs to talk to it.
type gateway struct {
	t   *testing.T
	app *app.App
	url string
	dir string
	*diary
}

// openGateway starts an App in dir with a sandbox of its own. It is closed with the test.
func openGateway(t *testing.T, dir string, change ...func(*app.Config)) *gateway {
	t.Helper()
	return openGatewayLog(t, dir, testLog(t).Handler(), change...)
}

// openGatewayLog is openGateway with the log written somewhere else.
func openGatewayLog(t *testing.T, dir string, log slog.Handler, change ...func(*app.Config)) *gateway {
	t.Helper()
	cfg, err := app.LoadConfig([]string{
		"KURIR_ADDR=127.0.0.1:0", "KURIR_SANDBOX_ADDR=127.0.0.1:0", "KURIR_DATA=" + dir, "KURIR_ADMIN_TOKEN=" + adminToken,
		"KURIR_CHROMIUM=" + os.Getenv("KURIR_CHROMIUM"),
		"KURIR_RATE_PER_MINUTE=0", // tests ask again and again
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&cfg)
	}
	d := &diary{}
	a, err := app.Open(t.Context(), cfg, slog.New(watchHandler{Handler: log, diary: d}))
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, app: a, url: a.URL(), dir: dir, diary: d}
	t.Cleanup(g.close)
	return g
}

// close ends the App as SIGTERM does. Calling it twice is harmless.
func (g *gateway) close() {
	g.t.Helper()
	if g.app == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := g.app.Close(ctx); err != nil {
		g.t.Errorf("close: %v", err)
	}
	g.app = nil
	if left := chromiumsOf(g.t, g.dir); len(left) > 0 {
		g.t.Errorf("Chromium processes left behind: %v", left)
	}
}

func (g *gateway) sandbox() *sandbox.Server {
	g.t.Helper()
	s, err := g.app.Sandbox(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

// answer is kurir's envelope.
type answer struct {
	HTTP    int             `json:"-"`
	Status  bool            `json:"status"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
	ID      string          `json:"id"`
	Data    json.RawMessage `json:"data"`
	// Complete is of /wa/messages.
	Complete *bool `json:"complete"`
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Data, v); err != nil {
		t.Fatalf("data %s: %v", a.Data, err)
	}
}

// call sends a request with the admin token; body is JSON-encoded unless it is nil or an io.Reader.
func (g *gateway) call(method, path string, body any) answer {
	g.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case io.Reader:
		r = b
	default:
		j, err := json.Marshal(b)
		if err != nil {
			g.t.Fatal(err)
		}
		r = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, r)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	return g.do(req)
}

func (g *gateway) do(req *http.Request) answer {
	g.t.Helper()
	resp, err := httpClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	a := answer{HTTP: resp.StatusCode}
	if err := json.Unmarshal(b, &a); err != nil {
		g.t.Fatalf("%s %s answered %d %s", req.Method, req.URL.Path, resp.StatusCode, b)
	}
	return a
}

// Connections are not kept, so that goleak sees only what kurir leaves. What it sends and gets is held to the contract: an
// answer that is not as the contract says is an error of the call.
var httpClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}

// wa posts to /wa/* with the fields as JSON.
func (g *gateway) wa(path string, fields map[string]any) answer {
	g.t.Helper()
	j, err := json.Marshal(fields)
	if err != nil {
		g.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, g.url+path, bytes.NewReader(j))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return g.do(req)
}

// instance is a sandbox instance and the phone that it is linked to.
type instance struct {
	ID, Key string
	Number  string
}

// newInstance makes a sandbox instance that waits for a scan.
func (g *gateway) newInstance(name string) instance {
	g.t.Helper()
	a := g.call("POST", "/v1/instances", map[string]any{"name": name, "sandbox": true})
	if !a.Status {
		g.t.Fatalf("create instance: %+v", a)
	}
	var made struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	}
	a.into(g.t, &made)
	return instance{ID: made.ID, Key: made.Key}
}

// link scans the instance's QR with a phone and waits for WORKING.
func (g *gateway) link(in *instance, spec sandbox.PhoneSpec) {
	g.t.Helper()
	if _, err := g.sandbox().CreatePhone(spec); err != nil {
		g.t.Fatal(err)
	}
	in.Number = spec.Number
	g.waitState(in.ID, "SCAN_QR_CODE")
	if err := g.sandbox().Scan(spec.Number, g.qrText(in.ID)); err != nil {
		g.t.Fatalf("scan: %v", err)
	}
	g.waitState(in.ID, "WORKING")
}

// linked makes an instance and links it.
func (g *gateway) linked(name, number string) instance {
	g.t.Helper()
	in := g.newInstance(name)
	g.link(&in, sandbox.PhoneSpec{Number: number, Name: "Toko " + name})
	return in
}

func (g *gateway) qrText(id string) string {
	g.t.Helper()
	text, ok := g.qr(id)
	if !ok {
		g.t.Fatalf("qr: %s", text)
	}
	return text
}

// head is an answer without its body.
type head struct {
	StatusCode    int
	Status, Proto string
	Header        http.Header
	ContentLength int64
	Cookies       []*http.Cookie
}

func headOf(resp *http.Response) head {
	return head{resp.StatusCode, resp.Status, resp.Proto, resp.Header, resp.ContentLength, resp.Cookies()}
}

// visit asks for a page.
func visit(t *testing.T, client *http.Client, url string) (head, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return justAsk(client, req)
}

// postForm sends a form.
func postForm(t *testing.T, client *http.Client, to string, form url.Values) (head, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return justAsk(client, req)
}

func justAsk(client *http.Client, req *http.Request) (head, error) {
	resp, err := client.Do(req)
	if err != nil {
		return head{}, err
	}
	return headOf(resp), resp.Body.Close()
}

// qr asks for the code that an instance shows; without one it is the answer's words.
func (g *gateway) qr(id string) (text string, ok bool) {
	g.t.Helper()
	req, _ := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+"/v1/instances/"+id+"/qr", nil)
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Accept", "text/plain")
	resp, err := httpClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return strings.TrimSpace(string(b)), resp.StatusCode == http.StatusOK
}

// status is what GET /v1/instances/{id} says.
type status struct {
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Reason   string    `json:"reason"`
	Phone    string    `json:"phone"`
	Pushname string    `json:"pushname"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	// Capabilities is what this WhatsApp Web can do.
	Capabilities map[string]browser.Capability `json:"capabilities"`
}

func (g *gateway) status(id string) status {
	g.t.Helper()
	var s status
	g.call("GET", "/v1/instances/"+id, nil).into(g.t, &s)
	return s
}

func (g *gateway) waitState(id string, want ...string) status {
	g.t.Helper()
	var s status
	eventually(g.t, func() string {
		s = g.status(id)
		for _, w := range want {
			if s.State == w {
				return ""
			}
		}
		return fmt.Sprintf("instance %s is %s (%s), not %v", id, s.State, s.Reason, want)
	})
	return s
}

// inbox waits until the phone has n messages and returns them.
func (g *gateway) inbox(number string, n int) []sandbox.Received {
	g.t.Helper()
	return waitInbox(g.t, g.sandbox(), number, n)
}

// eventually polls until check returns "" and fails with its last words when patience ends.
func eventually(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		words := check()
		if words == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s", patience, words)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(words)
		}
	}
}

// chromiumsOf lists the pids of the Chromium processes whose command line names a folder below dir.
func chromiumsOf(t *testing.T, dir string) []int {
	t.Helper()
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		b, err := os.ReadFile(e) //nolint:gosec // a file whose name the test itself made or knows
		if err != nil || !bytes.Contains(b, []byte(abs)) || !bytes.Contains(b, []byte("--user-data-dir")) {
			continue // ended meanwhile, or not ours
		}
		var pid int
		if _, err := fmt.Sscanf(e, "/proc/%d/cmdline", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// testLog writes kurir's log into the test's output, shown when it fails.
func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func phoneSpec(number string) sandbox.PhoneSpec {
	return sandbox.PhoneSpec{Number: number, Name: "Toko " + number[len(number)-3:]}
}
