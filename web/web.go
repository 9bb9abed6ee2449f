// Package web is the operator console: the pages on which a person signs in, adds a WhatsApp number, links its phone
// and sees how it is. Pages are html/template; what changes while one looks is pushed as HTML fragments over SSE.
//
// Invariants: every route is in one table that says who may use it (routes.go), and nothing but the sign-in page, the
// contract and the assets is shown without a session; what changes something is in the audit log before its answer; every answer carries the strict
// Content-Security-Policy, so no template may hold an inline script or style; all text from WhatsApp passes through
// html/template; nothing but assets may be cached, because a QR code is a secret. After Close no event stream is open.
package web

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"kurir/browser"
	"kurir/models"
)

// View is what the console shows of an instance.
type View struct {
	ID      string
	Name    string
	Sandbox bool   // runs against the simulator
	Region  string // of numbers without a country code, ISO 3166-1
	Zone    string // of its times, IANA name
	Status  browser.Status
	// DeadWebhooks are the webhooks that kurir has switched off because their receiver did not answer for days.
	DeadWebhooks []DeadWebhook
}

// DeadWebhook is a webhook that gets nothing any more. Of its address only the host is shown: the rest can be a secret.
type DeadWebhook struct {
	Host  string
	Since time.Time
}

// Instances is what the console does with instances. Errors are *problem.Error where a person can do something about
// them; an unknown id is problem.NotFound.
type Instances interface {
	// List returns all instances in the order in which they are shown.
	List(ctx context.Context) ([]View, error)
	Get(ctx context.Context, id string) (View, error)
	// QR returns the code that waits to be scanned; false when there is none.
	QR(id string) (browser.QR, bool)
	// PairingCode asks WhatsApp for a code to type on the phone. phone is as the person wrote it.
	PairingCode(ctx context.Context, id, phone string) (string, error)
	// Create makes an instance, starts it, and returns its API key, which is shown this once.
	Create(ctx context.Context, name string, sandbox bool) (View, string, error)
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string) error
	Restart(ctx context.Context, id string) error
	Logout(ctx context.Context, id string) error
	Delete(ctx context.Context, id string) error
	// Subscribe returns a channel of the ids of instances that changed (state, QR), were made or were deleted.
	// The sender never waits: ids for which the channel has no room may be dropped, the console looks again by
	// itself every 15 seconds. cancel ends the subscription and may be called twice.
	Subscribe() (changed <-chan string, cancel func())
}

// Sessions keeps the signed-in browsers. The cookie itself is never stored, only its SHA-256 in hex.
type Sessions interface {
	CreateConsoleSession(ctx context.Context, s models.ConsoleSession) error
	// ConsoleSession returns the session with this hash and its person; problem.Unauthorized when there is none, it is
	// over, or the person is locked out.
	ConsoleSession(ctx context.Context, hash string) (models.ConsoleSession, error)
	// DeleteConsoleSession ends a session; one that does not exist is no error.
	DeleteConsoleSession(ctx context.Context, hash string) error
	// RememberDevice and KnowsDevice are about browsers in which a person has signed in before.
	RememberDevice(ctx context.Context, d models.ConsoleDevice) error
	KnowsDevice(ctx context.Context, d models.ConsoleDevice) (bool, error)
}

// Simulator is the simulated phones of sandbox instances.
type Simulator interface {
	// Scan links the instance with a simulated phone, as a person would with the camera.
	Scan(ctx context.Context, instanceID string) error
}

// Deps is what the console needs.
type Deps struct {
	Instances  Instances
	Keys       Keys
	Sessions   Sessions
	People     People
	Passwords  Passwords
	Audit      AuditLog
	CheckAdmin func(token string) bool
	AdminPrint string    // a fingerprint of the admin token: sessions that another one opened are over
	Simulator  Simulator // nil: no sandbox instances can be made or linked here
	Phones     Phones    // nil: the simulated phones are not kurir's own
	Log        *slog.Logger
}

// Console is the operator console.
type Console struct {
	deps      Deps
	handler   http.Handler
	templates *template.Template
	texts     catalogue
	assets    assets
	guesses   tries
	ended     bell          // rings when sessions have ended
	ping      time.Duration // how often a quiet event stream shows that it is alive

	closing   chan struct{}
	closeOnce sync.Once
}

// New returns the console. It serves /, /login, /logout, /language, /account…, /people…, /audit.csv, /instances…,
// /sandbox…, /docs, /licenses and /console/….
func New(deps Deps) *Console {
	c := &Console{
		deps: deps, templates: parseTemplates(), texts: loadCatalogue(), assets: loadAssets(), guesses: newTries(),
		ping: 15 * time.Second, closing: make(chan struct{}),
	}
	c.handler = c.routes()
	return c
}

// Close ends all event streams, which would otherwise keep the server from shutting down. Calling it twice is harmless.
func (c *Console) Close() { c.closeOnce.Do(func() { close(c.closing) }) }

func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// contentSecurityPolicy lets a page load from kurir alone, run no inline code and be framed by nobody.
const contentSecurityPolicy = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'"

func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not "no-referrer": that would also blank the Origin header of our own forms.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// limitBody keeps forms small: the longest field is a name, but for what a simulated phone sends.
func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(64 << 10)
		if strings.HasPrefix(r.URL.Path, "/sandbox/") {
			limit = maxPhoneFile + 1<<20
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}
