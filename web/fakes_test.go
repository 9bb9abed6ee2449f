package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"kurir/browser"
	"kurir/gate"
	"kurir/models"
	"kurir/models/modelstest"
	"kurir/password"
	"kurir/problem"
)

const goodToken = "kurir_admin_of_the_tests" //nolint:gosec // a secret of the tests and of nobody

// hasher is one for all tests, as in a process.
var hasher = password.New() //nolint:gochecknoglobals // of the tests

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeInstances are instances without browsers.
type fakeInstances struct {
	mu    sync.Mutex
	views []View
	codes map[string]browser.QR
	subs  map[chan string]bool
	done  []string // actions, for example "stop inst_1"
	fail  error    // of the next actions and pairing codes
}

func newFakeInstances(views ...View) *fakeInstances {
	return &fakeInstances{views: views, codes: map[string]browser.QR{}, subs: map[chan string]bool{}}
}

func (f *fakeInstances) List(context.Context) ([]View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.views), nil
}

func (f *fakeInstances) Get(_ context.Context, id string) (View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.views {
		if v.ID == id {
			return v, nil
		}
	}
	return View{}, problem.New(problem.NotFound, "")
}

func (f *fakeInstances) QR(id string) (browser.QR, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	qr, ok := f.codes[id]
	return qr, ok
}

func (f *fakeInstances) PairingCode(_ context.Context, id, phone string) (string, error) {
	if err := f.do("pair " + id + " " + phone); err != nil {
		return "", err
	}
	return "ABCD-EFGH", nil
}

func (f *fakeInstances) Create(_ context.Context, name string, sandbox bool) (View, string, error) {
	if err := f.do("create " + name); err != nil {
		return View{}, "", err
	}
	v := View{ID: "inst_new", Name: name, Sandbox: sandbox, Status: browser.Status{State: browser.StateStarting}}
	f.mu.Lock()
	f.views = append(f.views, v)
	f.mu.Unlock()
	f.tell(v.ID)
	return v, "kurir_test_secretkey", nil
}

func (f *fakeInstances) Start(_ context.Context, id string) error   { return f.do("start " + id) }
func (f *fakeInstances) Stop(_ context.Context, id string) error    { return f.do("stop " + id) }
func (f *fakeInstances) Restart(_ context.Context, id string) error { return f.do("restart " + id) }
func (f *fakeInstances) Logout(_ context.Context, id string) error  { return f.do("logout " + id) }
func (f *fakeInstances) Delete(_ context.Context, id string) error {
	if err := f.do("delete " + id); err != nil {
		return err
	}
	f.mu.Lock()
	f.views = slices.DeleteFunc(f.views, func(v View) bool { return v.ID == id })
	f.mu.Unlock()
	f.tell(id)
	return nil
}

func (f *fakeInstances) do(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, what)
	return f.fail
}

func (f *fakeInstances) failWith(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

func (f *fakeInstances) actions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done)
}

func (f *fakeInstances) Subscribe() (<-chan string, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := make(chan string, 16)
	f.subs[ch] = true
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs, ch)
	}
}

func (f *fakeInstances) subscribers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs)
}

func (f *fakeInstances) tell(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.subs {
		select {
		case ch <- id:
		default:
		}
	}
}

// become changes the status of an instance and tells.
func (f *fakeInstances) become(id string, s browser.Status) {
	f.mu.Lock()
	for i := range f.views {
		if f.views[i].ID == id {
			f.views[i].Status = s
		}
	}
	f.mu.Unlock()
	f.tell(id)
}

// showQR gives an instance a code and tells.
func (f *fakeInstances) showQR(id, text string, life time.Duration) {
	f.mu.Lock()
	f.codes[id] = browser.QR{Text: text, Expires: time.Now().Add(life)}
	f.mu.Unlock()
	f.tell(id)
}

// openDB is a database of the test's own: people and sessions are too much to fake.
// sessions are all of the database.
func (d *desk) sessions() (all []models.ConsoleSession) {
	d.t.Helper()
	d.sql(func(tx *gorm.DB) error { return tx.Find(&all).Error })
	return all
}

func (d *desk) sql(fn func(tx *gorm.DB) error) {
	d.t.Helper()
	if err := d.db.Write(d.t.Context(), fn); err != nil {
		d.t.Fatal(err)
	}
}

// lines are the audit log as "actor action target code", without ids.
func (d *desk) lines() []string {
	d.t.Helper()
	all, err := d.db.Audit(d.t.Context(), "", 0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	ids := regexp.MustCompile(`usr_[0-9A-Z]+ ?`)
	out := make([]string, len(all))
	for i, a := range all {
		if a.IP != "127.0.0.1" || a.Time.IsZero() {
			d.t.Errorf("line %+v", a)
		}
		words := []string{a.Actor, a.Action, a.InstanceID, strings.TrimSpace(ids.ReplaceAllString(a.Target, "")), a.Code}
		out[i] = strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
	}
	return out
}

type fakeSimulator struct{ scan func(id string) error }

func (f fakeSimulator) Scan(_ context.Context, id string) error { return f.scan(id) }

// desk is a console under test and a browser-like client of it.
type desk struct {
	t         *testing.T
	instances *fakeInstances
	phones    *fakePhones
	db        *models.DB
	console   *Console
	gate      *gate.Handler
	server    *httptest.Server
	client    *http.Client
}

func newDesk(t *testing.T, views ...View) *desk {
	t.Helper()
	d := &desk{
		t: t, instances: newFakeInstances(views...), phones: newFakePhones(), db: modelstest.Open(t, models.Config{}),
	}
	d.console = New(Deps{
		Instances: d.instances, Keys: d.db, Sessions: d.db, People: d.db, Passwords: hasher, Audit: d.db, CheckAdmin: func(s string) bool { return s == goodToken },
		AdminPrint: "print of " + goodToken,
		Simulator:  fakeSimulator{func(id string) error { return d.instances.do("scan " + id) }},
		Phones:     d.phones,
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	d.gate = &gate.Handler{Next: d.console, Limits: gate.Limits{}.WithDefaults()}
	d.server = httptest.NewServer(d.gate)
	d.client = newBrowser(t)
	t.Cleanup(func() {
		d.console.Close()
		d.server.Close()
		d.client.CloseIdleConnections()
	})
	return d
}

// newBrowser is an HTTP client with cookies of its own.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{
		Jar: jar, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// elsewhere is the same console seen from another browser.
func (d *desk) elsewhere() *desk {
	d.t.Helper()
	other := *d
	other.client = newBrowser(d.t)
	return &other
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	text string
}

func (d *desk) do(method, path string, form url.Values, header ...string) answer {
	d.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{resp, string(b)}
}

func (d *desk) get(path string, header ...string) answer {
	d.t.Helper()
	return d.do("GET", path, nil, header...)
}

func (d *desk) post(path string, form url.Values, header ...string) answer {
	d.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	return d.do("POST", path, form, header...)
}

func (d *desk) signIn() *desk {
	d.t.Helper()
	if a := d.post("/login", url.Values{"token": {goodToken}}); a.StatusCode != http.StatusSeeOther {
		d.t.Fatalf("sign in: %d %s", a.StatusCode, a.text)
	}
	return d
}

// waitFor polls until ok or a generous deadline.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}
