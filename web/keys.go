package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kurir/models"
	"kurir/problem"
)

// Keys are the keys of instances. Errors are *problem.Error where a person can do something about them.
type Keys interface {
	// Keys returns the keys of an instance, of all instances when instanceID is empty.
	Keys(ctx context.Context, instanceID string) ([]models.APIKey, error)
	Key(ctx context.Context, id string) (models.APIKey, error)
	CreateKey(ctx context.Context, n models.NewKey) (models.APIKey, string, error)
	ChangeKey(ctx context.Context, id string, change func(*models.APIKey) error) (models.APIKey, error)
	RotateKey(ctx context.Context, id string, overlap time.Duration, may func(models.APIKey) error) (models.APIKey, string, error)
	DeleteKey(ctx context.Context, id string) error
}

// keyItem is a key as the list shows it.
type keyItem struct {
	text
	models.APIKey
	now  time.Time
	zone *time.Location // of the instance
}

// When is a point in time in the zone of the instance; a midnight is the end of the day before.
func (k keyItem) When(t time.Time) string {
	if day, whole := lastDay(t, k.zone); whole {
		return day.Format("02-01-2006")
	}
	return t.In(k.zone).Format("02-01-2006 15:04 MST")
}

// lastDay is the day that t belongs to as an end, and whether it is the end of all of that day.
func lastDay(t time.Time, zone *time.Location) (day time.Time, whole bool) {
	t = t.In(zone)
	if h, m, s := t.Clock(); h == 0 && m == 0 && s == 0 {
		return t.AddDate(0, 0, -1), true
	}
	return t, false
}

// Over says whether the key's end has come.
func (k keyItem) Over() bool { return k.Expired(k.now) }

// Overlaps says whether the secret before this one still opens the key.
func (k keyItem) Overlaps() bool { return k.OldUntil != nil && k.OldUntil.After(k.now) }

// Used is when the key was last used, "" for never.
func (k keyItem) Used() string {
	if k.LastUsedAt == nil {
		return ""
	}
	return k.LastUsedAt.UTC().Format(time.RFC3339)
}

// May is what the key may do, in words and in the order of the form.
func (k keyItem) May() string {
	var words []string
	for _, scope := range models.Scopes() {
		if k.Has(scope) {
			words = append(words, k.scope(scope))
		}
	}
	return strings.Join(words, ", ")
}

// Few are the first of a list: the dialog of the key has them all.
func (k keyItem) Few(list []string) string {
	if len(list) > 3 {
		return strings.Join(list[:3], ", ") + " " + k.T("keys.more", len(list)-3)
	}
	return strings.Join(list, ", ")
}

// Lines joins a list.
func (k keyItem) Lines(list []string) string { return strings.Join(list, ", ") }

func (t text) scope(s models.Scope) string {
	switch s {
	case models.ScopeSend:
		return t.T("keys.send")
	case models.ScopeRead:
		return t.T("keys.read")
	case models.ScopeManage:
		return t.T("keys.manage")
	}
	return string(s)
}

type keysPage struct {
	page
	Instance    View
	Keys        []keyItem
	Form        keyForm
	Wrong       string // of the whole form
	Done        string // what was done, where that needs a word
	Gone        bool   // the key that somebody wanted to change is not there any more
	Secret      string // of the key Made, shown this once
	Made        keyItem
	Overlapping string // Made's secret before it works until then
}

// keys is the list of an instance's keys, with a form for one more.
func (c *Console) keys(w http.ResponseWriter, r *http.Request) {
	c.showKeys(w, r, http.StatusOK, keysPage{Form: newKeyForm()})
}

// showKeys draws the page of the instance in the path.
func (c *Console) showKeys(w http.ResponseWriter, r *http.Request, status int, p keysPage) {
	view, err := c.deps.Instances.Get(r.Context(), r.PathValue("id"))
	var list []models.APIKey
	if err == nil {
		list, err = c.deps.Keys.Keys(r.Context(), view.ID) // of an instance that exists: "" would be all
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p.page, p.Instance = c.page(r, "keys.title"), view
	p.Title, p.Path = p.T("keys.of", view.Name), "/instances/"+view.ID+"/keys"
	now, zone := time.Now(), view.zone()
	p.Form.text, p.Form.First = p.text, now.In(zone).Format(time.DateOnly)
	for _, k := range list {
		p.Keys = append(p.Keys, keyItem{p.text, k, now, zone})
		if k.ID == r.URL.Query().Get("changed") {
			p.Done = p.T("keys.changed", k.Name)
		}
	}
	if p.Secret != "" {
		p.Made.text, p.Made.now, p.Made.zone = p.text, now, zone
		if p.Made.Overlaps() {
			p.Overlapping = p.Made.When(*p.Made.OldUntil)
		}
	}
	c.render(w, r, status, "keys", p)
}

// zone is the time zone of an instance's times.
func (v View) zone() *time.Location {
	if zone, err := time.LoadLocation(v.Zone); err == nil { // it was checked when the instance was made
		return zone
	}
	return time.UTC
}

// makeKey makes a key and shows it, this once. It does not redirect: the key must not be in an address.
func (c *Console) makeKey(w http.ResponseWriter, r *http.Request) {
	view, err := c.deps.Instances.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	form, t, k := readKeyForm(r), c.text(r), models.APIKey{}
	if form.Wrong = form.apply(t, view, &k, time.Now()); form.Wrong != nil {
		line(r).Code = string(problem.KeyInvalid)
		c.showKeys(w, r, http.StatusUnprocessableEntity, keysPage{Form: form})
		return
	}
	k, plain, err := c.deps.Keys.CreateKey(r.Context(), models.NewKey{InstanceID: view.ID, Name: k.Name, Sandbox: view.Sandbox, Rights: k.Rights})
	if err != nil {
		c.showKeys(w, r, problem.Lookup(problem.CodeOf(err)).Status, keysPage{Form: form, Wrong: c.explain(r, t, err, view.ID)})
		return
	}
	line(r).Target = k.ID
	c.showKeys(w, r, http.StatusCreated, keysPage{Form: newKeyForm(), Secret: plain, Made: keyItem{APIKey: k}})
}

// overlaps are how long the old secret may work on, in hours.
func overlaps() []int { return []int{0, 1, 24, 7 * 24, 30 * 24} }

// rotateKey gives a key another secret and shows it, this once.
func (c *Console) rotateKey(w http.ResponseWriter, r *http.Request) {
	hours, err := strconv.Atoi(r.PostFormValue("hours"))
	if err != nil || !slices.Contains(overlaps(), hours) {
		c.fail(w, r, problem.New(problem.BadRequest, "`hours`"))
		return
	}
	here := func(k models.APIKey) error { return ofInstance(k, r) }
	k, plain, err := c.deps.Keys.RotateKey(r.Context(), r.PathValue("key"), time.Duration(hours)*time.Hour, here)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.showKeys(w, r, http.StatusOK, keysPage{Form: newKeyForm(), Secret: plain, Made: keyItem{APIKey: k}})
}

// ofInstance is NOT_FOUND for a key that is not one of the instance in the path.
func ofInstance(k models.APIKey, r *http.Request) error {
	if k.InstanceID != r.PathValue("id") {
		return problem.New(problem.NotFound, "")
	}
	return nil
}

// revokeKey ends a key at once.
func (c *Console) revokeKey(w http.ResponseWriter, r *http.Request) {
	k, err := c.deps.Keys.Key(r.Context(), r.PathValue("key"))
	if err == nil {
		err = ofInstance(k, r)
	}
	if err == nil {
		err = c.deps.Keys.DeleteKey(r.Context(), k.ID)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/instances/"+url.PathEscape(k.InstanceID)+"/keys", http.StatusSeeOther)
}
