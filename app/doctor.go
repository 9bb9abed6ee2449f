package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"kurir/browser"
	"kurir/js"
	"kurir/models"
	"kurir/sandbox"
	"kurir/web"
)

// namedCheck returns what is said when all is well; its error says what is not, and what to do.
type namedCheck struct {
	name  string
	check func(context.Context, Config) (string, error)
}

// Doctor checks what kurir needs of this machine and prints a line each: ok, or what to do. Its error says how many
// lines were not ok.
func Doctor(ctx context.Context, cfg Config, out io.Writer) error {
	var start error // of Chromium: two lines are about it
	checks := []namedCheck{
		{"chromium", func(ctx context.Context, cfg Config) (detail string, err error) {
			detail, start, err = checkChromium(ctx, cfg)
			return detail, err
		}},
		{"jail", func(context.Context, Config) (string, error) { return checkJail(start) }},
		{"data folder", checkData},
		{"database", checkDatabase},
		{"port", checkPort},
		{"page code", checkPageCode},
	}
	if cfg.servesTLS() {
		checks = append(checks, namedCheck{"certificate", checkCertificate})
	}
	failed := 0
	for _, c := range checks {
		detail, err := c.check(ctx, cfg)
		if err != nil {
			failed++
			_, _ = fmt.Fprintf(out, "%-12s NOT OK  %v\n", c.name, err)
			continue
		}
		_, _ = fmt.Fprintf(out, "%-12s ok      %s\n", c.name, detail)
	}
	if failed > 0 {
		return fmt.Errorf("doctor: %d of %d checks failed", failed, len(checks))
	}
	return nil
}

// checkChromium finds Chromium and starts it. start is what went wrong when it was started.
func checkChromium(ctx context.Context, cfg Config) (detail string, start, err error) {
	binary, err := browser.FindChromium(cfg.Chromium)
	if err != nil {
		return "", err, err
	}
	version, err := browser.Try(ctx, binary)
	switch {
	case errors.Is(err, browser.ErrNoJail):
		return "", err, fmt.Errorf("%s does not start without its sandbox: see jail", binary)
	case err != nil:
		return "", err, fmt.Errorf("%s does not start: %w", binary, err)
	}
	return fmt.Sprintf("%s (%s)", binary, version), nil, nil
}

// checkJail says whether Chromium's own sandbox is on. start is how a start of Chromium as a session does it has gone:
// Chromium does not start when the sandbox is wanted and cannot be on.
func checkJail(start error) (string, error) {
	switch {
	case !browser.Jailed():
		return "OFF: kurir runs as root. A page that breaks out of its renderer has this machine; run kurir as an ordinary user", nil
	case errors.Is(start, browser.ErrNoJail):
		return "", start
	case start != nil:
		return "", errors.New("nobody knows: Chromium does not start")
	}
	return "on", nil
}

func checkData(_ context.Context, cfg Config) (string, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return "", fmt.Errorf("set KURIR_DATA to a folder that kurir may write: %w", err)
	}
	f, err := os.CreateTemp(cfg.Data, ".doctor-*")
	if err != nil {
		return "", fmt.Errorf("set KURIR_DATA to a folder that kurir may write: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
		return "", err
	}
	for _, path := range cfg.private() {
		if open, err := wide(path); err == nil && open {
			return filepath.Clean(cfg.Data) + ", but others on this machine may read " + path + ": run chmod go= on it", nil
		}
	}
	return filepath.Clean(cfg.Data), nil
}

func checkDatabase(ctx context.Context, cfg Config) (string, error) {
	db, err := models.Open(ctx, models.Config{URL: cfg.databaseURL(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	version, err := db.SchemaVersion(ctx)
	switch {
	case err != nil:
		return "", err
	case version.Newer():
		return "", errors.New("a newer kurir has written it: run that one")
	case version.Current == 0:
		return cfg.databaseURL() + " (empty; made at the first start)", nil
	case version.Pending():
		return "", fmt.Errorf("schema %d, this kurir has %d: run `kurir migrate` (serve does it by itself)", version.Current, version.Target)
	}
	return cfg.databaseURL(), nil
}

func checkPort(ctx context.Context, cfg Config) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if isAddrInUse(err) {
		if CheckAlive(ctx, cfg) == nil {
			return cfg.Addr + " (a kurir is running there)", nil
		}
		return "", fmt.Errorf("%s is taken by another program: end it, or set KURIR_ADDR", cfg.Addr)
	}
	if err != nil {
		return "", fmt.Errorf("set KURIR_ADDR to an address of this machine: %w", err)
	}
	return cfg.Addr, l.Close()
}

func checkPageCode(context.Context, Config) (string, error) {
	_, err := js.Scripts()
	err = errors.Join(err, sandbox.CheckAssets(), web.CheckAssets())
	return "embedded", err
}

// CheckAlive asks the kurir that runs with these settings whether it is alive.
func CheckAlive(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	_, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return err
	}
	scheme, client := "http://", http.DefaultClient
	if cfg.servesTLS() {
		// The certificate is for a name, and this asks the port: whether it is alive, not who it is. It says no name, so the
		// gate answers without a certificate of an ACME server, too.
		ask := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // as said
		transport := &http.Transport{TLSClientConfig: ask}
		defer transport.CloseIdleConnections()
		scheme, client = "https://", &http.Client{Transport: transport}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort("127.0.0.1", port)+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("healthz answered %s", resp.Status)
	}
	return nil
}

// Migrate brings the database to this version's schema.
func Migrate(ctx context.Context, cfg Config, stdout io.Writer, log *slog.Logger) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	db, err := models.Open(ctx, models.Config{URL: cfg.databaseURL(), Log: log})
	if err != nil {
		return err
	}
	err = db.Migrate(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(stdout, "database is up to date:", cfg.databaseURL())
	return nil
}

func isAddrInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
