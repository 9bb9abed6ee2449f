package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kurir/audit"
	"kurir/models"
	"kurir/password"
	"kurir/problem"
)

// complain says what did not work: to htmx as a notice, else as a page.
func (c *Console) complain(w http.ResponseWriter, r *http.Request, err error) {
	if r.Header.Get("HX-Request") == "" {
		c.fail(w, r, err)
		return
	}
	t := c.text(r)
	c.render(w, r, problem.Lookup(problem.CodeOf(err)).Status, "notice", struct {
		text
		Message string
	}{t, c.explain(r, t, err, "")})
}

// accountForm is a form with a password in it. What was typed as one never comes back.
type accountForm struct {
	page
	Name, Next, Wrong, Done string
	Role                    models.Role
	Min                     int // characters of a password
	Token                   bool
}

func (c *Console) accountForm(r *http.Request, title string) accountForm {
	v, _ := visitorOf(r)
	f := accountForm{page: c.page(r, title), Min: password.MinLength, Token: v.user == nil, Role: models.RoleOwner}
	if v.user != nil {
		f.Name, f.Role = v.user.Name, v.user.Role
	}
	return f
}

// hashNew checks what was typed twice as a new password and hashes it.
func (c *Console) hashNew(r *http.Request, name string) (string, error) {
	plain := r.PostFormValue("password")
	if err := password.CheckNew(name, plain); err != nil {
		return "", err
	}
	if plain != r.PostFormValue("again") {
		return "", errTwice
	}
	return c.deps.Passwords.Hash(r.Context(), plain)
}

// errTwice: the two fields differ.
var errTwice = problem.New(problem.PasswordInvalid, "the two are not the same")

// wrongWords are explain's, but for what only a form can have.
func (c *Console) wrongWords(r *http.Request, t text, err error) (status int, words string) {
	words = c.explain(r, t, err, "")
	if err == errTwice { //nolint:errorlint // it is never wrapped
		words = t.T("account.not_twice")
	}
	return problem.Lookup(problem.CodeOf(err)).Status, words
}

// firstAccount is the page on which whoever installed kurir makes the first account, the way in for every day.
func (c *Console) firstAccount(w http.ResponseWriter, r *http.Request) {
	people, err := c.deps.People.Users(r.Context())
	switch {
	case err != nil:
		c.fail(w, r, err)
	case len(people) > 0:
		http.Redirect(w, r, "/people", http.StatusSeeOther)
	default:
		f := c.accountForm(r, "account.make")
		f.Next = localPath(r.FormValue("next"))
		c.render(w, r, http.StatusOK, "account-new", f)
	}
}

func (c *Console) makeFirstAccount(w http.ResponseWriter, r *http.Request) {
	v, _ := visitorOf(r)
	people, err := c.deps.People.Users(r.Context())
	if err == nil && (len(people) > 0 || v.user != nil) {
		line(r).Action = "" // nothing is done
		http.Redirect(w, r, "/people", http.StatusSeeOther)
		return
	}
	user := models.User{Name: r.PostFormValue("name"), Role: models.RoleOwner}
	if err == nil {
		err = c.store(r, &user)
	}
	if err != nil {
		f := c.accountForm(r, "account.make")
		f.Name, f.Next, f.Path = r.PostFormValue("name"), localPath(r.PostFormValue("next")), "/account/new"
		status, wrong := c.wrongWords(r, f.text, err)
		f.Wrong = wrong
		c.render(w, r, status, "account-new", f)
		return
	}
	// From the token's session to the person's.
	err = c.deps.Sessions.DeleteConsoleSession(r.Context(), v.hash)
	if err == nil {
		err = c.welcome(w, r, &user, false)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	http.Redirect(w, r, localPath(r.PostFormValue("next")), http.StatusSeeOther)
}

// store makes a person of the form.
func (c *Console) store(r *http.Request, user *models.User) (err error) {
	if user.Name, err = models.UserName(user.Name); err != nil {
		return err
	}
	line(r).Target = user.Name
	if user.Password, err = c.hashNew(r, user.Name); err != nil {
		return err
	}
	if err = c.deps.People.CreateUser(r.Context(), user); err != nil {
		return err
	}
	line(r).Target = user.ID + " " + user.Name + " " + string(user.Role)
	return nil
}

// account is the visitor's own page.
func (c *Console) account(w http.ResponseWriter, r *http.Request) {
	c.showAccount(w, r, http.StatusOK, "", "")
}

func (c *Console) showAccount(w http.ResponseWriter, r *http.Request, status int, wrong, done string) {
	f := c.accountForm(r, "account.title")
	f.Wrong, f.Done, f.Path = wrong, done, "/account"
	c.render(w, r, status, "account", f)
}

// changePassword changes one's own, with the old one: who finds an open browser must not be able to. All other browsers
// are signed out.
func (c *Console) changePassword(w http.ResponseWriter, r *http.Request) {
	v, _ := visitorOf(r)
	if v.user == nil {
		c.notFound(w, r)
		return
	}
	user := *v.user
	line(r).Target = user.ID + " " + user.Name
	try := attempt{device: "session " + v.hash, known: true}
	if wait, ok := c.guesses.take(try, time.Now()); !ok {
		line(r).Code = string(problem.Unauthorized)
		c.showAccount(w, r, http.StatusTooManyRequests, c.text(r).T("signin.slow", int(wait.Seconds())+1), "")
		return
	}
	ok, _, err := c.deps.Passwords.Check(r.Context(), user.Password, r.PostFormValue("old"))
	if err == nil && !ok {
		line(r).Code = string(problem.Unauthorized)
		c.showAccount(w, r, http.StatusUnauthorized, c.text(r).T("account.wrong_old"), "")
		return
	}
	c.guesses.forgive(try)
	var hash string
	if err == nil {
		hash, err = c.hashNew(r, user.Name)
	}
	if err == nil {
		err = c.deps.People.SetPassword(r.Context(), user.ID, hash)
	}
	if err != nil {
		status, wrong := c.wrongWords(r, c.text(r), err)
		c.showAccount(w, r, status, wrong, "")
		return
	}
	c.ended.ring()
	user.Password = hash
	if err := c.welcome(w, r, &user, false); err != nil {
		c.fail(w, r, err)
		return
	}
	c.showAccount(w, r, http.StatusOK, "", c.text(r).T("account.changed"))
}

// signOutEverywhere ends all sessions of the visitor, this one too.
func (c *Console) signOutEverywhere(w http.ResponseWriter, r *http.Request) {
	v, _ := visitorOf(r)
	line(r).Target = v.actor()
	if err := c.deps.People.EndSessions(r.Context(), v.userID()); err != nil {
		c.fail(w, r, err)
		return
	}
	c.ended.ring()
	setCookie(w, r, sessionCookie, "", 0)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

type personView struct {
	text
	models.User
	Self bool
}

// Seen is when the person last signed in, "" for never.
func (p personView) Seen() string {
	if p.SeenAt == nil {
		return ""
	}
	return p.SeenAt.UTC().Format(time.RFC3339)
}

// Is says whether the person has that role.
func (p personView) Is(role string) bool { return string(p.Role) == role }

type peoplePage struct {
	page
	People      []personView
	Wrong, Name string
	Role        models.Role // that the form has chosen
	Min         int
	NewPassword string // of Name, shown this once
}

// people is the list of everybody, with a form for one more.
func (c *Console) people(w http.ResponseWriter, r *http.Request) {
	c.showPeople(w, r, http.StatusOK, peoplePage{})
}

func (c *Console) showPeople(w http.ResponseWriter, r *http.Request, status int, p peoplePage) {
	v, _ := visitorOf(r)
	all, err := c.deps.People.Users(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p.page, p.Min = c.page(r, "people.title"), password.MinLength
	p.Path = "/people"
	for _, u := range all {
		p.People = append(p.People, personView{p.text, u, u.ID == v.userID()})
	}
	c.render(w, r, status, "people", p)
}

func roleOf(r *http.Request) (models.Role, error) {
	role := models.Role(r.PostFormValue("role"))
	if !slices.Contains([]models.Role{models.RoleOwner, models.RoleOperator}, role) {
		return "", problem.New(problem.BadRequest, "no such role")
	}
	return role, nil
}

func (c *Console) addPerson(w http.ResponseWriter, r *http.Request) {
	role, err := roleOf(r)
	user := models.User{Name: r.PostFormValue("name"), Role: role}
	if err == nil {
		err = c.store(r, &user)
	}
	if err != nil {
		status, wrong := c.wrongWords(r, c.text(r), err)
		c.showPeople(w, r, status, peoplePage{Wrong: wrong, Name: strings.TrimSpace(r.PostFormValue("name")), Role: role})
		return
	}
	http.Redirect(w, r, "/people", http.StatusSeeOther)
}

// onPerson does something with the person in the path.
func (c *Console) onPerson(do func(r *http.Request, u models.User) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, err := c.deps.People.User(r.Context(), r.PathValue("id"))
		if err == nil {
			line(r).Target = u.ID + " " + u.Name
			err = do(r, u)
		}
		switch {
		case problem.CodeOf(err) == problem.LastOwner && err != nil:
			status, wrong := c.wrongWords(r, c.text(r), err)
			c.showPeople(w, r, status, peoplePage{Wrong: wrong})
		case err != nil:
			c.fail(w, r, err)
		default:
			c.ended.ring() // sessions may have ended, or see other things now
			http.Redirect(w, r, "/people", http.StatusSeeOther)
		}
	}
}

func (c *Console) setRole(r *http.Request, u models.User) error {
	role, err := roleOf(r)
	if err != nil {
		return err
	}
	line(r).Target += " " + string(role)
	return c.deps.People.SetUser(r.Context(), u.ID, role, u.Disabled)
}

func (c *Console) disable(r *http.Request, u models.User) error {
	return c.deps.People.SetUser(r.Context(), u.ID, u.Role, true)
}

func (c *Console) enable(r *http.Request, u models.User) error {
	return c.deps.People.SetUser(r.Context(), u.ID, u.Role, false)
}

func (c *Console) signOutPerson(r *http.Request, u models.User) error {
	return c.deps.People.EndSessions(r.Context(), u.ID)
}

func (c *Console) deletePerson(r *http.Request, u models.User) error {
	return c.deps.People.DeleteUser(r.Context(), u.ID)
}

// newPassword gives a person a password that an owner can tell them. It is shown this once, and not by a redirect: it
// must not be in an address.
func (c *Console) newPassword(w http.ResponseWriter, r *http.Request) {
	u, err := c.deps.People.User(r.Context(), r.PathValue("id"))
	plain, hash := password.Random(), ""
	if err == nil {
		line(r).Target = u.ID + " " + u.Name
		hash, err = c.deps.Passwords.Hash(r.Context(), plain)
	}
	if err == nil {
		err = c.deps.People.SetPassword(r.Context(), u.ID, hash)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.ended.ring()
	c.showPeople(w, r, http.StatusOK, peoplePage{NewPassword: plain, Name: u.Name})
}

// auditCSV is the audit log as a file.
func (c *Console) auditCSV(w http.ResponseWriter, r *http.Request) {
	f, err := audit.Filter(r.URL.Query())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", "attachment; filename="+url.PathEscape(audit.FileName))
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	flush := func() error {
		_ = out.SetWriteDeadline(time.Now().Add(writePatience)) // not every ResponseWriter (of a test) has deadlines
		return out.Flush()
	}
	if err := audit.WriteCSV(r.Context(), w, flush, c.deps.Audit, f); err != nil {
		if r.Context().Err() == nil {
			c.deps.Log.ErrorContext(r.Context(), "console: export of the audit log broke off", "err", err)
		}
		panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
	}
}

// People is who may sign in. Errors are *problem.Error where a person can do something about them.
type People interface {
	Users(ctx context.Context) ([]models.User, error)
	User(ctx context.Context, id string) (models.User, error)
	UserByName(ctx context.Context, name string) (models.User, error)
	CreateUser(ctx context.Context, u *models.User) error
	SetUser(ctx context.Context, id string, role models.Role, disabled bool) error
	SetPassword(ctx context.Context, id, hash string) error
	RenewHash(ctx context.Context, u models.User, hash string) error
	DeleteUser(ctx context.Context, id string) error
	EndSessions(ctx context.Context, userID string) error
}

// Passwords hashes and checks passwords.
type Passwords interface {
	Hash(ctx context.Context, plain string) (string, error)
	Check(ctx context.Context, hash, plain string) (ok, stale bool, err error)
}

// AuditLog is where the console writes what was done, and what owners may read.
type AuditLog interface {
	AppendAudit(ctx context.Context, a models.AuditEntry) error
	AuditLines(ctx context.Context, f models.AuditFilter, limit int) ([]models.AuditEntry, error)
}
