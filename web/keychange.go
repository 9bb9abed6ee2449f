package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"kurir/models"
	"kurir/problem"
)

type keyPage struct {
	page
	Instance View
	Key      keyItem
	Form     keyForm
	Seen     string // fingerprint of the settings that the reader has seen
	Changed  bool   // somebody else has changed the key since the reader opened the page
	Wrong    string // of the whole form
}

// key is the form with the settings of the key in the path.
func (c *Console) key(w http.ResponseWriter, r *http.Request) {
	c.showKey(w, r, http.StatusOK, keyPage{})
}

// showKey draws the form. What was typed into p.Form stays; without a name in it, it is filled with the key's settings.
func (c *Console) showKey(w http.ResponseWriter, r *http.Request, status int, p keyPage) {
	view, k, err := c.keyInPath(r)
	if err != nil {
		c.noKey(w, r, err)
		return
	}
	p.page, p.Instance = c.page(r, "keys.change"), view
	p.Title, p.Path = p.T("keys.change_title", k.Name), "/instances/"+view.ID+"/keys/"+k.ID
	now, zone := time.Now(), view.zone()
	p.Key, p.Seen = keyItem{p.text, k, now, zone}, k.SettingsPrint()
	if status == http.StatusOK {
		p.Form = formOf(k, zone, now)
	}
	p.Form.text, p.Form.First = p.text, firstDay(k, zone, now)
	if k.ExpiresAt != nil {
		if _, whole := lastDay(*k.ExpiresAt, zone); !whole {
			p.Form.EndsAt = p.Key.When(*k.ExpiresAt)
		}
	}
	c.render(w, r, status, "key-change", p)
}

// keyInPath returns the instance in the path, and the key there when it is one of it.
func (c *Console) keyInPath(r *http.Request) (View, models.APIKey, error) {
	view, err := c.deps.Instances.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return view, models.APIKey{}, err
	}
	k, err := c.deps.Keys.Key(r.Context(), r.PathValue("key"))
	if err == nil {
		err = ofInstance(k, r)
	}
	return view, k, err
}

// noKey says what hindered; that a key is not there any more, it says beside those that are.
func (c *Console) noKey(w http.ResponseWriter, r *http.Request, err error) {
	if problem.CodeOf(err) != problem.NotFound {
		c.fail(w, r, err)
		return
	}
	line(r).Code = string(problem.NotFound)
	c.showKeys(w, r, http.StatusNotFound, keysPage{Form: newKeyForm(), Gone: true})
}

// changeKey gives a key other settings, unless somebody else did since the form was filled: then the form shows what holds
// now, keeps what was typed, and saves it when asked again.
func (c *Console) changeKey(w http.ResponseWriter, r *http.Request) {
	view, k, err := c.keyInPath(r)
	if err != nil {
		c.noKey(w, r, err)
		return
	}
	form, t, seen := readKeyForm(r), c.text(r), r.PostFormValue("seen")
	_, err = c.deps.Keys.ChangeKey(r.Context(), k.ID, func(k *models.APIKey) error {
		if k.SettingsPrint() != seen {
			return problem.New(problem.KeyChanged, "")
		}
		if wrong := form.apply(t, view, k, time.Now()); wrong != nil {
			return problem.Wrap(problem.KeyInvalid, "", wrong)
		}
		return nil
	})
	switch code := problem.CodeOf(err); {
	case err == nil:
		http.Redirect(w, r, "/instances/"+url.PathEscape(view.ID)+"/keys?changed="+url.QueryEscape(k.ID), http.StatusSeeOther)
	case code == problem.NotFound:
		c.noKey(w, r, err)
	default:
		p := keyPage{Form: form, Changed: code == problem.KeyChanged}
		line(r).Code = string(code)
		if !errors.As(err, &p.Form.Wrong) && !p.Changed {
			p.Wrong = c.explain(r, t, err, view.ID)
		}
		c.showKey(w, r, problem.Lookup(code).Status, p)
	}
}
