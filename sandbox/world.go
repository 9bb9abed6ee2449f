package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
)

// world is everything that WhatsApp and its users know. It changes only by apply, which is a function of the events:
// replaying the journal gives the same world. Guarded by Server.mu.
type world struct {
	accounts map[string]*account // by number
	groups   map[string]*group   // by wid
	seeded   map[string]*account // groups that exist in an account's generated history only
	receipts map[string][]*Received
}

// account is a number on WhatsApp: its phone, and what its linked devices see.
type account struct {
	Phone   PhoneSpec               `json:"phone"`
	Created int64                   `json:"created"`
	Known   bool                    `json:"known"` // made by CreatePhone; others came into being when first addressed
	Devices []*device               `json:"devices,omitempty"`
	Chats   map[string]*WireChat    `json:"chats,omitempty"`
	People  map[string]*WireContact `json:"people,omitempty"` // by wid
	Log     []*entry                `json:"log,omitempty"`    // every message that is not generated, in order
	Inbox   []*Received             `json:"inbox,omitempty"`
	About   string                  `json:"about,omitempty"`
	Picture string                  `json:"picture,omitempty"` // name in the media store
	Cleared map[string]int64        `json:"cleared,omitempty"` // chats without what is older
	Kept    map[string]bool         `json:"kept,omitempty"`    // cleared chats that kept what has a star
	Hidden  map[string]bool         `json:"hidden,omitempty"`  // deleted chats, until something arrives in them
	Offline bool                    `json:"offline,omitempty"` // the phone; its linked devices are not
	Waiting []*Received             `json:"waiting,omitempty"` // what the phone gets when it is back

	Privacy map[string]string `json:"privacy,omitempty"`
	Calls   []Call            `json:"calls,omitempty"` // that the phone made

	byKey map[msgKey]*entry
	seed  *seed

	away     bool  // the phone's owner is not looking at WhatsApp
	lastSeen int64 // since when

	typingIn    string // the chat in which a linked device types now
	typingState string // composing or recording
}

// entry is a message in an account's log.
type entry struct {
	WireMessage
	Device string `json:"device,omitempty"` // the linked device that sent it
	Silent bool   `json:"silent,omitempty"` // WhatsApp never acknowledged it

	Seen map[string]*seenBy `json:"seen,omitempty"` // of own messages: what became of it with each receiver, by wid
}

// seenBy is when a receiver got, read and played a message, epoch seconds; 0: not yet.
type seenBy struct {
	Delivered int64 `json:"delivered,omitempty"`
	Read      int64 `json:"read,omitempty"`
	Played    int64 `json:"played,omitempty"`
}

// note keeps the first time of each kind; who read a message has got it.
func (m *entry) note(reader string, ack int, t int64) {
	if m.Seen == nil {
		m.Seen = map[string]*seenBy{}
	}
	x := m.Seen[reader]
	if x == nil {
		x = &seenBy{}
		m.Seen[reader] = x
	}
	for i, when := range []*int64{&x.Delivered, &x.Read, &x.Played} {
		if ack >= i+2 && *when == 0 {
			*when = t
		}
	}
}

// device is a linked page.
type device struct {
	ID       string    `json:"id"`
	Secret   string    `json:"secret"`
	DBKey    string    `json:"db_key"` // unlocks the page's messages; delivered with success
	Platform string    `json:"platform"`
	Version  string    `json:"version,omitempty"`
	Linked   int64     `json:"linked"`
	Seen     bool      `json:"seen,omitempty"`    // it has connected: the link is complete
	Pending  []pending `json:"pending,omitempty"` // pushes it has not got
	Next     int64     `json:"next"`              // number of the last push

	owner *account
	conn  *conn
}

// pending is a push that waits until its device has got it.
type pending struct {
	S    int64           `json:"s"`
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args"`
}

type group struct {
	WID          string            `json:"wid"`
	Subject      string            `json:"subject"`
	Owner        string            `json:"owner"` // wid
	Created      int64             `json:"created"`
	Description  string            `json:"description,omitempty"`
	Code         string            `json:"code"` // of the invitation link
	Participants []WireParticipant `json:"participants"`
	Requests     []GroupRequest    `json:"requests,omitempty"` // who waits for an admin
	Past         []GroupRequest    `json:"past,omitempty"`
	GroupSettings
}

// msgKey finds a message in a log.
type msgKey struct {
	chat, id string
	fromMe   bool
}

// outgoing is a frame for a device.
type outgoing struct {
	device *device
	frame  item
}

func newWorld() *world {
	return &world{
		accounts: map[string]*account{}, groups: map[string]*group{}, seeded: map[string]*account{}, receipts: map[string][]*Received{},
	}
}

// ensure returns the account of a number, which comes into being when it is not yet there.
func (w *world) ensure(number string) *account {
	if a := w.accounts[number]; a != nil {
		return a
	}
	a := newAccount(PhoneSpec{Number: number, Name: pushnameOf(number)})
	w.accounts[number] = a
	return a
}

func newAccount(spec PhoneSpec) *account {
	a := &account{Phone: spec}
	a.index()
	return a
}

// index makes the maps that are not kept in the journal.
func (a *account) index() {
	if a.Chats == nil {
		a.Chats = map[string]*WireChat{}
	}
	if a.People == nil {
		a.People = map[string]*WireContact{}
	}
	if a.Cleared == nil {
		a.Cleared = map[string]int64{}
	}
	if a.Kept == nil {
		a.Kept = map[string]bool{}
	}
	if a.Hidden == nil {
		a.Hidden = map[string]bool{}
	}
	a.byKey = make(map[msgKey]*entry, len(a.Log))
	for _, m := range a.Log {
		a.byKey[m.key()] = m
	}
	for _, d := range a.Devices {
		d.owner = a
	}
	a.seed = newSeed(a.Phone, a.Created)
}

// cleared says whether a message went with its chat's clearing.
func (a *account) cleared(m *entry) bool {
	return m.T <= a.Cleared[m.Chat] && (!a.Kept[m.Chat] || !m.Star)
}

func (a *account) wid() string { return widOf(a.Phone.Number) }
func (a *account) lid() string { return lidOf(a.Phone.Number) }

func (m *entry) key() msgKey { return msgKey{m.Chat, m.ID, m.FromMe} }

// device returns the linked device of that id.
func (a *account) device(id string) *device {
	i := slices.IndexFunc(a.Devices, func(d *device) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	return a.Devices[i]
}

// findDevice returns the device of that id, whoever owns it.
func (w *world) findDevice(id string) *device {
	number, _, _ := strings.Cut(id, ":")
	if a := w.accounts[number]; a != nil {
		return a.device(id)
	}
	return nil
}

// chat returns the account's chat with wid, made when it is not yet there.
func (w *world) chat(a *account, wid string) *WireChat {
	if c := a.Chats[wid]; c != nil {
		return c
	}
	c := &WireChat{WID: wid}
	if generated, ok := a.seed.chatByWID(wid); ok {
		*c = generated
	} else if !isGroup(wid) {
		c.LID = lidOf(strings.TrimSuffix(wid, userServer))
	}
	a.Chats[wid] = c
	return c
}

// group returns a group by wid, also one that so far only exists in a generated history.
func (w *world) group(wid string) *group {
	if g := w.groups[wid]; g != nil {
		return g
	}
	owner := w.seeded[wid]
	if owner == nil {
		return nil
	}
	c, ok := owner.seed.chatByWID(wid)
	if !ok {
		return nil
	}
	g := &group{WID: wid, Subject: c.Name, Owner: c.Group.Owner, Created: c.Group.Created, Participants: c.Group.Participants, Code: codeOf(wid)}
	w.groups[wid] = g
	return g
}

func (g *group) member(wid string) int {
	return slices.IndexFunc(g.Participants, func(p WireParticipant) bool { return p.WID == wid })
}

// wire returns the group as a line of the chat list.
func (g *group) wire(t int64) WireChat {
	return WireChat{WID: g.WID, Name: g.Subject, T: t, Group: &WireGroup{
		Owner: g.Owner, Subject: g.Subject, Description: g.Description, Created: g.Created, Participants: slices.Clone(g.Participants),
		Past: slices.Clone(g.Past), GroupSettings: g.GroupSettings,
	}}
}

// note puts a push on a device's list of what it must get.
func (d *device) note(op string, args any) outgoing {
	d.Next++
	p := pending{S: d.Next, Op: op, Args: encode(args)}
	d.Pending = append(d.Pending, p)
	return outgoing{device: d, frame: p.item()}
}

func (p pending) item() item {
	return item{frame: encode(push{Op: p.Op, S: p.S, Args: p.Args}), s: p.S}
}

// forget drops the pushes up to s: the device has them.
func (d *device) forget(s int64) {
	i := 0
	for i < len(d.Pending) && d.Pending[i].S <= s {
		i++
	}
	d.Pending = slices.Delete(d.Pending, 0, i)
}

// send queues a frame when the device is connected; otherwise it waits in Pending.
func (d *device) send(it item) {
	if d.conn != nil {
		d.conn.sendFrame(it)
	}
}

// all notes a push for each device of the account but one.
func (a *account) all(op string, args any, but string) []outgoing {
	var out []outgoing
	for _, d := range a.Devices {
		if d.ID != but {
			out = append(out, d.note(op, args))
		}
	}
	return out
}
