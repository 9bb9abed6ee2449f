package app_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kurir/app"
	"kurir/gate"
)

// TestTheServerIsPatientWithHonestCallersOnly holds the gate to what kurir serves, with limits far below the time that
// these calls take: an event stream, an answer that is waited for, an upload on a bad line. Slow attackers and a thousand
// idle connections are around all the while.
func TestTheServerIsPatientWithHonestCallersOnly(t *testing.T) {
	const still = 400 * time.Millisecond
	g := openGateway(t, t.TempDir(), func(c *app.Config) {
		c.Waits.Gate = gate.Limits{Header: still, Idle: still, Body: still, Rate: 2000, Write: still}
		c.MaxConnections, c.MaxConnectionsPerAddress = 200, 60
	})
	in := g.newInstance("Toko")
	addr := strings.TrimPrefix(g.url, "http://")
	dial := func(from string) net.Conn {
		t.Helper()
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return c
	}

	// A stream that is quiet for longer than any limit, and then has something to say.
	stream := dial("127.0.0.5")
	_, _ = fmt.Fprintf(stream, "GET /v1/events/stream HTTP/1.1\r\nHost: k\r\nAuthorization: Bearer %s\r\n\r\n", adminToken)
	lines := bufio.NewReader(stream)
	if first, err := lines.ReadString('\n'); err != nil || !strings.Contains(first, "200") {
		t.Fatalf("event stream: %q %v", first, err)
	}

	for range 1000 {
		dial("127.0.0.6")
	}
	slow := []net.Conn{dial("127.0.0.7"), dial("127.0.0.7"), dial("127.0.0.7")}
	_, _ = io.WriteString(slow[0], "GET /healthz HTTP/1.1\r\n")
	_, _ = io.WriteString(slow[1], "POST /wa/sendfile HTTP/1.1\r\nHost: k\r\nContent-Length: 90000000\r\n\r\n{\"body\":\"")
	_, _ = io.WriteString(slow[2], "POST /nowhere HTTP/1.1\r\nHost: k\r\nContent-Length: 90000000\r\n\r\n")
	for _, c := range slow {
		go func() {
			for tick := time.NewTicker(still / 8); ; <-tick.C {
				if _, err := io.WriteString(c, "a"); err != nil {
					tick.Stop()
					return
				}
			}
		}()
	}

	// An upload that takes five times the limit, and waits for its outcome (nothing is linked: it stays queued).
	upload := dial("127.0.0.8")
	head := fmt.Sprintf("key=%s&phone=0812345678&filename=a.txt&wait=1&body=", in.Key)
	const pieces = 50
	_, _ = fmt.Fprintf(upload, "POST /wa/sendfile HTTP/1.1\r\nHost: k\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		len(head)+pieces*400, head)
	began := time.Now()
	for range pieces {
		if _, err := io.WriteString(upload, strings.Repeat("QUJD", 100)); err != nil {
			t.Fatalf("an honest upload was ended: %v", err)
		}
		time.Sleep(still / 10)
	}
	resp, err := http.ReadResponse(bufio.NewReader(upload), nil)
	if err != nil {
		t.Fatalf("an honest upload has no answer: %v", err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("QUEUED")) || time.Since(began) < 4*still {
		t.Errorf("upload: %d %s after %s", resp.StatusCode, body, time.Since(began))
	}
	for i, c := range slow {
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "i/o timeout") {
			t.Errorf("slow attacker %d is still connected", i)
		}
	}
	if a := g.call("POST", "/v1/instances/"+in.ID+"/stop", nil); !a.Status {
		t.Errorf("stop: %+v", a)
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the event stream was ended: %v", err)
		}
		if strings.HasPrefix(line, "event: ") {
			break
		}
	}
}

// selfSigned writes a certificate for a name and its key.
func selfSigned(t *testing.T, name string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	return certificateUntil(t, name, time.Hour)
}

// certificateUntil is selfSigned with an end that is so far away.
func certificateUntil(t *testing.T, name string, end time.Duration) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(end), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	dir := t.TempDir()
	certFile, keyFile, roots = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	for file, b := range map[string][]byte{certFile: cert, keyFile: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots.AppendCertsFromPEM(cert)
	return certFile, keyFile, roots
}

// TestServesTLS: with a certificate kurir speaks HTTPS alone, tells browsers to come so from now on, and its cookie goes
// nowhere else.
func TestServesTLS(t *testing.T) {
	certFile, keyFile, roots := selfSigned(t, "kurir.example.com")
	var cfg app.Config
	g := openGateway(t, t.TempDir(), func(c *app.Config) {
		c.TLSCert, c.TLSKey = certFile, keyFile
		cfg = *c
	})
	if !strings.HasPrefix(g.url, "https://") {
		t.Fatalf("kurir says it is at %s", g.url)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := postForm(t, client, g.url+"/login", url.Values{"token": {adminToken}})
	if err != nil {
		t.Fatal(err)
	}
	cookies := resp.Cookies
	if len(cookies) != 1 || !cookies[0].Secure || !cookies[0].HttpOnly {
		t.Errorf("cookies %v", cookies)
	}
	if got := resp.Header.Get("Strict-Transport-Security"); !strings.HasPrefix(got, "max-age=31536000") {
		t.Errorf("HSTS %q", got)
	}
	if !strings.HasPrefix(resp.Proto, "HTTP/1.") {
		t.Errorf("protocol %s: its limits are nobody's", resp.Proto)
	}
	if plain, err := visit(t, httpClient, strings.Replace(g.url, "https", "http", 1)+"/healthz"); err == nil && plain.StatusCode == http.StatusOK {
		t.Error("kurir answers without TLS")
	}
	cfg.Addr = strings.TrimPrefix(g.url, "https://")
	if err := app.CheckAlive(t.Context(), cfg); err != nil {
		t.Errorf("doctor --alive: %v", err)
	}
}

// TestTheAuditNamesTheCaller: the address of a caller is the one that connected, and behind a proxy that the operator
// named the one that the proxy says.
func TestTheAuditNamesTheCaller(t *testing.T) {
	for trusted, want := range map[string]string{"": "127.0.0.1", "127.0.0.0/8": "203.0.113.7"} {
		g := openGateway(t, t.TempDir(), func(c *app.Config) {
			if trusted != "" {
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(trusted)}
			}
		})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/v1/instances", strings.NewReader(`{"name":"a","sandbox":true}`))
		req.Header.Set("Authorization", "Bearer "+adminToken)
		req.Header.Set("X-Forwarded-For", "1.1.1.1, 203.0.113.7")
		req.Header.Set("X-Real-IP", "1.1.1.1")
		if a := g.do(req); !a.Status {
			t.Fatalf("%+v", a)
		}
		if a := g.call("GET", "/v1/audit", nil); !bytes.Contains(a.Data, []byte(`"`+want+`"`)) || bytes.Contains(a.Data, []byte("1.1.1.1")) {
			t.Errorf("proxies %q: the audit says %s", trusted, a.Data)
		}
		g.close()
	}
}

func TestGateSettings(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"KURIR_TLS_CERT=/a": "KURIR_TLS_KEY", "KURIR_TLS_KEY=/a": "KURIR_TLS_CERT", "KURIR_TLS_CERT=/a KURIR_TLS_KEY=/b KURIR_DOMAIN=a.example.com": "KURIR_DOMAIN",
		"KURIR_DOMAIN=https://a.example.com": "KURIR_DOMAIN", "KURIR_DOMAIN=a.example.com:443": "KURIR_DOMAIN", "KURIR_DOMAIN=127.0.0.1": "KURIR_DOMAIN",
		"KURIR_DOMAIN=localhost": "KURIR_DOMAIN", "KURIR_DOMAIN=*.example.com": "KURIR_DOMAIN", "KURIR_TRUSTED_PROXIES=all": "TrustedProxies",
		"KURIR_MAX_CONNECTIONS=2": "KURIR_MAX_CONNECTIONS", "KURIR_MAX_CONNECTIONS_PER_ADDRESS=0": "KURIR_MAX_CONNECTIONS",
	}
	for set, want := range bad {
		if _, err := app.LoadConfig(strings.Fields(set)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", set, err)
		}
	}
	c, err := app.LoadConfig([]string{"KURIR_DOMAIN=kurir.example.com,wa.example.com", "KURIR_TRUSTED_PROXIES=10.0.0.0/8,fd00::/8"})
	if err != nil || len(c.Domain) != 2 || len(c.TrustedProxies) != 2 {
		t.Errorf("%v %v %v", c.Domain, c.TrustedProxies, err)
	}
}
