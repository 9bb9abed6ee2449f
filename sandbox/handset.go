package sandbox

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"
)

// This file is what a person does with a simulated phone in the hand: look at its chats and files, switch it off and
// on. Generated history is not on the handset; only linked pages are told of it.

// PhoneChat is a line of a phone's chat list.
type PhoneChat struct {
	WID    string
	Number string // "" for groups
	Name   string
	Unread int
	Typing bool   // the other side's linked device types here
	Last   *Shown // nil: nothing was written yet
}

// Shown is a message as a phone shows it.
type Shown struct {
	WireMessage
	AuthorName string // in groups, of messages of others
	Fetching   bool   // the phone still downloads the file
	MediaError string // why the file could not be had
}

// Changed returns a channel that is closed at the next change of anything: take it, look, then wait for it.
func (s *Server) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// PhoneChats lists the chats of a phone, the newest first, without the generated ones.
func (s *Server) PhoneChats(number string) ([]PhoneChat, error) {
	var list []PhoneChat
	err := s.withPhone(number, func(a *account) { list = s.world.phoneChats(a, "") })
	return list, err
}

// PhoneChat returns one chat of a phone, also one in which nothing was written yet: every number can be written to.
func (s *Server) PhoneChat(number, chat string) (PhoneChat, error) {
	wid := chat
	if !isGroup(chat) {
		n, err := parseUser(chat)
		if err != nil {
			return PhoneChat{}, err
		}
		wid = widOf(n)
	}
	var c PhoneChat
	err := s.withPhone(number, func(a *account) {
		c = s.world.phoneChat(a, wid)
		if found := s.world.phoneChats(a, wid); len(found) == 1 {
			c = found[0]
		}
	})
	if err == nil && isGroup(wid) && c.Name == "" {
		return c, errorf(404, "there is no group %s", wid)
	}
	return c, err
}

// phoneChats collects the chats of an account's log, or only that of wid. It goes over the log once and copies little:
// the log may be long, and the caller holds s.mu.
func (w *world) phoneChats(a *account, wid string) []PhoneChat {
	type sum struct {
		last   *entry
		unread int
	}
	sums, waiting := map[string]*sum{}, a.waiting()
	for _, m := range a.Log {
		if wid != "" && m.Chat != wid || m.Type == callLog || m.Chat == statusWID || len(waiting) > 0 && waiting[m.ID] && !m.FromMe {
			continue
		}
		x := sums[m.Chat]
		if x == nil {
			x = &sum{}
			sums[m.Chat] = x
		}
		if a.cleared(m) {
			continue
		}
		x.last = m
		if !m.FromMe && m.Ack < 3 {
			x.unread++
		}
	}
	list := make([]PhoneChat, 0, len(sums))
	for chat, x := range sums {
		if x.last == nil || a.Hidden[chat] {
			continue
		}
		c := w.phoneChat(a, chat)
		c.Unread, c.Last = x.unread, &Shown{WireMessage: x.last.WireMessage}
		list = append(list, c)
	}
	slices.SortFunc(list, func(x, y PhoneChat) int { return cmp.Or(cmp.Compare(y.Last.T, x.Last.T), cmp.Compare(x.WID, y.WID)) })
	return list
}

func (w *world) phoneChat(a *account, wid string) PhoneChat {
	c := PhoneChat{WID: wid}
	if isGroup(wid) {
		if g := w.group(wid); g != nil {
			c.Name = g.Subject
		}
		return c
	}
	c.Number = strings.TrimSuffix(wid, userServer)
	c.Name = w.nameFor(a, wid)
	if peer := w.accounts[c.Number]; peer != nil {
		typingIn, err := parseUser(peer.typingIn)
		c.Typing = err == nil && typingIn == a.Phone.Number
	}
	return c
}

// nameFor is how the account's phone names somebody: as in the address book, else as that person calls themselves.
func (w *world) nameFor(a *account, wid string) string {
	if p := a.People[wid]; p != nil && p.Name != "" {
		return p.Name
	}
	number := strings.TrimSuffix(wid, userServer)
	if peer := w.accounts[number]; peer != nil {
		return peer.Phone.Name
	}
	return pushnameOf(number)
}

// waiting has the ids of the messages that an offline phone has not got.
func (a *account) waiting() map[string]bool {
	ids := make(map[string]bool, len(a.Waiting))
	for _, r := range a.Waiting {
		ids[r.ID] = true
	}
	return ids
}

// ShownMessages returns the newest limit messages of a chat as the phone shows them, oldest first.
func (s *Server) ShownMessages(number, chat string, limit int) ([]Shown, error) {
	var list []Shown
	err := s.withPhone(number, func(a *account) {
		waiting := a.waiting()
		files := map[string]*Shown{}
		for _, m := range slices.Backward(a.Log) {
			if len(list) == limit {
				break
			}
			if m.Chat != chat || waiting[m.ID] && !m.FromMe || a.cleared(m) || m.Type == callLog {
				continue
			}
			x := Shown{WireMessage: m.WireMessage}
			if m.Author != "" && !m.FromMe {
				x.AuthorName = s.world.nameFor(a, m.Author)
			}
			list = append(list, x)
		}
		for i := range list {
			if list[i].Media != nil && !list[i].FromMe {
				files[list[i].ID] = &list[i]
			}
		}
		for _, r := range slices.Backward(a.Inbox) {
			if len(files) == 0 {
				break
			}
			if x := files[r.ID]; x != nil && r.Chat == chat {
				x.Fetching, x.MediaError = r.Fetching, r.MediaError
				delete(files, r.ID)
			}
		}
	})
	slices.Reverse(list)
	return list, err
}

// MessageFile writes the decrypted file of a message in a phone's chat to w. On an error w holds bytes not to be used.
func (s *Server) MessageFile(w io.Writer, number, chat, id string) (WireMessage, error) {
	var found *WireMessage
	err := s.withPhone(number, func(a *account) {
		waiting := a.waiting()
		for _, fromMe := range []bool{false, true} {
			if m := a.byKey[msgKey{chat, id, fromMe}]; m != nil && m.Media != nil && (fromMe || !waiting[id]) {
				wire := m.WireMessage
				found = &wire
			}
		}
	})
	if err != nil {
		return WireMessage{}, err
	}
	if found == nil {
		return WireMessage{}, errorf(404, "there is no such file")
	}
	_, err = s.decryptTo(w, found.Type, *found.Media)
	return *found, err
}

// SetAutoRead lets a phone read what arrives by itself, or leave it unread until it is told.
func (s *Server) SetAutoRead(number string, on bool) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	spec := s.world.ensure(n).Phone
	spec.AutoRead = on
	return s.commit(&event{Op: "phone", T: time.Now().Unix(), Account: n, Phone: &spec})
}

// UnlinkDevice lets a phone remove one of its linked devices.
func (s *Server) UnlinkDevice(number, id string) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.world.ensure(n)
	if a.Offline {
		return errOffline(n)
	}
	d := a.device(id)
	if d == nil {
		return errorf(404, "there is no such device")
	}
	return s.unlink(d, "device_removed")
}

func errOffline(number string) *Error { return errorf(409, "the phone %s is offline", number) }

// SetOffline takes a phone off the net or brings it back. Offline it gets nothing, sends no receipts and cannot scan,
// write or read; its linked devices work on, as on WhatsApp. Back online it gets what has waited, in order.
func (s *Server) SetOffline(number string, offline bool) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	a := s.world.ensure(n)
	if a.Offline == offline {
		s.mu.Unlock()
		return nil
	}
	op := "online"
	if offline {
		op = "offline"
	}
	if err := s.commit(&event{Op: op, Account: n}); err != nil {
		s.mu.Unlock()
		return err
	}
	start := func() {}
	if !offline {
		start = s.catchUp(a)
	}
	s.mu.Unlock()
	start()
	return nil
}

// catchUp sends the receipts for what waited while the phone was offline. The caller holds s.mu; what it returns is
// to be called without it.
func (s *Server) catchUp(a *account) (start func()) {
	type due struct {
		parcel parcel
		kind   string
		after  time.Duration
	}
	var list []due
	delivery := time.Duration(a.Phone.DeliveryDelayMS) * time.Millisecond
	for _, m := range a.Log {
		number, err := parseUser(cmp.Or(m.Author, m.Chat))
		if m.FromMe || m.Ack >= 2 || m.Type == callLog || err != nil {
			continue
		}
		sender, chat := s.world.ensure(number), a.wid()
		if isShared(m.Chat) {
			chat = m.Chat
		}
		// What WhatsApp never acknowledged has no receipts either, and a fault may keep them back.
		own := sender.byKey[msgKey{chat, m.ID, true}]
		if own != nil && own.Silent || s.faults.has(FaultNoReceipt, occasion{account: number, number: a.Phone.Number}) {
			continue
		}
		p := parcel{sender: sender, message: m.WireMessage}
		list = append(list, due{p, "delivery", delivery})
		if a.Phone.AutoRead {
			list = append(list, due{p, "read", delivery + time.Duration(a.Phone.ReadDelayMS)*time.Millisecond})
		}
	}
	return func() {
		for _, x := range list {
			s.later(x.after, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.receipt(a.Phone.Number, x.parcel, x.kind)
			})
		}
	}
}
