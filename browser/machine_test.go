package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kurir/problem"
)

// fakeEngine is a Chromium and its page in memory.
type fakeEngine struct {
	emit func(signal)
	set  fakeSet // how it behaves

	mu     sync.Mutex
	seq    int
	state  pageState
	loads  int
	asked  map[string]int
	left   int // entries that are not on disk
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
	state            pageState // at each load
	left             int
	holds            map[string]Presence // what a look finds
}

func (e *fakeEngine) load(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loads++
	if e.set.loadErr != nil {
		return e.set.loadErr
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
func (e *fakeEngine) baseline(context.Context) error                       { return nil }
func (e *fakeEngine) save(context.Context, string, string) (string, error) {
	return "", errNoBridge
}

func (e *fakeEngine) unsaved(context.Context) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.left, nil
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

func TestFromQRToWorking(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: with(atQR, func(p *pageState) { p.Socket = "PAIRING" }), left: 2}, func(m *machine) {
		m.want(0, StateStarting, "waiting for WhatsApp's QR code")
		m.engine().tell("qr", map[string]any{"text": "a,b,c,d,e", "ttl_ms": 20_000})
		m.want(0, StateScanQR, "")
		if qr, ok := m.QR(); !ok || qr.Text != "a,b,c,d,e" || time.Until(qr.Expires) != 20*time.Second {
			m.t.Errorf("QR %+v %v", qr, ok)
		}
		if code := problem.CodeOf(m.send("x")); code != problem.InstanceNotReady || m.engine().count("send") != 0 {
			m.t.Errorf("send at the QR code: %s", code)
		}
		m.want(20*time.Second, StateScanQR, "")
		if _, ok := m.QR(); ok {
			m.t.Error("an expired code is shown")
		}
		m.engine().tell("state", with(atQR, func(p *pageState) { p.Passkey = true }))
		m.want(0, StatePasskeyRequired, "passkey")
		m.engine().tell("state", atSync)
		m.want(0, StateSyncing, "loading the chats")
		m.engine().tell("state", atMain)
		m.want(time.Second, StateSyncing, "saving the link")
		m.engine().mu.Lock()
		m.engine().left = 0
		m.engine().mu.Unlock()
		m.want(200*time.Millisecond, StateWorking, "")
		if st := m.Status(); st.Phone != "62812" || st.LID != "5@lid" || !st.Capabilities[capabilitySend].OK {
			m.t.Errorf("status %+v", st)
		}
		if err := m.send("x"); err != nil {
			m.t.Error(err)
		}
	})
}

func TestALinkThatCannotBeProvenIsSavedByClosing(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atQR, left: 1}, func(m *machine) {
		m.want(0, StateScanQR, "")
		m.change(func(s *fakeSet) { s.state = atMain })
		m.engine().tell("state", atMain)
		m.want(m.timing.saveLimit-time.Second, StateSyncing, "saving the link")
		first := m.engine()
		m.want(2*time.Second, StateWorking, "")
		if first.ending() != "closed" || m.launches() != 2 {
			m.t.Errorf("first Chromium %q, %d launches", first.ending(), m.launches())
		}
	})
}

func TestDegraded(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: with(atMain, func(p *pageState) { p.Stream = "RESUMING" })}, func(m *machine) {
		m.want(0, StateSyncing, "connecting")
		m.engine().tell("state", atMain)
		m.want(0, StateWorking, "")
		gone := with(atMain, func(p *pageState) { p.Stream, p.Socket = "DISCONNECTED", "OPENING" })
		m.engine().tell("state", gone)
		m.want(m.timing.grace-time.Millisecond, StateWorking, "")
		m.want(time.Millisecond, StateDegraded, "stream DISCONNECTED")
		if code := problem.CodeOf(m.send("x")); code != problem.InstanceNotReady {
			m.t.Errorf("send without a connection: %s", code)
		}
		if _, err := m.Messages(m.t.Context(), "1@c.us", 1); err != nil && problem.CodeOf(err) != problem.PageError {
			m.t.Errorf("reads go on: %v", err)
		}
		m.engine().tell("state", atMain)
		m.want(0, StateWorking, "")
		m.engine().tell("state", with(gone, func(p *pageState) { p.Mode = "CONFLICT" }))
		m.want(m.timing.grace, StateDegraded, "another one that uses the same link")
		m.engine().tell("state", with(gone, func(p *pageState) { p.Mode = "TOS_BLOCK" }))
		m.want(0, StateFailed, "terms of service")
	})
}

// TestReplaced: a page whose connection WhatsApp has given to another one looks for no new one. It is loaded again,
// each time after a longer while.
func TestReplaced(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		e := m.engine()
		for i, wait := range []time.Duration{m.timing.takeback, 2 * m.timing.takeback, 4 * m.timing.takeback} {
			e.tell("state", with(atMain, func(p *pageState) { p.Stream = "DISCONNECTED" }))
			m.want(wait-time.Millisecond, StateDegraded, "another one that uses the same link")
			if e.loaded() != i+1 {
				m.t.Fatalf("%d loads before the time", e.loaded())
			}
			m.want(time.Millisecond, StateWorking, "")
			if e.loaded() != i+2 {
				m.t.Fatalf("%d loads", e.loaded())
			}
		}
	})
}

// TestStuckSend: a send that only the end of the document ends is not given up before that end.
func TestStuckSend(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		e := m.engine()
		e.fail(&rawError{Code: "SEND_TIMEOUT", Message: "no message appeared in time", Reload: true})
		if err := m.send("x"); problem.CodeOf(err) != problem.SendTimeout {
			m.t.Error(err)
		}
		if _, err := m.Lookup(m.t.Context(), "1@c.us", nil); problem.CodeOf(err) != problem.InstanceNotReady && e.loaded() != 2 {
			m.t.Errorf("the old document is asked: %v", err)
		}
		m.want(0, StateWorking, "")
		if e.loaded() != 2 {
			m.t.Errorf("%d loads", e.loaded())
		}
	})
}

func TestFrozenPageIsKilled(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		m.want(time.Minute, StateWorking, "")
		if n := m.engine().count("ping"); n != 6 {
			m.t.Errorf("%d heartbeats in a minute", n)
		}
		frozen := m.engine()
		frozen.freeze()
		lost := make(chan error, 1)
		begin := time.Now()
		go func() { lost <- m.send("x") }()
		err := <-lost
		if took := time.Since(begin); problem.CodeOf(err) != problem.SessionLost || took > 30*time.Second {
			m.t.Errorf("a send into a frozen page: %v after %s", err, took)
		}
		m.want(time.Second, StateWorking, "")
		if frozen.ending() != "killed" || m.launches() != 2 {
			m.t.Errorf("%q, %d launches", frozen.ending(), m.launches())
		}
	})
}

func TestABusyPageGetsMoreTime(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atSync}, func(m *machine) {
		busy := m.engine()
		busy.freeze()
		m.want(55*time.Second, StateSyncing, "")
		if busy.ending() != "" {
			m.t.Error("killed while it loads the chats")
		}
		time.Sleep(30 * time.Second)
		if busy.ending() != "killed" {
			m.t.Error("not killed after a minute without an answer")
		}
	})
}

func TestOneMissedHeartbeatIsForgiven(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		m.engine().freeze()
		m.want(19500*time.Millisecond, StateWorking, "") // sent at 10 s, missed at 19
		m.engine().mu.Lock()
		m.engine().frozen = false
		m.engine().mu.Unlock()
		m.want(time.Minute, StateWorking, "")
		if m.launches() != 1 {
			m.t.Errorf("%d launches", m.launches())
		}
	})
}

func TestCrashes(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		first := m.engine()
		crash := func() {
			lost := make(chan error, 1)
			go func() { lost <- m.send("hang") }()
			synctest.Wait()
			first.emit(signal{kind: signalCrash})
			if err := <-lost; problem.CodeOf(err) != problem.SessionLost {
				m.t.Errorf("a send during a crash: %v", err)
			}
		}
		crash()
		m.want(0, StateWorking, "")
		if first.loads != 2 || m.launches() != 1 {
			m.t.Errorf("after one crash: %d loads, %d launches", first.loads, m.launches())
		}
		time.Sleep(m.timing.crashes) // long ago does not count
		crash()
		m.want(0, StateWorking, "")
		if first.loads != 3 || m.launches() != 1 {
			m.t.Errorf("after another one later: %d loads, %d launches", first.loads, m.launches())
		}
		crash()
		m.want(0, StateStarting, "crashed twice")
		m.want(m.timing.backoffMin, StateWorking, "")
		if first.ending() != "closed" || m.launches() != 2 {
			m.t.Errorf("after two: %q, %d launches", first.ending(), m.launches())
		}
	})
}

func TestFailedStartsAreRetried(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{openErr: errors.New("no such binary")}, func(m *machine) {
		m.want(0, StateFailed, "no such binary")
		m.want(10*time.Minute, StateFailed, "no such binary")
		m.change(func(s *fakeSet) { s.openErr, s.loadErr = nil, errors.New("net::ERR_NAME_NOT_RESOLVED") })
		m.want(2*m.timing.backoffMax, StateFailed, "ERR_NAME_NOT_RESOLVED")
		m.change(func(s *fakeSet) { s.loadErr, s.silent, s.state = nil, true, atMain })
		m.want(m.timing.load+2*m.timing.backoffMax, StateStarting, "loading")
		m.change(func(s *fakeSet) { s.silent = false })
		m.want(m.timing.load+2*m.timing.backoffMax, StateWorking, "")
		m.want(m.timing.stable, StateWorking, "")
		last := m.engine()
		last.stop("exit")
		m.want(m.timing.backoffMin, StateWorking, "") // it was up for long: the retry is fast
	})
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	t.Parallel()
	r := &run{Session: New(Config{})}
	for n, limits := range map[int][2]time.Duration{
		1: {100 * time.Millisecond, 100 * time.Millisecond}, 2: {500 * time.Millisecond, time.Second},
		4: {2 * time.Second, 4 * time.Second}, 50: {30 * time.Second, time.Minute},
	} {
		for range 100 {
			if d := r.backoff(n); d < limits[0] || d > limits[1] {
				t.Errorf("backoff(%d) = %s", n, d)
			}
		}
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		first := m.engine()
		first.tell("logout", map[string]string{"reason": "device_removed"})
		m.want(0, StateLoggedOut, "device_removed")
		if first.ending() != "" {
			m.t.Error("Chromium was closed before the page had cleared its credentials")
		}
		first.emit(signal{kind: signalDocument, text: "https://web.whatsapp.com/?post_logout=1&logout_reason=3"})
		m.want(time.Hour, StateLoggedOut, "device_removed")
		if first.ending() != "closed" || m.launches() != 1 {
			m.t.Errorf("%q, %d launches", first.ending(), m.launches())
		}
		m.change(func(s *fakeSet) { s.state = atQR })
		if err := m.Start(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		m.want(time.Millisecond, StateScanQR, "")

		m.engine().tell("state", atMain)
		m.want(time.Second, StateWorking, "")
		m.engine().tell("logout", map[string]string{}) // and no navigation ever
		m.want(m.timing.logout, StateLoggedOut, "unknown")
		if m.engine().ending() != "closed" {
			m.t.Error("Chromium runs on")
		}
	})
}

// A page that is lost during a logout and comes back linked was not logged out.
func TestLogoutThatFails(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		m.engine().freeze()
		done := make(chan error, 1)
		go func() { done <- m.Logout(m.t.Context()) }()
		synctest.Wait()
		m.engine().mu.Lock()
		m.engine().frozen = false
		m.engine().mu.Unlock()
		time.Sleep(time.Second)
		m.engine().emit(signal{kind: signalCrash})
		if err := <-done; problem.CodeOf(err) != problem.SessionLost {
			m.t.Errorf("logout: %v", err)
		}
		m.want(0, StateWorking, "")
	})
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		e := m.engine()
		e.emit(signal{kind: signalDocument, text: "https://faq.whatsapp.com/"})
		m.want(0, StateStarting, "loading")
		m.want(m.timing.retry, StateWorking, "")
		if e.loads != 2 {
			m.t.Errorf("%d loads", e.loads)
		}
		if err := e.load(m.t.Context()); err != nil { // the page reloads itself
			m.t.Fatal(err)
		}
		m.want(0, StateWorking, "")

		asked := e.count("state")
		e.mu.Lock()
		e.seq += 3
		e.state.Pushname = "New"
		e.mu.Unlock()
		e.tell("ack", Ack{ID: "3EB0", Ack: 2})
		m.want(0, StateWorking, "")
		if e.count("state") != asked+1 || m.Status().Pushname != "New" {
			m.t.Errorf("after a gap: %d questions, %+v", e.count("state")-asked, m.Status())
		}
		e.mu.Lock()
		e.state.Stream, e.state.Socket = "DISCONNECTED", "OPENING" // and its event was lost
		e.mu.Unlock()
		m.want(2*m.timing.heartbeat, StateDegraded, "")
	})
}

func TestStopDuringLaunchAndOthers(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		if err := m.Stop(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		if code := problem.CodeOf(m.send("x")); code != problem.InstanceNotReady {
			m.t.Error(code)
		}
		// The place among the starting sessions is taken: this one waits, and can be stopped while it does.
		m.cfg.Launches = make(chan struct{}, 1)
		m.cfg.Launches <- struct{}{}
		if err := m.Start(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		m.want(time.Hour, StateStarting, "")
		if m.launches() != 1 {
			m.t.Errorf("%d launches", m.launches())
		}
		<-m.cfg.Launches
		m.want(0, StateWorking, "")
		if len(m.cfg.Launches) != 0 {
			m.t.Error("the place was not given back")
		}
		m.cfg.Launches <- struct{}{}
		if err := m.Restart(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		m.want(time.Second, StateStarting, "")
		if err := m.Start(m.t.Context()); err != nil { // idempotent
			m.t.Fatal(err)
		}
	})
}

func TestProfileInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := openProfile(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openProfile(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "in use by another kurir (process ") {
		t.Errorf("second owner: %v", err)
	}
	p.release()
	p, err = openProfile(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.release()
}

func TestEventsComeInOrderAndEndWithStopped(t *testing.T) {
	t.Parallel()
	seen := &events{}
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		m.cfg.OnEvent = seen.add
		for i := range 100 {
			m.engine().tell("ack", Ack{ID: fmt.Sprint(i), Ack: 1})
		}
		m.engine().tell("message", Message{ID: "m", Body: "hi"})
		m.want(0, StateWorking, "")
	})
	next := 0
	for _, e := range seen.all {
		if e.Type == EventAck && e.Ack.ID == fmt.Sprint(next) {
			next++
		}
	}
	last := seen.all[len(seen.all)-1]
	if next != 100 || last.Type != EventState || last.Status.State != StateStopped {
		t.Errorf("%d acks in order, last event %+v", next, last)
	}
}
