package web

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"kurir/browser"
)

const (
	phoneMessages = 200 // newest of a chat that are shown
	deskCustomers = 12  // newest of an instance that are offered to hold
)

// phonePage is the page of a simulated phone, or with Held nil the choice of one.
type phonePage struct {
	page
	Desk    deskView
	Held    *phoneView
	Problem string
}

// Events is the address of the page's event stream.
func (p phonePage) Events() string {
	q := url.Values{"screen": {"desk"}}
	if h := p.Held; h != nil {
		q = url.Values{"phone": {h.Number}, "screen": {h.Screen}, "chat": {h.Chat.ID}}
	}
	return "/console/events?" + q.Encode()
}

// deskView is what lies beside the phone: whose phones there are.
type deskView struct {
	text
	Owners []deskOwner
	Held   string // number of the phone in the hand
	Curl   string
}

// deskOwner is a sandbox instance with its phone and those of its customers.
type deskOwner struct {
	instanceView
	Phone     person
	Customers []person
}

// person is a name with a number, as lists show it.
type person struct {
	Number, Name string
	Held         bool
}

// Pretty is the number for reading.
func (p person) Pretty() string { return prettyNumber(p.Number) }

// Avatar is what stands for a picture.
func (p person) Avatar() avatar { return avatarOf(p.Name, p.Number) }

type avatar struct {
	Letter string
	Hue    int // 0 to 5: a class of the style sheet
}

func avatarOf(name, key string) avatar {
	a := avatar{Letter: "#"}
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			a.Letter = string(unicode.ToUpper(r))
			break
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	a.Hue = int(h.Sum32() % 6)
	return a
}

// prettyNumber is a number for reading; one that the library does not know is shown as it is.
func prettyNumber(digits string) string {
	if digits == "" {
		return ""
	}
	parsed, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "+" + digits
	}
	return phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL)
}

// desk collects the sandbox instances and their phones.
func (c *Console) desk(ctx context.Context, t text, held, curl string) (deskView, error) {
	desk := deskView{text: t, Held: held, Curl: curl}
	views, err := c.deps.Instances.List(ctx)
	if err != nil {
		return desk, err
	}
	for _, v := range views {
		if !v.Sandbox {
			continue
		}
		number, err := c.deps.Phones.Own(ctx, v.ID)
		if err != nil {
			return desk, err
		}
		phone, err := c.deps.Phones.Look(ctx, number)
		if err != nil {
			return desk, err
		}
		o := deskOwner{instanceView: c.instanceView(t, v), Phone: person{number, phone.Name, number == held}}
		for _, chat := range phone.Chats {
			if chat.Number != "" && chat.Number != number && len(o.Customers) < deskCustomers {
				o.Customers = append(o.Customers, person{chat.Number, chat.Name, chat.Number == held})
			}
		}
		desk.Owners = append(desk.Owners, o)
	}
	return desk, nil
}

// phoneView is a phone in the hand.
type phoneView struct {
	text
	Phone
	Screen   string      // chats, chat, devices, settings, faults
	Owner    *deskOwner  // the instance whose phone it is; nil: a customer's
	Shops    []deskOwner // all sandbox instances
	Chat     PhoneChat   // on the screen chat
	Messages []bubble
	Faults   []faultView
}

// phoneView draws a phone. chat is only looked at on the screen chat.
func (c *Console) phoneView(ctx context.Context, t text, desk deskView, number, screen, chat string) (*phoneView, error) {
	phone, err := c.deps.Phones.Look(ctx, number)
	if err != nil {
		return nil, err
	}
	v := &phoneView{text: t, Phone: phone, Screen: screen, Shops: desk.Owners}
	if i := slices.IndexFunc(desk.Owners, func(o deskOwner) bool { return o.Phone.Number == number }); i >= 0 {
		v.Owner = &desk.Owners[i]
	}
	if screen == "chat" {
		var messages []PhoneMessage
		if v.Chat, messages, err = c.deps.Phones.Chat(ctx, number, chat, phoneMessages); err != nil {
			return nil, err
		}
		for _, m := range messages {
			v.Messages = append(v.Messages, bubble{t, m, number, v.Chat.ID})
		}
	}
	faults, err := c.deps.Phones.Faults(ctx)
	for _, f := range faults {
		v.Faults = append(v.Faults, faultView{t, f})
	}
	return v, err
}

// Person is whose phone it is.
func (v *phoneView) Person() person { return person{Number: v.Number, Name: v.Name} }

// Peer is who the chat is with.
func (v *phoneView) Peer() person { return peerOf(v.Chat) }

// Lines are the chats as the list shows them.
func (v *phoneView) Lines() []chatLine {
	lines := make([]chatLine, len(v.Chats))
	for i, chat := range v.Chats {
		lines[i] = chatLine{v.text, chat, v.Number}
	}
	return lines
}

// Unread is how many chats have something unread.
func (v *phoneView) Unread() int {
	n := 0
	for _, chat := range v.Chats {
		n += min(1, chat.Unread)
	}
	return n
}

// Waiting are the instances that show a code.
func (v *phoneView) Waiting() []deskOwner {
	return slices.DeleteFunc(slices.Clone(v.Shops), func(o deskOwner) bool { return !o.HasQR() })
}

// Strangers are the instances that this phone can write to but has not written to yet.
func (v *phoneView) Strangers() []deskOwner {
	return slices.DeleteFunc(slices.Clone(v.Shops), func(o deskOwner) bool {
		return o.Phone.Number == v.Number || slices.ContainsFunc(v.Chats, func(c PhoneChat) bool { return c.Number == o.Phone.Number })
	})
}

func peerOf(c PhoneChat) person {
	if c.Number == "" {
		return person{Number: "", Name: c.Name}
	}
	return person{Number: c.Number, Name: c.Name}
}

// chatLine is a line of the chat list.
type chatLine struct {
	text
	PhoneChat
	Phone string
}

// URL is where the chat is.
func (l chatLine) URL() string { return chatURL(l.Phone, l.ID) }

// Peer is who the chat is with.
func (l chatLine) Peer() person { return peerOf(l.PhoneChat) }

// LastBubble is the last message.
func (l chatLine) LastBubble() bubble { return bubble{l.text, *l.Last, l.Phone, l.ID} }

func chatURL(number, chat string) string {
	return "/sandbox/" + url.PathEscape(number) + "/chats/" + url.PathEscape(chat)
}

// bubble is a message on a phone.
type bubble struct {
	text
	PhoneMessage
	Phone, ChatID string
}

// FileURL is where the message's file is.
func (b bubble) FileURL() string {
	return chatURL(b.Phone, b.ChatID) + "/files/" + url.PathEscape(b.ID)
}

// Media is how the file is shown: image, video, audio, or file for one to download.
func (b bubble) Media() string {
	if b.File == nil {
		return ""
	}
	if _, shown := shownType(b.File.Type); shown != "" && b.Kind != "document" {
		return shown
	}
	return "file"
}

// FileName is what a document is called.
func (b bubble) FileName() string {
	if name := cleanName(b.File.Name); name != "" {
		return name
	}
	return b.T("message.document")
}

// FileSize is the size for reading.
func (b bubble) FileSize() string {
	switch n := b.File.Size; {
	case n <= 0:
		return ""
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}

// Label is a word for what is not text, "" for text.
func (b bubble) Label() string {
	switch b.Kind {
	case "chat":
		return ""
	case "revoked":
		return b.T("message.revoked")
	case "image", "gif":
		return b.T("message.image")
	case "sticker":
		return b.T("message.sticker")
	case "video", "ptv":
		return b.T("message.video")
	case "audio", "ptt":
		return b.T("message.audio")
	case "document":
		return b.T("message.document")
	case "location":
		return b.T("message.location")
	case "vcard", "multi_vcard":
		return b.T("message.contact")
	case "poll_creation":
		return b.T("message.poll")
	}
	return b.T("message.other", b.Kind)
}

// Preview is the message in one line.
func (b bubble) Preview() string {
	s := b.Text
	if s == "" || b.File == nil && b.Label() != "" {
		s = strings.TrimSpace(b.Label() + " " + s)
	}
	if utf8.RuneCountInString(s) > 120 {
		s = string([]rune(s)[:120])
	}
	return s
}

// Time is when it was sent, RFC 3339.
func (b bubble) Time() string { return b.At.UTC().Format(time.RFC3339) }

// TimeText is for browsers without script.
func (b bubble) TimeText() string { return b.At.UTC().Format("15:04 UTC") }

// AckWord says how far a message of one's own has come.
func (b bubble) AckWord() string {
	switch {
	case b.Ack >= 3:
		return b.T("ack.read")
	case b.Ack == 2:
		return b.T("ack.delivered")
	case b.Ack == 1:
		return b.T("ack.sent")
	}
	return b.T("ack.waiting")
}

// LinkedSince is when a device was linked, RFC 3339.
func (d PhoneDevice) LinkedSince() string { return d.Linked.UTC().Format(time.RFC3339) }

// LinkedText is for browsers without script.
func (d PhoneDevice) LinkedText() string { return d.Linked.UTC().Format("2006-01-02 15:04 UTC") }

// Scanning says whether the instance waits for its own phone to scan its code.
func (o deskOwner) Scanning() bool { return o.Is(string(browser.StateScanQR)) && o.HasQR() }

// scanCard offers to scan the code of an instance.
type scanCard struct {
	text
	Number, ID, Words string
}

// ScanCard offers this phone to scan the code of an instance.
func (v *phoneView) ScanCard(o deskOwner) scanCard {
	return scanCard{v.text, v.Number, o.ID, v.T("phone.shows_code", o.Name)}
}
