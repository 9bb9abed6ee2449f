package handlers

import (
	"context"
	"crypto/sha256"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kurir/guess"
	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

// tenant is who a key belongs to.
type tenant struct {
	key      models.APIKey
	instance models.Instance
}

func (t tenant) region(otherwise string) string {
	if t.instance.Region != "" {
		return t.instance.Region
	}
	return otherwise
}

// zone is the time zone of an instance's times; UTC when it has none.
func (s *server) zone(t tenant) *time.Location {
	if z, ok := s.zones.Load(t.instance.TimeZone); ok {
		return z.(*time.Location) // nothing else is in it
	}
	z, err := time.LoadLocation(t.instance.TimeZone)
	if err != nil { // it was checked when the instance was made
		z = time.UTC
	}
	s.zones.Store(t.instance.TimeZone, z) // as many as there are zones
	return z
}

// keyTTL is how long what was read of keys is believed without asking the database. It matters for changes by another
// process only: one by this process is known at once, by the epoch.
const keyTTL = 5 * time.Second

const adminOnly = "this address needs the admin token as Bearer"

// maxCachedKeys bounds the cache. Only keys that exist are in it, so that it cannot be filled from outside.
const maxCachedKeys = 4096

// keyCache remembers tenants by the SHA-256 of their key, and which SHA-256 there are at all: a wrong key costs no look
// into the database, however many come. The zero value is ready.
type keyCache struct {
	mu   sync.RWMutex
	byID map[[sha256.Size]byte]cachedTenant

	index   atomic.Pointer[keyIndex]
	loading sync.Mutex
}

type cachedTenant struct {
	tenant
	epoch uint64
	until time.Time
}

// keyIndex is the SHA-256 of every key, as they were in an epoch.
type keyIndex struct {
	hashes map[[sha256.Size]byte]struct{}
	epoch  uint64
	until  time.Time
}

func (k *keyCache) get(hash [sha256.Size]byte, epoch uint64, now time.Time) (tenant, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.byID[hash]
	return c.tenant, ok && c.epoch == epoch && now.Before(c.until)
}

func (k *keyCache) put(hash [sha256.Size]byte, t tenant, epoch uint64, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID == nil || len(k.byID) >= maxCachedKeys {
		k.byID = map[[sha256.Size]byte]cachedTenant{}
	}
	k.byID[hash] = cachedTenant{t, epoch, now.Add(keyTTL)}
}

// forget drops the keys of an instance.
func (k *keyCache) forget(instanceID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for hash, c := range k.byID {
		if c.instance.ID == instanceID {
			delete(k.byID, hash)
		}
	}
}

// known says whether there is a key with that hash, or was a moment ago. Of the many who ask at once for one that there
// is not, one reads the database.
func (k *keyCache) known(ctx context.Context, db DB, hash [sha256.Size]byte) (bool, error) {
	ix := k.index.Load()
	if found, fresh := ix.has(hash, db.KeyEpoch(), time.Now()); found || fresh {
		return found, nil
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	now, epoch := time.Now(), db.KeyEpoch() // the epoch before the keys: a change meanwhile makes them out of date
	if ix = k.index.Load(); ix != nil {
		if found, fresh := ix.has(hash, epoch, now); found || fresh {
			return found, nil
		}
	}
	hashes, err := db.KeyHashes(ctx)
	if err != nil {
		return false, err
	}
	ix = &keyIndex{hashes, epoch, now.Add(keyTTL)}
	k.index.Store(ix)
	found, _ := ix.has(hash, epoch, now)
	return found, nil
}

// has says whether the hash is there, and whether its absence can be believed.
func (ix *keyIndex) has(hash [sha256.Size]byte, epoch uint64, now time.Time) (found, fresh bool) {
	if ix == nil {
		return false, false
	}
	_, found = ix.hashes[hash]
	return found, ix.epoch == epoch && now.Before(ix.until)
}

// tenant finds out whose key came with the call, in the form or in a header, whether it may do what the route is for, and
// notes it for the audit log. A call that asks twice is counted once.
func (s *server) tenant(c *call, form *intake.Form) (tenant, error) {
	secret := keyOf(c, form)
	switch secret {
	case "":
		return tenant{}, unauthorized(c)
	case c.secret:
		return c.tenant, nil
	}
	t, err := s.lookUp(c, secret)
	if err != nil {
		return tenant{}, err
	}
	if err := s.mayCall(c, t); err != nil {
		return tenant{}, err
	}
	c.secret, c.tenant = secret, t
	return t, nil
}

// mayCall says whether a key that exists may make this call. From where it may not be used it costs tries like a wrong
// one, and none of its requests. A refusal for being too often leaves no trace: the audit log must not fill up with it.
func (s *server) mayCall(c *call, t tenant) error {
	now := time.Now()
	note := func() {
		c.line.Actor, c.line.InstanceID = t.key.ID, t.instance.ID
		c.Set(instanceKey, t.instance.ID)
	}
	if !t.key.AllowsIP(c.line.IP) {
		if _, ok := s.guesses.Take(guess.Address(c.line.IP), now); ok {
			note()
		}
		return problem.New(problem.IPNotAllowed, c.line.IP)
	}
	if err := s.countCall(c, t.key, now); err != nil {
		return err
	}
	note()
	switch err := t.key.Open(now); {
	case err != nil:
		return err
	case c.needs == operator:
		return problem.New(problem.ScopeMissing, adminOnly)
	case !t.key.Has(c.needs.scopes()...):
		return problem.New(problem.ScopeMissing, string(c.needs))
	}
	return nil
}

// lookUp returns whose key it is. A key that exists is found whatever else comes from its address.
func (s *server) lookUp(c *call, secret string) (tenant, error) {
	hash, now, epoch := sha256.Sum256([]byte(secret)), time.Now(), s.DB.KeyEpoch()
	if t, ok := s.keys.get(hash, epoch, now); ok {
		return t, nil
	}
	known, err := s.keys.known(c.ctx(), s.DB, hash)
	if err != nil {
		return tenant{}, err
	}
	if !known {
		return tenant{}, s.wrongKey(c, now)
	}
	row, err := s.DB.KeyByPlain(c.ctx(), secret)
	if problem.CodeOf(err) == problem.Unauthorized && err != nil { // it was revoked a moment ago
		return tenant{}, s.wrongKey(c, now)
	}
	if err != nil {
		return tenant{}, err
	}
	instance, err := s.Instances.Get(c.ctx(), row.InstanceID)
	if problem.CodeOf(err) == problem.NotFound {
		return tenant{}, problem.Wrap(problem.Unauthorized, "", err) // it was deleted between the two
	}
	if err != nil {
		return tenant{}, err
	}
	t := tenant{row, instance}
	s.keys.put(hash, t, epoch, now)
	return t, nil
}

// wrongKey spends a try of the caller's address. When there is none left he is told to wait, and not that it was wrong.
func (s *server) wrongKey(c *call, now time.Time) error {
	wait, ok := s.guesses.Take(guess.Address(c.line.IP), now)
	if !ok {
		c.retryAfter(wait)
		return problem.New(problem.TooManyGuesses, "")
	}
	s.Log.Info("wrong key", "request", c.request, "ip", c.line.IP)
	return unauthorized(c)
}

func unauthorized(c *call) error {
	if c.needs == operator {
		return problem.New(problem.Unauthorized, adminOnly)
	}
	return problem.New(problem.Unauthorized, "")
}

// retryAfter says when to come back, in whole seconds.
func (c *call) retryAfter(wait time.Duration) {
	c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
}

// keyOf returns the key from where callers put it: the body, X-Api-Key, or Authorization with Bearer or bare.
func keyOf(c *call, form *intake.Form) string {
	if k := strings.TrimSpace(form.Text(intake.Key)); k != "" {
		return k
	}
	if k := strings.TrimSpace(c.GetHeader("X-Api-Key")); k != "" {
		return k
	}
	return bearer(c.GetHeader("Authorization"), c.needs != operator)
}
