package sandbox

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// PhoneSpec is what a simulated phone is like.
type PhoneSpec struct {
	Number   string `json:"number"`         // digits with country code
	Name     string `json:"name,omitempty"` // pushname; empty: one is made up
	Region   string `json:"region,omitempty"`
	Business bool   `json:"business,omitempty"`
	// LIDMigrated says that WhatsApp has migrated the account to LIDs: pages address its chats with people as …@lid. A
	// linked page takes a change when it connects next.
	LIDMigrated bool `json:"lid_migrated,omitempty"`
	// AutoRead lets the phone read what arrives, ReadDelayMS after the delivery; else it reads when told.
	AutoRead        bool `json:"auto_read,omitempty"`
	ReadDelayMS     int  `json:"read_delay_ms,omitempty"`
	DeliveryDelayMS int  `json:"delivery_delay_ms,omitempty"` // of the delivery receipt; 0: at once
	// Contacts, Chats and Messages ask for so much generated history; Seed chooses which (same seed, same history).
	Contacts int    `json:"contacts,omitempty"`
	Chats    int    `json:"chats,omitempty"`
	Messages int    `json:"messages,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`
	// Recent is how many of the newest generated messages of each chat a linked device is told of; 0: all. The phone keeps
	// the others and gives them when a page asks.
	Recent int `json:"recent,omitempty"`
	// AddressBook is added to the phone's contacts.
	AddressBook []WireContact `json:"address_book,omitempty"`
}

// Limits of generated history.
const (
	MaxContacts = 20_000
	MaxChats    = 10_000
	MaxMessages = 200_000
)

// Phone is a snapshot of a simulated phone.
type Phone struct {
	PhoneSpec
	WID      string       `json:"wid"`
	LID      string       `json:"lid"`
	Devices  []DeviceInfo `json:"devices"`
	Received int          `json:"received"`               // messages in the inbox
	Typing   string       `json:"typing,omitempty"`       // the chat in which a linked device types or records
	State    string       `json:"typing_state,omitempty"` // composing, recording
	Offline  bool         `json:"offline,omitempty"`      // the phone itself; its linked devices are not
}

// DeviceInfo is a linked device as the phone lists it.
type DeviceInfo struct {
	ID       string `json:"id"`
	Platform string `json:"platform"`
	Version  string `json:"version,omitempty"`
	LinkedAt int64  `json:"linked_at"` // epoch seconds
	Online   bool   `json:"online"`
	Pending  int    `json:"pending"` // pushes that wait for it
}

// Received is a message as a phone received it.
type Received struct {
	N        int    `json:"n"` // order of arrival at this phone, from 1
	ID       string `json:"id"`
	From     string `json:"from"` // wid of who sent it
	Chat     string `json:"chat"` // wid of the chat on this phone: the sender's, or the group's
	Type     string `json:"type"`
	Body     string `json:"body"`              // text; empty for files
	Caption  string `json:"caption,omitempty"` // of files
	Filename string `json:"filename,omitempty"`
	Mimetype string `json:"mimetype,omitempty"`
	Size     int64  `json:"size,omitempty"`   // bytes of the decrypted file
	SHA256   string `json:"sha256,omitempty"` // of the decrypted file, hex
	T        int64  `json:"t"`                // epoch seconds
	Copies   int    `json:"copies"`           // how often the wire brought this id; delivered once all the same

	MediaError string      `json:"media_error,omitempty"` // why the file could not be had
	Fetching   bool        `json:"fetching,omitempty"`    // the phone still downloads the file
	Media      *WireMedia  `json:"media,omitempty"`
	Quoted     *WireQuoted `json:"quoted,omitempty"`
}

func newReceived(m WireMessage, n int) *Received {
	r := &Received{
		N: n, ID: m.ID, From: m.Chat, Chat: m.Chat, Type: m.Type, Body: m.Body, T: m.T, Copies: 1, Media: m.Media, Quoted: m.Quoted,
	}
	if m.Author != "" {
		r.From = m.Author
	}
	if m.Media != nil {
		r.Body, r.Caption = "", m.Body
		r.Filename, r.Mimetype, r.Fetching = m.Media.Filename, m.Media.Mimetype, true
	}
	return r
}

// CreatePhone makes a phone, or changes the one with that number: what the spec leaves empty of name and history
// stays as it was.
func (s *Server) CreatePhone(spec PhoneSpec) (Phone, error) {
	number, err := parseUser(spec.Number)
	if err != nil {
		return Phone{}, err
	}
	spec.Number = number
	if spec.Contacts < 0 || spec.Contacts > MaxContacts || spec.Chats < 0 || spec.Chats > MaxChats || spec.Messages < 0 || spec.Messages > MaxMessages || spec.Recent < 0 {
		return Phone{}, errorf(400, "at most %d contacts, %d chats and %d messages can be generated", MaxContacts, MaxChats, MaxMessages)
	}
	if spec.Messages > 0 && spec.Chats == 0 {
		return Phone{}, errorf(400, "messages need chats")
	}
	for i, c := range spec.AddressBook {
		n, err := parseUser(c.WID)
		if err != nil {
			return Phone{}, err
		}
		spec.AddressBook[i].WID, spec.AddressBook[i].LID = widOf(n), lidOf(n)
		spec.AddressBook[i].IsMyContact = spec.AddressBook[i].IsMyContact || c.Name != ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.world.accounts[number]; old != nil {
		spec.Name = cmp.Or(spec.Name, old.Phone.Name)
		if spec.Contacts+spec.Chats+spec.Messages == 0 {
			spec.Contacts, spec.Chats, spec.Messages, spec.Seed = old.Phone.Contacts, old.Phone.Chats, old.Phone.Messages, old.Phone.Seed
			spec.Recent = old.Phone.Recent
		}
	}
	spec.Name = cmp.Or(spec.Name, pushnameOf(number))
	if err := s.commit(&event{Op: "phone", T: time.Now().Unix(), Account: number, Phone: &spec}); err != nil {
		return Phone{}, err
	}
	return s.world.accounts[number].snapshot(), nil
}

// snapshot copies what callers may see. The caller holds s.mu.
func (a *account) snapshot() Phone {
	p := Phone{PhoneSpec: a.Phone, WID: a.wid(), LID: a.lid(), Received: len(a.Inbox), Devices: []DeviceInfo{}, Typing: a.typingIn, State: a.typingState, Offline: a.Offline}
	p.AddressBook = nil
	for _, d := range a.Devices {
		p.Devices = append(p.Devices, DeviceInfo{
			ID: d.ID, Platform: d.Platform, Version: d.Version, LinkedAt: d.Linked, Online: d.conn != nil, Pending: len(d.Pending),
		})
	}
	return p
}

// Phones lists the phones that CreatePhone made, by number.
func (s *Server) Phones() []Phone {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Phone{}
	for _, a := range s.world.accounts {
		if a.Known || len(a.Devices) > 0 {
			list = append(list, a.snapshot())
		}
	}
	slices.SortFunc(list, func(a, b Phone) int { return cmp.Compare(a.Number, b.Number) })
	return list
}

// Phone returns one phone, also one that nobody created: every number is a phone.
func (s *Server) Phone(number string) (Phone, error) {
	var p Phone
	err := s.withPhone(number, func(a *account) { p = a.snapshot() })
	return p, err
}

// withPhone runs f under the lock for the account of a number.
func (s *Server) withPhone(number string, f func(*account)) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.world.ensure(n))
	return nil
}

// Inbox returns what a phone received, in order. It waits for the files that the phone still fetches.
func (s *Server) Inbox(number string) ([]Received, error) {
	return s.WaitInbox(s.ctx, number, func([]Received) bool { return true })
}

// WaitInbox waits until what a phone received is as enough wants it, and returns it. enough is asked after every
// change, when the phone fetches no file.
func (s *Server) WaitInbox(ctx context.Context, number string, enough func([]Received) bool) ([]Received, error) {
	for {
		var list []Received
		var changed <-chan struct{}
		fetching := false
		err := s.withPhone(number, func(a *account) {
			list, changed = make([]Received, 0, len(a.Inbox)), s.changed
			for _, r := range a.Inbox {
				list = append(list, *r)
				fetching = fetching || r.Fetching
			}
		})
		if err != nil {
			return nil, err
		}
		if !fetching && enough(list) {
			return list, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return list, ctx.Err()
		case <-s.ctx.Done():
			return list, errorf(503, "the sandbox was closed")
		}
	}
}

// Messages returns the newest limit messages of a chat as the account sees them, oldest first, without the generated
// ones. chat "" is all chats.
func (s *Server) Messages(number, chat string, limit int) ([]WireMessage, error) {
	var list []WireMessage
	err := s.withPhone(number, func(a *account) {
		for _, m := range slices.Backward(a.Log) {
			if len(list) == limit {
				break
			}
			if chat == "" || m.Chat == chat {
				list = append(list, m.WireMessage)
			}
		}
	})
	slices.Reverse(list)
	return list, err
}

// Read lets a phone read everything in a chat (a number, wid or group), or only the given ids. The senders get read
// receipts.
func (s *Server) Read(number, chat string, ids ...string) error {
	if !isShared(chat) {
		n, err := parseUser(chat)
		if err != nil {
			return err
		}
		chat = widOf(n)
	}
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
	byAuthor := map[string]*receiptArgs{}
	var order []*receiptArgs
	for _, m := range a.Log {
		if m.Chat != chat || m.FromMe || m.Ack >= 3 || m.Type == callLog || len(ids) > 0 && !slices.Contains(ids, m.ID) {
			continue
		}
		author := cmp.Or(m.Author, m.Chat)
		r := byAuthor[author]
		if r == nil {
			r = &receiptArgs{Chat: chat, Type: "read", Author: author}
			byAuthor[author] = r
			order = append(order, r)
		}
		r.IDs = append(r.IDs, m.ID)
	}
	for _, r := range order {
		if err := s.commit(&event{Op: "receipt", T: time.Now().Unix(), Account: n, Receipt: r}); err != nil {
			return err
		}
	}
	return nil
}

// typing remembers what a linked device shows the other side. The caller holds s.mu.
func (a *account) typing(chat, state string) {
	a.typingIn, a.typingState = "", ""
	if state != "paused" {
		a.typingIn, a.typingState = chat, state
	}
}

// tell pushes to every connected device of the account. The caller holds s.mu.
func (a *account) tell(op string, args any) {
	for _, d := range a.Devices {
		if d.conn != nil {
			d.conn.push(op, args)
		}
	}
}
