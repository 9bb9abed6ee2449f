package app_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kurir/app"
	"kurir/gate/acmetest"
)

const domain = "kurir.example.com"

// byName is a client of the world outside: it knows domain at addr, and trusts the ACME server's certificates alone.
func byName(roots *x509.CertPool, addr string) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}}
}

// withDomain starts a kurir that gets its certificate from acme.
func withDomain(t *testing.T, acme *acmetest.Server, dir string) (*gateway, *acmetest.Log, app.Config) {
	t.Helper()
	log, cfg := &acmetest.Log{}, app.Config{}
	g := openGatewayLog(t, dir, slog.NewTextHandler(log, nil), func(c *app.Config) {
		c.Domain, c.ACMEDirectory, c.ACMECA = []string{domain}, acme.Directory, acme.CAFile
		cfg = *c
	})
	cfg.Addr = strings.TrimPrefix(g.url, "https://")
	return g, log, cfg
}

// certificateLine is what the doctor says about it.
func certificateLine(t *testing.T, cfg app.Config) string {
	t.Helper()
	var out bytes.Buffer
	cfg.Chromium = "none" // which takes its time
	_ = app.Doctor(t.Context(), cfg, &out)
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "certificate") {
			return line
		}
	}
	return out.String()
}

// TestACertificateIsOrdered: with a domain kurir gets a certificate by itself when it starts, serves its pages with it, and
// starts with the same one again, also when the ACME server is away.
func TestACertificateIsOrdered(t *testing.T) {
	acme, dir := acmetest.Start(t), t.TempDir()
	g, log, cfg := withDomain(t, acme, dir)
	acme.Port443(cfg.Addr)
	log.Await(t, "msg=certificate name="+domain)
	get := func() (serial string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+domain+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := byName(acme.Issuers, cfg.Addr).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"code":"OK"`)) {
			t.Errorf("%s %s %v", resp.Status, body, err)
		}
		if hsts := resp.Header.Get("Strict-Transport-Security"); hsts != "max-age=31536000" || resp.ProtoMajor != 1 {
			t.Errorf("HSTS %q, protocol %s", hsts, resp.Proto)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.String()
	}
	serial := get()
	if line := certificateLine(t, cfg); !strings.Contains(line, "ok      "+domain+" until "+time.Now().AddDate(0, 0, 90).Local().Format("2006-01-")) {
		t.Errorf("doctor: %s", line)
	}
	if _, err := visit(t, byName(acme.Issuers, cfg.Addr), "https://other.example.com/"); err == nil || acme.Orders() != 1 {
		t.Errorf("another name: %v, %d orders", err, acme.Orders())
	}
	if err := app.CheckAlive(t.Context(), cfg); err != nil {
		t.Errorf("doctor --alive: %v", err)
	}
	// Who comes by HTTP is not served, and learns why.
	if resp, err := httpClient.Transport.RoundTrip(request(t, "http://"+cfg.Addr+"/healthz")); err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", resp.Status)
		}
	}
	closed(t, filepath.Join(dir, "certificates"))
	g.close()

	acme.Down(true)
	_, log, cfg = withDomain(t, acme, dir)
	log.Await(t, "msg=certificate name="+domain)
	if again := get(); again != serial || acme.Orders() != 1 {
		t.Errorf("after a restart: %s, not %s; %d orders", again, serial, acme.Orders())
	}
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// closed holds a folder and what is in it to be closed to others.
func closed(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestWithoutACertificateKurirLives: while the ACME server is away kurir runs, says so in its log, and is alive for who supervises
// it. (That it gets the certificate later is shown in package gate.)
func TestWithoutACertificateKurirLives(t *testing.T) {
	acme, dir := acmetest.Start(t), t.TempDir()
	acme.Down(true)
	g, log, cfg := withDomain(t, acme, dir)
	acme.Port443(cfg.Addr)
	log.Await(t, `level=ERROR msg="no certificate, so nobody can call kurir by this name`)
	if _, err := visit(t, byName(acme.Issuers, cfg.Addr), "https://"+domain+"/healthz"); err == nil {
		t.Error("served without a certificate")
	}
	if err := app.CheckAlive(t.Context(), cfg); err != nil {
		t.Errorf("doctor --alive: %v", err)
	}
	if line := certificateLine(t, cfg); !strings.Contains(line, "ok      "+domain+": none yet") {
		t.Errorf("doctor: %s", line)
	}
	g.close()
}

// TestCertificateSettings: what cannot be is said when kurir starts.
func TestCertificateSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for set, want := range map[string]string{
		"KURIR_ACME_DIRECTORY=https://ca.example.com/dir":                                     "set KURIR_DOMAIN",
		"KURIR_ACME_CA=/a.pem":                                                                "set KURIR_DOMAIN",
		"KURIR_DOMAIN=kurir.example.com KURIR_ACME_DIRECTORY=http://ca.example.com/dir":       "KURIR_ACME_DIRECTORY",
		"KURIR_DOMAIN=kurir.example.com KURIR_ACME_DIRECTORY=ca.example.com":                  "KURIR_ACME_DIRECTORY",
		"KURIR_DOMAIN=kurir.example.com KURIR_ACME_CA=" + filepath.Join(dir, "nothing"):       "KURIR_ACME_CA",
		"KURIR_DOMAIN=kurir.example.com KURIR_ACME_CA=" + writeFile(t, dir, "no certificate"): "KURIR_ACME_CA",
	} {
		cfg, err := app.LoadConfig(append(strings.Fields(set), "KURIR_ADDR=127.0.0.1:0", "KURIR_DATA="+dir, "KURIR_CHROMIUM="+os.Getenv("KURIR_CHROMIUM")))
		if err == nil {
			var a *app.App
			if a, err = app.Open(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil {
				_ = a.Close(t.Context())
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
}

func writeFile(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDoctorReadsCertificateFiles: it says until when, and that one has ended or should be another by now.
func TestDoctorReadsCertificateFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile, _ := selfSigned(t, domain) // good for an hour, since an hour
	cfg := settings(t, dir)
	cfg.TLSCert, cfg.TLSKey = certFile, keyFile
	if line := certificateLine(t, cfg); !strings.Contains(line, "certificate  ok      "+certFile+" until ") {
		t.Errorf("doctor: %s", line)
	}
	for end, want := range map[time.Duration]string{-time.Minute: "it has ended on", time.Minute: "should have been renewed"} {
		cfg.TLSCert, cfg.TLSKey, _ = certificateUntil(t, domain, end)
		if line := certificateLine(t, cfg); !strings.Contains(line, "certificate  NOT OK  "+cfg.TLSCert+": it") || !strings.Contains(line, want) {
			t.Errorf("doctor: %s", line)
		}
	}
}
