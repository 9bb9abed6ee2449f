package gate

import (
	"bytes"
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
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// certHost is the name in the certificates of the tests.
const certHost = "kurir.example.com"

// certificate makes a certificate for certHost and returns it and its key as PEM.
func certificate(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: certHost}, DNSNames: []string{certHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, made, made, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

// shake does a handshake and returns the serial of the certificate that the server shows.
func shake(t *testing.T, server *tls.Config, client *tls.Config) (serial int64, err error) {
	t.Helper()
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	_ = a.SetDeadline(time.Now().Add(patience))
	_ = b.SetDeadline(time.Now().Add(patience))
	var wait sync.WaitGroup
	wait.Go(func() { // ends with the pipe at the latest
		if tls.Server(b, server).HandshakeContext(t.Context()) != nil {
			_ = b.Close()
		}
	})
	client.InsecureSkipVerify = true
	c := tls.Client(a, client)
	if err = c.HandshakeContext(t.Context()); err == nil {
		serial = c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	_ = a.Close()
	wait.Wait()
	return serial, err
}

func TestCertificateFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	second := time.Now().Truncate(time.Second)
	write := func(cert, key []byte) {
		t.Helper()
		second = second.Add(time.Second) // files of the same size written within one tick of the disk's clock look the same
		for file, b := range map[string][]byte{certFile: cert, keyFile: key} {
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, second, second); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Files(certFile, keyFile, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("files that are not there were taken")
	}
	write(certificate(t, 1))
	var log bytes.Buffer
	c, err := Files(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := func(serial int64, when string) {
		t.Helper()
		if got, err := shake(t, c, &tls.Config{}); err != nil || got != serial {
			t.Errorf("%s: certificate %d, %v; want %d", when, got, err, serial)
		}
	}
	want(1, "at first")
	write(certificate(t, 2))
	want(2, "after a renewal")
	_, otherKey := certificate(t, 3)
	cert, _ := certificate(t, 4)
	write(cert, otherKey)
	want(2, "with a pair that does not fit")
	want(2, "and again")
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("a broken pair was told %d times", n)
	}
	write(certificate(t, 5))
	want(5, "after it was mended")
}

// TestCertificateLinksAreFollowed: certbot and Kubernetes renew by having a link lead to other files, which can be as large
// and, in an image or an archive, even as old.
func TestCertificateLinksAreFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	certFile, keyFile := filepath.Join(dir, "live", "cert.pem"), filepath.Join(dir, "live", "key.pem")
	lead := func(to string, serial int64) {
		t.Helper()
		to = filepath.Join(dir, to)
		cert, key := certificate(t, serial)
		steps := []error{os.Mkdir(to, 0o700)}
		for name, b := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
			file := filepath.Join(to, name)
			steps = append(steps, os.WriteFile(file, b, 0o600), os.Chtimes(file, old, old))
		}
		steps = append(steps, os.Symlink(to, filepath.Join(dir, "next")), os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "live")))
		if err := errors.Join(steps...); err != nil {
			t.Fatal(err)
		}
	}
	lead("1", 1)
	c, err := Files(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for serial := range int64(5) {
		if serial > 0 {
			lead(fmt.Sprint(serial+1), serial+1)
		}
		if got, err := shake(t, c, &tls.Config{}); err != nil || got != serial+1 {
			t.Errorf("certificate %d, %v; want %d", got, err, serial+1)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	cert, key := certificate(t, 1)
	_, _ = os.WriteFile(certFile, cert, 0o600), os.WriteFile(keyFile, key, 0o600)
	c, err := Files(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, c, &tls.Config{MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // old on purpose: the server has to choose
		t.Error("TLS 1.1 was taken")
	}
	if _, err := shake(t, c, &tls.Config{MaxVersion: tls.VersionTLS12}); err != nil { //nolint:gosec // old on purpose: the server has to choose
		t.Errorf("TLS 1.2: %v", err)
	}
}
