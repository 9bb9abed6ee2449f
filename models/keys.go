package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
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

	// MaxKeys is how many keys an instance may have, those that have ended included.
	MaxKeys = 100
)

// NewKey says which key to make.
type NewKey struct {
	InstanceID string
	Name       string
	Sandbox    bool   // kurir_test_ instead of kurir_live_
	Plain      string // a key the caller already uses elsewhere, at least 16 characters; empty: a new one is made
	Rights            // without scopes: the default ones
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
	if len(n.Scopes) == 0 {
		n.Scopes = DefaultScopes()
	}
	return APIKey{
		ID: NewKeyID(), InstanceID: n.InstanceID, Name: n.Name,
		Hash: HashSecret(plain), Hint: hint(plain), Rights: n.Rights, CreatedAt: now(),
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

// insert stores a key unless its secret opens another one.
func (k *APIKey) insert(tx *gorm.DB) error {
	var same int64
	if err := tx.Model(&APIKey{}).Where("old_hash = ?", k.Hash).Count(&same).Error; err != nil {
		return err
	}
	if same > 0 {
		return gorm.ErrDuplicatedKey
	}
	return tx.Create(k).Error
}

// CreateKey stores a new API key and returns the row and the plain key; nothing can show the plain key again. A key
// that is in use is INSTANCE_EXISTS, an instance that does not exist NOT_FOUND, one with MaxKeys TOO_MANY_KEYS.
func (db *DB) CreateKey(ctx context.Context, n NewKey) (APIKey, string, error) {
	row, plain, err := n.make()
	if err != nil {
		return APIKey{}, "", err
	}
	err = db.writeKeys(ctx, func(tx *gorm.DB) error {
		var there int64
		if err := tx.Model(&APIKey{}).Where("instance_id = ?", n.InstanceID).Count(&there).Error; err != nil {
			return err
		}
		if there >= MaxKeys {
			return problem.New(problem.TooManyKeys, fmt.Sprintf("%d", MaxKeys))
		}
		return row.insert(tx)
	})
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

// writeKeys is Write for what changes keys: whoever remembers keys learns of it before the change is reported done.
func (db *DB) writeKeys(ctx context.Context, fn func(tx *gorm.DB) error) error {
	defer db.keyEpoch.Add(1)
	return db.Write(ctx, fn)
}

// KeyEpoch is another number after every change to keys and after the end of an instance: what was read of keys before
// may be out of date then.
func (db *DB) KeyEpoch() uint64 { return db.keyEpoch.Load() }

// KeyHashes returns the SHA-256 of every secret that opens, or lately opened, a key: what is not among them is wrong.
func (db *DB) KeyHashes(ctx context.Context) (map[[sha256.Size]byte]struct{}, error) {
	var rows []string
	err := db.reader(ctx).Raw("SELECT hash FROM api_keys UNION ALL SELECT old_hash FROM api_keys WHERE old_hash <> ''").Scan(&rows).Error
	if err != nil {
		return nil, notFound(err, "keys")
	}
	all := make(map[[sha256.Size]byte]struct{}, len(rows))
	for _, text := range rows {
		var h [sha256.Size]byte
		if n, err := hex.Decode(h[:], []byte(text)); err == nil && n == len(h) {
			all[h] = struct{}{}
		}
	}
	return all, nil
}

// KeyByPlain returns the key that plain opens; UNAUTHORIZED when there is none. A secret that was replaced and whose
// overlap is over is KEY_EXPIRED. That the key was used is noted later and at most once a minute, so that it costs the
// caller nothing.
func (db *DB) KeyByPlain(ctx context.Context, plain string) (APIKey, error) {
	if plain == "" {
		return APIKey{}, problem.New(problem.Unauthorized, "")
	}
	hash := HashSecret(plain)
	var rows []APIKey
	err := db.reader(ctx).Where("hash = ? OR (old_hash = ? AND old_hash <> '')", hash, hash).Find(&rows).Error
	if err != nil {
		return APIKey{}, notFound(err, "key")
	}
	if len(rows) != 1 {
		return APIKey{}, problem.New(problem.Unauthorized, "")
	}
	// The index has compared hashes already, and a hash tells nothing about another key; the comparison in constant
	// time is for the day this lookup becomes something else.
	k := rows[0]
	k.Old = subtle.ConstantTimeCompare([]byte(k.OldHash), []byte(hash)) == 1
	if !k.Old && subtle.ConstantTimeCompare([]byte(k.Hash), []byte(hash)) != 1 {
		return APIKey{}, problem.New(problem.Unauthorized, "")
	}
	db.noteUse(k.ID)
	return k, nil
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

// Key returns a key by its id; NOT_FOUND when there is none.
func (db *DB) Key(ctx context.Context, id string) (APIKey, error) {
	var row APIKey
	err := db.reader(ctx).Where("id = ?", id).Take(&row).Error
	return row, notFound(err, "key "+id)
}

// ChangeKey lets change set the name and the rights of a key, as it is at that moment, and stores them. Its error changes
// nothing. It runs on the writer's goroutine: see Write.
func (db *DB) ChangeKey(ctx context.Context, id string, change func(*APIKey) error) (APIKey, error) {
	var row APIKey
	err := db.writeKeys(ctx, func(tx *gorm.DB) error {
		if err := notFound(tx.Where("id = ?", id).Take(&row).Error, "key "+id); err != nil {
			return err
		}
		if err := change(&row); err != nil {
			return err
		}
		return tx.Model(&row).Select("name", "scopes", "ips", "recipients", "rate_per_minute", "expires_at").Updates(&row).Error
	})
	if err != nil {
		return APIKey{}, fmt.Errorf("change key: %w", err)
	}
	return row, nil
}

// RotateKey gives a key a new secret, which it returns and nothing can show again. The old secret opens the key too until
// overlap is over; one from an earlier rotation ends at once. may, which is asked before, can refuse.
func (db *DB) RotateKey(ctx context.Context, id string, overlap time.Duration, may func(APIKey) error) (row APIKey, plain string, err error) {
	err = db.writeKeys(ctx, func(tx *gorm.DB) error {
		if err := notFound(tx.Where("id = ?", id).Take(&row).Error, "key "+id); err != nil {
			return err
		}
		if err := may(row); err != nil {
			return err
		}
		var in Instance
		if err := tx.Select("sandbox").Where("id = ?", row.InstanceID).Take(&in).Error; err != nil {
			return err
		}
		old := row.Hash
		plain = newPlainKey(in.Sandbox)
		row.Hash, row.Hint, row.OldHash, row.OldUntil = HashSecret(plain), hint(plain), "", nil
		if overlap > 0 {
			until := now().Add(overlap)
			row.OldHash, row.OldUntil = old, &until
		}
		return tx.Model(&row).Select("hash", "hint", "old_hash", "old_until").Updates(&row).Error
	})
	if err != nil {
		return APIKey{}, "", fmt.Errorf("rotate key: %w", err)
	}
	return row, plain, nil
}

// DeleteKey revokes a key at once; NOT_FOUND when there is none.
func (db *DB) DeleteKey(ctx context.Context, id string) error {
	err := db.writeKeys(ctx, func(tx *gorm.DB) error {
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
