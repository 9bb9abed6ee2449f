package handlers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurir/browser"
	"kurir/contract/verify"
	"kurir/fetch"
	"kurir/models"
	"kurir/outbox"
	"kurir/problem"
)

// traffic is the contract, around every server of these tests.
var traffic *verify.Contract

func TestMain(m *testing.M) {
	var err error
	if traffic, err = verify.New(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(wholeRun{m})
}

// wholeRun holds the tests of this package to the catalogue of errors: together they have met every code that is not
// produced elsewhere (contract/verify/codes.go). Of a run of some of them nothing is asked.
type wholeRun struct{ *testing.M }

// Run implements goleak.TestingM.
func (w wholeRun) Run() int {
	failed := w.M.Run()
	if failed != 0 {
		return failed
	}
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return failed
		}
	}
	seen := traffic.Seen()
	for code := range problem.Catalog {
		_, elsewhere := verify.Elsewhere()[code]
		switch here := slices.Contains(seen, code); {
		case !here && !elsewhere:
			fmt.Fprintf(os.Stderr, "no test of handlers is answered %s\n", code)
			failed = 1
		case here && elsewhere:
			fmt.Fprintf(os.Stderr, "%s is answered here: take it out of contract/verify/codes.go\n", code)
			failed = 1
		}
	}
	return failed
}

const (
	goodKey    = "kurir_test_0123456789abcdef"
	otherKey   = "kurir_test_of_another_instance"
	adminToken = "admin-token-of-the-tests"
)

// fakeInstances is a set of instances whose states the test sets.
type fakeInstances struct {
	mu      sync.Mutex
	all     []models.Instance
	status  map[string]browser.Status
	qr      browser.QR
	reader  fakeReader
	calls   []string // what was done to which instance
	err     error    // of what is done
	created CreateInstance
}

func (f *fakeInstances) do(what, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, what+" "+id)
	if f.err != nil {
		return f.err
	}
	if !slices.ContainsFunc(f.all, func(in models.Instance) bool { return in.ID == id }) {
		return problem.New(problem.NotFound, "instance "+id)
	}
	return nil
}

func (f *fakeInstances) Create(_ context.Context, want CreateInstance) (models.Instance, string, error) {
	f.created = want
	if f.err != nil {
		return models.Instance{}, "", f.err
	}
	if want.Name == "taken" {
		return models.Instance{}, "", problem.New(problem.InstanceExists, `name "taken"`)
	}
	in := models.Instance{ID: "inst_new", Name: want.Name, Sandbox: want.Sandbox, Region: "ID"}
	if want.Name == "broken" {
		return in, "kurir_live_new", problem.New(problem.Unavailable, "")
	}
	return in, "kurir_live_new", nil
}

func (f *fakeInstances) List(context.Context) ([]models.Instance, error) { return f.all, f.err }

func (f *fakeInstances) Get(_ context.Context, id string) (models.Instance, error) {
	for _, in := range f.all {
		if in.ID == id {
			return in, nil
		}
	}
	return models.Instance{}, problem.New(problem.NotFound, "instance "+id)
}

func (f *fakeInstances) Start(_ context.Context, id string) error   { return f.do("start", id) }
func (f *fakeInstances) Stop(_ context.Context, id string) error    { return f.do("stop", id) }
func (f *fakeInstances) Restart(_ context.Context, id string) error { return f.do("restart", id) }
func (f *fakeInstances) Logout(_ context.Context, id string) error  { return f.do("logout", id) }
func (f *fakeInstances) Delete(_ context.Context, id string) error  { return f.do("delete", id) }

func (f *fakeInstances) Update(_ context.Context, id string, change UpdateInstance) (models.Instance, error) {
	if err := f.do("update", id); err != nil {
		return models.Instance{}, err
	}
	for i := range f.all {
		in := &f.all[i]
		if in.ID != id {
			continue
		}
		if change.Name != nil {
			in.Name = *change.Name
		}
		if change.Pacing != nil {
			in.Pacing = *change.Pacing
		}
		return *in, nil
	}
	return models.Instance{}, nil
}

func (f *fakeInstances) Status(id string) browser.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if st, ok := f.status[id]; ok {
		return st
	}
	return browser.Status{State: browser.StateStopped}
}

func (f *fakeInstances) QR(string) (browser.QR, bool) { return f.qr, f.qr.Text != "" }

func (f *fakeInstances) PairingCode(_ context.Context, id, phone string) (string, error) {
	return "ABCD1234", f.do("pair "+phone, id)
}

func (f *fakeInstances) Reader(id string) (Reader, error) {
	if f.Status(id).State == browser.StateStopped {
		return nil, problem.New(problem.InstanceNotReady, string(browser.StateStopped))
	}
	return &f.reader, nil
}

// fakeReader has the lists that the test gives it and notes what it was asked for.
type fakeReader struct {
	chats    []browser.Chat
	messages []browser.Message
	contacts []browser.Contact
	err      error
	chat     string
	limit    int
	which    browser.Range
	complete bool
}

func (r *fakeReader) Chats(_ context.Context, limit int) ([]browser.Chat, error) {
	r.limit = limit
	return r.chats, r.err
}

func (r *fakeReader) History(_ context.Context, chat string, which browser.Range) (browser.Page, error) {
	r.chat, r.limit, r.which = chat, which.Limit, which
	return browser.Page{Messages: r.messages, Complete: r.complete}, r.err
}

func (r *fakeReader) Contacts(context.Context) ([]browser.Contact, error) { return r.contacts, r.err }

// fakeOutbox settles what is waited for as the test says.
type fakeOutbox struct {
	db     *fakeDB
	mu     sync.Mutex
	woken  []string // instances of what was accepted
	ended  []string // files of what was cancelled
	place  outbox.Place
	pace   *outbox.PaceState     // of inst_1
	settle func(*models.Message) // nil: nothing happens until the caller's time ends
	waited time.Duration
}

func (o *fakeOutbox) Accepted(_ context.Context, m models.Message) outbox.Place {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.woken = append(o.woken, m.InstanceID)
	return o.place
}

func (o *fakeOutbox) AcceptedAll(ctx context.Context, list []models.Message) {
	for _, m := range list {
		o.Accepted(ctx, m)
	}
}

func (o *fakeOutbox) Ended(m models.Message, file string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = append(o.ended, m.ID+":"+file)
}

func (o *fakeOutbox) PaceState(id string) (outbox.PaceState, bool) {
	if o.pace == nil || id != "inst_1" {
		return outbox.PaceState{}, false
	}
	return *o.pace, true
}

func (o *fakeOutbox) Wait(ctx context.Context, id string) (models.Message, error) {
	deadline, _ := ctx.Deadline()
	o.waited = time.Until(deadline)
	m, err := o.db.MessageByID(ctx, id)
	if err != nil || o.settle == nil {
		return m, errors.Join(err, context.DeadlineExceeded)
	}
	o.settle(&m)
	return m, nil
}

// held puts the contract around a server that was made of d.
func held(t testing.TB, d Deps, server http.Handler) http.Handler {
	if d.WAAlways200 {
		return traffic.Always200().Handler(t, server)
	}
	return traffic.Handler(t, server)
}

// world is everything around the handlers.
type world struct {
	db        *fakeDB
	instances *fakeInstances
	outbox    *fakeOutbox
	dir       string
	deps      Deps
	handler   http.Handler
}

// newWorld has two instances, both WORKING, with a key each.
func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{
		db: &fakeDB{keys: map[string]models.APIKey{
			goodKey:  {ID: "key_1", InstanceID: "inst_1", Rights: models.Rights{Scopes: models.DefaultScopes()}},
			otherKey: {ID: "key_2", InstanceID: "inst_2", Rights: models.Rights{Scopes: models.DefaultScopes()}},
		}},
		instances: &fakeInstances{
			all: []models.Instance{{ID: "inst_1", Name: "toko", Region: "ID", TimeZone: "Asia/Jakarta"}, {ID: "inst_2", Name: "us", Region: "US", Phone: "12025550123"}},
			status: map[string]browser.Status{
				"inst_1": {State: browser.StateWorking, Phone: "6281100001234", Pushname: "Toko", WAVersion: "2.3000.1"},
			},
		},
		dir: t.TempDir(),
	}
	w.outbox = &fakeOutbox{db: w.db}
	w.deps = Deps{
		DB: w.db, Instances: w.instances, Outbox: w.outbox, CheckAdmin: func(token string) bool { return token == adminToken },
		FilesDir: w.dir, MaxFileBytes: 100_000, Region: "ID", Log: slog.New(slog.DiscardHandler),
		Fetch: fetch.New(fetch.Config{}),
	}
	for _, f := range change {
		f(w)
	}
	if w.deps.Media == nil {
		w.deps.Media = &fakeMedia{w: w}
	}
	w.handler = held(t, w.deps, New(w.deps))
	return w
}
