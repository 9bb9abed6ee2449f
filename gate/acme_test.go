package gate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kurir/gate/acmetest"
)

// site is a server with the certificates of an ACME server, and what it says in its log.
type site struct {
	*acmetest.Log
	*Certificates
	t    *testing.T
	addr string
}

// openSite serves the names, to the ACME server's port 443 too. Failed orders are made again after again.
func openSite(t *testing.T, acme *acmetest.Server, folder string, again time.Duration, names ...string) *site {
	t.Helper()
	s := &site{t: t, Log: &acmetest.Log{}}
	from := Issuer{Directory: acme.Directory, Roots: acme.Roots, Hold: func(int) time.Duration { return again }, Log: slog.New(slog.NewTextHandler(s.Log, nil))}
	var err error
	if s.Certificates, err = Domain(folder, from, names...); err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: patience, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(tls.NewListener(l, s.TLS))
	}()
	s.addr = l.Addr().String()
	t.Cleanup(func() {
		s.Close(t.Context())
		_ = server.Close()
		<-done
	})
	return s
}

// shake connects as a caller of that name, and returns the certificate that is shown.
func (s *site) shake(change func(*tls.Config)) (*x509.Certificate, error) {
	s.t.Helper()
	c := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // what comes is looked at
	change(c)
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: c}
	conn, err := dialer.DialContext(s.t.Context(), "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	t, ok := conn.(*tls.Conn)
	if !ok {
		return nil, errors.New("no TLS")
	}
	return t.ConnectionState().PeerCertificates[0], nil
}

func named(name string) func(*tls.Config) { return func(c *tls.Config) { c.ServerName = name } }

// TestDomain: many callers at once get one certificate, of one order; so do those of TLS 1.3 alone and those who write the
// name in capitals. Names that are not configured get none, and nobody is asked for one.
func TestDomain(t *testing.T) {
	t.Parallel()
	acme := acmetest.Start(t)
	folder := filepath.Join(t.TempDir(), "certificates")
	s := openSite(t, acme, folder, time.Hour, "kurir.example.com", "wa.example.com")
	acme.Port443(s.addr)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			cert, err := s.shake(named("kurir.example.com"))
			if err != nil {
				t.Error(err)
				return
			}
			if cert.PublicKeyAlgorithm != x509.ECDSA {
				t.Errorf("a key of %s", cert.PublicKeyAlgorithm)
			}
			if _, err := cert.Verify(x509.VerifyOptions{DNSName: "kurir.example.com", Roots: acme.Issuers, Intermediates: intermediates(t, s, "kurir.example.com")}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for what, change := range map[string]func(*tls.Config){
		"in capitals": named("KURIR.Example.com"),
		"TLS 1.3":     func(c *tls.Config) { c.ServerName, c.MinVersion = "kurir.example.com", tls.VersionTLS13 },
	} {
		if _, err := s.shake(change); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := acme.Orders(); n != 1 {
		t.Errorf("%d orders for one name", n)
	}
	for _, name := range []string{"evil.example.com", "example.com", "kurir.example.com.evil.com"} {
		if _, err := s.shake(named(name)); err == nil {
			t.Errorf("%s was served", name)
		}
		if _, err := s.get(&tls.ClientHelloInfo{ServerName: name}); err == nil || !strings.Contains(err.Error(), "not a name of this kurir") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := acme.Orders(); n != 1 {
		t.Errorf("%d orders after names that are nobody's", n)
	}
	s.Start() // orders the other one, and does not the first
	s.Await(t, "wa.example.com")
	if n := acme.Orders(); n != 2 {
		t.Errorf("%d orders for two names", n)
	}
	if text := s.String(); strings.Count(text, "msg=certificate") != 2 || strings.Contains(text, "level=ERROR") || strings.Contains(text, "level=WARN") {
		t.Errorf("the log says\n%s", text)
	}
	if s.TLS.MinVersion != tls.VersionTLS12 {
		t.Errorf("TLS %x", s.TLS.MinVersion)
	}
	if _, err := Domain(folder, Issuer{}); err == nil {
		t.Error("no name was taken for one")
	}
}

// intermediates are those that a server sends with its certificate.
func intermediates(t *testing.T, s *site, name string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	cert, err := s.TLS.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Error(err)
		return pool
	}
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// TestACertificateIsKept: it and the account's key are on disk for kurir alone, and serve the next start without the ACME
// server. They do not when it is another ACME server: what a test server gave must not be served when the real one is set.
func TestACertificateIsKept(t *testing.T) {
	t.Parallel()
	acme := acmetest.Start(t)
	folder := filepath.Join(t.TempDir(), "certificates")
	first := openSite(t, acme, folder, time.Hour, "kurir.example.com")
	acme.Port443(first.addr)
	first.Start()
	first.Await(t, "msg=certificate")
	cert, err := first.shake(named("kurir.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
		if !d.IsDir() {
			files++
		}
		return nil
	})
	if err != nil || files != 2 {
		t.Errorf("%d files, %v", files, err)
	}

	acme.Down(true)
	second := openSite(t, acme, folder, time.Hour, "kurir.example.com")
	second.Start()
	second.Await(t, "msg=certificate")
	if again, err := second.shake(named("kurir.example.com")); err != nil || !again.Equal(cert) {
		t.Errorf("after a restart: another certificate, %v", err)
	}
	if n := acme.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}

	other := acmetest.Start(t)
	third := openSite(t, other, folder, time.Hour, "kurir.example.com")
	other.Port443(third.addr)
	if again, err := third.shake(named("kurir.example.com")); err != nil || again.Equal(cert) || other.Orders() != 1 {
		t.Errorf("of another ACME server: %v, %d orders", err, other.Orders())
	}
}

// TestNoCertificate: what the ACME server has against it is in the log, once for an order; callers are refused and cause no
// order more; and with the reason gone the certificate comes by itself.
func TestNoCertificate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shut, open func(*testing.T, *acmetest.Server, *site)
		want       string
		orders     int // that reach the ACME server before it opens
	}{
		"down": {
			shut: func(_ *testing.T, a *acmetest.Server, s *site) { a.Down(true); a.Port443(s.addr) },
			open: func(_ *testing.T, a *acmetest.Server, _ *site) { a.Down(false) },
			want: "answers 503",
		},
		"the name leads elsewhere": {
			shut:   func(*testing.T, *acmetest.Server, *site) {},
			open:   func(_ *testing.T, a *acmetest.Server, s *site) { a.Port443(s.addr) },
			want:   "unauthorized: Failed to connect to 127.0.0.1:",
			orders: 2, // autocert tries once more, without a challenge that is left
		},
		"refused": {
			shut:   func(t *testing.T, a *acmetest.Server, s *site) { a.Refuse(t, "example.com"); a.Port443(s.addr) },
			want:   "rejectedIdentifier",
			orders: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			acme := acmetest.Start(t)
			s := openSite(t, acme, t.TempDir(), time.Hour, "kurir.example.com")
			c.shut(t, acme, s)
			s.Start()
			text := s.Await(t, "level=ERROR")
			if !strings.Contains(text, c.want) || strings.Contains(text, "level=WARN") {
				t.Errorf("the log says\n%s", text)
			}
			for range 5 {
				if _, err := s.shake(named("kurir.example.com")); err == nil {
					t.Error("served without a certificate")
				}
			}
			if n := acme.Orders(); n != c.orders || strings.Count(s.String(), "level=ERROR") != 1 {
				t.Errorf("%d orders, not %d; the log says\n%s", n, c.orders, s)
			}
			// The health check of this machine is served all the same, and nobody else can ask as it does.
			if cert, err := s.shake(func(*tls.Config) {}); err != nil || !strings.Contains(cert.Subject.CommonName, "this machine alone") {
				t.Errorf("health check: %v %v", cert, err)
			}
			if _, err := s.get(&tls.ClientHelloInfo{Conn: from{"203.0.113.7:1"}}); err == nil {
				t.Error("who is not on this machine and names nobody was served")
			}
			s.Close(t.Context())
			if c.open == nil {
				return
			}
			acme.Port443("")
			s = openSite(t, acme, t.TempDir(), 50*time.Millisecond, "kurir.example.com") // less patient
			c.shut(t, acme, s)
			s.Start()
			s.Await(t, "level=ERROR")
			c.open(t, acme, s)
			s.Await(t, "msg=certificate")
			if _, err := s.shake(named("kurir.example.com")); err != nil {
				t.Errorf("when it is open again: %v", err)
			}
		})
	}
}

// TestRenewal: a certificate is another one before it ends, without a restart and without a gap; when the ACME server
// refuses, the log says so while the old one is still good.
func TestRenewal(t *testing.T) {
	t.Parallel()
	acme := acmetest.StartShort(t, 9*time.Second) // autocert renews in the last third
	s := openSite(t, acme, t.TempDir(), time.Hour, "kurir.example.com", "refused.example.net")
	acme.Port443(s.addr)
	first := map[string]*x509.Certificate{}
	for _, name := range []string{"kurir.example.com", "refused.example.net"} {
		cert, err := s.shake(named(name))
		if err != nil {
			t.Fatal(err)
		}
		first[name] = cert
	}
	acme.Refuse(t, "example.net")
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		cert, err := s.shake(named("kurir.example.com"))
		if err != nil || time.Now().After(end) {
			t.Fatalf("not renewed: %v\n%s", err, s)
		}
		if !cert.Equal(first["kurir.example.com"]) {
			break
		}
	}
	s.Await(t, `level=WARN msg="the ACME server refuses" name=refused.example.net err="rejectedIdentifier`)
	if cert, err := s.shake(named("refused.example.net")); err != nil || !cert.Equal(first["refused.example.net"]) {
		t.Errorf("what is not renewed is not served any more: %v", err)
	}
	if text := s.String(); strings.Count(text, "msg=certificate name=kurir.example.com") != 2 || strings.Contains(text, "level=ERROR") {
		t.Errorf("the log says\n%s", text)
	}
}

// from is a connection from elsewhere.
type from struct{ addr string }

func (f from) RemoteAddr() net.Addr { return addr(f.addr) }

func (from) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (from) Write([]byte) (int, error)        { return 0, net.ErrClosed }
func (from) Close() error                     { return nil }
func (from) LocalAddr() net.Addr              { return addr("") }
func (from) SetDeadline(time.Time) error      { return nil }
func (from) SetReadDeadline(time.Time) error  { return nil }
func (from) SetWriteDeadline(time.Time) error { return nil }

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

// TestHold: between two failed orders there is always as much time as Let's Encrypt's limit wants: 5 at once, then one
// every 12 minutes.
func TestHold(t *testing.T) {
	t.Parallel()
	left, at := 5.0, time.Duration(0)
	for failures := 1; failures < 200; failures++ {
		if left--; left < 0 {
			t.Fatalf("the %dth, after %s, is over the limit", failures, at)
		}
		wait := hold(failures)
		if wait < time.Minute || wait > 15*time.Minute {
			t.Fatalf("%s after %d", wait, failures)
		}
		at += wait
		left = min(5, left+wait.Minutes()/12)
	}
}

// TestRefusal reads what ACME servers answer.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for body, c := range map[string]struct {
		status int
		want   string
	}{
		`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates","status":429}`:                                                                                         {429, "rateLimited: too many certificates"},
		`{"type":"urn:ietf:params:acme:error:badNonce","detail":"used","status":400}`:                                                                                                             {400, ""},
		`{"type":"urn:ietf:params:acme:error:accountDoesNotExist","detail":"x","status":400}`:                                                                                                     {400, ""},
		`{"status":"invalid","challenges":[{"type":"http-01"},{"type":"tls-alpn-01","status":"invalid","error":{"type":"urn:ietf:params:acme:error:connection","detail":"192.0.2.1: refused"}}]}`: {200, "connection: 192.0.2.1: refused"},
		`{"status":"invalid","error":{"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids"}}`:                                                                                           {200, "caa: CAA forbids"},
		`{"type":"tls-alpn-01","status":"pending","token":"x"}`:                                                                                                                                   {200, ""},
		`{"newOrder":"https://ca.example.com/order","meta":{}}`:                                                                                                                                   {200, ""},
		"-----BEGIN CERTIFICATE-----": {200, ""},
		"<html>Bad gateway</html>":    {502, "answers 502"},
		"":                            {201, ""},
	} {
		if got := refusal(c.status, []byte(body)); got != c.want {
			t.Errorf("%d %s: %q", c.status, body, got)
		}
	}
}
