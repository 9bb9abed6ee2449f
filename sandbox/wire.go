package sandbox

import "encoding/json"

// This file is sandbox/page/src/wire.ts in Go: the frames that travel on wss://web.whatsapp.com/ws/chat. Change both
// together. Times are epoch seconds unless a name ends in _ms.

// request is a frame of the page.
type request struct {
	N    int64           `json:"n"`
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args"`
}

// reply answers the request with the same n.
type reply struct {
	N     int64  `json:"n"`
	OK    any    `json:"ok,omitempty"`
	Error *Error `json:"error,omitempty"`
}

// push is a frame that the server sends by itself. S numbers the pushes that must not be lost, per device; a page
// that said hello with got answers them with the op "got".
type push struct {
	Op   string `json:"op"`
	S    int64  `json:"s,omitempty"`
	Args any    `json:"args"`
}

// WireMedia is what a receiver needs to fetch and decrypt a file.
type WireMedia struct {
	Mimetype      string  `json:"mimetype"`
	Size          int64   `json:"size"` // bytes of the plain file
	Filename      string  `json:"filename,omitempty"`
	MediaKey      string  `json:"media_key"`       // base64, 32 bytes
	FileSHA256    string  `json:"file_sha256"`     // base64, plain file
	FileEncSHA256 string  `json:"file_enc_sha256"` // base64, uploaded bytes
	DirectPath    string  `json:"direct_path"`
	Width         int     `json:"width,omitempty"`
	Height        int     `json:"height,omitempty"`
	Duration      float64 `json:"duration,omitempty"` // seconds
	PTT           bool    `json:"ptt,omitempty"`
}

// WireQuoted is the message that another one answers.
type WireQuoted struct {
	ID     string `json:"id"`
	Author string `json:"author"`
	Type   string `json:"type"`
	Body   string `json:"body"`
	FromMe bool   `json:"from_me"`
}

// WireMessage is a message as the owner of the stream sees it.
type WireMessage struct {
	ID       string                     `json:"id"`   // 3EB0…
	Chat     string                     `json:"chat"` // wid
	FromMe   bool                       `json:"from_me"`
	Author   string                     `json:"author,omitempty"` // in groups: who wrote it
	Type     string                     `json:"type"`
	Body     string                     `json:"body"` // text; for files the caption
	T        int64                      `json:"t"`
	Ack      int                        `json:"ack,omitempty"`
	Media    *WireMedia                 `json:"media,omitempty"`
	Quoted   *WireQuoted                `json:"quoted,omitempty"`
	Mentions []string                   `json:"mentions,omitempty"`
	Extra    map[string]json.RawMessage `json:"extra,omitempty"`
	Pushname string                     `json:"pushname,omitempty"`

	Star      bool              `json:"star,omitempty"`
	Edited    int64             `json:"edited,omitempty"`    // when it was last edited
	Reactions map[string]string `json:"reactions,omitempty"` // emoji by the wid of who reacted

	Votes map[string][]string `json:"votes,omitempty"` // of a poll: options by the wid of who chose them
	Pin   *WirePin            `json:"pin,omitempty"`
}

// WirePin says who pinned a message for everybody, when, and for how many seconds.
type WirePin struct {
	By      string `json:"by"`
	T       int64  `json:"t"`
	Seconds int64  `json:"seconds"`
}

// WireContact is somebody the account knows.
type WireContact struct {
	WID         string `json:"wid"`
	LID         string `json:"lid,omitempty"`
	Name        string `json:"name,omitempty"` // in the address book; empty: not in it
	ShortName   string `json:"short_name,omitempty"`
	Pushname    string `json:"pushname,omitempty"`
	IsBusiness  bool   `json:"is_business,omitempty"`
	IsMyContact bool   `json:"is_my_contact,omitempty"`
	Blocked     bool   `json:"blocked,omitempty"`
}

// WireChat is a line of the chat list.
type WireChat struct {
	WID       string     `json:"wid"`
	LID       string     `json:"lid,omitempty"`
	Name      string     `json:"name,omitempty"` // groups: the subject
	T         int64      `json:"t"`
	Unread    int        `json:"unread"`
	Archived  bool       `json:"archived,omitempty"`
	Pinned    int64      `json:"pinned,omitempty"`
	MuteUntil int64      `json:"mute_until,omitempty"` // -1: for ever
	More      bool       `json:"more,omitempty"`       // the phone has older messages than it told of
	Group     *WireGroup `json:"group,omitempty"`
}

// WireGroup is what makes a chat a group.
type WireGroup struct {
	Owner        string            `json:"owner"`
	Subject      string            `json:"subject"`
	Description  string            `json:"description,omitempty"`
	Created      int64             `json:"created"`
	Participants []WireParticipant `json:"participants"`
	Past         []GroupRequest    `json:"past,omitempty"` // who left or was removed, and when
	GroupSettings
}

// WireParticipant is a member of a group.
type WireParticipant struct {
	WID        string `json:"wid"`
	Admin      bool   `json:"admin"`
	SuperAdmin bool   `json:"superadmin,omitempty"`
}

// wireDevice is what a linked page keeps to say who it is.
type wireDevice struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

type helloArgs struct {
	Device   *wireDevice `json:"device"`
	Platform string      `json:"platform"`
	Version  string      `json:"version"`
	// Got says that the page answers numbered pushes with "got"; it is the last number the page has stored.
	Got *int64 `json:"got"`
}

type refsOK struct {
	Refs   []string `json:"refs"`
	TTLsMS []int64  `json:"ttls_ms"`
}

type helloPair struct {
	Pair refsOK `json:"pair"`
}

type helloSuccess struct {
	Success struct {
		WID      string `json:"wid"`
		LID      string `json:"lid"`
		Pushname string `json:"pushname"`
		DBKey    string `json:"db_key"`
		Time     int64  `json:"time"`
		// LIDMigrated: the account's chats with people are addressed by LID.
		LIDMigrated bool `json:"lid_migrated,omitempty"`
		// Privacy: what was set of it, by WhatsApp's names.
		Privacy map[string]string `json:"privacy,omitempty"`
	} `json:"success"`
}

type pairedPush struct {
	Device   wireDevice `json:"device"`
	WID      string     `json:"wid"`
	LID      string     `json:"lid"`
	Pushname string     `json:"pushname"`
	Platform string     `json:"platform"`
}

type historyPush struct {
	Contacts []WireContact `json:"contacts"`
	Chats    []WireChat    `json:"chats"`
	Messages []WireMessage `json:"messages"`
	Final    bool          `json:"final"`
}

type messageOK struct {
	T    int64  `json:"t"`
	Chat string `json:"chat"`
}

type usyncUser struct {
	Query    string `json:"query"`
	Exists   bool   `json:"exists"`
	WID      string `json:"wid,omitempty"`
	LID      string `json:"lid,omitempty"`
	Business bool   `json:"business,omitempty"`
	Pushname string `json:"pushname,omitempty"`
}

type mediaConnOK struct {
	Auth       string `json:"auth"`
	TTL        int64  `json:"ttl"` // seconds
	UploadPath string `json:"upload_path"`
	MaxBytes   int64  `json:"max_bytes"`
}

type receiptArgs struct {
	Chat   string   `json:"chat"`
	IDs    []string `json:"ids"`
	Type   string   `json:"type"` // delivery, read, played
	Author string   `json:"author,omitempty"`
	T      int64    `json:"t,omitempty"`
}

type chatstateArgs struct {
	Chat   string `json:"chat"`
	Author string `json:"author,omitempty"`
	State  string `json:"state"` // composing, recording, paused
}

type callArgs struct {
	ID    string `json:"id"`
	From  string `json:"from"`
	Video bool   `json:"video,omitempty"`
	T     int64  `json:"t"`
}

type presenceArgs struct {
	WID       string `json:"wid,omitempty"`
	State     string `json:"state,omitempty"` // available, unavailable
	Subscribe string `json:"subscribe,omitempty"`
	T         int64  `json:"t,omitempty"`
}

type chatActionArgs struct {
	Chat   string          `json:"chat"`
	Action string          `json:"action"`
	Value  json.RawMessage `json:"value,omitempty"`
}

type messageTarget struct {
	ID     string `json:"id"`
	FromMe bool   `json:"from_me"`
	Author string `json:"author,omitempty"`
}

type messageActionArgs struct {
	Chat   string        `json:"chat"`
	Action string        `json:"action"` // edit, revoke, react, vote, pin, unpin; for the own account only: star, unstar, delete
	Target messageTarget `json:"target"`
	ID     string        `json:"id"`
	Author string        `json:"author,omitempty"`
	Text   string        `json:"text,omitempty"`
	T      int64         `json:"t,omitempty"`

	Options []string `json:"options,omitempty"` // of a vote: all that are chosen now
	Seconds int64    `json:"seconds,omitempty"` // of a pin
}

type groupArgs struct {
	Action       string   `json:"action"`
	Group        string   `json:"group,omitempty"`
	Subject      string   `json:"subject,omitempty"`
	Participants []string `json:"participants,omitempty"`
	Code         string   `json:"code,omitempty"`
	Picture      []byte   `json:"picture,omitempty"` // JPEG; empty: it is removed

	Settings *GroupSettings `json:"settings,omitempty"` // of a new group
}

type participantResult struct {
	WID  string `json:"wid"`
	Code int    `json:"code"` // 200 done, 404 no such account, 409 is in it already
}

type groupOK struct {
	Group        string              `json:"group,omitempty"`
	Code         string              `json:"code,omitempty"`
	Participants []participantResult `json:"participants,omitempty"`
	Approval     bool                `json:"approval,omitempty"` // joining waits for an admin
	Info         *WireGroup          `json:"info,omitempty"`
	Requests     []GroupRequest      `json:"requests,omitempty"`
}

// groupNote says what somebody did in a group.
type groupNote struct {
	ID           string   `json:"id"`
	Group        string   `json:"group"`
	Action       string   `json:"action"` // create, add, remove, leave, promote, demote, subject, description, picture, revoke_invite, announce, restrict, member_add_mode, membership_approval_mode, membership_approval_request, revoked_membership_requests, ephemeral
	Author       string   `json:"author"`
	Participants []string `json:"participants,omitempty"`
	Text         string   `json:"text,omitempty"`   // the new subject, description or value
	Invite       bool     `json:"invite,omitempty"` // somebody came in by code
	T            int64    `json:"t"`
}

type profileArgs struct {
	Name          string `json:"name,omitempty"`
	About         string `json:"about,omitempty"`
	Picture       []byte `json:"picture,omitempty"` // JPEG
	RemovePicture bool   `json:"remove_picture,omitempty"`
}

type reasonArgs struct {
	Reason string `json:"reason"`
}

// stepArgs is a page's question whether a message that it sends is to wait at a step.
type stepArgs struct {
	At   string `json:"at"`
	Chat string `json:"chat"`
	ID   string `json:"id"`
}

type stepsPush struct {
	At []string `json:"at"`
	N  int64    `json:"n"`
}

type faultPush struct {
	Name string         `json:"name"`
	Args map[string]any `json:"args,omitempty"`
}

// none is the empty object: the ok of requests that have nothing to say, and the args of bare pushes.
type none struct{}
