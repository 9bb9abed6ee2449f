package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"kurir/browser"
	"kurir/gate"
	"kurir/handlers"
	"kurir/janitor"
	"kurir/media"
	"kurir/outbox"
	"kurir/webhook"
)

// Config is everything that can be set, from the environment and nowhere else. Secrets can also be given as a
// file: KURIR_ADMIN_TOKEN_FILE names it.
type Config struct {
	// Addr is where kurir listens. Beyond loopback only with an admin token set by the operator.
	Addr string `env:"KURIR_ADDR" envDefault:"127.0.0.1:8080"`
	// TLSCert and TLSKey are PEM files; with them kurir serves HTTPS. They are read again when they change.
	TLSCert string `env:"KURIR_TLS_CERT"`
	TLSKey  string `env:"KURIR_TLS_KEY"`
	// Domain are the names for which kurir gets certificates from Let's Encrypt, comma-separated. They must lead to
	// KURIR_ADDR as port 443. The certificates are kept in the data folder.
	Domain []string `env:"KURIR_DOMAIN"`
	// ACMEDirectory is who gives the certificates for Domain instead of Let's Encrypt: the directory of an ACME server, such
	// as a company's own (step-ca) or Let's Encrypt's for tests.
	ACMEDirectory string `env:"KURIR_ACME_DIRECTORY"`
	// ACMECA is a PEM file with whom to trust as that server, when this machine does not.
	ACMECA string `env:"KURIR_ACME_CA"`
	// TrustedProxies are the addresses of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
	// Comma-separated CIDR. Empty: nobody's.
	TrustedProxies []netip.Prefix `env:"KURIR_TRUSTED_PROXIES"`
	// MaxConnections bounds the connections at a time, MaxConnectionsPerAddress those from one address. One that waits
	// gives its place to one that comes.
	MaxConnections           int `env:"KURIR_MAX_CONNECTIONS" envDefault:"4096"`
	MaxConnectionsPerAddress int `env:"KURIR_MAX_CONNECTIONS_PER_ADDRESS" envDefault:"1024"`
	// Data is the folder of the database, the browser profiles and the files that wait to be sent.
	Data string `env:"KURIR_DATA" envDefault:"./data"`
	// DatabaseURL is the database. Empty: kurir.db in the data folder (SQLite).
	DatabaseURL string `env:"KURIR_DATABASE_URL"`
	// AdminToken opens /v1 and the console. Empty: made at the first start, printed once, stored hashed.
	AdminToken string `env:"KURIR_ADMIN_TOKEN"`
	// AdminTokenFile is a file that holds the admin token (a Docker or Kubernetes secret).
	AdminTokenFile string `env:"KURIR_ADMIN_TOKEN_FILE"`
	// Chromium is the browser's binary. Empty: chromium-headless-shell, chromium or Chrome, the first found.
	Chromium string `env:"KURIR_CHROMIUM"`
	// WhatsAppURL is the page that live instances open.
	WhatsAppURL string `env:"KURIR_WHATSAPP_URL" envDefault:"https://web.whatsapp.com/"`
	// WAAlways200 answers 200 on /wa/* whatever happened, for callers that cannot read a body behind a 4xx.
	WAAlways200 bool `env:"KURIR_WA_ALWAYS_200" envDefault:"false"`
	// Adapters are the gateways for whose programs kurir also answers at their addresses: fonnte (POST /send), wablas
	// (POST /api/v2/send-message). Comma-separated. Empty: none.
	Adapters []string `env:"KURIR_ADAPTERS"`
	// MaxFileMB is the largest file that is accepted, in MB (1,000,000 bytes).
	MaxFileMB int64 `env:"KURIR_MAX_FILE_MB" envDefault:"100"`
	// MediaMaxMB is the largest file of an incoming message that is fetched, in MB (1,000,000 bytes). An instance's
	// settings may allow less. While one is fetched its page holds it in memory.
	MediaMaxMB int64 `env:"KURIR_MEDIA_MAX_MB" envDefault:"100"`
	// MediaTotalMB is how much all of them may take on disk, in MB. When it is reached, files wait until old ones go.
	MediaTotalMB int64 `env:"KURIR_MEDIA_TOTAL_MB" envDefault:"10000"`
	// MediaLink is how long a signed link to a file works, from the delivery of the webhook that has it.
	MediaLink time.Duration `env:"KURIR_MEDIA_LINK" envDefault:"24h"`
	// PublicURL is kurir's address as receivers of webhooks reach it, for the links in webhooks. Empty: http and Addr.
	PublicURL string `env:"KURIR_PUBLIC_URL"`
	// FetchAllow are address ranges that sendfileurl may reach although they are private, for example 192.168.1.0/24
	// for a file server of your own. Comma-separated CIDR.
	FetchAllow []netip.Prefix `env:"KURIR_FETCH_ALLOW"`
	// WebhookAllow are address ranges that webhooks may call although they are private. Comma-separated CIDR.
	WebhookAllow []netip.Prefix `env:"KURIR_WEBHOOK_ALLOW"`
	// CatchUp is how far back kurir looks for what came while it, its browser or the connection was away. 0: not at all.
	CatchUp time.Duration `env:"KURIR_CATCH_UP" envDefault:"168h"`
	// CatchUpFirst is the same for a number that was just linked: how much of its past is told as events. 0: nothing.
	CatchUpFirst time.Duration `env:"KURIR_CATCH_UP_FIRST" envDefault:"0s"`
	// Retention is how long things are kept.
	Retention janitor.Retention
	// RatePerMinute is how many requests a minute a key may make whose settings say nothing else; so many may also come at
	// once. 0: no limit.
	RatePerMinute int `env:"KURIR_RATE_PER_MINUTE" envDefault:"600"`
	// Region is the country of phone numbers without a country code, ISO 3166-1, for new instances.
	Region string `env:"KURIR_REGION" envDefault:"ID"`
	// Language of the page of new instances, BCP 47.
	Language string `env:"KURIR_LANGUAGE" envDefault:"id-ID"`
	// TimeZone of the page of new instances, IANA name.
	TimeZone string `env:"KURIR_TIME_ZONE" envDefault:"Asia/Jakarta"`
	// SandboxControl is the control API of a simulator that runs elsewhere on this machine (`kurir sandbox`),
	// for example http://127.0.0.1:8081. Empty: kurir starts its own when a sandbox instance needs it.
	SandboxControl string `env:"KURIR_SANDBOX_CONTROL"`
	// SandboxAddr is where the control API of kurir's own simulator listens; loopback only.
	SandboxAddr string `env:"KURIR_SANDBOX_ADDR" envDefault:"127.0.0.1:8081"`
	// AckTimeout is how long WhatsApp's server may take to acknowledge a message, until the instance says DEGRADED and
	// does something about it.
	AckTimeout time.Duration `env:"KURIR_ACK_TIMEOUT" envDefault:"30s"`
	// MemoryReserveMB is how much memory the start of an instance must leave free, in MB (1,000,000 bytes). 0: none.
	MemoryReserveMB int64 `env:"KURIR_MEMORY_RESERVE" envDefault:"256"`
	// MemoryBudgetMB is how much memory the Chromium of an instance may hold before it is restarted, in MB; that
	// happens when nothing is under way. A page with a long past takes about 500. 0: no bound.
	MemoryBudgetMB int64 `env:"KURIR_MEMORY_BUDGET" envDefault:"1500"`
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level `env:"KURIR_LOG_LEVEL" envDefault:"info"`
	// LogJSON writes the log as JSON lines.
	LogJSON bool `env:"KURIR_LOG_JSON" envDefault:"false"`
	// DrainTimeout is how long SIGTERM waits for the send in flight and for Chromium.
	DrainTimeout time.Duration `env:"KURIR_DRAIN_TIMEOUT" envDefault:"18s"`

	// FreeMemory says how many bytes of memory can be had; nil: the machine's own word. Tests have their own.
	FreeMemory func() (int64, error)
	// Waits are the times that kurir waits for WhatsApp; zero fields are the defaults. Tests shorten them.
	Waits Waits
	// Demo makes and links a sandbox instance at start. Set by `serve --demo`.
	Demo bool
	// Version is the version of the binary, for /healthz and the log.
	Version string
}

// The bounds of KURIR_ACK_TIMEOUT: a slow network is no fault, and the page must be able to tell before an attempt ends.
const minAckTimeout, maxAckTimeout = 5 * time.Second, 50 * time.Second

// minMemoryBudgetMB is the least KURIR_MEMORY_BUDGET: a Chromium over its budget from the start would be restarted for
// nothing.
const minMemoryBudgetMB = 500

const maxRatePerMinute = 1_000_000

// Waits are the limits of the outbox (of which FilesDir and Log are not taken), of the browser sessions, and of the
// webhooks (of which Allow and Log are not taken).
type Waits struct {
	Outbox  outbox.Config
	Browser browser.Limits
	Webhook webhook.Config
	Media   media.Config // of which Schedule and Rest are taken
	Gate    gate.Limits  // of which Conns and PerAddress are not taken
}

// LoadConfig reads the settings from environ, in the form of os.Environ.
func LoadConfig(environ []string) (Config, error) {
	var c Config
	if err := env.ParseWithOptions(&c, env.Options{Environment: env.ToMap(environ)}); err != nil {
		return c, fmt.Errorf("settings: %w", err)
	}
	return c, c.validate()
}

// validate checks what can be checked without touching anything but the token file.
func (c *Config) validate() error {
	if c.AdminTokenFile != "" && c.AdminToken == "" {
		b, err := os.ReadFile(c.AdminTokenFile)
		if err != nil {
			return fmt.Errorf("KURIR_ADMIN_TOKEN_FILE: %w", err)
		}
		c.AdminToken = strings.TrimSpace(string(b))
	}
	if c.AdminToken != "" && len(c.AdminToken) < 16 {
		return errors.New("KURIR_ADMIN_TOKEN: must have at least 16 characters")
	}
	if c.MaxFileMB < 1 || c.MaxFileMB > 2000 {
		return errors.New("KURIR_MAX_FILE_MB: must be from 1 to 2000 (WhatsApp takes documents up to 2 GB)")
	}
	if c.AckTimeout < minAckTimeout || c.AckTimeout > maxAckTimeout {
		return fmt.Errorf("KURIR_ACK_TIMEOUT: must be from %s to %s (an attempt ends after a minute)", minAckTimeout, maxAckTimeout)
	}
	if c.CatchUp < 0 || c.CatchUpFirst < 0 {
		return errors.New("KURIR_CATCH_UP, KURIR_CATCH_UP_FIRST: must be 0 or more; 168h are 7 days")
	}
	if err := c.validateMedia(); err != nil {
		return err
	}
	if err := c.validateGate(); err != nil {
		return err
	}
	if err := c.Retention.Validate(); err != nil {
		return err
	}
	if c.RatePerMinute < 0 || c.RatePerMinute > maxRatePerMinute {
		return fmt.Errorf("KURIR_RATE_PER_MINUTE: must be from 0 (no limit) to %d", maxRatePerMinute)
	}
	for i, name := range c.Adapters {
		c.Adapters[i] = strings.TrimSpace(name)
	}
	if err := handlers.CheckAdapters(c.Adapters); err != nil {
		return fmt.Errorf("KURIR_ADAPTERS: %w", err)
	}
	if c.MemoryReserveMB < 0 {
		return errors.New("KURIR_MEMORY_RESERVE: must be 0 or more")
	}
	if c.MemoryBudgetMB < 0 || c.MemoryBudgetMB > 0 && c.MemoryBudgetMB < minMemoryBudgetMB {
		return fmt.Errorf("KURIR_MEMORY_BUDGET: must be 0 (no bound) or at least %d: WhatsApp Web alone takes most of that", minMemoryBudgetMB)
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return fmt.Errorf("KURIR_TIME_ZONE: %w", err)
	}
	loopback, err := isLoopback(c.Addr)
	if err != nil {
		return fmt.Errorf("KURIR_ADDR: %w", err)
	}
	if !loopback && c.AdminToken == "" {
		return errors.New("KURIR_ADDR is reachable from other machines: set KURIR_ADMIN_TOKEN (16 characters or more) first")
	}
	if sandboxLoopback, err := isLoopback(c.SandboxAddr); err != nil || !sandboxLoopback {
		return errors.New("KURIR_SANDBOX_ADDR: must be a loopback address, for example 127.0.0.1:8081")
	}
	return nil
}

func (c *Config) validateMedia() error {
	switch u, err := url.Parse(c.PublicURL); {
	case c.MediaMaxMB < 1 || c.MediaMaxMB > 2000:
		return errors.New("KURIR_MEDIA_MAX_MB: must be from 1 to 2000")
	case c.MediaTotalMB < c.MediaMaxMB:
		return errors.New("KURIR_MEDIA_TOTAL_MB: must be at least KURIR_MEDIA_MAX_MB")
	case c.MediaLink < time.Minute || c.MediaLink > 30*24*time.Hour:
		return errors.New("KURIR_MEDIA_LINK: must be from 1m to 720h")
	case c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != ""):
		return errors.New("KURIR_PUBLIC_URL: must be an address such as https://kurir.example.com")
	}
	return nil
}

// isLoopback says whether only this machine can reach addr.
func isLoopback(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, err
	}
	if host == "localhost" {
		return true, nil
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback(), nil
}

// The places below the data folder.

func (c *Config) databaseURL() string {
	if c.DatabaseURL != "" {
		return c.DatabaseURL
	}
	return filepath.Join(c.Data, "kurir.db")
}
func (c *Config) filesDir() string { return filepath.Join(c.Data, "files") }

// FilesDir, like profileDir, holds what belongs to one instance or send; both are 0700.
func (c *Config) profileDir(instance string) string {
	return filepath.Join(c.Data, "profiles", instance)
}
func (c *Config) certificateDir() string { return filepath.Join(c.Data, "certificates") }
func (c *Config) mediaDir() string       { return filepath.Join(c.Data, "media") }

// DownloadDir is where an instance's Chromium writes files before they are moved to mediaDir: on the same disk. Chromium
// wants an absolute path.
func (c *Config) downloadDir(instance string) (string, error) {
	return filepath.Abs(filepath.Join(c.Data, "downloads", instance))
}

func (c *Config) sandboxDir() string { return filepath.Join(c.Data, "sandbox") }

// limits are those of the browser sessions.
func (c *Config) limits() browser.Limits {
	l := c.Waits.Browser
	if l.Ack == 0 {
		l.Ack = c.AckTimeout
	}
	return l
}

// Logger returns the log that the settings ask for, written to w.
func (c *Config) Logger(w interface{ Write([]byte) (int, error) }) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
