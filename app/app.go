// Package app puts the rooms together: configuration, database, sessions, outbox, HTTP server.
//
// Invariant: what Open started, Close ends: after Close no goroutine, no Chromium and no temporary file of this App
// is left. main and the end-to-end tests start the same App.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"kurir/browser"
	"kurir/events"
	"kurir/gate"
	"kurir/janitor"
	"kurir/js"
	"kurir/models"
	"kurir/outbox"
	"kurir/sandbox"
	"kurir/web"
	"kurir/webhook"
)

// App is a running kurir.
type App struct {
	cfg       Config
	log       *slog.Logger
	db        *models.DB
	out       *outbox.Outbox
	sessions  *Sessions
	hooks     *webhook.Dispatcher
	media     *mediaRoom
	janitor   *janitor.Janitor
	simulator *simulator
	lock      *os.File // of the data folder
	admin     *adminToken

	listener     *gate.Conns
	tls          *tls.Config        // nil: kurir serves plain HTTP
	certificates *gate.Certificates // nil: of files, or none
	server       *http.Server
	served       chan error
	closing      chan struct{} // closed when the server begins to shut down
}

// Open starts kurir: it migrates the database, starts every instance that was wanted, and listens. ctx bounds the
// start only; the App lives until Close.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (_ *App, err error) {
	scripts, err := js.Scripts()
	if err = errors.Join(err, sandbox.CheckAssets(), web.CheckAssets()); err != nil {
		return nil, err
	}
	binary, err := browser.FindChromium(cfg.Chromium)
	if err != nil {
		return nil, err
	}
	if err := secureData(cfg, log); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, log: log, simulator: &simulator{cfg: cfg, log: log}, served: make(chan error, 1), closing: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close(context.WithoutCancel(ctx)))
		}
	}()

	if a.lock, err = lockData(cfg.Data); err != nil {
		return nil, err
	}
	if err := a.openDatabase(ctx); err != nil {
		return nil, err
	}
	if err = a.listen(ctx); err != nil {
		return nil, err
	}
	if a.media, err = openMedia(ctx, cfg, a.db, a.publicURL()); err != nil {
		return nil, err
	}
	waits := cfg.Waits.Outbox
	waits.Log, waits.FilesDir = log, cfg.filesDir()
	a.out = outbox.New(a.db, waits)
	hooks := cfg.Waits.Webhook
	hooks.Log, hooks.Allow, hooks.MediaLink = log, cfg.WebhookAllow, a.media.url
	a.hooks = webhook.New(a.db, hooks)
	if err := a.hooks.Start(ctx); err != nil {
		return nil, err
	}
	a.janitor = janitor.New(a.db, a.media.store, cfg.Retention, log)
	a.janitor.Start()
	a.sessions = newSessions(cfg, a.db, events.NewLog(a.db, cfg.Retention.Events), a.out, a.simulator, binary, scripts, log)
	a.media.start(a.sessions, cfg.Waits.Media, log)
	if err := a.sessions.startWanted(ctx); err != nil {
		return nil, err
	}
	a.serve()
	log.Info("kurir listens", "addr", a.listener.Addr().String(), "version", cfg.Version)
	return a, nil
}

func (a *App) openDatabase(ctx context.Context) (err error) {
	if a.db, err = models.Open(ctx, models.Config{URL: a.cfg.databaseURL(), Log: a.log, Outcomes: events.Outcomes}); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := a.db.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	if a.admin, err = loadAdminToken(ctx, a.db, a.cfg.AdminToken); err != nil {
		return err
	}
	if err := a.db.ExpireConsoleSessions(ctx, time.Now()); err != nil {
		return fmt.Errorf("forget old console sessions: %w", err)
	}
	return a.removeUnneededFiles(ctx)
}

// removeUnneededFiles removes what an earlier kurir left when it was killed: files that no message waits for. No
// request runs yet, so every file that has no row is one of them.
func (a *App) removeUnneededFiles(ctx context.Context) error {
	files, err := a.db.UnneededFiles(ctx, a.cfg.filesDir(), 0)
	if err != nil {
		return fmt.Errorf("look for unneeded files: %w", err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			return fmt.Errorf("remove unneeded file: %w", err)
		}
	}
	return nil
}

// Sandbox returns kurir's own simulator, started when it was not yet.
func (a *App) Sandbox(ctx context.Context) (*sandbox.Server, error) { return a.simulator.own(ctx) }

// ready is /readyz: the database takes a write. Page code and Chromium were found when kurir started.
func (a *App) ready(ctx context.Context) error {
	if err := a.db.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if _, err := browser.FindChromium(a.cfg.Chromium); err != nil {
		return err
	}
	return nil
}

// Close drains: no new requests, no new claims, the send in flight finishes, Chromium is closed so that the profiles
// are flushed. ctx bounds the waiting; what is still there at its end is killed.
func (a *App) Close(ctx context.Context) error {
	var errs []error
	if a.out != nil {
		// First the queue: requests that wait for an outcome end with it, and the server can shut down.
		errs = append(errs, a.out.Drain(ctx))
	}
	if a.certificates != nil { // handshakes may wait for one
		a.certificates.Close(ctx)
	}
	if a.server != nil {
		if err := a.server.Shutdown(ctx); err != nil {
			errs = append(errs, err, a.server.Close())
		}
		if err := <-a.served; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	} else if a.listener != nil {
		errs = append(errs, a.listener.Close())
	}
	if a.media != nil {
		a.media.close()
	}
	if a.sessions != nil {
		errs = append(errs, a.sessions.close(ctx))
	}
	if a.janitor != nil {
		a.janitor.Close()
	}
	if a.hooks != nil { // after the sessions: what they say last is delivered too, if there is time
		errs = append(errs, a.hooks.Close(ctx))
	}
	errs = append(errs, a.simulator.close())
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
	}
	return errors.Join(errs...)
}
