package web

import (
	"context"
	"io"
	"time"
)

// Phones is the simulated phones, as a person holds them. Numbers are digits with country code, chats are the ids
// that the simulator gives them. Errors are *problem.Error where a person can do something about them.
type Phones interface {
	// Own returns the number of the phone that links a sandbox instance: the one that is linked, else the one that
	// would scan its code.
	Own(ctx context.Context, instance string) (number string, err error)
	// Find returns the number that a person typed.
	Find(typed string) (number string, err error)
	// Look returns a phone; every number is one.
	Look(ctx context.Context, number string) (Phone, error)
	// Chat returns a chat and its newest limit messages, oldest first. One without messages is no error.
	Chat(ctx context.Context, number, chat string, limit int) (PhoneChat, []PhoneMessage, error)
	// File returns the decrypted file of a message. The caller closes it.
	File(ctx context.Context, number, chat, message string) (PhoneFile, error)
	Send(ctx context.Context, number, chat string, m PhoneDraft) error
	Read(ctx context.Context, number, chat string) error
	SetAutoRead(ctx context.Context, number string, on bool) error
	SetOffline(ctx context.Context, number string, offline bool) error
	Unlink(ctx context.Context, number, device string) error
	// Scan lets the phone scan the code that an instance shows.
	Scan(ctx context.Context, number, instance string) error
	Faults(ctx context.Context) ([]PhoneFault, error)
	SetFault(ctx context.Context, f FaultWish) error
	// EndFault ends the fault of that id, or all with "".
	EndFault(ctx context.Context, id string) error
	// Changed returns a channel that is closed at the next change of any phone.
	Changed(ctx context.Context) (<-chan struct{}, error)
}

// Phone is a simulated phone.
type Phone struct {
	Number, Name string
	AutoRead     bool
	Offline      bool
	Devices      []PhoneDevice
	Chats        []PhoneChat // newest first
}

// PhoneDevice is a linked device.
type PhoneDevice struct {
	ID, Platform string
	Linked       time.Time
	Online       bool
}

// PhoneChat is a line of the chat list.
type PhoneChat struct {
	ID, Number, Name string // Number is "" for groups
	Unread           int
	Typing           bool
	Last             *PhoneMessage // nil: none
}

// PhoneMessage is a message as the phone shows it. All of it but the time may be an attacker's choice.
type PhoneMessage struct {
	ID     string
	FromMe bool
	Author string // in groups: who wrote it
	Kind   string // WhatsApp's type: chat, image, ptt, location, revoked, …
	Text   string // or the caption
	Quoted string // the text that it answers
	At     time.Time
	Ack    int // 0 waits, 1 sent, 2 delivered, 3 read
	File   *PhoneAttachment
}

// PhoneAttachment is what a message says of its file.
type PhoneAttachment struct {
	Name, Type string
	Size       int64
	Fetching   bool // the phone still downloads it
	Gone       bool // it could not be had
}

// PhoneFile is a decrypted file.
type PhoneFile struct {
	io.ReadSeekCloser
	Name, Type string // as the sender named them
}

// PhoneDraft is what a phone sends.
type PhoneDraft struct {
	Text     string
	Data     []byte // nil: text only
	Filename string
	Type     string // of Data, looked at, not believed
	Document bool   // send it as a document whatever its type
}
