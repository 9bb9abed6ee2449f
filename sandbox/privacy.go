package sandbox

import "slices"

// Who may see what of an account, by WhatsApp's names. What is not set is for all.
var privacyValues = map[string][]string{
	"last": {"all", "contacts", "none"}, "online": {"all", "match_last_seen"}, "profile": {"all", "contacts", "none"}, "status": {"all", "contacts", "none"},
	"readreceipts": {"all", "none"}, "groupadd": {"all", "contacts"},
}

// privacy changes one setting. The picture, the about and read receipts obey theirs; the others are kept and told.
func (c *conn) privacy(req request) error {
	a, err := decode[struct{ Name, Value string }](req.Args)
	if err != nil {
		return err
	}
	if a.Value == "contact_blacklist" {
		return errorf(501, "the sandbox does not simulate privacy with exceptions (contact_blacklist)")
	}
	if !slices.Contains(privacyValues[a.Name], a.Value) {
		return errorf(400, "privacy %q has no value %q", a.Name, a.Value)
	}
	return c.linked(func(d *device) error {
		err := c.s.commit(&event{Op: "privacy", Account: d.owner.Phone.Number, Name: a.Name, About: a.Value})
		if err == nil {
			c.ok(req.N, none{})
		}
		return err
	})
}

// shows says whether an account lets somebody see what a setting is about.
func (a *account) shows(what string, to *account) bool {
	switch a.Privacy[what] {
	case "none":
		return a == to
	case "contacts":
		p := a.People[to.wid()]
		return a == to || p != nil && p.IsMyContact || a.seed.knows(to.wid())
	}
	return true
}
