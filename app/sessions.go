package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"kurir/browser"
	"kurir/events"
	"kurir/handlers"
	"kurir/media"
	"kurir/models"
	"kurir/outbox"
	"kurir/problem"
)

// Sessions is the set of instances: the rows in the database and, for those that run, their browser sessions. It
// carries what happens in a session to the outbox, the database and whoever watches.
type Sessions struct {
	cfg       Config
	db        *models.DB
	events    *events.Log
	out       *outbox.Outbox
	files     *media.Fetcher
	simulator *simulator
	binary    string
	scripts   []string
	log       *slog.Logger
	launches  chan struct{} // as many launches at once as there are cores
	memory    *browser.Memory

	mu         sync.Mutex
	running    map[string]*browser.Session
	restricted map[string]time.Time // as stored, by instance
	inflows    map[string]*inflow   // of those that run
	watchers   watchers
}

func newSessions(cfg Config, db *models.DB, ev *events.Log, out *outbox.Outbox, sim *simulator, binary string, scripts []string, log *slog.Logger) *Sessions {
	return &Sessions{
		cfg: cfg, db: db, events: ev, out: out, simulator: sim, binary: binary, scripts: scripts, log: log,
		launches: make(chan struct{}, runtime.NumCPU()),
		memory:   &browser.Memory{Reserve: cfg.MemoryReserveMB * 1_000_000, Available: cfg.FreeMemory},
		running:  map[string]*browser.Session{}, restricted: map[string]time.Time{}, inflows: map[string]*inflow{},
	}
}

// startWanted starts every instance that was running when kurir stopped.
func (s *Sessions) startWanted(ctx context.Context) error {
	all, err := s.db.Instances(ctx)
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	for _, in := range all {
		if !in.Wanted {
			continue
		}
		if err := s.launch(ctx, in); err != nil {
			// One instance that cannot start must not keep the others from it.
			s.log.Error("instance does not start", "instance", in.ID, "err", err)
		}
	}
	return nil
}

// Create makes an instance and starts it. The key is returned here and never again.
func (s *Sessions) Create(ctx context.Context, want handlers.CreateInstance) (models.Instance, string, error) {
	in := models.Instance{
		Name: want.Name, Sandbox: want.Sandbox, Wanted: true,
		Region: orElse(want.Region, s.cfg.Region), Language: orElse(want.Language, s.cfg.Language), TimeZone: orElse(want.TimeZone, s.cfg.TimeZone),
	}
	if _, err := time.LoadLocation(in.TimeZone); err != nil {
		return in, "", problem.New(problem.BadRequest, "time_zone must be an IANA name, for example Asia/Jakarta")
	}
	_, key, err := s.db.CreateInstanceWithKey(ctx, &in, models.NewKey{Name: "first", Sandbox: in.Sandbox, Plain: want.Key})
	if err != nil {
		return in, "", err
	}
	return in, key, s.launch(ctx, in)
}

// List returns every instance.
func (s *Sessions) List(ctx context.Context) ([]models.Instance, error) { return s.db.Instances(ctx) }

// Get returns an instance.
func (s *Sessions) Get(ctx context.Context, id string) (models.Instance, error) {
	return s.db.Instance(ctx, id)
}

// Start starts an instance; one that runs is left alone.
func (s *Sessions) Start(ctx context.Context, id string) error {
	in, err := s.want(ctx, id, true)
	if err != nil {
		return err
	}
	return s.launch(ctx, in)
}

// Stop ends an instance's Chromium and keeps its link. It stays stopped when kurir starts again.
func (s *Sessions) Stop(ctx context.Context, id string) error {
	if _, err := s.want(ctx, id, false); err != nil {
		return err
	}
	return s.end(ctx, id)
}

// Restart ends and starts an instance.
func (s *Sessions) Restart(ctx context.Context, id string) error {
	in, err := s.want(ctx, id, true)
	if err != nil {
		return err
	}
	return errors.Join(s.end(ctx, id), s.launch(ctx, in))
}

// Logout unlinks the instance from its phone.
func (s *Sessions) Logout(ctx context.Context, id string) error {
	session, err := s.session(ctx, id)
	if err != nil {
		return err
	}
	return session.Logout(ctx)
}

// Update changes an instance. A pace holds from now on, in the middle of a queue too.
func (s *Sessions) Update(ctx context.Context, id string, change handlers.UpdateInstance) (models.Instance, error) {
	if change.Name != nil {
		if err := s.db.UpdateInstance(ctx, id, map[string]any{"name": *change.Name}); err != nil {
			return models.Instance{}, err
		}
	}
	if change.Pacing != nil {
		if err := s.db.SetPacing(ctx, id, *change.Pacing); err != nil {
			return models.Instance{}, err
		}
	}
	in, err := s.db.Instance(ctx, id)
	if err != nil {
		return in, err
	}
	s.out.SetPace(id, paceOf(in))
	s.watchers.tell(id)
	return in, nil
}

// Delete removes an instance with its keys, its queue and its profile.
func (s *Sessions) Delete(ctx context.Context, id string) error {
	if _, err := s.db.Instance(ctx, id); err != nil {
		return err
	}
	if err := s.end(ctx, id); err != nil {
		return err
	}
	if err := s.db.DeleteInstance(ctx, id); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.restricted, id)
	s.mu.Unlock()
	s.watchers.tell(id)
	downloads, err := s.cfg.downloadDir(id)
	if err == nil {
		err = os.RemoveAll(downloads)
	}
	if err = errors.Join(err, os.RemoveAll(s.cfg.profileDir(id))); err != nil {
		return fmt.Errorf("remove profile: %w", err)
	}
	return nil
}

// Status is what is known of an instance now; one that does not run is STOPPED.
func (s *Sessions) Status(id string) browser.Status {
	if session := s.get(id); session != nil {
		return session.Status()
	}
	return browser.Status{State: browser.StateStopped}
}

// QR is the code that an instance shows now.
func (s *Sessions) QR(id string) (browser.QR, bool) {
	if session := s.get(id); session != nil {
		return session.QR()
	}
	return browser.QR{}, false
}

// PairingCode asks WhatsApp for a code to type on the phone.
func (s *Sessions) PairingCode(ctx context.Context, id, phone string) (string, error) {
	session, err := s.session(ctx, id)
	if err != nil {
		return "", err
	}
	return session.PairingCode(ctx, phone)
}

// Reader reads the chats of an instance.
func (s *Sessions) Reader(id string) (handlers.Reader, error) {
	if session := s.get(id); session != nil {
		return session, nil
	}
	return nil, problem.New(problem.InstanceNotReady, string(browser.StateStopped))
}

// Subscribe tells the id of each instance whose state or QR changed. A slow reader misses repeats, never the last
// change. The channel ends with cancel.
func (s *Sessions) Subscribe() (<-chan string, func()) { return s.watchers.add() }

// Scan links a sandbox instance with a simulated phone.
func (s *Sessions) Scan(ctx context.Context, id string) error {
	in, err := s.db.Instance(ctx, id)
	if err != nil {
		return err
	}
	if !in.Sandbox {
		return problem.New(problem.BadRequest, "this instance is not a sandbox instance")
	}
	qr, ok := s.QR(id)
	if !ok {
		return problem.New(problem.NoQR, string(s.Status(id).State))
	}
	return s.simulator.scan(ctx, in, qr.Text)
}

func (s *Sessions) get(id string) *browser.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[id]
}

// session returns the running session of an instance, or says that there is no such instance or that it is stopped.
func (s *Sessions) session(ctx context.Context, id string) (*browser.Session, error) {
	if _, err := s.db.Instance(ctx, id); err != nil {
		return nil, err
	}
	if session := s.get(id); session != nil {
		return session, nil
	}
	return nil, problem.New(problem.InstanceNotReady, string(browser.StateStopped))
}

// want records whether the operator wants the instance running.
func (s *Sessions) want(ctx context.Context, id string, wanted bool) (models.Instance, error) {
	in, err := s.db.Instance(ctx, id)
	if err != nil {
		return in, err
	}
	in.Wanted = wanted
	return in, s.db.UpdateInstance(ctx, id, map[string]any{"wanted": wanted})
}

// launch starts the session of an instance unless it runs.
func (s *Sessions) launch(ctx context.Context, in models.Instance) error {
	url, args := s.cfg.WhatsAppURL, []string(nil)
	if in.Sandbox {
		var err error
		if args, err = s.simulator.args(ctx); err != nil {
			return err
		}
		url = "https://web.whatsapp.com/"
	}
	downloads, err := s.cfg.downloadDir(in.ID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if session := s.running[in.ID]; session != nil {
		s.mu.Unlock()
		return s.startAgain(ctx, in.ID, session)
	}
	defer s.mu.Unlock()
	var restricted time.Time
	if in.RestrictedUntil != nil {
		restricted = *in.RestrictedUntil
	}
	s.restricted[in.ID] = restricted
	session := browser.New(browser.Config{
		Binary: s.binary, ProfileDir: s.cfg.profileDir(in.ID), DownloadDir: downloads, URL: url, Language: in.Language, TimeZone: in.TimeZone,
		ExtraArgs: args, Scripts: s.scripts, Launches: s.launches, Memory: s.memory, MemoryBudget: s.cfg.MemoryBudgetMB * 1_000_000, Limits: s.cfg.limits(), Log: s.log.With("instance", in.ID),
		RestrictedUntil: restricted, OnEvent: func(e browser.Event) { s.onEvent(in.ID, e) },
	})
	s.out.Attach(in.ID, session, paceOf(in))
	s.inflows[in.ID] = startInflow(s, in, session) //nolint:contextcheck // it lives as long as the session
	if err := session.Start(ctx); err != nil {
		s.inflows[in.ID].close()
		delete(s.inflows, in.ID)
		return errors.Join(err, s.out.Detach(ctx, in.ID))
	}
	s.running[in.ID] = session
	return nil
}

// startAgain starts a session that is known, for example one that was logged out. s.mu is not held: the session first
// ends what it was, and its last events want the lock.
func (s *Sessions) startAgain(ctx context.Context, id string, session *browser.Session) error {
	if err := session.Start(ctx); err != nil {
		return err
	}
	if s.get(id) != session {
		return session.Stop(ctx) // it was ended meanwhile, and must not come back behind that
	}
	return nil
}

// paceOf is how fast an instance may send.
func paceOf(in models.Instance) outbox.Pace {
	zone, err := time.LoadLocation(in.TimeZone)
	if err != nil { // it was checked when the instance was made
		zone = time.UTC
	}
	return outbox.Pace{Pacing: in.Pace(), Zone: zone}
}

// end stops an instance's session and waits until its Chromium is gone.
func (s *Sessions) end(ctx context.Context, id string) error {
	s.mu.Lock()
	session := s.running[id]
	delete(s.running, id)
	s.mu.Unlock()
	if session == nil {
		return nil
	}
	err := errors.Join(s.out.Detach(ctx, id), session.Stop(ctx))
	s.mu.Lock()
	flow := s.inflows[id]
	delete(s.inflows, id)
	s.mu.Unlock()
	if flow != nil {
		flow.close()
	}
	s.watchers.tell(id)
	return err
}

// close stops every session at the same time.
func (s *Sessions) close(ctx context.Context) error {
	s.mu.Lock()
	ids := make([]string, 0, len(s.running))
	for id := range s.running {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { errs[i] = s.end(ctx, id) })
	}
	wg.Wait()
	s.watchers.close()
	return errors.Join(errs...)
}

func orElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
