package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"kurir/fetch"
	"kurir/gate"
	"kurir/handlers"
	"kurir/password"
	"kurir/web"
)

// validateGate checks the settings of the gate.
func (c *Config) validateGate() error {
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("KURIR_TLS_CERT, KURIR_TLS_KEY: set both or none")
	case c.TLSCert != "" && len(c.Domain) > 0:
		return errors.New("KURIR_DOMAIN gets certificates by itself: set it, or KURIR_TLS_CERT and KURIR_TLS_KEY")
	case c.MaxConnections < 16 || c.MaxConnectionsPerAddress < 1:
		return errors.New("KURIR_MAX_CONNECTIONS: must be at least 16, KURIR_MAX_CONNECTIONS_PER_ADDRESS at least 1")
	}
	if (c.ACMEDirectory != "" || c.ACMECA != "") && len(c.Domain) == 0 {
		return errors.New("KURIR_ACME_DIRECTORY, KURIR_ACME_CA: set KURIR_DOMAIN too, the names that get certificates there")
	}
	if u, err := url.Parse(c.ACMEDirectory); c.ACMEDirectory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return errors.New("KURIR_ACME_DIRECTORY: must be an address such as https://ca.example.com/acme/acme/directory")
	}
	for _, name := range c.Domain {
		if name == "" || net.ParseIP(name) != nil || !strings.Contains(name, ".") || strings.ContainsAny(name, "/:* ") {
			return errors.New("KURIR_DOMAIN: must be names such as kurir.example.com, without https:// and port")
		}
	}
	return nil
}

// servesTLS says whether kurir itself speaks HTTPS.
func (c *Config) servesTLS() bool { return c.TLSCert != "" || len(c.Domain) > 0 }

// gateLimits are those of the server.
func (c *Config) gateLimits() gate.Limits {
	l := c.Waits.Gate
	l.Conns, l.PerAddress = c.MaxConnections, c.MaxConnectionsPerAddress
	return l.WithDefaults()
}

// listen opens kurir's port.
func (a *App) listen(ctx context.Context) (err error) {
	switch {
	case a.cfg.TLSCert != "":
		a.tls, err = gate.Files(a.cfg.TLSCert, a.cfg.TLSKey, a.log)
	case len(a.cfg.Domain) > 0:
		err = a.openCertificates()
	}
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen at KURIR_ADDR: %w", err)
	}
	a.listener = gate.Listen(l, a.cfg.gateLimits(), a.cfg.TrustedProxies)
	return nil
}

// openCertificates makes ready to get certificates for the names of the settings.
func (a *App) openCertificates() error {
	from := gate.Issuer{Directory: a.cfg.ACMEDirectory, Log: a.log}
	if a.cfg.ACMECA != "" {
		pem, err := os.ReadFile(a.cfg.ACMECA)
		if err != nil {
			return fmt.Errorf("KURIR_ACME_CA: %w", err)
		}
		if from.Roots = x509.NewCertPool(); !from.Roots.AppendCertsFromPEM(pem) {
			return errors.New("KURIR_ACME_CA: no certificate is in it; it must be a PEM file")
		}
	}
	c, err := gate.Domain(a.cfg.certificateDir(), from, a.cfg.Domain...)
	if err != nil {
		return fmt.Errorf("KURIR_DOMAIN: %w", err)
	}
	a.certificates, a.tls = c, c.TLS
	return nil
}

// serve starts the HTTP server on the listener.
func (a *App) serve() {
	console := web.New(web.Deps{
		Instances: consoleInstances{a.sessions}, Keys: a.db, Sessions: a.db, People: a.db, Passwords: password.New(), Audit: a.db,
		CheckAdmin: a.admin.check, AdminPrint: a.admin.print(), Simulator: a.sessions, Phones: a.sessions.phones(), Log: a.log,
	})
	limits := a.cfg.gateLimits()
	a.server = &http.Server{
		Handler: &gate.Handler{Proxies: a.cfg.TrustedProxies, Limits: limits, Next: handlers.New(handlers.Deps{
			DB: a.db, Instances: a.sessions, Outbox: a.out, Console: console, Fetch: fetch.New(fetch.Config{Allow: a.cfg.FetchAllow}),
			CheckAdmin: a.admin.check, FilesDir: a.cfg.filesDir(), MaxFileBytes: a.cfg.MaxFileMB * 1_000_000,
			WAAlways200: a.cfg.WAAlways200, Adapters: a.cfg.Adapters, Region: a.cfg.Region, Ready: a.ready, Log: a.log, Keys: a.db, RatePerMinute: a.cfg.RatePerMinute,
			Events: a.db, Webhooks: hooks{a.db, a.sessions.presenceMayChange}, Deliverer: a.hooks, Stats: a.stats, Closing: a.closing,
			Media: a.media, MaxMediaBytes: a.cfg.MediaMaxMB * 1_000_000,
		})},
		// No limits for reading and writing in all: a large file and an answer that is waited for take as long as they
		// take. The gate has a limit for each step of them.
		ReadHeaderTimeout: limits.Header,
		IdleTimeout:       limits.Idle,
		MaxHeaderBytes:    gate.MaxHeaderBytes,
		ConnState:         a.listener.State,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only
	}
	a.server.RegisterOnShutdown(console.Close)
	a.server.RegisterOnShutdown(func() { close(a.closing) })
	l := net.Listener(a.listener)
	if a.tls != nil {
		l = tls.NewListener(l, a.tls)
	}
	go func() { a.served <- a.server.Serve(l) }()
	if a.certificates != nil {
		a.certificates.Start()
	}
}

// URL is where kurir listens, for people and tests on this machine.
func (a *App) URL() string {
	scheme := "http://"
	if a.tls != nil {
		scheme = "https://"
	}
	return scheme + a.listener.Addr().String()
}

// publicURL is where others reach kurir when the settings do not say.
func (a *App) publicURL() string {
	if len(a.cfg.Domain) > 0 {
		return "https://" + a.cfg.Domain[0]
	}
	return a.URL()
}
