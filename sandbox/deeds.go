package sandbox

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"
)

// This file is the part of the control API with which tests act as the other side: type, react, change a group, set a
// picture; and with which they see what WhatsApp keeps of an account.

// Account is what WhatsApp keeps of an account, without generated history.
type Account struct {
	Name     string        `json:"name"`
	About    string        `json:"about"`
	Picture  string        `json:"picture"` // SHA-256 of the JPEG, hex; "": none
	Chats    []WireChat    `json:"chats"`
	Contacts []WireContact `json:"contacts"`

	Privacy map[string]string `json:"privacy,omitempty"` // what was set, by WhatsApp's names
}

// Account returns what WhatsApp keeps of an account.
func (s *Server) Account(number string) (Account, error) {
	x := Account{Chats: []WireChat{}, Contacts: []WireContact{}}
	err := s.withPhone(number, func(a *account) {
		x.Name, x.About, x.Picture, x.Privacy = a.Phone.Name, a.About, a.Picture, maps.Clone(a.Privacy)
		for _, c := range a.Chats {
			x.Chats = append(x.Chats, *c)
		}
		for _, c := range a.People {
			x.Contacts = append(x.Contacts, *c)
		}
	})
	slices.SortFunc(x.Chats, func(a, b WireChat) int { return cmp.Compare(a.WID, b.WID) })
	slices.SortFunc(x.Contacts, func(a, b WireContact) int { return cmp.Compare(a.WID, b.WID) })
	return x, err
}

// Past is the history that was generated for a phone: everybody in its address book, its chats, newest first, and the
// messages of one of them, oldest first.
type Past struct {
	Contacts []string      `json:"contacts"`
	Chats    []string      `json:"chats"`
	Messages []WireMessage `json:"messages"`
}

// Past returns the history that was generated for a phone; chat says whose messages are wanted.
func (s *Server) Past(number, chat string) (Past, error) {
	x := Past{Contacts: []string{}, Chats: []string{}, Messages: []WireMessage{}}
	err := s.withPhone(number, func(a *account) {
		g := a.seed
		if g == nil {
			return
		}
		for i := range g.spec.Contacts {
			x.Contacts = append(x.Contacts, g.contact(i).WID)
		}
		for i := range g.spec.Chats {
			c := g.chat(i)
			x.Chats = append(x.Chats, c.WID)
			if c.WID != chat {
				continue
			}
			for k := range g.count(i) {
				x.Messages = append(x.Messages, g.message(i, k, &c))
			}
		}
	})
	return x, err
}

// Group returns a group.
func (s *Server) Group(wid string) (WireGroup, string, error) {
	x, code, _, err := s.groupAndRequests(wid)
	return x, code, err
}

func (s *Server) groupAndRequests(wid string) (WireGroup, string, []GroupRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.world.group(wid)
	if g == nil {
		return WireGroup{}, "", nil, errorf(404, "there is no group %s", wid)
	}
	return *g.wire(0).Group, g.Code, slices.Clone(g.Requests), nil
}

// Type shows the other side of a chat that a phone's owner types: composing, recording or paused.
func (s *Server) Type(number, chat, state string) error {
	if !slices.Contains([]string{"composing", "recording", "paused"}, state) {
		return errorf(400, "there is no chat state %q", state)
	}
	return s.withPhone(number, func(a *account) { s.showTyping(a, chat, state) })
}

// Call lets a phone ring another one. Nobody answers: what is not connected now hears no ringing, and every linked device
// has it in the chat as a missed call (call_log), sooner or later.
func (s *Server) Call(number, to string, video bool) (id string, err error) {
	n, err := parseUser(number)
	if err != nil {
		return "", err
	}
	receiver, err := parseUser(to)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.world.ensure(n)
	if a.Offline {
		return "", errOffline(n)
	}
	id = rand.Text()
	now := time.Now().Unix()
	s.world.ensure(receiver).tell("call", callArgs{ID: id, From: a.wid(), Video: video, T: now})
	missed := WireMessage{ID: NewMessageID(), Type: callLog, T: now, Extra: map[string]json.RawMessage{
		"callId": encode(id), "isVideoCall": encode(video), "isGroupCall": encode(false),
	}}
	return id, s.commit(&event{Op: "call", T: now, Account: n, Name: receiver, Message: &missed})
}

// showTyping tells everybody in a chat that somebody types. The caller holds s.mu.
func (s *Server) showTyping(a *account, chat, state string) {
	told := chatstateArgs{Chat: a.wid(), State: state}
	if isGroup(chat) {
		told = chatstateArgs{Chat: chat, Author: a.wid(), State: state}
	}
	for _, number := range s.world.audience(a, chat) {
		if r := s.world.accounts[number]; r != nil {
			r.tell("chatstate", told)
		}
	}
}

func (s *Server) controlDeeds(mux *http.ServeMux) {
	mux.HandleFunc("GET /phones/{number}/account", control0(func(r *http.Request) (any, error) { return s.Account(r.PathValue("number")) }))
	mux.HandleFunc("GET /phones/{number}/past", control0(func(r *http.Request) (any, error) { return s.Past(r.PathValue("number"), r.FormValue("chat")) }))
	mux.HandleFunc("GET /groups/{wid}", control0(func(r *http.Request) (any, error) {
		g, code, requests, err := s.groupAndRequests(r.PathValue("wid"))
		return struct {
			WireGroup
			Code     string         `json:"code"`
			Requests []GroupRequest `json:"requests,omitempty"`
		}{g, code, requests}, err
	}))
	mux.HandleFunc("POST /phones/{number}/typing", control1(func(r *http.Request, a struct {
		Chat  string `json:"chat"`
		State string `json:"state"`
	}) (any, error) {
		return none{}, s.Type(r.PathValue("number"), a.Chat, a.State)
	}))
	mux.HandleFunc("POST /phones/{number}/call", control1(func(r *http.Request, a struct {
		To    string `json:"to"`
		Video bool   `json:"video"`
	}) (any, error) {
		id, err := s.Call(r.PathValue("number"), a.To, a.Video)
		return map[string]string{"id": id}, err
	}))
	mux.HandleFunc("POST /phones/{number}/act", control1(func(r *http.Request, a struct {
		Chat   string `json:"chat"`
		Action string `json:"action"` // edit, revoke, react, vote, pin, unpin, star, unstar, delete
		ID     string `json:"id"`
		FromMe bool   `json:"from_me"`
		Text   string `json:"text"`

		Options []string `json:"options"` // of a vote
		Seconds int64    `json:"seconds"` // of a pin
	}) (any, error) {
		target := messageTarget{ID: a.ID, FromMe: a.FromMe}
		return none{}, s.actFrom(r.PathValue("number"), messageActionArgs{Chat: a.Chat, Action: a.Action, Target: target, Text: a.Text, Options: a.Options, Seconds: a.Seconds})
	}))
	mux.HandleFunc("POST /phones/{number}/presence", control1(func(r *http.Request, a struct {
		Online bool `json:"online"`
	}) (any, error) {
		return none{}, s.SetOnline(r.PathValue("number"), a.Online)
	}))
	mux.HandleFunc("GET /phones/{number}/calls", control0(func(r *http.Request) (any, error) { return s.Calls(r.PathValue("number")) }))
	mux.HandleFunc("POST /phones/{number}/group", control1(func(r *http.Request, a struct {
		Action       string   `json:"action"`
		Group        string   `json:"group"`
		Text         string   `json:"text"` // subject, description, the code to join by, or the value of a property
		Participants []string `json:"participants"`
		Picture      []byte   `json:"picture"` // JPEG
	}) (any, error) {
		return none{}, s.ChangeGroup(r.PathValue("number"), a.Action, a.Group, a.Text, a.Participants, a.Picture...)
	}))
	mux.HandleFunc("POST /phones/{number}/profile", control1(func(r *http.Request, a struct {
		Name    string `json:"name"`
		About   string `json:"about"`
		Picture []byte `json:"picture"` // JPEG
	}) (any, error) {
		return none{}, s.SetProfile(r.PathValue("number"), a.Name, a.About, a.Picture)
	}))
}
