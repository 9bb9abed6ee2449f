package models

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"gorm.io/gorm"

	"kurir/problem"
)

const (
	keyDigits    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyRandom    = 32 // base62 characters: 190 bits
	minKeyLength = 16
	maxKeyLength = 256
	usedEvery    = time.Minute // LastUsedAt is not newer than this
)

// NewKey says which key to make.
type NewKey struct {
	InstanceID string
	Name       string
	Sandbox    bool   // kurir_test_ instead of kurir_live_
	Plain      string // a key the caller already uses elsewhere, at least 16 characters; empty: a new one is made
}

// make returns the row and the plain key, which is nowhere else.
func (n NewKey) make() (APIKey, string, error) {
	plain := n.Plain
	switch {
	case plain == "":
		plain = newPlainKey(n.Sandbox)
	case len(plain) < minKeyLength || len(plain) > maxKeyLength:
		return APIKey{}, "", problem.New(problem.BadRequest, fmt.Sprintf("`key` must have %d to %d characters", minKeyLength, maxKeyLength))
	case strings.ContainsFunc(plain, func(r rune) bool { return r <= ' ' || r > '~' }):
		return APIKey{}, "", problem.New(problem.BadRequest, "`key` may hold printable ASCII without spaces only")
	}
	return APIKey{
		ID: NewKeyID(), InstanceID: n.InstanceID, Name: n.Name,
		Hash: HashSecret(plain), Hint: hint(plain), CreatedAt: now(),
	}, plain, nil
}

func newPlainKey(sandbox bool) string {
	b := make([]byte, keyRandom)
	for i := range b {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(keyDigits)))) // crypto/rand does not fail
		b[i] = keyDigits[n.Int64()]
	}
	if sandbox {
		return "kurir_test_" + string(b)
	}
	return "kurir_live_" + string(b)
}

// hint shows what kind of key it is and its end. Of a key that the caller chose the start may be secret too.
func hint(plain string) string {
	prefix := ""
	if i := strings.LastIndexByte(plain, '_'); strings.HasPrefix(plain, "kurir_") && i > 0 && i < 12 {
		prefix = plain[:i+1]
	}
	return prefix + "…" + plain[len(plain)-4:]
}

// CreateKey stores a new API key and returns the row and the plain key; nothing can show the plain key again. A key
// that is in use is INSTANCE_EXISTS, an instance that does not exist NOT_FOUND.
func (db *DB) CreateKey(ctx context.Context, n NewKey) (APIKey, string, error) {
	row, plain, err := n.make()
	if err != nil {
		return APIKey{}, "", err
	}
	err = db.Write(ctx, func(tx *gorm.DB) error { return tx.Create(&row).Error })
	switch {
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return APIKey{}, "", problem.Wrap(problem.InstanceExists, "the key is in use", err)
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return APIKey{}, "", problem.Wrap(problem.NotFound, "instance "+n.InstanceID, err)
	case err != nil:
		return APIKey{}, "", fmt.Errorf("create key: %w", err)
	}
	return row, plain, nil
}

// KeyByPlain returns the key that plain opens; UNAUTHORIZED when there is none. That the key was used is noted later
// and at most once a minute, so that it costs the caller nothing.
func (db *DB) KeyByPlain(ctx context.Context, plain string) (APIKey, error) {
	if plain == "" {
		return APIKey{}, problem.New(problem.Unauthorized, "")
	}
	hash := HashSecret(plain)
	var rows []APIKey
	err := db.reader(ctx).Raw("SELECT * FROM api_keys WHERE hash = ?", hash).Scan(&rows).Error
	if err != nil {
		return APIKey{}, notFound(err, "key")
	}
	// The index has compared hashes already, and a hash tells nothing about another key; the comparison in constant
	// time is for the day this lookup becomes something else.
	if len(rows) != 1 || subtle.ConstantTimeCompare([]byte(rows[0].Hash), []byte(hash)) != 1 {
		return APIKey{}, problem.New(problem.Unauthorized, "")
	}
	db.noteUse(rows[0].ID)
	return rows[0], nil
}

func (db *DB) noteUse(id string) {
	at := now()
	db.usedMu.Lock()
	last, ok := db.used[id]
	due := !ok || at.Sub(last) >= usedEvery
	if due {
		db.used[id] = at
	}
	db.usedMu.Unlock()
	if due {
		db.writeLater(func(s *session) error {
			_, err := s.exec("UPDATE api_keys SET last_used_at = ? WHERE id = ?", at, id)
			return err
		})
	}
}

// Keys returns the keys of an instance, oldest first; of all instances when instanceID is empty.
func (db *DB) Keys(ctx context.Context, instanceID string) ([]APIKey, error) {
	var rows []APIKey
	q := db.reader(ctx).Order("id")
	if instanceID != "" {
		q = q.Where("instance_id = ?", instanceID)
	}
	return rows, notFound(q.Find(&rows).Error, "keys")
}

// DeleteKey revokes a key at once; NOT_FOUND when there is none.
func (db *DB) DeleteKey(ctx context.Context, id string) error {
	err := db.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Where("id = ?", id).Delete(&APIKey{})
		if res.Error == nil && res.RowsAffected == 0 {
			return problem.New(problem.NotFound, "key "+id)
		}
		return res.Error
	})
	if err != nil {
		return fmt.Errorf("delete key: %w", err)
	}
	return nil
}
