package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"kurir/models"
)

// adminTokenSetting names the row that holds the SHA-256 of the generated admin token.
const adminTokenSetting = "admin_hash"

// adminToken checks the operator's token. Only its hash is kept.
type adminToken struct {
	hash      [sha256.Size]byte
	generated string // the token itself, only in the process that made it, to be printed once
}

// loadAdminToken takes the token that the operator set; without one it uses the token made at the first start, or
// makes it now. A token of 128 random bits needs no slow hash.
func loadAdminToken(ctx context.Context, db *models.DB, set string) (*adminToken, error) {
	if set != "" {
		return &adminToken{hash: sha256.Sum256([]byte(set))}, nil
	}
	a := &adminToken{generated: "kurir_admin_" + rand.Text()}
	made := sha256.Sum256([]byte(a.generated))
	kept, created, err := db.SettingOnce(ctx, adminTokenSetting, hex.EncodeToString(made[:]))
	if err != nil {
		return nil, fmt.Errorf("admin token: %w", err)
	}
	if !created {
		a.generated = ""
	}
	if n, err := hex.Decode(a.hash[:], []byte(kept)); err != nil || n != sha256.Size {
		return nil, errors.New("the admin token in the database is damaged: set KURIR_ADMIN_TOKEN")
	}
	return a, nil
}

func (a *adminToken) check(token string) bool {
	got := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(got[:], a.hash[:]) == 1
}

// print is a fingerprint of the token, from which nobody learns what it is checked against.
func (a *adminToken) print() string {
	sum := sha256.Sum256(append([]byte("kurir console session "), a.hash[:]...))
	return hex.EncodeToString(sum[:])
}
