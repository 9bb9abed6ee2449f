package web

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"kurir/problem"
)

const maxName = 60 // characters of an instance's name

// render answers with a template. It is drawn into memory first, so that an error never leaves half a page.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := c.templates.ExecuteTemplate(&b, name, data); err != nil {
		c.deps.Log.ErrorContext(r.Context(), "console: draw page", "page", name, "err", err)
		http.Error(w, c.text(r).T("error.internal"), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the reader may be gone
}

// listView is the live part of the list.
type listView struct {
	text
	Items     []instanceView
	Simulator bool
}

func (c *Console) listView(ctx context.Context, t text) (listView, error) {
	views, err := c.deps.Instances.List(ctx)
	if err != nil {
		return listView{}, err
	}
	list := listView{text: t, Simulator: c.deps.Simulator != nil}
	for _, v := range views {
		list.Items = append(list.Items, c.instanceView(t, v))
	}
	return list, nil
}

func (c *Console) list(w http.ResponseWriter, r *http.Request) {
	p := c.page(r, "list.title")
	list, err := c.listView(r.Context(), p.text)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "list", struct {
		page
		List listView
	}{p, list})
}

type newPage struct {
	page
	Name, Wrong string
	Simulator   bool // there is one
	Sandbox     bool // it is ticked
}

func (c *Console) newInstance(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, "new", newPage{
		page: c.page(r, "new.title"), Simulator: c.deps.Simulator != nil, Sandbox: r.URL.Query().Has("sandbox"),
	})
}

// create makes an instance and shows its key, this once. It does not redirect: the key must not be in an address.
func (c *Console) create(w http.ResponseWriter, r *http.Request) {
	form := newPage{
		page: c.page(r, "new.title"), Name: strings.TrimSpace(r.PostFormValue("name")),
		Simulator: c.deps.Simulator != nil, Sandbox: r.PostFormValue("sandbox") != "",
	}
	form.Path = "/instances/new"
	if form.Name == "" || utf8.RuneCountInString(form.Name) > maxName || !utf8.ValidString(form.Name) {
		form.Wrong = form.T("new.wrong_name", maxName)
		line(r).Code = string(problem.BadRequest)
		c.render(w, r, http.StatusUnprocessableEntity, "new", form)
		return
	}
	view, key, err := c.deps.Instances.Create(r.Context(), form.Name, form.Sandbox && form.Simulator)
	if err != nil {
		form.Wrong = c.explain(r, form.text, err, "")
		c.render(w, r, problem.Lookup(problem.CodeOf(err)).Status, "new", form)
		return
	}
	line(r).InstanceID = view.ID
	p := c.page(r, "created.title")
	p.Path = "/instances/" + view.ID
	c.render(w, r, http.StatusCreated, "created", struct {
		page
		View
		Key, Curl string
	}{p, view, key, curl(r, key, p.T("created.hello"))})
}

type instancePage struct {
	page
	Instance instanceView
	Problem  string // of the action that led here
}

func (c *Console) instance(w http.ResponseWriter, r *http.Request) {
	c.showInstance(w, r, http.StatusOK, pairing{}, "")
}

// showInstance draws the page of the instance in the path, with what an action on it brought.
func (c *Console) showInstance(w http.ResponseWriter, r *http.Request, status int, pair pairing, wrong string) {
	view, err := c.deps.Instances.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p := c.page(r, "instance.title")
	p.Title, p.Path = view.Name, "/instances/"+view.ID
	iv := c.instanceView(p.text, view)
	iv.Pairing, iv.Curl = pair, curl(r, p.T("instance.your_key"), p.T("created.hello"))
	c.render(w, r, status, "instance", instancePage{page: p, Instance: iv, Problem: wrong})
}

// pairingCode asks for a code to type on the phone.
func (c *Console) pairingCode(w http.ResponseWriter, r *http.Request) {
	id, t := r.PathValue("id"), c.text(r)
	pair, status := pairing{Phone: strings.TrimSpace(r.PostFormValue("phone"))}, http.StatusOK
	code, err := c.deps.Instances.PairingCode(r.Context(), id, pair.Phone)
	if err != nil {
		status, pair.Problem = problem.Lookup(problem.CodeOf(err)).Status, c.explain(r, t, err, id)
	}
	pair.Code = code
	if r.Header.Get("HX-Request") == "" {
		c.showInstance(w, r, status, pair, "")
		return
	}
	c.render(w, r, status, "pairing-answer", instanceView{text: t, View: View{ID: id}, Pairing: pair})
}

// act carries out what a button asks for. What it changes reaches the page through its event stream.
func (c *Console) act(do func(context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { c.carryOut(w, r, do) }
}

func (c *Console) carryOut(w http.ResponseWriter, r *http.Request, do func(context.Context, string) error) {
	id := r.PathValue("id")
	deletes := strings.HasSuffix(r.URL.Path, "/delete")
	quiet := r.Header.Get("HX-Request") != ""
	if err := do(r.Context(), id); err != nil {
		t := c.text(r)
		status, wrong := problem.Lookup(problem.CodeOf(err)).Status, c.explain(r, t, err, id)
		if quiet {
			c.render(w, r, status, "notice", struct {
				text
				Message string
			}{t, wrong})
		} else {
			c.showInstance(w, r, status, pairing{}, wrong)
		}
		return
	}
	to := "/instances/" + url.PathEscape(id)
	if deletes {
		to = "/"
	}
	switch {
	case !quiet:
		http.Redirect(w, r, to, http.StatusSeeOther)
	case deletes:
		w.Header().Set("HX-Redirect", to)
		fallthrough
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *Console) scan(ctx context.Context, id string) error {
	if c.deps.Simulator == nil {
		return problem.New(problem.NotFound, "")
	}
	return c.deps.Simulator.Scan(ctx, id)
}

// explain returns the catalogue's sentence for err in the reader's language and logs the cause.
func (c *Console) explain(r *http.Request, t text, err error, instance string) string {
	code := problem.CodeOf(err)
	entry := problem.Lookup(code)
	line(r).Code = string(code)
	level := c.deps.Log.InfoContext
	if entry.Status >= http.StatusInternalServerError {
		level = c.deps.Log.ErrorContext
	}
	level(r.Context(), "console: request failed", "instance", instance, "path", r.URL.Path, "err", err)
	if t.Lang == "id" {
		return entry.ID
	}
	return entry.EN
}

// fail shows an error as a page of its own.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	line(r).Code = string(problem.CodeOf(err))
	if problem.CodeOf(err) == problem.NotFound {
		c.notFound(w, r)
		return
	}
	p := c.page(r, "error.title")
	c.errorPage(w, r, problem.Lookup(problem.CodeOf(err)).Status, p, c.explain(r, p.text, err, r.PathValue("id")))
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) {
	p := c.page(r, "error.not_found")
	c.errorPage(w, r, http.StatusNotFound, p, p.T("error.not_found_text"))
}

func (c *Console) crossOrigin(w http.ResponseWriter, r *http.Request) {
	p := c.page(r, "error.title")
	c.deps.Log.WarnContext(r.Context(), "console: refused a request from another site", "path", r.URL.Path,
		"origin", r.Header.Get("Origin"))
	c.errorPage(w, r, http.StatusForbidden, p, p.T("error.cross_origin"))
}

func (c *Console) errorPage(w http.ResponseWriter, r *http.Request, status int, p page, message string) {
	p.Path = "/"
	c.render(w, r, status, "error", struct {
		page
		Message string
	}{p, message})
}
