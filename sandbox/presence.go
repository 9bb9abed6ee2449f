package sandbox

import (
	"cmp"
	"slices"
	"time"
)

// presence answers a subscription, and remembers it: the page is told of every change from then on. The phones of the
// sandbox are online until they are told otherwise.
func (c *conn) presence(req request) error {
	a, err := decode[presenceArgs](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(*device) error {
		c.ok(req.N, none{})
		if a.Subscribe == "" {
			return nil
		}
		told := presenceArgs{WID: a.Subscribe, State: "available"}
		if number, err := parseUser(a.Subscribe); err == nil {
			told.WID = widOf(number) // a migrated account says the lid
			if x := c.s.world.accounts[number]; x != nil && x.away {
				told.State, told.T = "unavailable", x.lastSeen
			}
			if c.watches == nil {
				c.watches = map[string]bool{}
			}
			c.watches[told.WID] = true
		}
		c.push("presence", told)
		return nil
	})
}

// SetOnline shows those who asked for it that a phone's owner looks at WhatsApp, or last looked at it now.
func (s *Server) SetOnline(number string, online bool) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.world.ensure(n)
	if a.away == !online {
		return nil
	}
	a.away = !online
	told := presenceArgs{WID: a.wid(), State: "available"}
	if a.away {
		a.lastSeen = time.Now().Unix()
		told.State, told.T = "unavailable", a.lastSeen
	}
	for c := range s.conns {
		if c.device != nil && c.watches[a.wid()] {
			c.push("presence", told)
		}
	}
	return nil
}

// Call is a call that a phone made.
type Call struct {
	ID       string `json:"id"`
	To       string `json:"to"` // wid
	T        int64  `json:"t"`
	Rejected bool   `json:"rejected,omitempty"`
}

// Calls lists the calls that a phone made, the oldest first.
func (s *Server) Calls(number string) ([]Call, error) {
	list := []Call{}
	err := s.withPhone(number, func(a *account) { list = append(list, a.Calls...) })
	return list, err
}

// callReject is a page's word that it does not take a call: the caller hears of it.
func (c *conn) callReject(req request) error {
	a, err := decode[struct{ ID, Creator string }](req.Args)
	if err != nil {
		return err
	}
	number, err := parseUser(a.Creator)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		caller := c.s.world.ensure(number)
		if !slices.ContainsFunc(caller.Calls, func(x Call) bool { return x.ID == a.ID && x.To == d.owner.wid() }) {
			return errorf(404, "there is no such call")
		}
		err := c.s.commit(&event{Op: "call_rejected", Account: number, Name: a.ID})
		if err == nil {
			c.ok(req.N, none{})
		}
		return err
	})
}

// receiptOf is what became of a message with one of its receivers.
type receiptOf struct {
	WID string `json:"wid"`
	seenBy
}

// messageInfo says who has got, read and played an own message.
func (c *conn) messageInfo(req request) error {
	a, err := decode[struct{ Chat, ID string }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		if number, err := parseUser(a.Chat); err == nil {
			a.Chat = widOf(number)
		}
		m := d.owner.byKey[msgKey{a.Chat, a.ID, true}]
		if m == nil {
			return errorf(404, "item-not-found")
		}
		list := []receiptOf{}
		for wid, seen := range m.Seen {
			list = append(list, receiptOf{wid, *seen})
		}
		slices.SortFunc(list, func(x, y receiptOf) int { return cmp.Compare(x.WID, y.WID) })
		c.ok(req.N, map[string]any{"receipts": list, "receivers": len(c.s.world.audience(d.owner, a.Chat))})
		return nil
	})
}

// saveContact puts somebody into the account's address book under a name, or takes them out of it.
func (c *conn) saveContact(req request) error {
	a, err := decode[struct {
		WID       string
		Name      string
		ShortName string `json:"short_name"`
	}](req.Args)
	if err != nil {
		return err
	}
	return c.changeContact(a.WID, func(p *WireContact) {
		p.Name, p.ShortName, p.IsMyContact = a.Name, a.ShortName, a.Name != ""
	}, func(p WireContact) { c.ok(req.N, p) })
}

// changeContact changes what the account has of somebody, and answers when that is kept.
func (c *conn) changeContact(wid string, change func(*WireContact), answer func(WireContact)) error {
	number, err := parseUser(wid)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		p := c.s.world.person(d.owner, widOf(number))
		change(&p)
		err := c.s.commit(&event{Op: "contact", Account: d.owner.Phone.Number, Device: d.ID, Contact: &p})
		if err == nil {
			answer(p)
		}
		return err
	})
}
