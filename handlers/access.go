package handlers

import (
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"kurir/guess"
	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

// access says who may call a route: with which scope a key opens it, for its own instance. Under /v1 the admin token
// opens everything, for every instance.
type access string

// The words of the route table.
const (
	anyone   access = ""
	operator access = "operator" // the admin token and no key
	toSend   access = access(models.ScopeSend)
	toRead   access = access(models.ScopeRead)
	toManage access = access(models.ScopeManage)
	toFollow access = toSend + " or " + toRead // where a message is: for who sent it, too
)

// scopes are those of which a key must have one.
func (a access) scopes() (out []models.Scope) {
	for word := range strings.SplitSeq(string(a), " or ") {
		out = append(out, models.Scope(word))
	}
	return out
}

// guarded is handle for routes whose key comes in a header: nobody gets past it who may not, and nobody to another
// instance than his own.
func (s *server) guarded(needs access, action string, do func(*call) (reply, error)) gin.HandlerFunc {
	return s.handle(needs, action, func(c *call) (reply, error) {
		t, admin, err := s.caller(c, &intake.Form{})
		if err != nil {
			return reply{}, err
		}
		if strings.HasPrefix(c.FullPath(), "/v1/instances/:id") {
			if err := owns(t, admin, c.Param("id")); err != nil {
				return reply{}, err
			}
		}
		c.tenant, c.admin = t, admin
		return do(c)
	})
}

// bare is for routes that write their answer themselves; they ask caller themselves.
func (s *server) bare(needs access, do func(*call)) gin.HandlerFunc {
	return func(g *gin.Context) { do(s.newCall(g, needs, "")) }
}

// owns is NOT_FOUND for a key and what is not its instance's: whether it exists is none of its business.
func owns(t tenant, admin bool, instance string) error {
	if admin || instance == t.instance.ID {
		return nil
	}
	return problem.New(problem.NotFound, "instance "+clip(instance))
}

// caller finds out who calls an address that is open to the operator, for everything, and to programs, for what is
// theirs: with the admin token the tenant is empty.
func (s *server) caller(c *call, form *intake.Form) (t tenant, admin bool, err error) {
	if admin, err = s.isAdmin(c); !admin && err == nil {
		t, err = s.tenant(c, form)
	}
	switch problem.CodeOf(err) {
	case problem.Unauthorized, problem.KeyExpired, problem.TooManyGuesses:
		c.Header("WWW-Authenticate", "Bearer")
	}
	return t, admin, err
}

// isAdmin says whether the call has the admin token. A person may have chosen it: an address from which too many wrong
// ones came must wait, unless the right one came from there lately.
func (s *server) isAdmin(c *call) (bool, error) {
	token := bearer(c.GetHeader("Authorization"), false)
	if token == "" || !s.CheckAdmin(token) {
		return false, nil
	}
	who, now := guess.Address(c.line.IP), time.Now()
	if wait, ok := s.guesses.Open(who, now); !ok {
		c.retryAfter(wait)
		return false, problem.New(problem.TooManyGuesses, "")
	}
	s.guesses.Knew(who, now)
	c.line.Actor = "admin"
	return true, nil
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

// still says whether what opened the call would open it now: for answers that take long, or never end.
func (s *server) still(c *call) error {
	if c.admin || c.tenant.key.ID == "" {
		return nil
	}
	t, err := s.lookUp(c, c.secret)
	if err == nil {
		err = t.key.Open(time.Now())
	}
	if err == nil && !t.key.AllowsIP(c.line.IP) {
		err = problem.New(problem.IPNotAllowed, c.line.IP)
	}
	if err == nil && !t.key.Has(c.needs.scopes()...) {
		err = problem.New(problem.ScopeMissing, string(c.needs))
	}
	return err
}

// keysInURL are names under which keys are put into addresses.
var keysInURL = []string{"key", "apikey", "api_key", "api-key", "x-api-key", "token", "access_token", "admin_token", "authorization"}

// noKeyInURL refuses a key in the address rather than ignoring it: its sender must learn that others may have seen it.
func (s *server) noKeyInURL(g *gin.Context) {
	if !s.isAPI(g.Request.URL.Path) || g.Request.URL.RawQuery == "" || !keyIn(g) {
		return
	}
	s.handle(anyone, "", fail(problem.KeyInURL))(g)
	g.Abort()
}

func keyIn(g *gin.Context) bool {
	for name, values := range g.Request.URL.Query() {
		for _, known := range keysInURL {
			if strings.EqualFold(name, known) {
				return true
			}
		}
		for _, v := range values {
			if secretPattern.MatchString(v) {
				return true
			}
		}
	}
	return false
}

func (s *server) isAPI(path string) bool {
	return strings.HasPrefix(path, "/wa/") || strings.HasPrefix(path, "/v1/") || s.dialects[path] != nil
}
