package gate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
)

// Issuer is who gives certificates: a server of the ACME protocol (RFC 8555).
type Issuer struct {
	Directory string                           // its address; "" = Let's Encrypt
	Roots     *x509.CertPool                   // whom to trust as that server; nil = whom this machine trusts
	Log       *slog.Logger                     // nil = slog.Default()
	Hold      func(failures int) time.Duration // how long to leave it alone after so many failures in a row; nil = as Let's Encrypt wants it
}

// hold lets Let's Encrypt's limit for failed validations (5 an hour for a name, one more every 12 minutes) never be
// reached: else a name that was set right would wait for that limit, too.
func hold(failures int) time.Duration {
	return min(time.Minute<<(min(failures, 5)-1), 15*time.Minute)
}

// Certificates gets certificates for some names from an ACME server and renews them. The server validates a name by
// calling it at port 443 (challenge tls-alpn-01), which must lead to kurir.
//
// Without a certificate nothing else changes: a name that has none is refused in the handshake and asked for again later.
// A caller on this machine that names nobody (the health check) is always served, with a certificate that nobody signed.
type Certificates struct {
	TLS *tls.Config

	folder  string
	from    Issuer
	way     *http.Transport // to the ACME server
	domains map[string]*domain
	own     func() (*tls.Certificate, error)

	open  context.Context //nolint:containedctx // ends with Close, and with it every request to the ACME server
	close context.CancelFunc
	kept  chan struct{} // closed when keep has ended
}

// domain is one name.
type domain struct {
	name    string
	manager atomic.Pointer[manager]

	mu       sync.Mutex // held while a certificate is ordered: the others wait for that one
	failures int
	err      error
	next     time.Time // when the ACME server may be asked again after err
	serial   string    // of the certificate that the log knows of; "": none yet
}

// manager orders the certificate of one name and renews it. One that has failed to order is of no use for a minute (a
// constant of autocert) and is replaced.
type manager struct {
	autocert.Manager
	herald *herald
}

// Domain returns a configuration that gets certificates for these names. folder keeps them and the account's key.
func Domain(folder string, from Issuer, names ...string) (*Certificates, error) {
	if len(names) == 0 {
		return nil, errors.New("no domain")
	}
	folder = kept(folder, from.Directory)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder of certificates: %w", err)
	}
	if from.Directory == "" {
		from.Directory = autocert.DefaultACMEDirectory
	}
	if from.Hold == nil {
		from.Hold = hold
	}
	if from.Log == nil {
		from.Log = slog.Default()
	}
	way := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: from.Roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute,
	}
	c := &Certificates{folder: folder, from: from, way: way, domains: map[string]*domain{}, own: sync.OnceValues(selfSigned)}
	c.open, c.close = context.WithCancel(context.Background())
	for _, name := range names {
		name, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return nil, fmt.Errorf("domain: %w", err)
		}
		d := &domain{name: name}
		d.manager.Store(c.manager(name))
		c.domains[name] = d
	}
	c.TLS = base()
	c.TLS.GetCertificate = c.get
	c.TLS.NextProtos = append(c.TLS.NextProtos, acme.ALPNProto)
	return c, nil
}

// kept is the folder for what comes from a directory. Each has its own: a certificate of a test server must not be served
// when the real one is set.
func kept(folder, directory string) string {
	u, err := url.Parse(directory)
	if directory == "" || err != nil {
		return folder
	}
	// An underscore is in no domain, so it is not the file of one either.
	return filepath.Join(folder, "from_"+strings.NewReplacer("/", "_", ":", "_").Replace(u.Host+u.Path))
}

func (c *Certificates) manager(name string) *manager {
	h := &herald{way: c.way, open: c.open, log: c.from.Log, name: name}
	return &manager{herald: h, Manager: autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(c.folder), HostPolicy: autocert.HostWhitelist(name),
		Client: &acme.Client{
			DirectoryURL: c.from.Directory, UserAgent: "kurir", RetryBackoff: h.backoff,
			HTTPClient: &http.Client{Transport: h, Timeout: requestLimit},
		},
	}}
}

// OnDisk returns the certificate that folder has for a name from a directory ("": Let's Encrypt). Without one the error
// is fs.ErrNotExist.
func OnDisk(folder, directory, name string) (*x509.Certificate, error) {
	data, err := os.ReadFile(filepath.Join(kept(folder, directory), filepath.Base(name)))
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" { // its own comes before those of the chain
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, fmt.Errorf("read certificate: %s has none", name)
}

// Start asks for the certificates that are missing, and again until all are there: who calls later need not wait. What
// comes of it is in the log. The server must take connections by now, since the ACME server calls back.
func (c *Certificates) Start() {
	c.kept = make(chan struct{})
	go c.keep()
}

// Close ends what is under way with the ACME server, and waits for it until ctx ends.
func (c *Certificates) Close(ctx context.Context) {
	c.close()
	if c.kept != nil {
		select {
		case <-c.kept:
		case <-ctx.Done():
		}
	}
	c.way.CloseIdleConnections()
}

// keep ends when every name has its certificate; autocert renews it from then on.
func (c *Certificates) keep() {
	defer close(c.kept)
	for {
		var again time.Time
		for _, d := range c.domains {
			if _, next, err := c.ask(d); err != nil && (again.IsZero() || next.Before(again)) {
				again = next
			}
		}
		if again.IsZero() {
			return
		}
		timer := time.NewTimer(time.Until(again))
		select {
		case <-timer.C:
		case <-c.open.Done():
			timer.Stop()
			return
		}
	}
}

// get is tls.Config.GetCertificate. Other names are refused before anybody is asked for a certificate: scanners try them
// all day, and the limits of the ACME server are the owner's.
func (c *Certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName == "" && fromHere(hello.Conn) {
		return c.own()
	}
	name, err := idna.Lookup.ToASCII(hello.ServerName) // in capitals too it is the same name
	d := c.domains[name]
	if err != nil || d == nil {
		return nil, errors.New("TLS: not a name of this kurir")
	}
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto { // the ACME server validates the name
		return d.manager.Load().GetCertificate(hello)
	}
	cert, _, err := c.ask(d)
	return cert, err
}

// ask returns the certificate of a name, and orders it when there is none. After an error the ACME server is left alone
// until next.
func (c *Certificates) ask(d *domain) (cert *tls.Certificate, next time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil && time.Now().Before(d.next) {
		return nil, d.next, d.err
	}
	m := d.manager.Load()
	if d.serial == "" {
		m.herald.listen()
	}
	// Always as for a caller that knows ECDSA, as all who know TLS 1.2 do by now: autocert takes a caller of TLS 1.3 alone
	// for one that does not, and orders a second certificate.
	cert, err = m.GetCertificate(&tls.ClientHelloInfo{
		ServerName: d.name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
	if err != nil {
		if said := m.herald.heard(); said != "" && !strings.Contains(err.Error(), said) {
			err = fmt.Errorf("%s (%w)", said, err)
		}
		d.failures++
		wait := c.from.Hold(d.failures)
		d.err, d.next = err, time.Now().Add(wait)
		d.manager.Store(c.manager(d.name)) // and nobody asks what the herald of this one still hears
		if c.open.Err() == nil {
			c.from.Log.Error("no certificate, so nobody can call kurir by this name; the name must lead to kurir as port 443",
				"name", d.name, "err", err, "from", c.from.Directory, "again_in", wait)
		}
		return nil, d.next, err
	}
	m.herald.speak() // of renewals
	d.err, d.failures = nil, 0
	if serial := cert.Leaf.SerialNumber.String(); d.serial != serial {
		d.serial = serial
		c.from.Log.Info("certificate", "name", d.name, "until", cert.Leaf.NotAfter, "issuer", cert.Leaf.Issuer.String())
	}
	return cert, time.Time{}, nil
}

// fromHere says whether the other end is on this machine.
func fromHere(c net.Conn) bool {
	if c == nil {
		return false
	}
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// selfSigned makes a certificate that says nothing: for the health check, which asks whether kurir lives and not who it is.
// That must not depend on an ACME server, or a supervisor would end a kurir that sends messages.
func selfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for the health check: %w", err)
	}
	made := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kurir, for this machine alone"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for the health check: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
