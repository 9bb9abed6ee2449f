package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"kurir/models"
	"kurir/problem"
)

// access says who may use a route.
type access int

const (
	anyone   access = iota // without signing in
	operator               // everybody who is signed in
	owner                  // owners, and whoever came with the admin token
)

// route is a line of the table. There is no other way into the console.
type route struct {
	pattern string
	who     access
	action  string // the word of the audit log; "" for what changes nothing
	do      http.HandlerFunc
}

// table is the table of contents of the console.
func (c *Console) table() []route {
	do := c.deps.Instances
	return []route{
		{"GET /console/assets/{name}", anyone, "", c.assets.serve},
		{"POST /login", anyone, "console.signin", c.login},
		{"POST /language", anyone, "", c.setLanguage},
		{"GET /docs", anyone, "", c.docs},
		{"GET /licenses", anyone, "", c.licences},

		{"GET /{$}", operator, "", c.list},
		{"GET /console/events", operator, "", c.events},
		{"POST /logout", operator, "console.signout", c.logout},
		{"GET /account", operator, "", c.account},
		{"POST /account/password", operator, "user.password", c.changePassword},
		{"POST /account/signout", operator, "user.signout", c.signOutEverywhere},
		{"GET /account/new", owner, "", c.firstAccount},
		{"POST /account/new", owner, "user.create", c.makeFirstAccount},

		{"GET /people", owner, "", c.people},
		{"POST /people", owner, "user.create", c.addPerson},
		{"POST /people/{id}/role", owner, "user.role", c.onPerson(c.setRole)},
		{"POST /people/{id}/disable", owner, "user.disable", c.onPerson(c.disable)},
		{"POST /people/{id}/enable", owner, "user.enable", c.onPerson(c.enable)},
		{"POST /people/{id}/signout", owner, "user.signout", c.onPerson(c.signOutPerson)},
		{"POST /people/{id}/password", owner, "user.password", c.newPassword},
		{"POST /people/{id}/delete", owner, "user.delete", c.onPerson(c.deletePerson)},
		{"GET /audit.csv", owner, "audit.export", c.auditCSV},

		{"GET /instances/new", owner, "", c.newInstance},
		{"POST /instances", owner, "instance.create", c.create}, // it makes a key
		{"GET /instances/{id}", operator, "", c.instance},
		{"POST /instances/{id}/pairing-code", operator, "instance.pairing_code", c.pairingCode},
		{"POST /instances/{id}/scan", operator, "instance.scan", c.act(c.scan)},
		{"POST /instances/{id}/start", operator, "instance.start", c.act(do.Start)},
		{"POST /instances/{id}/stop", operator, "instance.stop", c.act(do.Stop)},
		{"POST /instances/{id}/restart", operator, "instance.restart", c.act(do.Restart)},
		{"POST /instances/{id}/unlink", owner, "instance.logout", c.act(do.Logout)},
		{"POST /instances/{id}/delete", owner, "instance.delete", c.act(do.Delete)},

		{"GET /instances/{id}/keys", owner, "", c.keys},
		{"POST /instances/{id}/keys", owner, "key.create", c.makeKey},
		{"GET /instances/{id}/keys/{key}", owner, "", c.key},
		{"POST /instances/{id}/keys/{key}", owner, "key.update", c.changeKey},
		{"POST /instances/{id}/keys/{key}/rotate", owner, "key.rotate", c.rotateKey},
		{"POST /instances/{id}/keys/{key}/revoke", owner, "key.delete", c.revokeKey},

		{"GET /instances/{id}/phone", operator, "", c.withPhones(c.instancePhone)},
		{"GET /sandbox", operator, "", c.withPhones(c.phoneDesk)},
		{"GET /sandbox/find", operator, "", c.withPhones(c.findPhone)},
		{"GET /sandbox/{number}", operator, "", c.withPhones(c.phone)},
		{"GET /sandbox/{number}/{screen}", operator, "", c.withPhones(c.phone)},
		{"GET /sandbox/{number}/chats/{chat}", operator, "", c.withPhones(c.phone)},
		{"GET /sandbox/{number}/chats/{chat}/files/{message}", operator, "", c.withPhones(c.phoneFile)},
		{"POST /sandbox/{number}/{action}", operator, "sandbox.phone", c.withPhones(c.actOnPhone)},
		{"/", operator, "", c.notFound},
	}
}

// routes serves the table.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range c.table() {
		mux.Handle(rt.pattern, c.guard(rt))
	}
	// Browsers that say where a request comes from are refused when that is another site; the session cookie is
	// SameSite as well.
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(c.crossOrigin))
	return securityHeaders(limitBody(cross.Handler(mux)))
}

// guard lets a request through to the route when its sender may use it, and writes the line of the audit log.
func (c *Console) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := &models.AuditEntry{Time: time.Now(), RequestID: w.Header().Get("X-Request-Id"), IP: clientAddr(r), Action: rt.action}
		ctx := context.WithValue(r.Context(), lineKey{}, line)
		if rt.who == anyone {
			c.audited(rt.do)(w, r.WithContext(ctx))
			return
		}
		v, ok := c.visitor(r)
		if !ok {
			c.signedOut(w, r)
			return
		}
		line.Actor = v.actor()
		if strings.Contains(rt.pattern, " /instances/{id}") {
			line.InstanceID, line.Target = short(r.PathValue("id")), short(r.PathValue("key"))
		} else {
			line.Target = short(r.PathValue("id") + r.PathValue("number"))
		}
		do := rt.do
		if rt.who == owner && !v.owner() {
			do = func(w http.ResponseWriter, r *http.Request) { c.complain(w, r, problem.New(problem.OwnerOnly, "")) }
		}
		c.audited(do)(w, r.WithContext(context.WithValue(ctx, visitorKey{}, v)))
	})
}

// short keeps what somebody put into an address from filling the log.
func short(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}

type lineKey struct{}

// line is the request's line of the audit log. It is written when the answer begins; see audited.
func line(r *http.Request) *models.AuditEntry {
	if l, ok := r.Context().Value(lineKey{}).(*models.AuditEntry); ok {
		return l
	}
	return &models.AuditEntry{} // of a request that was refused before it met its route
}

// audited writes the line of the audit log before the first byte of the answer: what somebody was told is in the log.
func (c *Console) audited(do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := &auditWriter{ResponseWriter: w, write: func() { c.writeLine(r) }}
		do(a, r)
		a.once()
	}
}

type auditWriter struct {
	http.ResponseWriter
	write func()
	done  bool
}

func (a *auditWriter) once() {
	if !a.done {
		a.done = true
		a.write()
	}
}

func (a *auditWriter) WriteHeader(status int) {
	a.once()
	a.ResponseWriter.WriteHeader(status)
}

func (a *auditWriter) Write(b []byte) (int, error) {
	a.once()
	return a.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (a *auditWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (c *Console) writeLine(r *http.Request) {
	l := line(r)
	if l.Action == "" || l.Actor == "" {
		return
	}
	if l.Code == "" {
		l.Code = "OK"
	}
	l.LatencyUS = time.Since(l.Time).Microseconds()
	// What was done was done, also when the browser has gone away meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	if err := c.deps.Audit.AppendAudit(ctx, *l); err != nil {
		c.deps.Log.ErrorContext(ctx, "console: audit line is lost", "request", l.RequestID, "action", l.Action, "code", l.Code, "err", err)
	}
}
