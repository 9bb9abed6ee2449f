package handlers

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

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

// keyTTL is how long a key is believed without asking the database: also how long a revoked key can still read.
const keyTTL = 5 * time.Second

// maxCachedKeys bounds the cache. Only keys that exist are in it, so that it cannot be filled from outside.
const maxCachedKeys = 4096

// keyCache remembers tenants by the SHA-256 of their key. The zero value is ready.
type keyCache struct {
	mu   sync.RWMutex
	byID map[[sha256.Size]byte]cachedTenant
}

type cachedTenant struct {
	tenant
	until time.Time
}

func (k *keyCache) get(hash [sha256.Size]byte, now time.Time) (tenant, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.byID[hash]
	return c.tenant, ok && now.Before(c.until)
}

func (k *keyCache) put(hash [sha256.Size]byte, t tenant, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID == nil || len(k.byID) >= maxCachedKeys {
		k.byID = map[[sha256.Size]byte]cachedTenant{}
	}
	k.byID[hash] = cachedTenant{t, now.Add(keyTTL)}
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

// tenant finds out whose key came with the call, in the form or in a header, and notes it for the audit log.
func (s *server) tenant(c *call, form *intake.Form) (tenant, error) {
	key := keyOf(c, form)
	if key == "" {
		return tenant{}, problem.New(problem.Unauthorized, "")
	}
	t, err := s.lookUp(c.ctx(), key)
	if err != nil {
		if problem.CodeOf(err) == problem.Unauthorized {
			s.Log.Info("wrong key", "request", c.request, "ip", c.line.IP)
		}
		return tenant{}, err
	}
	c.line.Actor, c.line.InstanceID = t.key.ID, t.instance.ID
	c.Set(instanceKey, t.instance.ID)
	return t, nil
}

func (s *server) lookUp(ctx context.Context, key string) (tenant, error) {
	hash, now := sha256.Sum256([]byte(key)), time.Now()
	if t, ok := s.keys.get(hash, now); ok {
		return t, nil
	}
	row, err := s.DB.KeyByPlain(ctx, key)
	if err != nil {
		return tenant{}, err
	}
	instance, err := s.Instances.Get(ctx, row.InstanceID)
	if problem.CodeOf(err) == problem.NotFound {
		return tenant{}, problem.Wrap(problem.Unauthorized, "", err) // it was deleted between the two
	}
	if err != nil {
		return tenant{}, err
	}
	t := tenant{row, instance}
	s.keys.put(hash, t, now)
	return t, nil
}

// keyOf returns the key from where callers put it: the body, X-Api-Key, or Authorization with Bearer or bare.
func keyOf(c *call, form *intake.Form) string {
	if k := strings.TrimSpace(form.Text(intake.Key)); k != "" {
		return k
	}
	if k := strings.TrimSpace(c.GetHeader("X-Api-Key")); k != "" {
		return k
	}
	return bearer(c.GetHeader("Authorization"), true)
}

// bearer returns the token of an Authorization header; bare says whether the scheme may be missing.
func bearer(header string, bare bool) string {
	scheme, token, ok := strings.Cut(strings.TrimSpace(header), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if bare && !ok {
		return scheme
	}
	return ""
}

// caller finds out who calls an address that is open to the operator, for everything, and to programs, for what is
// theirs: with the admin token the tenant is empty.
func (s *server) caller(c *call, form *intake.Form) (t tenant, admin bool, err error) {
	if token := bearer(c.GetHeader("Authorization"), false); token != "" && s.CheckAdmin(token) {
		c.line.Actor = "admin"
		return tenant{}, true, nil
	}
	if t, err = s.tenant(c, form); problem.CodeOf(err) == problem.Unauthorized && err != nil {
		c.Header("WWW-Authenticate", "Bearer")
	}
	return t, false, err
}

// requireAdmin lets the operator through and nobody else.
func (s *server) requireAdmin(g *gin.Context) {
	token := bearer(g.GetHeader("Authorization"), false)
	if token == "" || !s.CheckAdmin(token) {
		s.Log.Info("wrong admin token", "request", g.GetString(requestKey), "ip", g.RemoteIP())
		g.Header("WWW-Authenticate", "Bearer")
		s.handle("", func(*call) (reply, error) {
			return reply{}, problem.New(problem.Unauthorized, "this address needs the admin token as Bearer")
		})(g)
		g.Abort()
		return
	}
	g.Set(actorKey, "admin")
}
