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

// Changed is where the page has something that happened at that time or later.
type Changed struct {
	// Chats are those in which it may be, the one that was quiet longest first: for Backlog.
	Chats []string
	// Events belong to no chat's newest messages: reactions to messages of any age, calls. In no order.
	Events []Event
	// Unread is what of Events this WhatsApp Web did not give: calls, reactions.
	Unread []string
}

// Changed looks where something happened at that time or later.
func (s *Session) Changed(ctx context.Context, from time.Time) (Changed, error) {
	answer, err := s.call(ctx, request{
		method: "changed", args: map[string]any{"from": from.Unix()}, in: receiving(),
		limit: readLimit, late: problem.PageTimeout, lost: problem.PageError,
	})
	if err != nil {
		return Changed{}, err
	}
	var got struct {
		Chats  []string    `json:"chats"`
		Events []happening `json:"events"`
		Unread []string    `json:"unread"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return Changed{}, problem.Wrap(problem.PageError, "", err)
	}
	list, err := decodeAll(got.Events)
	return Changed{Chats: got.Chats, Events: list, Unread: got.Unread}, err
}

// happening is an event as the bridge's answers have it.
type happening struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

func decodeAll(list []happening) ([]Event, error) {
	var out []Event
	for _, h := range list {
		e, known, err := decodeHappening(h.Type, h.Data)
		if err != nil {
			return nil, problem.Wrap(problem.PageError, fmt.Sprintf("an event of type %s", h.Type), err)
		}
		if known {
			out = append(out, e)
		}
	}
	return out, nil
}

// Backlog returns what the page has of chats since that time, in the order of each: messages, the last edit of each,
// what was deleted, reactions, changes of the group. Of messages from the three days before, it returns their last edit if
// that was later, and whether they were deleted: WhatsApp keeps no time of that, so that it is returned each time; not of
// messages from before known, since when somebody listens. It looks at what the page has and asks WhatsApp for nothing. done
// is how many of the chats, from the first, it got to: what follows is for another call. cut is how many of them have
// more than is read (20,000 messages); their newest are returned.
func (s *Session) Backlog(ctx context.Context, chats []string, from, known time.Time) (list []Event, done, cut int, err error) {
	answer, err := s.call(ctx, request{
		method: "backlog", args: map[string]any{"chats": chats, "from": from.Unix(), "known": known.Unix(), "timeout_ms": (backlogLimit - bridgeLead).Milliseconds()},
		in: receiving(), limit: backlogLimit, late: problem.PageTimeout, lost: problem.PageError,
	})
	if err != nil {
		return nil, 0, 0, err
	}
	var got struct {
		Events []happening `json:"events"`
		Done   int         `json:"done"`
		Cut    int         `json:"cut"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, 0, 0, problem.Wrap(problem.PageError, "", err)
	}
	if got.Done < 1 || got.Done > len(chats) {
		return nil, 0, 0, problem.New(problem.PageError, "the bridge read no chat")
	}
	if list, err = decodeAll(got.Events); err != nil {
		return nil, 0, 0, err
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
