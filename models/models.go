// Package models is kurir's memory: the tables as GORM types, the queries as methods of DB, the migrations as SQL.
//
// Invariant: what a method answered without error is on disk (synchronous=FULL), whole or not at all; the audit log
// only grows; a message's WhatsApp id is stored before anything can send it, and no two messages of an instance are
// in flight at once (a unique index says so).
//
// There is one writer connection. Everything that changes rows passes through DB.Write, which puts the writers that
// wait at the same moment into one transaction and so shares one fsync among them. Reads go to a pool beside it.
package models

import (
	"time"

	"kurir/problem"
)

// Instance is one linked (or linkable) WhatsApp account.
type Instance struct {
	ID       string `gorm:"primaryKey"` // inst_ + ULID
	Name     string
	Sandbox  bool   // runs against the simulator
	Region   string // default region of phone numbers, ISO 3166-1 alpha-2, for example ID
	Language string // of the page, BCP 47
	TimeZone string // of the page, IANA name
	Wanted   bool   // the operator wants it running: started again when kurir starts
	Linked   bool   // it was linked and its profile is known to be on disk
	Phone    string // own number when it was last linked
	LID      string `gorm:"column:lid"` // own lid
	Pushname string
	Pacing   Pacing        `gorm:"serializer:json"`
	Media    MediaSettings `gorm:"serializer:json"`
	// RestrictedUntil is the end of WhatsApp's lock on first messages (463); nil: none that is known.
	RestrictedUntil *time.Time
	// HeardAt is the time, by WhatsApp's clock, until which all that happened on the phone is in the event log; nil: it
	// was never linked. What happened before HeardFrom is none of its: the number was linked only then.
	HeardAt   *time.Time
	HeardFrom *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// APIKey opens its instance to a program, as far as its rights go. Of its secrets only the SHA-256 is stored.
type APIKey struct {
	ID         string `gorm:"primaryKey"` // key_ + ULID
	InstanceID string
	Name       string
	Hash       string // SHA-256 of the key, hex; unique
	Hint       string // prefix and last four characters, to recognise a key by
	Rights     `gorm:"embedded"`
	OldHash    string     // of the secret before the last rotation, which opens the key too until OldUntil; empty: none
	OldUntil   *time.Time // nil: there is no old secret
	CreatedAt  time.Time
	LastUsedAt *time.Time

	Old bool `gorm:"-"` // KeyByPlain: it was opened by the old secret
}

// Open is KEY_EXPIRED when the key, or the secret that it was looked up by, has ended.
func (k APIKey) Open(now time.Time) error {
	switch {
	case k.Old && (k.OldUntil == nil || !now.Before(*k.OldUntil)):
		return problem.New(problem.KeyExpired, "it was replaced by a rotation")
	case k.Expired(now):
		return problem.New(problem.KeyExpired, "it ended "+k.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// MessageState is where a message of the outbox is.
type MessageState string

// The states of a message. (scheduled →) queued → sending → sent → delivered → read; the others are ends, each with a
// code and a time.
const (
	MessageScheduled MessageState = "scheduled" // waits for NotBefore; rows behind it pass
	MessageQueued    MessageState = "queued"
	MessageSending   MessageState = "sending"
	MessageSent      MessageState = "sent"      // WhatsApp's server has it (ack 1)
	MessageDelivered MessageState = "delivered" // the receiver's phone has it (ack 2)
	MessageRead      MessageState = "read"      // ack 3 or more
	MessageFailed    MessageState = "failed"    // it did not leave and will not
	MessageExpired   MessageState = "expired"   // its time was over before it could leave
	MessageCancelled MessageState = "cancelled" // somebody called it off before it left
	MessageUnknown   MessageState = "unknown"   // it cannot be known whether it left; kurir does not send it again by itself
)

// The priorities of a message. A higher one overtakes; within one the order is that of acceptance.
const (
	PriorityLow    = -10
	PriorityNormal = 0
	PriorityHigh   = 10 // one-time codes: does not wait for the pace either
)

// Message is a row of the outbox: the row is the queue.
type Message struct {
	Seq        int64  `gorm:"primaryKey"` // order of acceptance
	ID         string // msg_ + ULID; unique
	InstanceID string
	WAID       string `gorm:"column:wa_id"` // WhatsApp id, minted before the send; unique per instance
	Chat       string // wid
	Phone      string // digits, empty for groups
	Kind       string // browser.Kind
	Body       string // text or caption
	FilePath   string // below the folder of files (outbox.Config.FilesDir), with slashes; cleared when the file is not needed any more
	FileName   string
	MimeType   string
	FileSize   int64
	Priority   int
	State      MessageState
	Code       string // of the catalogue, when failed, unknown or waiting for a retry
	Detail     string
	Claims     int        // how often it was taken to be sent; 1: no page has heard of its WhatsApp id before
	Attempts   int        // sends that came to an end, well or not; one that found the instance not ready does not count
	NotBefore  time.Time  // scheduled until then, rows behind it pass; zero: at once
	ExpiresAt  *time.Time // never sent from then on; nil: never expires
	LookAt     *time.Time // unknown: when the page is asked for it again; nil: not again
	// FirstContact: the chat had no message before this one. Known when it was sent.
	FirstContact bool
	RetryAt      time.Time // the head is not tried again before, and the rows behind wait with it; zero: at once

	IdempotencyKey *string // unique per instance
	ContentHash    string  // SHA-256 over what was asked for, to tell a repeat from another message

	Ack         int
	CreatedAt   time.Time
	SendingAt   *time.Time
	SentAt      *time.Time
	DeliveredAt *time.Time
	ReadAt      *time.Time
	EndedAt     *time.Time // when it became failed, expired, cancelled or unknown
}

// AuditEntry is a line of the append-only audit log. Bodies and secrets are not in it.
type AuditEntry struct {
	ID         int64     `gorm:"primaryKey" json:"id"`
	Time       time.Time `json:"time"`
	RequestID  string    `json:"request_id"`
	IP         string    `json:"ip"`
	Actor      string    `json:"actor"` // a key's id, user:NAME, admin (the token), cli, or kurir itself
	InstanceID string    `json:"instance,omitempty"`
	Action     string    `json:"action"` // for example wa.send, instance.create
	Target     string    `json:"target,omitempty"`
	Code       string    `json:"code"`           // answer's code of the catalogue, or OK, QUEUED, …
	LatencyUS  int64     `json:"latency_us"`     // microseconds
	Prev       Digest    `json:"prev,omitempty"` // the hash of the line before; see chain.go
	Hash       Digest    `json:"hash,omitempty"` // over this line and Prev; both empty on lines from before the chain
}

// TableName keeps the word of the issue.
func (AuditEntry) TableName() string { return "audit_log" }

// ConsoleSession is a signed-in browser of the operator console.
type ConsoleSession struct {
	Hash      string `gorm:"primaryKey"` // SHA-256 of the cookie, hex
	CreatedAt time.Time
	ExpiresAt time.Time
	IP        string
	UserID    *string // nil: opened with the admin token
	// OpenedWith is the fingerprint of the admin token that opened it; "" when it is a person's.
	OpenedWith string
	User       *User `gorm:"-"` // whose it is, as far as it was asked for
}

// ConsoleDevice is a browser in which a person has signed in before: it has tries of its own when somebody else guesses
// the person's password.
type ConsoleDevice struct {
	Hash      string `gorm:"primaryKey"` // SHA-256 of its cookie, hex
	UserID    string
	ExpiresAt time.Time
}

// Setting is a named value that kurir itself keeps, such as the hash of the generated admin token.
type Setting struct {
	Name  string `gorm:"primaryKey"`
	Value string
}
