// Package sandbox is the server half of a simulator of WhatsApp Web: a TLS server that a Chromium started with
// ChromiumArgs reaches as https://web.whatsapp.com, the world behind it (accounts, groups, messages, linked devices),
// and the simulated phones that tests and the console operate.
//
// Invariants: whatever the server acknowledged is in the world's journal, so a SIGKILL of the process loses neither
// links nor messages; no lock is held while a socket is written, so a slow page does not stop the world; both
// listeners are on loopback only.
package sandbox

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const pageHost = "web.whatsapp.com"

// Config is how to open a Server.
type Config struct {
	// Dir keeps the world: TLS key, journal, media. It must exist. Empty: everything is gone with the process.
	Dir string
	// Log is where the server writes; nil: nowhere.
	Log *slog.Logger
	// Addr is where the page is served, a loopback address; empty: 127.0.0.1:0.
	Addr string
	// ControlAddr is where the HTTP control API listens, a loopback address; empty: no control API.
	ControlAddr string
	// RefLifetimes is how long each QR reference of a round lives; nil: 60 s, then five of 20 s, as WhatsApp has it.
	RefLifetimes []time.Duration
}

// Server is a running simulator. All methods can be called at the same time.
type Server struct {
	cfg      Config
	log      *slog.Logger
	id       *identity
	assetTag string
	media    *mediaStore
	handlers map[string]func(*conn, request) error // by op

	ctx    context.Context // of everything the server does by itself; ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // goroutines that Close waits for; started by spawn

	spawnMu sync.Mutex
	closed  bool // nothing is spawned any more

	page, control         *http.Server
	pageAddr, controlAddr string
	closeOnce             sync.Once
	closeErr              error

	mu      sync.Mutex // guards what follows; held for memory and one write(2) of the journal, never for a socket
	world   *world
	journal *journal
	faults  faults
	conns   map[*conn]struct{}
	changed chan struct{} // closed and replaced at every change, for those who wait
}

// Open starts a simulator. ctx bounds the start only; the Server lives until Close.
func Open(ctx context.Context, cfg Config) (_ *Server, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if len(cfg.RefLifetimes) == 0 {
		cfg.RefLifetimes = []time.Duration{time.Minute, 20 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second, 20 * time.Second}
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, assetTag: assetTag(), conns: map[*conn]struct{}{}, changed: make(chan struct{}),
		faults: newFaults(), world: newWorld(), handlers: handlers(),
	}
	s.faults.used = s.faultsChanged
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.journal, err = openJournal(cfg.Dir, s.world); err != nil {
		return nil, err
	}
	if s.id, err = loadIdentity(cfg.Dir); err != nil {
		return nil, err
	}
	if s.media, err = openMedia(cfg.Dir); err != nil {
		return nil, err
	}
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	s.resume()
	return s, nil
}

// listen opens both listeners and serves them.
func (s *Server) listen(ctx context.Context) error {
	page, err := listenLoopback(ctx, s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen for the sandbox's page: %w", err)
	}
	s.pageAddr = page.Addr().String()
	// HTTP/1.1 only: the websocket needs it, and one 64 MB upload is faster without HTTP/2's windows.
	tlsConfig := &tls.Config{Certificates: []tls.Certificate{s.id.cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	s.page = s.serve(tls.NewListener(page, tlsConfig), s.pageHandler())
	if s.cfg.ControlAddr == "" {
		return nil
	}
	control, err := listenLoopback(ctx, s.cfg.ControlAddr)
	if err != nil {
		return fmt.Errorf("listen for the sandbox's control API: %w", err)
	}
	s.controlAddr = control.Addr().String()
	s.control = s.serve(control, s.controlHandler())
	return nil
}

// listenLoopback listens at addr and refuses what other machines could reach.
func listenLoopback(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if !isLoopback(host) {
		return nil, fmt.Errorf("%s is not a loopback address", addr)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", addr)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *Server) serve(l net.Listener, h http.Handler) *http.Server {
	server := &http.Server{
		Handler: s.tracked(h), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return s.ctx },
	}
	s.spawn(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("sandbox stopped serving", "err", err)
		}
	})
	return server
}

// tracked lets Close wait for the requests that are being served.
func (s *Server) tracked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.spawnMu.Lock()
		if s.closed {
			s.spawnMu.Unlock()
			http.Error(w, "the sandbox was closed", http.StatusServiceUnavailable)
			return
		}
		s.work.Add(1)
		s.spawnMu.Unlock()
		defer s.work.Done()
		h.ServeHTTP(w, r)
	})
}

func (s *Server) pageHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws/chat", s.serveChat)
	mux.HandleFunc("POST "+uploadPath+"/{type}", s.serveUpload)
	mux.HandleFunc("GET "+downloadPath+"/{type}/{name}", s.serveDownload)
	mux.HandleFunc("GET "+picturePath+"/{name}", s.servePicture)
	mux.HandleFunc("GET /", s.servePage)
	return mux
}

// Close ends every connection and goroutine of the server. The world stays in Dir.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		s.spawnMu.Lock()
		s.closed = true
		s.spawnMu.Unlock()
		s.cancel()
		s.mu.Lock()
		for c := range s.conns {
			c.cancel()
		}
		s.mu.Unlock()
		var errs []error
		for _, server := range []*http.Server{s.page, s.control} {
			if server != nil {
				errs = append(errs, server.Close())
			}
		}
		s.work.Wait()
		if s.media != nil {
			errs = append(errs, s.media.close())
		}
		if s.journal != nil {
			errs = append(errs, s.journal.close())
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}

// ChromiumArgs are the flags that lead a Chromium to this server as https://web.whatsapp.com and nowhere else.
func (s *Server) ChromiumArgs() []string {
	return []string{
		"--host-resolver-rules=" + s.resolverRules(),
		"--ignore-certificate-errors-spki-list=" + s.id.spki,
	}
}

func (s *Server) resolverRules() string {
	return fmt.Sprintf("MAP %s %s, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", pageHost, s.pageAddr)
}

// Addr is where the page is served: host and port.
func (s *Server) Addr() string { return s.pageAddr }

// ControlURL is the control API's address, "" when there is none.
func (s *Server) ControlURL() string {
	if s.controlAddr == "" {
		return ""
	}
	return "http://" + s.controlAddr
}

// commit journals the event and applies it to the world. What the event has to tell devices is on their queues when
// commit returns. The caller holds s.mu.
func (s *Server) commit(e *event) error {
	if err := s.journal.append(e); err != nil {
		s.log.Error("sandbox journal", "err", err)
		return errorf(500, "the sandbox cannot write its journal: %v", err)
	}
	for _, out := range s.world.apply(e) {
		out.device.send(out.frame)
	}
	s.notify()
	return nil
}

// notify wakes those who wait for a change. The caller holds s.mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await returns when done says so, which is asked under s.mu after every change, or when ctx or the server ends.
func (s *Server) await(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		ok, changed := done(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return errors.New("the sandbox was closed")
		}
	}
}

// later runs f after d, at once when d is 0, unless the server ends before.
func (s *Server) later(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	s.spawn(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			f()
		case <-s.ctx.Done():
		}
	})
}

// spawn runs f in a goroutine that Close waits for. After Close it does nothing and returns false.
func (s *Server) spawn(f func()) bool {
	s.spawnMu.Lock()
	defer s.spawnMu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}

func assetTag() string {
	sum := sha256.New()
	for _, name := range []string{"dist/index.html", "dist/page.js"} {
		data, _ := fs.ReadFile(dist, name) // not built yet: the tag of nothing
		sum.Write(data)
	}
	return `"` + hex.EncodeToString(sum.Sum(nil)[:12]) + `"`
}
