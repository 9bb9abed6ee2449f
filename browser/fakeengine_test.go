package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeEngine is a Chromium and its page in memory.
type fakeEngine struct {
	emit    func(signal)
	set     fakeSet // how it behaves
	loading func()  // takes time before a load; nil = none

	mu     sync.Mutex
	seq    int
	state  pageState
	loads  int
	asked  map[string]int
	used   int64 // bytes of memory
	left   int   // entries that are not on disk
	frozen bool
	hangs  string    // the method that is not answered
	sends  *rawError // the answer to the next send; nil: an ack
	args   any       // of the last send
	end    string    // "closed", "killed" or ""
}

// fakeSet is the behaviour of the engines that a session opens.
type fakeSet struct {
	openErr, loadErr error
	silent           bool      // the page never says anything
	bridgeless       bool      // the page has no bridge
	state            pageState // at each load
	left             int
	holds            map[string]Presence // what a look finds
}

func (e *fakeEngine) load(ctx context.Context) error {
	if e.loading != nil {
		e.loading()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loads++
	if e.set.loadErr != nil {
		return e.set.loadErr
	}
	if e.set.bridgeless {
		e.emit(signal{kind: signalDocument, text: "https://web.whatsapp.com/"})
		return nil
	}
	e.seq, e.state = 0, e.set.state
	e.emit(signal{kind: signalDocument, text: "https://web.whatsapp.com/"})
	if !e.set.silent {
		e.tellLocked("state", e.state)
	}
	if e.state.Socket == "UNPAIRED" {
		e.tellLocked("qr", map[string]any{"text": "ref", "ttl_ms": 60_000})
	}
	return nil
}

func (e *fakeEngine) tell(kind string, data any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s, ok := data.(pageState); ok {
		e.state = s
	}
	e.tellLocked(kind, data)
}

func (e *fakeEngine) tellLocked(kind string, data any) {
	e.seq++
	b, _ := json.Marshal(data)
	payload, _ := json.Marshal(bridgeEvent{Seq: e.seq, Type: kind, Data: b})
	e.emit(signal{kind: signalEvent, text: string(payload)})
}

func (e *fakeEngine) call(ctx context.Context, method string, args any) (raw, error) {
	e.mu.Lock()
	e.asked[method]++
	frozen, state, seq, holds := e.frozen || e.hangs == method, e.state, e.seq, e.set.holds
	var failed *rawError
	if method == "send" {
		failed, e.sends, e.args = e.sends, nil, args
	}
	e.mu.Unlock()
	if frozen || method == "hang" || strings.Contains(fmt.Sprint(args), "hang") {
		<-ctx.Done()
		return raw{}, ctx.Err()
	}
	if e.set.bridgeless {
		return raw{}, errNoBridge
	}
	if failed != nil {
		return raw{Error: failed}, nil
	}
	var v any = struct{}{}
	switch method {
	case "state":
		v = state
	case "ping":
		v = map[string]any{"stream": state.Stream, "seq": seq}
	case "probe":
		v = map[string]Capability{capabilitySend: {OK: true}}
	case "reach":
		v = map[string]any{"stream": state.Stream, "answered": true, "ms": 7}
	case "lookup":
		v = holds
	case "send":
		v = Sent{Ack: 1}
	}
	b, _ := json.Marshal(v)
	return raw{OK: b}, nil
}

func (e *fakeEngine) hand(context.Context, string, string) (func(), error) { return func() {}, nil }
func (e *fakeEngine) save(context.Context, string, string) (string, error) {
	return "", errNoBridge
}
func (e *fakeEngine) baseline(context.Context) error { return nil }

func (e *fakeEngine) unsaved(context.Context) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.left, nil
}

func (e *fakeEngine) memory(context.Context) (int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.used, nil
}

func (e *fakeEngine) close(context.Context) error { e.stop("closed"); return nil }
func (e *fakeEngine) kill()                       { e.stop("killed") }

func (e *fakeEngine) stop(how string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.end == "" {
		e.end = how
		e.emit(signal{kind: signalExit})
	}
}

func (e *fakeEngine) count(method string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[method]
}

// loaded is how often the page was loaded.
func (e *fakeEngine) loaded() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.loads
}

// fail has the next send answered with an error.
func (e *fakeEngine) fail(answer *rawError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sends = answer
}

// hang has calls of a method wait for ever; "" ends that for calls to come.
func (e *fakeEngine) hang(method string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hangs = method
}

// lastArgs are the arguments of the last send, as JSON.
func (e *fakeEngine) lastArgs() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, _ := json.Marshal(e.args)
	return string(b)
}

func (e *fakeEngine) ending() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.end
}

func (e *fakeEngine) freeze() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.frozen = true
}

// machine is a session over fake engines, in a synctest bubble.
type machine struct {
	*Session
	t       *testing.T
	mu      sync.Mutex
	set     fakeSet
	engines []*fakeEngine
}

// states of the page
var (
	atQR   = pageState{Mode: "QR", Socket: "UNPAIRED", Stream: "DISCONNECTED"}
	atSync = pageState{Mode: "SYNCING", Socket: "CONNECTED", Stream: "SYNCING", Registered: true, WID: "62812:7@c.us"}
	atMain = pageState{Mode: "MAIN", Socket: "CONNECTED", Stream: "CONNECTED", Registered: true, Synced: true, WID: "62812:7@c.us", LID: "5@lid"}
)

func with(p pageState, change func(*pageState)) pageState { change(&p); return p }

// inMachine runs a test over a started session whose pages begin as set says.
func inMachine(t *testing.T, set fakeSet, test func(m *machine)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t, set: set}
		m.Session = New(Config{ProfileDir: dir, URL: "https://web.whatsapp.com/", Log: slog.New(slog.DiscardHandler)})
		m.open = m.engineFor
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := m.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			if st := m.Status(); st.State != StateStopped {
				t.Errorf("after Stop: %+v", st)
			}
		}()
		synctest.Wait()
		test(m)
	})
}

func (m *machine) engineFor(_ context.Context, emit func(signal)) (engine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set.openErr != nil {
		return nil, m.set.openErr
	}
	e := &fakeEngine{emit: emit, set: m.set, left: m.set.left, asked: map[string]int{}}
	m.engines = append(m.engines, e)
	return e, nil
}

func (m *machine) change(change func(*fakeSet)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.set)
}

func (m *machine) engine() *fakeEngine {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.engines[len(m.engines)-1]
}

func (m *machine) launches() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.engines)
}

// want waits d of the bubble's time and checks the state and a part of its reason.
func (m *machine) want(d time.Duration, state State, reason string) {
	m.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if st := m.Status(); st.State != state || !strings.Contains(st.Reason, reason) {
		m.t.Fatalf("state %s (%s), want %s (…%s…)", st.State, st.Reason, state, reason)
	}
}

func (m *machine) send(body string) error {
	_, err := m.Send(context.Background(), Outgoing{Kind: KindText, Body: body})
	return err
}
