package web

import (
	"context"
	"errors"
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
	t = t.In(k.zone)
	if h, m, s := t.Clock(); h == 0 && m == 0 && s == 0 {
		return t.AddDate(0, 0, -1).Format("02-01-2006")
	}
	return t.Format("02-01-2006 15:04 MST")
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

// May is what the key may do, in words.
func (k keyItem) May() string {
	words := make([]string, len(k.Scopes))
	for i, scope := range k.Scopes {
		words[i] = k.scope(scope)
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

// keyForm is what was typed to make a key.
type keyForm struct {
	Name, Until, IPs, Recipients, Rate string
	Scopes                             []models.Scope
}

// Has says whether a scope is ticked.
func (f keyForm) Has(scope string) bool { return slices.Contains(f.Scopes, models.Scope(scope)) }

// Limited says whether something of the limits is filled in: they are folded up until then.
func (f keyForm) Limited() bool { return f.Until+f.IPs+f.Recipients+f.Rate != "" }

type keysPage struct {
	page
	Instance    View
	Keys        []keyItem
	Form        keyForm
	Wrong       string
	Secret      string // of the key Made, shown this once
	Made        keyItem
	First       string // the first day that a key can end
	MaxName     int
	Overlapping string // Made's secret before it works until then
}

// keys is the list of an instance's keys, with a form for one more.
func (c *Console) keys(w http.ResponseWriter, r *http.Request) {
	c.showKeys(w, r, http.StatusOK, keysPage{Form: keyForm{Scopes: models.DefaultScopes()}})
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
	p.page, p.Instance, p.MaxName = c.page(r, "keys.title"), view, models.MaxKeyName
	p.Title, p.Path = p.T("keys.of", view.Name), "/instances/"+view.ID+"/keys"
	now, zone := time.Now(), view.zone()
	p.First = now.In(zone).Format(time.DateOnly)
	for _, k := range list {
		p.Keys = append(p.Keys, keyItem{p.text, k, now, zone})
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
	form, t := readKeyForm(r), c.text(r)
	n, wrong := form.key(t, view, time.Now())
	if wrong != "" {
		line(r).Code = string(problem.KeyInvalid)
		c.showKeys(w, r, http.StatusUnprocessableEntity, keysPage{Form: form, Wrong: wrong})
		return
	}
	k, plain, err := c.deps.Keys.CreateKey(r.Context(), n)
	if err != nil {
		c.showKeys(w, r, problem.Lookup(problem.CodeOf(err)).Status, keysPage{Form: form, Wrong: c.explain(r, t, err, view.ID)})
		return
	}
	line(r).Target = k.ID
	c.showKeys(w, r, http.StatusCreated, keysPage{Form: keyForm{Scopes: models.DefaultScopes()}, Secret: plain, Made: keyItem{APIKey: k}})
}

func readKeyForm(r *http.Request) keyForm {
	value := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	f := keyForm{Name: value("name"), Until: value("until"), IPs: value("ips"), Recipients: value("recipients"), Rate: value("rate")}
	for _, scope := range models.Scopes() {
		if slices.Contains(r.PostForm["scope"], string(scope)) {
			f.Scopes = append(f.Scopes, scope)
		}
	}
	return f
}

// key makes a key of the form, or says what is wrong with it.
func (f keyForm) key(t text, view View, now time.Time) (n models.NewKey, wrong string) {
	n = models.NewKey{InstanceID: view.ID, Sandbox: view.Sandbox, Rights: models.Rights{Scopes: f.Scopes}}
	var err error
	var ok bool
	if n.Name, ok = models.KeyName(f.Name); !ok {
		return n, t.T("keys.wrong_name", models.MaxKeyName)
	}
	if len(f.Scopes) == 0 { // CreateKey would take the default ones
		return n, t.T("keys.wrong_scopes")
	}
	if n.ExpiresAt, ok = f.end(view.zone(), now); !ok {
		return n, t.T("keys.wrong_until")
	}
	if n.IPs, err = models.ParseKeyIPs(items(f.IPs)); err != nil {
		return n, t.T("keys.wrong_ips", culprit(err, t))
	}
	if n.Recipients, err = models.ParseKeyRecipients(items(f.Recipients), view.Region); err != nil {
		return n, t.T("keys.wrong_recipients", culprit(err, t))
	}
	if f.Rate != "" {
		if n.RatePerMinute, err = strconv.Atoi(f.Rate); err != nil || n.RatePerMinute < 1 || n.RatePerMinute > models.MaxKeyRate {
			return n, t.T("keys.wrong_rate", models.MaxKeyRate)
		}
	}
	return n, ""
}

// end is the end of the day that was chosen, which must not have passed; nil for none.
func (f keyForm) end(zone *time.Location, now time.Time) (*time.Time, bool) {
	if f.Until == "" {
		return nil, true
	}
	day, err := time.ParseInLocation(time.DateOnly, f.Until, zone)
	end := day.AddDate(0, 0, 1).UTC()
	return &end, err == nil && end.After(now)
}

// items splits what was typed, one on each line or with commas.
func items(typed string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(typed, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ';' }),
		func(s string) bool { return strings.TrimSpace(s) == "" })
}

// culprit is the item that an error is about, or that there are too many.
func culprit(err error, t text) string {
	if bad := (*models.ItemError)(nil); errors.As(err, &bad) {
		return "“" + bad.Short() + "”"
	}
	return t.T("keys.too_many")
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
	c.showKeys(w, r, http.StatusOK, keysPage{Form: keyForm{Scopes: models.DefaultScopes()}, Secret: plain, Made: keyItem{APIKey: k}})
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
