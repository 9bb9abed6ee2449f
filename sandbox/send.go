package sandbox

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Message is what a simulated phone sends.
type Message struct {
	ID       string                     `json:"id,omitempty"`   // empty: minted; NewMessageID mints one to know it before
	Type     string                     `json:"type,omitempty"` // empty: chat, or by Mimetype when there is Data
	Body     string                     `json:"body,omitempty"` // text, or the caption of a file
	Filename string                     `json:"filename,omitempty"`
	Mimetype string                     `json:"mimetype,omitempty"`
	Data     []byte                     `json:"data,omitempty"` // the file (base64 in JSON)
	Quoted   *WireQuoted                `json:"quoted,omitempty"`
	Mentions []string                   `json:"mentions,omitempty"`
	Extra    map[string]json.RawMessage `json:"extra,omitempty"` // lat, lng, vcard, …: by type
}

// SendFrom lets a phone send a message to a number, a wid or a group. When it returns, the message is with the
// receivers: on their phones and on the queues of their linked devices.
func (s *Server) SendFrom(number, to string, m Message) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	w := WireMessage{
		ID: cmp.Or(m.ID, NewMessageID()), Chat: to, Type: cmp.Or(m.Type, "chat"), Body: m.Body, Quoted: m.Quoted, Mentions: m.Mentions, Extra: m.Extra,
	}
	if m.Data != nil {
		w.Type = cmp.Or(m.Type, kindOf(m.Mimetype))
		if w.Media, err = s.seal(w.Type, m); err != nil {
			return err
		}
	}
	o, err := s.normalise(&w)
	if err != nil {
		return err
	}
	o.account = n
	s.mu.Lock()
	sender := s.world.ensure(n)
	if sender.Offline {
		s.mu.Unlock()
		return errOffline(n)
	}
	if err := s.reachable(sender, w.Chat, o); err != nil {
		s.mu.Unlock()
		return err
	}
	w.T = time.Now().Unix()
	p := parcel{sender: sender, message: w, occasion: o}
	if err := s.commit(&event{Op: "message", T: w.T, Account: n, Message: &w}); err != nil {
		s.mu.Unlock()
		return err
	}
	receipts := s.deliver(p)
	s.mu.Unlock()
	receipts()
	s.fetch(p)
	return nil
}

// kindOf is the message type of a file.
func kindOf(mimetype string) string {
	switch kind, _, _ := strings.Cut(mimetype, "/"); kind {
	case "image", "video", "audio":
		return kind
	}
	return "document"
}

// seal encrypts and stores a phone's file.
func (s *Server) seal(kind string, m Message) (*WireMedia, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // crypto/rand.Read never fails
	keys, err := expandKeys(kind, key)
	if err != nil {
		return nil, errorf(400, "%v", err)
	}
	sealed, err := newSealer(bytes.NewReader(m.Data), keys)
	if err != nil {
		return nil, err
	}
	name, err := s.media.put(sealed)
	if err != nil {
		return nil, err
	}
	sum, err := hex.DecodeString(name)
	if err != nil {
		return nil, err
	}
	return &WireMedia{
		Mimetype: cmp.Or(m.Mimetype, "application/octet-stream"), Size: sealed.size, Filename: m.Filename,
		MediaKey:      base64.StdEncoding.EncodeToString(key),
		FileSHA256:    base64.StdEncoding.EncodeToString(sealed.sum.Sum(nil)),
		FileEncSHA256: base64.StdEncoding.EncodeToString(sum),
		DirectPath:    directPath(kind, name), PTT: kind == "ptt",
	}, nil
}
