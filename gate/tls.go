package gate

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// base is what certificates of files and of an ACME server share. One protocol, HTTP/1.1: its limits are those that are
// set and tested here.
func base() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// Files returns a configuration with the certificate in these files, which are read again when they change: who renews it
// need not restart kurir. A broken pair on the disk is told to the log, and the one before stays.
func Files(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	p := &pair{certFile: certFile, keyFile: keyFile, log: log}
	if err := p.load(); err != nil {
		return nil, err
	}
	c := base()
	c.GetCertificate = p.get
	return c, nil
}

// pair is a certificate and its key on disk.
type pair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu    sync.Mutex
	stamp [2]stamp // of the files when they were last read
	cert  *tls.Certificate
}

// stamp is what shows that a file was written, or that it is another one: certbot and Kubernetes renew by having a link lead
// elsewhere, where a file can be as large and as old.
type stamp struct {
	size   int64
	time   time.Time
	device uint64
	inode  uint64
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	s := stamp{size: info.Size(), time: info.ModTime()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode = stat.Dev, stat.Ino
	}
	return s
}

// load reads the files when they have changed.
func (p *pair) load() error {
	now := [2]stamp{stampOf(p.certFile), stampOf(p.keyFile)}
	if p.cert != nil && now == p.stamp {
		return nil
	}
	p.stamp = now // a broken pair is told once
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return fmt.Errorf("TLS certificate: %w", err)
	}
	p.cert = &cert
	return nil
}

func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.load(); err != nil {
		p.log.Error("the TLS certificate was changed and cannot be used; the one before stays", "err", err)
	}
	return p.cert, nil
}
