package browser

import (
	"encoding/json"
	"time"
)

// State is the state of a session, in the words WAHA users know, extended.
type State string

// The states of a session. A session moves
//
//	STOPPED → STARTING → SCAN_QR_CODE ⇄ PASSKEY_REQUIRED → SYNCING → WORKING ⇄ DEGRADED
//
// and from anywhere to FAILED, LOGGED_OUT or RESTRICTED.
const (
	StateStopped         State = "STOPPED"
	StateStarting        State = "STARTING"
	StateScanQR          State = "SCAN_QR_CODE"
	StatePasskeyRequired State = "PASSKEY_REQUIRED"
	StateSyncing         State = "SYNCING"
	StateWorking         State = "WORKING"
	StateDegraded        State = "DEGRADED"
	StateRestricted      State = "RESTRICTED"
	StateLoggedOut       State = "LOGGED_OUT"
	StateFailed          State = "FAILED"
)

// Status is a snapshot of a session. It is a value: reading it takes no page call.
type Status struct {
	State  State     `json:"state"`
	Reason string    `json:"reason,omitempty"` // why the state is what it is; empty when it needs no words
	Since  time.Time `json:"since"`
	// Until is when the state ends by itself, where that is known: of RESTRICTED.
	Until *time.Time `json:"until,omitempty"`
	// RestrictedUntil is until when WhatsApp's restriction lasts, in every state; nil when there is none. It is the
	// account's, not the session's: whoever keeps sessions keeps it, and gives it back in Config.
	RestrictedUntil *time.Time `json:"-"`
	// Receiving says that the page has a connection to WhatsApp and tells what comes. Until then what has come is only
	// in the page, or still with WhatsApp.
	Receiving bool `json:"-"`
	// CanSend says that Send is of use in this state. RESTRICTED sends to chats that WhatsApp's restriction leaves
	// alone; a session that is DEGRADED for want of an ack takes the next message when nothing has helped that one, and
	// the next one tells whether acks are back.
	CanSend   bool   `json:"-"`
	Phone     string `json:"phone,omitempty"` // own number, digits; empty while not linked
	LID       string `json:"lid,omitempty"`
	Pushname  string `json:"pushname,omitempty"`
	WAVersion string `json:"wa_version,omitempty"` // version of WhatsApp Web that the page runs
	// Capabilities is the result of the bridge's probe: one line for each thing the page can do.
	Capabilities map[string]Capability `json:"capabilities,omitempty"`
}

// Capability says whether one ability of the bridge works on this build of WhatsApp Web.
type Capability struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// QR is the linking code that the page shows now. It is a secret: who has it can link the session.
type QR struct {
	Text    string
	Expires time.Time // when WhatsApp replaces it
}

// Kind is how a message travels.
type Kind string

// The kinds of message a session can send.
const (
	KindText     Kind = "text"
	KindImage    Kind = "image"
	KindVideo    Kind = "video"
	KindAudio    Kind = "audio"
	KindDocument Kind = "document"
)

// Outgoing is one message to send.
type Outgoing struct {
	ID       string `json:"id"`   // WhatsApp message id, minted by the caller: 3EB0 + 18 hex digits, upper case
	Chat     string `json:"chat"` // wid: 62812…@c.us, …@g.us, …@lid
	Kind     Kind   `json:"kind"`
	Body     string `json:"body"` // text, or the caption of a file
	FilePath string `json:"-"`    // absolute path of the file on this machine; handed over by DOM.setFileInputFiles
	FileName string `json:"filename,omitempty"`
	MimeType string `json:"mimetype,omitempty"`
	// First says that no page has heard of this id before, so that none needs to be searched for it.
	First bool `json:"first,omitempty"`
	// Typing is how long the receiver is shown that somebody types, before a text leaves.
	Typing time.Duration `json:"-"`
	// KnownChat refuses the message with FIRST_CONTACT_LIMIT, and sends nothing, when its chat has no message yet.
	KnownChat bool `json:"known_chat,omitempty"`
}

// Sent is the answer of WhatsApp's server to a send.
type Sent struct {
	Ack  int    `json:"ack"`  // 1 or more: WhatsApp's server has the message
	Time int64  `json:"time"` // epoch seconds, WhatsApp's clock
	Chat string `json:"chat"` // the chat the message went to (a lid may resolve to a number)
	// FirstContact: the chat had no message before this one.
	FirstContact bool `json:"first_contact"`
}

// Presence is what the page knows of a message id.
type Presence struct {
	// Found is "present" (the page has it), "absent" (the page's own store was searched and has it not) or
	// "unknown" (the page could not tell, for example while its messages are locked).
	Found string `json:"found"`
	Ack   int    `json:"ack"` // when present
}

// The values of Presence.Found.
const (
	FoundPresent = "present"
	FoundAbsent  = "absent"
	FoundUnknown = "unknown"
)

// Chat is one line of the chat list.
type Chat struct {
	WID      string       `json:"wid"`
	Phone    string       `json:"phone,omitempty"`
	LID      string       `json:"lid,omitempty"`
	Name     string       `json:"name"`
	IsGroup  bool         `json:"is_group"`
	Unread   int          `json:"unread"`
	Time     int64        `json:"time"` // of the last activity, epoch seconds
	Last     *LastMessage `json:"last_message"`
	Archived bool         `json:"archived"`
	Pinned   bool         `json:"pinned"`
	Muted    bool         `json:"muted"`
}

// LastMessage is the message shown in the chat list.
type LastMessage struct {
	Text   string `json:"text"`
	Type   string `json:"type"`
	Time   int64  `json:"time"`
	FromMe bool   `json:"from_me"`
}

// Message is a message as the page has it.
type Message struct {
	ID      string  `json:"id"` // the bare WhatsApp id: 3EB0…
	Chat    string  `json:"chat"`
	Phone   string  `json:"phone,omitempty"`
	LID     string  `json:"lid,omitempty"`
	FromMe  bool    `json:"from_me"`
	Author  string  `json:"author,omitempty"` // wid of who wrote it, in groups
	Type    string  `json:"type"`
	Body    string  `json:"body"`
	Caption string  `json:"caption,omitempty"`
	Time    int64   `json:"time"`
	Ack     int     `json:"ack"`
	Media   *Media  `json:"media"`
	Quoted  *Quoted `json:"quoted"`
	// Mentions are the wids of who is mentioned, and Writer is the author by every name. Only of events.
	Mentions []string `json:"mentions,omitempty"`
	Writer   *Person  `json:"writer,omitempty"`
}

// Media describes a file in a message.
type Media struct {
	MimeType string `json:"mimetype"`
	FileName string `json:"filename,omitempty"`
	Size     int64  `json:"size"` // bytes
}

// Quoted is the message that another one answers.
type Quoted struct {
	ID     string `json:"id"`
	Author string `json:"author,omitempty"`
	Body   string `json:"body,omitempty"`
}

// Contact is one entry of the address book.
type Contact struct {
	WID         string `json:"wid"`
	Phone       string `json:"phone,omitempty"`
	LID         string `json:"lid,omitempty"`
	Name        string `json:"name"`
	Pushname    string `json:"pushname,omitempty"`
	IsBusiness  bool   `json:"is_business"`
	IsMyContact bool   `json:"is_my_contact"`
	Blocked     bool   `json:"blocked"`
}

// Event is something that happened in a session. Exactly one of the pointers is set, by Type.
type Event struct {
	Type    EventType
	Status  *Status  // EventState
	QR      *QR      // EventQR
	Ack     *Ack     // EventAck
	Message *Message // EventMessage: incoming, or written on the phone

	Edited       *Edited       // EventEdited
	Revoked      *Revoked      // EventRevoked
	Reaction     *Reaction     // EventReaction
	Participants *Participants // EventParticipants
	Subject      *Subject      // EventSubject
	Call         *Call         // EventCall
	Presence     *Seen         // EventPresence
}

// EventType names an Event.
type EventType string

// The types of event.
const (
	EventState   EventType = "session.state"
	EventQR      EventType = "session.qr"
	EventAck     EventType = "message.ack"
	EventMessage EventType = "message"

	EventEdited       EventType = "message.edited"
	EventRevoked      EventType = "message.revoked"
	EventReaction     EventType = "message.reaction"
	EventParticipants EventType = "group.participants"
	EventSubject      EventType = "group.subject"
	EventCall         EventType = "call.received"
	EventPresence     EventType = "presence"
	// EventMissed: the page may have what it has not told, because an event was lost on its way, or because it got a piece
	// of the past. Nothing is set; Backlog has it.
	EventMissed EventType = "missed"
)

// Ack is a step of an outgoing message. Values as in WhatsApp: -1 error, 0 clock, 1 server, 2 device, 3 read, 4 played.
type Ack struct {
	ID   string `json:"id"` // bare WhatsApp id
	Chat string `json:"chat"`
	Ack  int    `json:"ack"`
}

// rawError is an error of the bridge.
type rawError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Until   int64  `json:"until"` // epoch seconds; of RESTRICTED
	// Reload: something is at work for the message that only the end of the document ends for certain.
	Reload bool `json:"reload"`
}

// raw is what every call of the bridge answers: a value, or an error with a code of the catalogue.
type raw struct {
	OK    json.RawMessage `json:"ok"`
	Error *rawError       `json:"error"`
}
