package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"kurir/gate"
)

// endsSoon is when a certificate should have been renewed: a third of its life before the end is the custom (certbot,
// autocert), so with a quarter left something keeps it from that. Those that live for years are renewed late by people.
const endsSoon = 14 * 24 * time.Hour

// checkCertificate says until when the certificates that kurir serves are good.
func checkCertificate(_ context.Context, cfg Config) (string, error) {
	if cfg.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return "", fmt.Errorf("KURIR_TLS_CERT, KURIR_TLS_KEY: %w", err)
		}
		return judge(cfg.TLSCert, pair.Leaf)
	}
	var said []string
	var errs []error
	for _, name := range cfg.Domain {
		cert, err := gate.OnDisk(cfg.certificateDir(), cfg.ACMEDirectory, name)
		words := name + ": none yet; kurir asks for it when it starts, and its log says what came of it"
		if err == nil {
			words, err = judge(name, cert)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		said, errs = append(said, words), append(errs, err)
	}
	return strings.Join(said, ", "), errors.Join(errs...)
}

// judge says until when a certificate is good, or that it should be another by now.
func judge(what string, cert *x509.Certificate) (string, error) {
	until := cert.NotAfter.Local().Format("2006-01-02 15:04")
	left := time.Until(cert.NotAfter)
	switch {
	case left <= 0:
		return "", fmt.Errorf("%s: it has ended on %s. Renew it; kurir's log says why it could not", what, until)
	case left < min(endsSoon, cert.NotAfter.Sub(cert.NotBefore)/4):
		return "", fmt.Errorf("%s: it ends on %s and should have been renewed by now; kurir's log says why it could not", what, until)
	}
	return what + " until " + until, nil
}
