package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
)

// event is one change of the world: a line of the journal. Which fields are set depends on Op.
type event struct {
	Op      string `json:"op"`
	T       int64  `json:"t,omitempty"`
	Account string `json:"account,omitempty"` // number of whose doing it is
	Device  string `json:"device,omitempty"`

	Phone    *PhoneSpec         `json:"phone,omitempty"`
	Link     *device            `json:"link,omitempty"`
	S        int64              `json:"s,omitempty"`
	Message  *WireMessage       `json:"message,omitempty"`
	Silent   bool               `json:"silent,omitempty"`
	Receipt  *receiptArgs       `json:"receipt,omitempty"`
	Action   *messageActionArgs `json:"action,omitempty"`
	Chat     *chatActionArgs    `json:"chat,omitempty"`
	Contact  *WireContact       `json:"contact,omitempty"`
	Group    *group             `json:"group,omitempty"`
	Media    *mediaResult       `json:"media,omitempty"`
	Name     string             `json:"name,omitempty"`
	About    string             `json:"about,omitempty"`
	Picture  *string            `json:"picture,omitempty"` // name in the media store; "": removed
	Note     *groupNote         `json:"note,omitempty"`
	State    *account           `json:"state,omitempty"`
	Existing *group             `json:"existing,omitempty"`
}

// apply carries out an event and returns what devices have to be told. It must not look at anything but the world
// and the event: no clock, no random, no file.
func (w *world) apply(e *event) []outgoing {
	switch e.Op {
	case "phone":
		return w.applyPhone(e)
	case "link":
		a := w.ensure(e.Account)
		d := *e.Link
		d.owner = a
		a.Devices = append(a.Devices, &d)
	case "seen":
		if d := w.findDevice(e.Device); d != nil {
			d.Seen, d.Version = true, e.Name
		}
	case "unlink":
		a := w.ensure(e.Account)
		a.Devices = slices.DeleteFunc(a.Devices, func(d *device) bool { return d.ID == e.Device })
	case "got":
		if d := w.findDevice(e.Device); d != nil {
			d.forget(e.S)
		}
	case "message":
		return w.applyMessage(e)
	case "call":
		return w.applyCall(e)
	case "privacy":
		a := w.ensure(e.Account)
		if a.Privacy == nil {
			a.Privacy = map[string]string{}
		}
		a.Privacy[e.Name] = e.About
	case "call_rejected":
		a := w.ensure(e.Account)
		if i := slices.IndexFunc(a.Calls, func(c Call) bool { return c.ID == e.Name }); i >= 0 {
			a.Calls[i].Rejected = true
		}
	case "copy":
		for _, r := range w.receipts[e.Account+" "+e.Message.ID] {
			r.Copies++
		}
		if m := w.ensure(e.Account).byKey[msgKey{e.Message.Chat, e.Message.ID, true}]; m != nil && !e.Silent {
			m.Ack, m.Silent = max(m.Ack, 1), false
		}
	case "receipt":
		return w.applyReceipt(e)
	case "media":
		for _, r := range w.receipts[e.Account+" "+e.Media.ID] {
			r.Size, r.SHA256, r.MediaError, r.Fetching = e.Media.Size, e.Media.SHA256, e.Media.Error, false
		}
	case "action":
		return w.applyAction(e)
	case "chat":
		return w.applyChat(e)
	case "contact":
		a := w.ensure(e.Account)
		a.People[e.Contact.WID] = e.Contact
		return a.all("contact", e.Contact, e.Device)
	case "profile":
		a := w.ensure(e.Account)
		if e.Name != "" {
			a.Phone.Name = e.Name
		}
		if e.About != "" {
			a.About = e.About
		}
		if e.Picture != nil {
			a.Picture = *e.Picture
		}
	case "group":
		return w.applyGroup(e)
	case "offline":
		w.ensure(e.Account).Offline = true
	case "online":
		a := w.ensure(e.Account)
		for _, r := range a.Waiting {
			r.N = len(a.Inbox) + 1
			a.Inbox = append(a.Inbox, r)
		}
		a.Offline, a.Waiting = false, nil
	case "state":
		w.restore(e.State)
	case "existing":
		w.groups[e.Existing.WID] = e.Existing
	}
	return nil
}

func (w *world) applyPhone(e *event) []outgoing {
	a := w.ensure(e.Phone.Number)
	a.Phone, a.Known = *e.Phone, true
	if a.Created == 0 {
		a.Created = e.T
	}
	a.seed = newSeed(a.Phone, a.Created)
	w.register(a)
	var out []outgoing
	for i := range e.Phone.AddressBook {
		c := e.Phone.AddressBook[i]
		a.People[c.WID] = &c
		out = append(out, a.all("contact", &c, "")...)
	}
	return out
}

// register makes the groups of an account's generated history known.
func (w *world) register(a *account) {
	for wid := range a.seed.groups() {
		w.seeded[wid] = a
	}
}

// restore puts an account of a compacted journal back.
func (w *world) restore(a *account) {
	a.index()
	w.accounts[a.Phone.Number] = a
	w.register(a)
	for _, r := range slices.Concat(a.Inbox, a.Waiting) {
		key := strings.TrimSuffix(r.From, userServer) + " " + r.ID
		w.receipts[key] = append(w.receipts[key], r)
	}
}

// applyMessage stores a message for its sender and its receivers. Message is as the sender sees it.
func (w *world) applyMessage(e *event) []outgoing {
	sender := w.ensure(e.Account)
	own := *e.Message
	own.FromMe, own.T, own.Ack = true, e.T, 1
	if e.Silent {
		own.Ack = 0
	}
	if isShared(own.Chat) {
		own.Author = sender.wid()
	}
	w.store(sender, &entry{WireMessage: own, Device: e.Device, Silent: e.Silent})
	out := sender.all("message", own, e.Device)
	for _, number := range w.audience(sender, own.Chat) {
		receiver := w.ensure(number)
		seen := own
		seen.FromMe, seen.Ack, seen.Pushname = false, 0, sender.Phone.Name
		if !isShared(own.Chat) {
			seen.Chat = sender.wid()
		}
		if p := receiver.People[sender.wid()]; p != nil && p.Blocked && !isGroup(own.Chat) {
			continue
		}
		if receiver != sender {
			out = append(out, w.introduce(receiver, sender, seen)...)
			w.store(receiver, &entry{WireMessage: seen})
			if seen.Chat != statusWID {
				c := w.chat(receiver, seen.Chat)
				c.Unread = max(0, c.Unread) + 1
			}
			out = append(out, receiver.all("message", seen, "")...)
		}
		w.receive(receiver, sender, seen)
	}
	return out
}

// callLog is the type of what a chat has of a call.
const callLog = "call_log"

// applyCall stores a call that nobody answered for the one who was called: Name is the number.
func (w *world) applyCall(e *event) []outgoing {
	caller, receiver := w.ensure(e.Account), w.ensure(e.Name)
	var id string
	if json.Unmarshal(e.Message.Extra["callId"], &id) == nil {
		caller.Calls = append(caller.Calls, Call{ID: id, To: receiver.wid(), T: e.T})
	}
	seen := *e.Message
	seen.Chat, seen.Pushname = caller.wid(), caller.Phone.Name
	if p := receiver.People[caller.wid()]; receiver == caller || p != nil && p.Blocked {
		return nil
	}
	out := w.introduce(receiver, caller, seen)
	w.store(receiver, &entry{WireMessage: seen})
	return append(out, receiver.all("message", seen, "")...)
}

// introduce tells the devices of an account who it is that writes for the first time, with the lid.
func (w *world) introduce(receiver, sender *account, m WireMessage) []outgoing {
	if isShared(m.Chat) || receiver.Chats[m.Chat] != nil || receiver.People[m.Chat] != nil {
		return nil
	}
	if _, ok := receiver.seed.chatByWID(m.Chat); ok {
		return nil
	}
	c := &WireContact{WID: sender.wid(), LID: sender.lid(), Pushname: sender.Phone.Name, IsBusiness: sender.Phone.Business}
	receiver.People[c.WID] = c
	return receiver.all("contact", c, "")
}

// audience returns the numbers that a message to chat reaches.
func (w *world) audience(sender *account, chat string) []string {
	if chat == statusWID {
		return w.friends(sender)
	}
	if !isGroup(chat) {
		number, err := parseUser(chat)
		if err != nil {
			return nil
		}
		return []string{number}
	}
	g := w.group(chat)
	if g == nil {
		return nil
	}
	var numbers []string
	for _, p := range g.Participants {
		if number, err := parseUser(p.WID); err == nil && p.WID != sender.wid() {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// friends are the accounts that see somebody's status: those in the own address book that exist, and that have not blocked
// the account. WhatsApp wants them to have the account in theirs, too.
func (w *world) friends(a *account) []string {
	var numbers []string
	for number, b := range w.accounts {
		wid := widOf(number)
		known := a.People[wid] != nil && a.People[wid].IsMyContact || a.seed.knows(wid)
		if p := b.People[a.wid()]; b != a && known && (p == nil || !p.Blocked) {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func (w *world) store(a *account, m *entry) {
	a.Log = append(a.Log, m)
	a.byKey[m.key()] = m
	if m.Chat == statusWID {
		return // it is no line of the chat list
	}
	c := w.chat(a, m.Chat)
	c.T = max(c.T, m.T)
	delete(a.Hidden, m.Chat)
}

// receive puts a message into a phone's inbox.
func (w *world) receive(a, sender *account, m WireMessage) {
	r := newReceived(m, len(a.Inbox)+1)
	if a.Offline {
		a.Waiting = append(a.Waiting, r)
	} else {
		a.Inbox = append(a.Inbox, r)
	}
	key := sender.Phone.Number + " " + m.ID
	w.receipts[key] = append(w.receipts[key], r)
}

// applyReceipt raises the acks of messages that Account has got or read and tells their sender. Receipt.Chat is the
// chat as Account sees it; Author is who wrote the messages.
func (w *world) applyReceipt(e *event) []outgoing {
	reader, r := w.ensure(e.Account), *e.Receipt
	ack := map[string]int{"delivery": 2, "read": 3, "played": 4}[r.Type]
	if r.Type != "delivery" && r.Chat != statusWID {
		w.chat(reader, r.Chat).Unread = 0
	}
	number, err := parseUser(r.Author)
	if err != nil {
		return nil
	}
	author := w.ensure(number)
	if reader.Privacy["readreceipts"] == "none" && r.Type == "read" && !isShared(r.Chat) {
		return nil // read, and nobody is told
	}
	told := receiptArgs{Chat: r.Chat, IDs: r.IDs, Type: r.Type, T: e.T}
	if isShared(r.Chat) {
		told.Author = reader.wid()
	} else {
		told.Chat = reader.wid()
	}
	for _, id := range r.IDs {
		if m := author.byKey[msgKey{told.Chat, id, true}]; m != nil {
			m.Ack = max(m.Ack, ack)
			m.note(reader.wid(), ack, e.T)
		}
		if in := reader.byKey[msgKey{r.Chat, id, false}]; in != nil {
			in.Ack = max(in.Ack, ack)
		}
	}
	return author.all("receipt", told, "")
}
