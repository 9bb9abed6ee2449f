package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kurir/gate"
	"kurir/guess"
	"kurir/models"
	"kurir/problem"
)

const (
	sessionCookie = "kurir_session"
	sessionLife   = 7 * 24 * time.Hour
)

type sessionKey struct{}

// signedIn lets a request with a session through. Others see the sign-in page, or are told to go there.
func (c *Console) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash, ok := c.session(r)
		switch {
		case ok:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, hash)))
		case r.Header.Get("HX-Request") != "" || r.URL.Path == "/console/events":
			// The page was left open until its session ended: the script there goes to the sign-in page.
			w.Header().Set("HX-Redirect", "/")
			http.Error(w, "signed out", http.StatusUnauthorized)
		case r.URL.Path == "/" && r.Method == http.MethodGet:
			c.signIn(w, r, http.StatusOK, "")
		default:
			http.Redirect(w, r, "/?next="+url.QueryEscape(r.URL.Path), http.StatusSeeOther)
		}
	})
}

// session returns the hash of the request's session.
func (c *Console) session(r *http.Request) (hash string, ok bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return "", false
	}
	hash = hashCookie(cookie.Value)
	return hash, c.sessionAlive(r.Context(), hash)
}

func (c *Console) sessionAlive(ctx context.Context, hash string) bool {
	session, err := c.deps.Sessions.ConsoleSession(ctx, hash)
	if err != nil {
		if problem.CodeOf(err) != problem.Unauthorized && ctx.Err() == nil {
			c.deps.Log.ErrorContext(ctx, "console: look up session", "err", err)
		}
		return false
	}
	return time.Now().Before(session.ExpiresAt)
}

func hashCookie(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// signIn shows the sign-in page with what was wrong, if anything.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	c.render(w, r, status, "signin", signInPage{
		page: c.page(r, "signin.title"), Wrong: wrong, Next: localPath(r.FormValue("next")),
	})
}

type signInPage struct {
	page
	Wrong, Next string
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	addr, text := clientAddr(r), c.text(r)
	wait, ok := c.guesses.Take(guess.Address(addr), time.Now())
	if !ok {
		seconds := int(math.Ceil(wait.Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		c.signIn(w, r, http.StatusTooManyRequests, text.T("signin.slow", seconds))
		return
	}
	if !c.deps.CheckAdmin(strings.TrimSpace(r.PostFormValue("token"))) {
		c.deps.Log.WarnContext(r.Context(), "console: wrong admin token", "ip", addr)
		c.signIn(w, r, http.StatusUnauthorized, text.T("signin.wrong"))
		return
	}
	c.guesses.Forgive(guess.Address(addr))
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: it ends the process instead
	value, now := base64.RawURLEncoding.EncodeToString(secret), time.Now()
	err := c.deps.Sessions.CreateConsoleSession(r.Context(), models.ConsoleSession{
		Hash: hashCookie(value), CreatedAt: now, ExpiresAt: now.Add(sessionLife), IP: addr,
	})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	setCookie(w, r, sessionCookie, value, sessionLife)
	c.deps.Log.InfoContext(r.Context(), "console: signed in", "ip", addr)
	http.Redirect(w, r, localPath(r.PostFormValue("next")), http.StatusSeeOther)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	if hash, ok := r.Context().Value(sessionKey{}).(string); ok {
		if err := c.deps.Sessions.DeleteConsoleSession(r.Context(), hash); err != nil {
			c.fail(w, r, err)
			return
		}
	}
	setCookie(w, r, sessionCookie, "", 0)
	http.Redirect(w, r, "/", http.StatusSeeOther)
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
