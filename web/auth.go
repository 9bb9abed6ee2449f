package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"kurir/gate"
	"kurir/guess"
	"kurir/models"
	"kurir/problem"
)

const (
	sessionCookie = "kurir_session"
	sessionLife   = 7 * 24 * time.Hour
	deviceCookie  = "kurir_device"
	deviceLife    = 180 * 24 * time.Hour
)

type visitorKey struct{}

// visitor is who is signed in.
type visitor struct {
	hash string       // of the session's cookie
	user *models.User // nil: with the admin token
}

func (v visitor) owner() bool { return v.user == nil || v.user.Role == models.RoleOwner }

// actor is the visitor's name in the audit log.
func (v visitor) actor() string {
	if v.user == nil {
		return "admin"
	}
	return "user:" + v.user.Name
}

// me is how a page calls the visitor.
func (v visitor) me(t text) string {
	if v.user == nil {
		return t.T("account.token")
	}
	return v.user.Name
}

// userID is "" with the admin token.
func (v visitor) userID() string {
	if v.user == nil {
		return ""
	}
	return v.user.ID
}

// visitorOf is who is signed in, as guard found out; false on pages for everybody.
func visitorOf(r *http.Request) (visitor, bool) {
	v, ok := r.Context().Value(visitorKey{}).(visitor)
	return v, ok
}

// signedOut shows the sign-in page, or says to go there.
func (c *Console) signedOut(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("HX-Request") != "" || r.URL.Path == "/console/events":
		// The page was left open until its session ended: the script there goes to the sign-in page.
		w.Header().Set("HX-Redirect", "/")
		http.Error(w, "signed out", http.StatusUnauthorized)
	case r.URL.Path == "/" && r.Method == http.MethodGet:
		c.signIn(w, r, http.StatusOK, "")
	default:
		http.Redirect(w, r, "/?next="+url.QueryEscape(r.URL.Path), http.StatusSeeOther)
	}
}

// visitor finds out who sent the request.
func (c *Console) visitor(r *http.Request) (visitor, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return visitor{}, false
	}
	return c.lookUp(r.Context(), hashCookie(cookie.Value))
}

func (c *Console) lookUp(ctx context.Context, hash string) (visitor, bool) {
	session, err := c.deps.Sessions.ConsoleSession(ctx, hash)
	if err != nil {
		if problem.CodeOf(err) != problem.Unauthorized && ctx.Err() == nil {
			c.deps.Log.ErrorContext(ctx, "console: look up session", "err", err)
		}
		return visitor{}, false
	}
	// Who changes the admin token wants those out who knew the old one.
	stale := session.User == nil && subtle.ConstantTimeCompare([]byte(session.OpenedWith), []byte(c.deps.AdminPrint)) != 1
	return visitor{hash, session.User}, !stale && time.Now().Before(session.ExpiresAt)
}

func hashCookie(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// signIn shows the sign-in page with what was wrong, if anything. It asks for name and password, or for the admin
// token: when nobody has an account yet, and for who chose that.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	people, err := c.deps.People.Users(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, status, "signin", signInPage{
		page: c.page(r, "signin.title"), Wrong: wrong, Next: localPath(r.FormValue("next")), Name: r.PostFormValue("name"),
		Token: len(people) == 0 || r.FormValue("with") == "token", People: len(people) > 0,
	})
}

type signInPage struct {
	page
	Wrong, Next, Name string
	Token             bool // ask for the token
	People            bool // somebody has an account
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // one that cannot be read is one with a wrong password
	if r.PostForm.Has("token") {
		c.loginByToken(w, r)
	} else {
		c.loginByName(w, r)
	}
}

func (c *Console) loginByToken(w http.ResponseWriter, r *http.Request) {
	addr := guess.Address(clientAddr(r))
	if wait, ok := c.guesses.addresses.Take(addr, time.Now()); !ok {
		c.tooFast(w, r, wait)
		return
	}
	if !c.deps.CheckAdmin(strings.TrimSpace(r.PostFormValue("token"))) {
		c.deps.Log.WarnContext(r.Context(), "console: wrong admin token", "ip", clientAddr(r))
		line(r).Actor, line(r).Target, line(r).Code = "nobody", "admin", string(problem.Unauthorized)
		c.signIn(w, r, http.StatusUnauthorized, c.text(r).T("signin.wrong"))
		return
	}
	c.guesses.addresses.Forgive(addr)
	line(r).Actor = "admin"
	to := localPath(r.PostFormValue("next"))
	people, err := c.deps.People.Users(r.Context())
	if err == nil {
		err = c.open(w, r, nil)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if len(people) == 0 {
		to = "/account/new?next=" + url.QueryEscape(to)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// loginByName checks name and password. Whatever is wrong, the answer and its time are the same.
func (c *Console) loginByName(w http.ResponseWriter, r *http.Request) {
	name, nameErr := models.UserName(r.PostFormValue("name"))
	user, err := c.deps.People.UserByName(r.Context(), name)
	if problem.CodeOf(err) == problem.NotFound && err != nil {
		err = nil
	}
	var device models.ConsoleDevice
	known := false
	if err == nil {
		device, known, err = c.device(r, user.ID)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	try := attempt{address: guess.Address(clientAddr(r)), account: name, device: device.Hash, known: known}
	if wait, ok := c.guesses.take(try, time.Now()); !ok {
		c.tooFast(w, r, wait)
		return
	}
	hash := user.Password
	if user.Disabled || nameErr != nil {
		hash = ""
	}
	password := r.PostFormValue("password")
	ok, stale, err := c.deps.Passwords.Check(r.Context(), hash, password)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	line(r).Actor = "nobody" // what was typed as a name may be a password
	if user.ID != "" {
		line(r).Actor = "user:" + user.Name
	}
	if !ok {
		c.deps.Log.WarnContext(r.Context(), "console: wrong name or password", "ip", clientAddr(r))
		line(r).Code = string(problem.Unauthorized)
		c.signIn(w, r, http.StatusUnauthorized, c.text(r).T("signin.wrong_password"))
		return
	}
	c.guesses.forgive(try)
	if stale {
		c.renew(r.Context(), &user, password)
	}
	if err := c.welcome(w, r, &user, known); err != nil {
		c.fail(w, r, err)
		return
	}
	http.Redirect(w, r, localPath(r.PostFormValue("next")), http.StatusSeeOther)
}

// renew hashes a password with today's costs. When that fails the old hash is as good as it was.
func (c *Console) renew(ctx context.Context, user *models.User, password string) {
	hash, err := c.deps.Passwords.Hash(ctx, password)
	if err == nil {
		err = c.deps.People.RenewHash(ctx, *user, hash)
	}
	if err != nil {
		c.deps.Log.WarnContext(ctx, "console: renew the hash of a password", "err", err)
		return
	}
	user.Password = hash
}

// device is the browser, as it is remembered for a person, and whether it is.
func (c *Console) device(r *http.Request, userID string) (d models.ConsoleDevice, known bool, err error) {
	cookie, err := r.Cookie(deviceCookie)
	if err != nil || cookie.Value == "" {
		return d, false, nil //nolint:nilerr // no cookie is no error
	}
	d = models.ConsoleDevice{Hash: hashCookie(cookie.Value), UserID: userID}
	known, err = c.deps.Sessions.KnowsDevice(r.Context(), d)
	return d, known, err
}

// welcome signs a person in and remembers the browser.
func (c *Console) welcome(w http.ResponseWriter, r *http.Request, user *models.User, known bool) error {
	if err := c.open(w, r, user); err != nil {
		return err
	}
	value := secret()
	if cookie, err := r.Cookie(deviceCookie); err == nil && known {
		value = cookie.Value
	}
	d := models.ConsoleDevice{Hash: hashCookie(value), UserID: user.ID, ExpiresAt: time.Now().Add(deviceLife)}
	if err := c.deps.Sessions.RememberDevice(r.Context(), d); err != nil {
		return err
	}
	setCookie(w, r, deviceCookie, value, deviceLife)
	return nil
}

// open begins a session; user nil: with the admin token.
func (c *Console) open(w http.ResponseWriter, r *http.Request, user *models.User) error {
	value, now := secret(), time.Now()
	s := models.ConsoleSession{Hash: hashCookie(value), CreatedAt: now, ExpiresAt: now.Add(sessionLife), IP: clientAddr(r), User: user}
	if user == nil {
		s.OpenedWith = c.deps.AdminPrint
	}
	err := c.deps.Sessions.CreateConsoleSession(r.Context(), s)
	if err != nil {
		return err
	}
	setCookie(w, r, sessionCookie, value, sessionLife)
	c.deps.Log.InfoContext(r.Context(), "console: signed in", "actor", visitor{user: user}.actor(), "ip", clientAddr(r))
	return nil
}

// secret is the value of a cookie: 256 bits.
func secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// tooFast says how long to wait for the next try.
func (c *Console) tooFast(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	c.signIn(w, r, http.StatusTooManyRequests, c.text(r).T("signin.slow", seconds))
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	v, _ := visitorOf(r)
	if err := c.deps.Sessions.DeleteConsoleSession(r.Context(), v.hash); err != nil {
		c.fail(w, r, err)
		return
	}
	c.ended.ring()
	setCookie(w, r, sessionCookie, "", 0)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// bell tells the open event streams that sessions have ended.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

func (b *bell) heard() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// setCookie sets a cookie for all of kurir; no value removes it. Lax, not Strict: with Strict a link to the console in
// a chat or an email would always lead to the sign-in page; unsafe methods are guarded by CrossOriginProtection too.
func setCookie(w http.ResponseWriter, r *http.Request, name, value string, life time.Duration) {
	age := int(life.Seconds())
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure whenever the browser came by TLS; kurir may run without
		Name: name, Value: value, MaxAge: age, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: gate.Secure(r),
	})
}

// clientAddr is the address of who calls: the gate has put it there, whatever proxies are between.
func clientAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// localPath returns p when it is a path on this host, else "/": a link must not lead away after signing in.
func localPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.ContainsAny(u.Path, "\\\r\n\t") {
		return "/"
	}
	return u.EscapedPath()
}
