package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"kurir/problem"
)

// Person is somebody by the names that the page knows.
type Person struct {
	WID   string `json:"wid"`
	Phone string `json:"phone,omitempty"`
	LID   string `json:"lid,omitempty"`
}

// Edited is the last edit of a message.
type Edited struct {
	ID     string  `json:"id"`
	Chat   string  `json:"chat"`
	Phone  string  `json:"phone"`
	LID    string  `json:"lid"`
	FromMe bool    `json:"from_me"`
	Author *Person `json:"author"` // in groups
	Body   string  `json:"body"`
	TimeMS int64   `json:"time_ms"` // of the edit, epoch milliseconds
}

// Revoked is a message that was deleted for everyone.
type Revoked struct {
	ID     string  `json:"id"`
	Chat   string  `json:"chat"`
	Phone  string  `json:"phone"`
	LID    string  `json:"lid"`
	FromMe bool    `json:"from_me"`
	By     *Person `json:"by"`   // in groups
	Time   int64   `json:"time"` // epoch seconds; when it was seen, or of the message, as WhatsApp keeps no other
}

// Reaction is a reaction to a message; an empty one was taken back.
type Reaction struct {
	MessageID string `json:"message_id"`
	Chat      string `json:"chat"`
	From      Person `json:"from"`
	FromMe    bool   `json:"from_me"`
	Reaction  string `json:"reaction"`
	TimeMS    int64  `json:"time_ms"`
}

// Participants is a change of who is in a group, or as what: add, remove, leave, join, promote or demote.
type Participants struct {
	ID     string   `json:"id"`
	Chat   string   `json:"chat"`
	By     *Person  `json:"by"`
	Action string   `json:"action"`
	People []Person `json:"people"`
	Time   int64    `json:"time"`
}

// Subject is a new name of a group.
type Subject struct {
	ID      string  `json:"id"`
	Chat    string  `json:"chat"`
	By      *Person `json:"by"`
	Subject string  `json:"subject"`
	Time    int64   `json:"time"`
}

// Call is an incoming call.
type Call struct {
	ID    string `json:"id"`
	From  Person `json:"from"`
	Chat  string `json:"chat"`
	Video bool   `json:"video"`
	Group bool   `json:"group"`
	Time  int64  `json:"time"`
}

// Seen is that somebody is there, has gone or types.
type Seen struct {
	Chat   string `json:"chat"`
	From   Person `json:"from"`
	State  string `json:"state"` // available, unavailable, composing, recording or paused
	TimeMS int64  `json:"time_ms"`
}

// decodeHappening reads what happened on the phone, as the bridge's events and its backlog tell it. known is false for
// what this kurir does not know.
func decodeHappening(kind string, data json.RawMessage) (e Event, known bool, err error) {
	switch kind {
	case "message":
		e = Event{Type: EventMessage, Message: new(Message)}
		err = json.Unmarshal(data, e.Message)
	case "edited":
		e = Event{Type: EventEdited, Edited: new(Edited)}
		err = json.Unmarshal(data, e.Edited)
	case "revoked":
		e = Event{Type: EventRevoked, Revoked: new(Revoked)}
		err = json.Unmarshal(data, e.Revoked)
	case "reaction":
		e = Event{Type: EventReaction, Reaction: new(Reaction)}
		err = json.Unmarshal(data, e.Reaction)
	case "group.participants":
		e = Event{Type: EventParticipants, Participants: new(Participants)}
		err = json.Unmarshal(data, e.Participants)
	case "group.subject":
		e = Event{Type: EventSubject, Subject: new(Subject)}
		err = json.Unmarshal(data, e.Subject)
	case "call":
		e = Event{Type: EventCall, Call: new(Call)}
		err = json.Unmarshal(data, e.Call)
	case "presence":
		e = Event{Type: EventPresence, Presence: new(Seen)}
		err = json.Unmarshal(data, e.Presence)
	default:
		return e, false, nil
	}
	return e, true, err
}

// receiving are the states in which the page can be asked what it has of late.
func receiving() []State { return []State{StateWorking, StateDegraded, StateRestricted} }

const backlogLimit = 60 * time.Second

// Changed lists the chats in which something happened at that time or later, the one that was quiet longest first.
func (s *Session) Changed(ctx context.Context, from time.Time) ([]string, error) {
	answer, err := s.call(ctx, request{
		method: "changed", args: map[string]any{"from": from.Unix()}, in: receiving(),
		limit: readLimit, late: problem.PageTimeout, lost: problem.PageError,
	})
	if err != nil {
		return nil, err
	}
	var list struct {
		Chats []string `json:"chats"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, problem.Wrap(problem.PageError, "", err)
	}
	return list.Chats, nil
}

// Backlog returns what the page has of chats since that time, in the order of each: messages, the last edit of each,
// what was deleted, reactions, changes of the group. It looks at what the page has and asks WhatsApp for nothing. done
// is how many of the chats, from the first, it got to: what follows is for another call. cut is how many of them have
// more than is read (20,000 messages); their newest are returned.
func (s *Session) Backlog(ctx context.Context, chats []string, from time.Time) (list []Event, done, cut int, err error) {
	answer, err := s.call(ctx, request{
		method: "backlog", args: map[string]any{"chats": chats, "from": from.Unix(), "timeout_ms": (backlogLimit - bridgeLead).Milliseconds()},
		in: receiving(), limit: backlogLimit, late: problem.PageTimeout, lost: problem.PageError,
	})
	if err != nil {
		return nil, 0, 0, err
	}
	var got struct {
		Events []struct {
			Type string          `json:"type"`
			Data json.RawMessage `json:"data"`
		} `json:"events"`
		Done int `json:"done"`
		Cut  int `json:"cut"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, 0, 0, problem.Wrap(problem.PageError, "", err)
	}
	if got.Done < 1 || got.Done > len(chats) {
		return nil, 0, 0, problem.New(problem.PageError, "the bridge read no chat")
	}
	for _, h := range got.Events {
		e, known, err := decodeHappening(h.Type, h.Data)
		if err != nil {
			return nil, 0, 0, problem.Wrap(problem.PageError, fmt.Sprintf("an event of type %s", h.Type), err)
		}
		if known {
			list = append(list, e)
		}
	}
	return list, got.Done, got.Cut, nil
}

// AskPresence says whether the page is to tell who is there and who types. A new document has to be asked again.
func (s *Session) AskPresence(ctx context.Context, on bool) error {
	_, err := s.call(ctx, request{
		method: "presence", args: map[string]any{"on": on}, in: receiving(), limit: 5 * time.Second, late: problem.PageTimeout, lost: problem.PageError,
	})
	return err
}
