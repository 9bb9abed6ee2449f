package sandbox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// identity is the server's own key. The certificate is made anew at every start; what Chromium is told to accept is
// the hash of the key, which stays.
type identity struct {
	cert   tls.Certificate
	spki   string // base64 of the SHA-256 of the public key
	secret []byte // for tokens that must stay valid over a restart
}

// loadIdentity reads the key from dir, or makes and keeps one. With dir "" the key lives as long as the process.
func loadIdentity(dir string) (*identity, error) {
	der, err := loadKey(dir)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("the sandbox's TLS key is damaged, delete it to get a new one: %w", err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("the sandbox's TLS key is not a signing key, delete it to get a new one")
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "kurir sandbox, not WhatsApp"},
		DNSNames:     []string{pageHost},
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     time.Now().Add(365 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the sandbox's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, fmt.Errorf("read the sandbox's certificate: %w", err)
	}
	hash := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	secret := sha256.Sum256(append([]byte("kurir sandbox tokens\x00"), der...))
	return &identity{
		cert:   tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf},
		spki:   base64.StdEncoding.EncodeToString(hash[:]),
		secret: secret[:],
	}, nil
}

func loadKey(dir string) ([]byte, error) {
	name := filepath.Join(dir, "tls-key.pem")
	if dir != "" {
		data, err := os.ReadFile(name) // #nosec G304 -- a file of the sandbox's own folder
		switch {
		case err == nil:
			block, _ := pem.Decode(data)
			if block == nil {
				return nil, fmt.Errorf("%s is damaged, delete it to get a new key", name)
			}
			return block.Bytes, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("read the sandbox's TLS key: %w", err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the sandbox's TLS key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the sandbox's TLS key: %w", err)
	}
	if dir == "" {
		return der, nil
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := writeWhole(name, data); err != nil {
		return nil, fmt.Errorf("keep the sandbox's TLS key: %w", err)
	}
	return der, nil
}

// writeWhole writes a file so that a crash leaves the old one or the new one, never half of it.
func writeWhole(name string, data []byte) error {
	tmp := name + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
