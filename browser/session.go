package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	"kurir/problem"
)

// Why the calls of a document ended; the caller sees SESSION_LOST, or for want of an ack what a passed deadline means.
var (
	errStopped = errors.New("the session was stopped")
	errLost    = errors.New("the page or its Chromium is gone")
	errUnacked = errors.New("WhatsApp's server did not acknowledge in time; the page was loaded again")
)

// timing holds the durations of the state machine, so that tests can have their own.
type timing struct {
	send       time.Duration // until the server's ack of a text; a file gets more by its size
	ack        time.Duration // how long a message may be on the wire without an ack before the session is DEGRADED
	reach      time.Duration // for WhatsApp's server to answer a question, and for a look at a message
	takeback   time.Duration // without a connection on a page that does not look for one: it is loaded again
	heartbeat  time.Duration // between two pings, and the time limit of each; two misses: frozen
	load       time.Duration // until a document has told its first state
	grace      time.Duration // how long a session may be without a connection and still be WORKING
	settle     time.Duration // how long after a start it may be without one and still be SYNCING
	probe      time.Duration // of one probe, which waits for wa-js
	memory     time.Duration // between two looks at Chromium's memory
	quiet      time.Duration // without a call before that is done
	recycle    time.Duration // a Chromium that has outgrown its budget is restarted for that once within
	retry      time.Duration // between two attempts at something that failed inside the page
	save       time.Duration // between two looks whether the link is on disk
	saveLimit  time.Duration // then Chromium is closed and started again: what it closes, it writes
	crashes    time.Duration // two renderer crashes within: restart Chromium
	logout     time.Duration // from the news of a logout until the page has navigated
	stable     time.Duration // a Chromium that lived so long forgives the failures before it
	backoffMin time.Duration
	backoffMax time.Duration
}

func defaultTiming() timing {
	return timing{
		send: 60 * time.Second, ack: 30 * time.Second, reach: 6 * time.Second, takeback: 10 * time.Second,
		heartbeat: 10 * time.Second, load: 90 * time.Second, grace: 4 * time.Second, settle: 20 * time.Second,
		probe: 15 * time.Second, memory: 30 * time.Second, quiet: 2 * time.Second, recycle: 10 * time.Minute, retry: 2 * time.Second, save: 100 * time.Millisecond, saveLimit: 20 * time.Second, crashes: 10 * time.Minute,
		logout: 10 * time.Second, stable: 30 * time.Second, backoffMin: time.Second, backoffMax: time.Minute,
	}
}

// Session is WhatsApp Web for one instance: one Chromium, one profile, one page. Its states are in State.
//
// One goroutine owns the state (run and life); everything else reads snapshots of it. All methods may be called
// from any goroutine.
type Session struct {
	cfg    Config
	log    *slog.Logger
	timing timing
	open   func(ctx context.Context, emit func(signal)) (engine, error)
	turn   chan struct{} // holds a token while Start, Stop, Restart is at work: one at a time

	mu     sync.Mutex
	status Status
	qr     QR
	doc    *document // where calls go; nil when there is nowhere
	run    *run      // nil while stopped

	restricted term // of WhatsApp's restriction of the account
}

// document is one loaded document: calls into it end with its ctx.
type document struct {
	engine engine
	ctx    context.Context //nolint:containedctx // it is the document's life
	end    context.CancelCauseFunc
	tell   func(any) // puts a message into the inbox of the document's life

	// Guarded by Session.mu:
	active     int       // calls under way in it
	quietSince time.Time // the end of the last of them
	retiring   bool      // that end is waited for
}

// New returns a stopped session. It touches nothing: no file, no process.
func New(cfg Config) *Session {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Session{
		cfg: cfg, log: cfg.Log, timing: cfg.Limits.over(defaultTiming()), turn: make(chan struct{}, 1),
		status: Status{State: StateStopped, Since: time.Now()}, restricted: termUntil(cfg.RestrictedUntil, time.Now()),
	}
	s.open = s.openTab
	return s
}

// openTab is the real way to an engine.
func (s *Session) openTab(ctx context.Context, emit func(signal)) (engine, error) {
	version, err := Version(ctx, s.cfg.Binary)
	if err != nil {
		return nil, err
	}
	who, err := newIdentity(version, s.cfg.Language)
	if err != nil {
		return nil, err
	}
	if s.cfg.DownloadDir != "" {
		s.emptyDownloads() // of a Chromium before this one
		if err := os.MkdirAll(s.cfg.DownloadDir, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of downloads: %w", err)
		}
	}
	return openTab(ctx, s.cfg, who, emit)
}

// Status returns the session's state now.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// QR returns the linking code that the page shows, and false when it shows none.
func (s *Session) QR() (QR, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.qr.Text == "" || !time.Now().Before(s.qr.Expires) {
		return QR{}, false
	}
	return s.qr, true
}

// Start starts the session in the background: Chromium, page, and again whenever one of them is lost. It returns
// when the session's goroutine runs; what comes of it shows in Status. On a session that runs it does nothing,
// on one that is LOGGED_OUT it starts anew, which leads to a new QR code.
func (s *Session) Start(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	return s.start(ctx)
}

// Stop ends the session and returns when no process of it is left. Chromium is asked to leave, so that it writes
// its profile, and killed after 8 s or when ctx ends; then the error says so and the session is stopped all the
// same. Calls that are under way end with SESSION_LOST.
func (s *Session) Stop(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	return s.halt(ctx)
}

// Restart stops the session and starts it again.
func (s *Session) Restart(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if err := s.halt(ctx); err != nil {
		s.log.Warn("restart: the old Chromium did not leave in order", "err", err)
	}
	return s.start(ctx)
}

// Logout unlinks this device from the phone and waits until the page says so; the session is LOGGED_OUT then.
// Errors are *problem.Error: INSTANCE_NOT_READY when it is not linked, PAGE_ERROR, PAGE_TIMEOUT.
func (s *Session) Logout(ctx context.Context) error {
	begin := time.Now()
	_, err := s.call(ctx, request{
		method: "logout", limit: 20 * time.Second, late: problem.PageTimeout, lost: problem.PageError,
		in: []State{StateSyncing, StateWorking, StateDegraded, StateRestricted},
	})
	// The page navigates away at the end of a logout: to lose it there is the success, unless it comes back linked.
	if err != nil && problem.CodeOf(err) != problem.SessionLost {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timing.logout+closeLimit)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		switch st := s.Status(); st.State {
		case StateLoggedOut, StateStopped, StateScanQR:
			tick.Stop()
			return nil
		case StateWorking, StateDegraded:
			if err != nil && st.Since.After(begin) {
				tick.Stop()
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return problem.Wrap(problem.PageTimeout, "WhatsApp Web did not confirm the logout", ctx.Err())
		}
	}
}

func (s *Session) lock(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another start or stop of the session: %w", ctx.Err())
	}
}

func (s *Session) unlock() { <-s.turn }

// start starts a run; the caller holds the turn.
func (s *Session) start(ctx context.Context) error {
	s.mu.Lock()
	current, state := s.run, s.status.State
	s.mu.Unlock()
	if current != nil && state != StateLoggedOut {
		return nil
	}
	if err := s.halt(ctx); err != nil {
		return err
	}
	r := &run{Session: s, events: newQueue[Event](), stop: make(chan struct{}), done: make(chan struct{})}
	s.mu.Lock()
	s.run = r
	s.mu.Unlock()
	first := Status{State: StateStarting, Reason: "starting Chromium"}
	if err := s.cfg.Memory.look(); err != nil {
		first = Status{State: StateFailed, Reason: err.Error()} // so that who starts it is told at once; the run tries again
	}
	r.set(func(st *Status) { *st = first })
	go r.deliver()
	go r.loop() //nolint:contextcheck // the session outlives the request that started it
	return nil
}

// halt ends the run, if there is one; the caller holds the turn.
func (s *Session) halt(ctx context.Context) error {
	s.mu.Lock()
	r := s.run
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	r.stopBy = ctx
	close(r.stop)
	<-r.done
	s.mu.Lock()
	s.run = nil
	s.mu.Unlock()
	return r.stopErr
}

// set changes the status and tells listeners when something in it is new. Only the owner calls it.
func (r *run) set(change func(*Status)) {
	r.mu.Lock()
	before := r.status
	change(&r.status)
	r.status.Since = before.Since
	r.status.RestrictedUntil = nil
	if until := r.restrictedLocked(); !until.IsZero() {
		r.status.RestrictedUntil = &until
	}
	if reflect.DeepEqual(before, r.status) {
		r.mu.Unlock()
		return
	}
	if before.State != r.status.State {
		r.status.Since = time.Now()
	}
	now := r.status
	r.mu.Unlock()
	if before.State != now.State || before.Reason != now.Reason {
		r.log.Info("session", "state", string(now.State), "reason", now.Reason)
	}
	r.events.put(Event{Type: EventState, Status: &now})
}

// setQR replaces the linking code and tells listeners; an empty text means that there is none now.
func (r *run) setQR(qr QR) {
	r.mu.Lock()
	same := r.qr == qr
	r.qr = qr
	r.mu.Unlock()
	if !same {
		r.events.put(Event{Type: EventQR, QR: &qr})
	}
}

// setDocument says where calls go from now on. Those into the document before end with cause.
func (r *run) setDocument(doc *document, cause error) {
	r.mu.Lock()
	before := r.doc
	r.doc = doc
	r.mu.Unlock()
	if before != nil {
		before.end(cause)
	}
}

// emptyDownloads removes what the page has downloaded and nobody has fetched.
func (s *Session) emptyDownloads() {
	if s.cfg.DownloadDir == "" {
		return
	}
	entries, err := os.ReadDir(s.cfg.DownloadDir)
	if err != nil {
		return // it need not exist
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(s.cfg.DownloadDir, e.Name())); err != nil {
			s.log.Warn("remove a download", "err", err)
		}
	}
}

// number returns the digits of a wid ("62812…:5@c.us" → "62812…"), or "" when it is not one of a phone.
func number(wid string) string {
	user, server, _ := strings.Cut(wid, "@")
	if server != "c.us" && server != "s.whatsapp.net" {
		return ""
	}
	user, _, _ = strings.Cut(user, ":")
	return user
}
