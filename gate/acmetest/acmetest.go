// Package acmetest runs an ACME server for tests: pebble, the small one of Let's Encrypt.
//
// Invariant: nothing leaves this machine. Every name leads to 127.0.0.1, by a resolver that is pebble's alone, and port 443
// is a port of the test, which leads to the kurir that it names.
package acmetest

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

// newOrder is where pebble takes orders.
const newOrder = "/order-plz"

// Server is a running pebble.
type Server struct {
	Directory string         // its address
	CAFile    string         // PEM: whom to trust as pebble
	Roots     *x509.CertPool // the same
	Issuers   *x509.CertPool // whom to trust with pebble's certificates

	db     *db.MemoryStore
	web    *httptest.Server
	way    *way
	orders atomic.Int64
	down   atomic.Bool
}

// Leaks is for goleak: pebble has no end for this goroutine.
func Leaks() goleak.Option {
	return goleak.IgnoreTopFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks")
}

// Start starts a pebble that ends with the test and gives certificates for 90 days.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartShort(t, 90*24*time.Hour)
}

// StartShort is Start with certificates that are good for that long.
func StartShort(t testing.TB, validity time.Duration) *Server {
	t.Helper()
	for name, value := range map[string]string{ // nobody else reads these, so they can stay
		"PEBBLE_VA_NOSLEEP":      "1",
		"PEBBLE_WFE_NONCEREJECT": "0", // at random else
		"PEBBLE_AUTHZREUSE":      "0", // as well
	} {
		if err := os.Setenv(name, value); err != nil { //nolint:usetesting // parallel tests are welcome
			t.Fatal(err)
		}
	}
	quiet := log.New(io.Discard, "", 0)
	s := &Server{db: db.NewMemoryStore(), way: openWay(t)}
	authority := ca.New(quiet, s.db, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: uint64(validity / time.Second)}}) //nolint:gosec // no test wants less than nothing
	validator := va.New(quiet, closedPort, portOf(t, s.way.listener), false, resolver(t), s.db)
	front := wfe.New(quiet, s.db, validator, authority, []string{"pebble.example.com"}, false, false, 1, 1)
	handler := front.Handler()
	s.web = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			http.Error(w, "maintenance", http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path == newOrder && r.Method == http.MethodPost {
			s.orders.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.web.Close)
	s.Directory = s.web.URL + wfe.DirectoryPath
	s.Roots, s.Issuers = x509.NewCertPool(), x509.NewCertPool()
	s.Roots.AddCert(s.web.Certificate())
	s.Issuers.AddCert(authority.GetRootCert(0).Cert)
	s.CAFile = filepath.Join(t.TempDir(), "acme-ca.pem")
	if err := os.WriteFile(s.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// Port443 leads to addr from now on; "": to nobody.
func (s *Server) Port443(addr string) { s.way.to.Store(&addr) }

// Orders is how many certificates were asked for.
func (s *Server) Orders() int { return int(s.orders.Load()) }

// Refuse gives no certificate for a name and those below it.
func (s *Server) Refuse(t testing.TB, name string) {
	t.Helper()
	if err := s.db.AddBlockedDomain(name); err != nil {
		t.Fatal(err)
	}
}

// Down has the server answer 503 to everything, or not any more.
func (s *Server) Down(down bool) { s.down.Store(down) }

// closedPort is one at which nobody listens: challenge http-01 has no chance.
const closedPort = 1

func portOf(t testing.TB, l net.Listener) int {
	t.Helper()
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("no port: %v", l.Addr())
	}
	return a.Port
}

// resolver starts a DNS server that knows one address, and returns where.
func resolver(t testing.TB) string {
	t.Helper()
	l := listen(t)
	started := make(chan struct{})
	server := &dns.Server{Listener: l, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg)
		a.SetReply(q)
		for _, asked := range q.Question {
			if asked.Qtype == dns.TypeA {
				a.Answer = append(a.Answer, &dns.A{Hdr: dns.RR_Header{Name: asked.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)})
			}
		}
		_ = w.WriteMsg(a)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return l.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// way is a port whose connections lead elsewhere.
type way struct {
	listener net.Listener
	to       atomic.Pointer[string] // "": nowhere, they are closed
	wait     sync.WaitGroup
}

func openWay(t testing.TB) *way {
	w := &way{listener: listen(t)}
	nowhere := ""
	w.to.Store(&nowhere)
	w.wait.Go(func() {
		for {
			c, err := w.listener.Accept()
			if err != nil {
				return
			}
			w.wait.Go(func() { carry(c, *w.to.Load()) })
		}
	})
	t.Cleanup(func() {
		_ = w.listener.Close()
		w.wait.Wait()
	})
	return w
}

// carry copies between c and a new connection to addr until one of both ends is closed.
func carry(c net.Conn, addr string) {
	defer func() { _ = c.Close() }()
	if addr == "" {
		return
	}
	other, err := new(net.Dialer).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return
	}
	var wait sync.WaitGroup
	for _, ends := range [][2]net.Conn{{c, other}, {other, c}} {
		wait.Go(func() {
			_, _ = io.Copy(ends[0], ends[1])
			_, _ = c.Close(), other.Close()
		})
	}
	wait.Wait()
}
