package events

import (
	"time"
)

// The types of event. A webhook that names none gets all but presence.
const (
	TypeMessage           = "message"
	TypeMessageSent       = "message.sent"
	TypeMessageAck        = "message.ack"
	TypeMessageFailed     = "message.failed"
	TypeMessageReaction   = "message.reaction"
	TypeMessageEdited     = "message.edited"
	TypeMessageRevoked    = "message.revoked"
	TypeMessageMedia      = "message.media"
	TypeSessionState      = "session.state"
	TypeSessionQR         = "session.qr"
	TypeGroupParticipants = "group.participants"
	TypeGroupSubject      = "group.subject"
	TypeCallReceived      = "call.received"
	TypePresence          = "presence"
	TypeWebhookDisabled   = "webhook.disabled"
	TypeWebhookTest       = "webhook.test" // never in the log: made by POST /v1/webhooks/{id}/test
)

// Types returns every type that can be subscribed to.
func Types() []string {
	return []string{
		TypeMessage, TypeMessageSent, TypeMessageAck, TypeMessageFailed, TypeMessageReaction, TypeMessageEdited,
		TypeMessageRevoked, TypeMessageMedia, TypeSessionState, TypeSessionQR, TypeGroupParticipants, TypeGroupSubject, TypeCallReceived,
		TypePresence, TypeWebhookDisabled,
	}
}

// Person is who wrote or did something. WhatsApp names people by phone number or by LID (an id that tells no number);
// each field is set when it is known.
type Person struct {
	WID   string `json:"wid,omitempty"`   // as WhatsApp named them here: 62812…@c.us or …@lid
	Phone string `json:"phone,omitempty"` // digits, international form
	LID   string `json:"lid,omitempty"`   // …@lid
}

// Content is a message as it was written: what Message and MessageSent have in common.
type Content struct {
	ID     string `json:"id"`              // WhatsApp's id, unique within the chat
	Chat   string `json:"chat"`            // wid of the conversation: 62812…@c.us, …@lid, …@g.us
	Phone  string `json:"phone,omitempty"` // of the other side, in a conversation with one person, when known
	LID    string `json:"lid,omitempty"`   // the same person's LID, when known
	FromMe bool   `json:"from_me"`
	// Author is who wrote it, in groups.
	Author   *Person  `json:"author,omitempty"`
	Kind     string   `json:"kind"`              // WhatsApp's word: chat, image, video, audio, ptt, document, sticker, location, vcard, poll_creation, …
	Body     string   `json:"body"`              // the text; empty for files
	Caption  string   `json:"caption,omitempty"` // of a file
	Media    *Media   `json:"media,omitempty"`
	QuotedID string   `json:"quoted_id,omitempty"` // the message that this one answers
	Mentions []string `json:"mentions,omitempty"`  // wids
	// Time is WhatsApp's, in whole seconds. The event has it as its time too.
	Time time.Time `json:"time"`
	// Replayed says that kurir did not see it when it came: it was found later, because kurir, its browser or the
	// connection was away.
	Replayed bool `json:"replayed"`
}

// Media describes the file of a message. The bytes are not in the event.
//
// The event of a message never waits for its file: a slow or lost file must hold no message up, nor the messages behind
// it in the chat. So a file that is to be fetched is pending here, and MessageMedia follows in the same chat when it is
// stored, or cannot be had. Who does not want a second event asks URL with wait=30.
type Media struct {
	ID string `json:"id,omitempty"` // of GET /v1/media/{id}; empty in MessageSent of what was sent through kurir
	// State is pending (it is being fetched), stored, skipped (not wanted by the settings of the instance; POST
	// /v1/messages/{id}/media fetches it), too_large, gone (WhatsApp no longer has it) or failed, as it was when the event
	// was written.
	State    string `json:"state,omitempty"`
	Error    string `json:"error,omitempty"`    // of failed
	MimeType string `json:"mimetype"`           // as the sender said
	FileName string `json:"filename,omitempty"` // as the sender called it: do not trust it
	Size     int64  `json:"size"`               // bytes; as the sender said, until it is stored
	SHA256   string `json:"sha256,omitempty"`   // hex, when stored
	// URL is where the bytes are: a path of kurir's, which needs a key; in webhooks a whole address, signed and with an end.
	URL string `json:"url,omitempty"`
}

// Message is an incoming message: somebody wrote to the linked phone, or in one of its groups. System messages (someone
// joined, encryption changed) are not messages.
type Message struct{ Content }

// MessageSent is a message of the linked account that WhatsApp's server has taken: sent through kurir, or typed on the
// phone or on another linked device.
type MessageSent struct {
	Content
	// MessageID is kurir's id of it (msg_…) when it was sent through kurir; empty when a person typed it.
	MessageID string `json:"message_id,omitempty"`
}

// MessageAck is a step of a message of the linked account after it was sent. Acks rise and are told once; a step may
// be left out (read without delivered). The first step, 1, is MessageSent.
type MessageAck struct {
	ID        string `json:"id"`                   // WhatsApp's id of the message
	MessageID string `json:"message_id,omitempty"` // kurir's, when it was sent through kurir
	Chat      string `json:"chat"`
	Phone     string `json:"phone,omitempty"`
	Ack       int    `json:"ack"`   // 2 the receiver's phone has it, 3 read, 4 played
	State     string `json:"state"` // delivered, read or played
}

// MessageFailed is a message given to kurir that did not leave (state failed; expired: its time was over; cancelled:
// somebody called it off), or of which it cannot be known whether it left (state unknown).
type MessageFailed struct {
	MessageID string `json:"message_id"` // msg_…
	ID        string `json:"id"`         // WhatsApp's id that it had or would have had
	Chat      string `json:"chat"`
	Phone     string `json:"phone,omitempty"`
	State     string `json:"state"` // failed, expired, cancelled or unknown
	Code      string `json:"code"`  // of the catalogue of errors
	Detail    string `json:"detail,omitempty"`
	Attempts  int    `json:"attempts"`

	ended time.Time // when it ended; names the happening
}

// MessageReaction is a reaction to a message. A new one of the same person replaces the one before; an empty one takes
// it back.
type MessageReaction struct {
	MessageID string    `json:"message_id"` // WhatsApp's id of the message that was reacted to
	Chat      string    `json:"chat"`
	From      Person    `json:"from"`
	FromMe    bool      `json:"from_me"`
	Reaction  string    `json:"reaction"` // an emoji; empty: taken back
	Time      time.Time `json:"time"`
	Replayed  bool      `json:"replayed"`
}

// MessageEdited says that the text of a message was changed by who wrote it. ID is the message's own and stays.
type MessageEdited struct {
	ID       string    `json:"id"`
	Chat     string    `json:"chat"`
	Phone    string    `json:"phone,omitempty"`
	LID      string    `json:"lid,omitempty"`
	Author   *Person   `json:"author,omitempty"` // in groups
	FromMe   bool      `json:"from_me"`
	Body     string    `json:"body"` // the new text, or caption
	Time     time.Time `json:"time"` // of the edit
	Replayed bool      `json:"replayed"`
}

// MessageRevoked says that a message was deleted for everyone.
type MessageRevoked struct {
	ID       string    `json:"id"`
	Chat     string    `json:"chat"`
	Phone    string    `json:"phone,omitempty"`
	LID      string    `json:"lid,omitempty"`
	By       *Person   `json:"by,omitempty"` // in groups an admin may delete what another wrote
	FromMe   bool      `json:"from_me"`      // the message was the linked account's
	Time     time.Time `json:"time"`
	Replayed bool      `json:"replayed"`
}

// MessageMedia says what became of the file of a message: it is stored and can be read, or it cannot be had. It comes
// after the event of the message, for files that were pending there and for those that somebody asked for.
type MessageMedia struct {
	MessageID string `json:"message_id"` // WhatsApp's id of the message
	Chat      string `json:"chat"`
	Phone     string `json:"phone,omitempty"`
	FromMe    bool   `json:"from_me"`
	Media     Media  `json:"media"`
}

// SessionState says that an instance changed: state, reason or the account that it is linked to.
type SessionState struct {
	State    string     `json:"state"` // STOPPED, STARTING, SCAN_QR_CODE, PASSKEY_REQUIRED, SYNCING, WORKING, DEGRADED, RESTRICTED, LOGGED_OUT or FAILED
	Reason   string     `json:"reason,omitempty"`
	Since    time.Time  `json:"since"`
	Until    *time.Time `json:"until,omitempty"` // when it ends by itself: of RESTRICTED
	Phone    string     `json:"phone,omitempty"`
	LID      string     `json:"lid,omitempty"`
	Pushname string     `json:"pushname,omitempty"`
	// Last has the three states before this one, the newest first.
	Last []PastState `json:"last"`
}

// PastState is a state that an instance had.
type PastState struct {
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

// SessionQR says that an instance shows a QR code to be scanned, and waits. It comes once for each wait, not with each
// of the codes that follow one another every 20 to 60 s.
//
// The code itself is not in it. The QR text is what links an account: whoever gets it in time decides which account
// this instance works for. Events are kept for weeks and go to every subscriber; the code is for one person who looks
// at it now, so it is read where that person is authorised, at Path with the admin token.
type SessionQR struct {
	Path string `json:"path"` // GET it: image/png, image/svg+xml, text/plain or application/json
}

// GroupParticipants says that people came to a group, left it, or became or ceased to be admins.
type GroupParticipants struct {
	ID       string    `json:"id"` // WhatsApp's id of the notice
	Chat     string    `json:"chat"`
	Action   string    `json:"action"` // one of Actions
	By       *Person   `json:"by,omitempty"`
	People   []Person  `json:"people"`
	Time     time.Time `json:"time"`
	Replayed bool      `json:"replayed"`
}

// GroupSubject says that a group has a new name.
type GroupSubject struct {
	ID       string    `json:"id"` // WhatsApp's id of the notice
	Chat     string    `json:"chat"`
	Subject  string    `json:"subject"`
	By       *Person   `json:"by,omitempty"`
	Time     time.Time `json:"time"`
	Replayed bool      `json:"replayed"`
}

// CallReceived says that somebody calls the linked phone. kurir does not answer. Replayed: somebody called meanwhile.
type CallReceived struct {
	ID    string    `json:"id"`
	From  Person    `json:"from"`
	Chat  string    `json:"chat"` // of the caller, or the group
	Video bool      `json:"video"`
	Group bool      `json:"group"`
	Time  time.Time `json:"time"`
	// Replayed says that kurir did not see it when it rang.
	Replayed bool `json:"replayed"`
}

// Presence says that somebody is there, types or has gone. WhatsApp tells it only of people that were asked about, and
// kurir only to webhooks that name this type.
type Presence struct {
	Chat  string     `json:"chat"`
	From  Person     `json:"from"`
	State string     `json:"state"` // one of PresenceStates
	Seen  *time.Time `json:"last_seen,omitempty"`
	Time  time.Time  `json:"time"`
}

// WebhookDisabled says that kurir has switched a webhook off because it failed for days. What waited for it stays, and
// goes on when it is switched on again.
type WebhookDisabled struct {
	Webhook string    `json:"webhook"` // wh_…
	URL     string    `json:"url"`     // without its query
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"` // of the first failure
}

// WebhookTest is what the test of a webhook sends.
type WebhookTest struct {
	Webhook string `json:"webhook"`
	Hello   string `json:"hello"`
}
