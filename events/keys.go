package events

import (
	"strconv"
	"strings"
	"time"
)

// Payload is the data of an event; every type of this package with a constant Type… is one.
type Payload interface {
	// Type is the event's type.
	Type() string
	// about says when it happened (zero: now), in which chat, and the keys of the happening: the first is its name, the
	// others are names under which the same may have been written down.
	about() about
}

type about struct {
	at   time.Time
	chat string
	keys []string
}

// Type is TypeMessage.
func (*Message) Type() string { return TypeMessage }

// A message is known by its id within its chat. Whoever writes chooses the id, so that the id alone would let one
// person hide what another wrote. The chat of one person has two names, and a message may be seen under either.
func (m *Message) about() about {
	return about{m.Time, lane(m.Chat, m.Phone), m.names("message")}
}

func (c *Content) names(kind string) []string { return names(kind, c.ID, c.Chat, c.Phone, c.LID) }

func names(kind, id, chat, phone, lid string) []string {
	key := func(chat string) string { return kind + ":" + chat + ":" + id }
	keys := []string{key(lane(chat, phone))}
	for _, other := range []string{chat, lid} {
		if other != "" && key(other) != keys[0] {
			keys = append(keys, key(other))
		}
	}
	return keys
}

// lane is the chat that order is kept in. A person's number, when it is known, whatever WhatsApp calls the chat today.
func lane(chat, phone string) string {
	if phone != "" && !strings.HasSuffix(chat, "@g.us") {
		return phone + "@c.us"
	}
	return chat
}

// Type is TypeMessageSent.
func (*MessageSent) Type() string { return TypeMessageSent }

// Ids of the own account are made by kurir or by the own phone: the id is name enough.
func (m *MessageSent) about() about {
	return about{m.Time, lane(m.Chat, m.Phone), []string{"sent:" + m.ID}}
}

// Type is TypeMessageAck.
func (*MessageAck) Type() string { return TypeMessageAck }
func (m *MessageAck) about() about {
	return about{chat: lane(m.Chat, m.Phone), keys: []string{"ack:" + m.ID + ":" + strconv.Itoa(m.Ack)}}
}

// Type is TypeMessageFailed.
func (*MessageFailed) Type() string { return TypeMessageFailed }
func (m *MessageFailed) about() about {
	// A person may have it sent again, and it may fail again.
	key := "failed:" + m.MessageID + ":" + m.State + ":" + strconv.Itoa(m.Attempts)
	if !m.ended.IsZero() {
		key += ":" + strconv.FormatInt(m.ended.UnixMicro(), 10)
	}
	return about{at: m.ended, chat: lane(m.Chat, m.Phone), keys: []string{key}}
}

// Type is TypeMessageReaction.
func (*MessageReaction) Type() string { return TypeMessageReaction }
func (m *MessageReaction) about() about {
	who := m.From.Phone
	if who == "" {
		who = m.From.WID
	}
	return about{m.Time, personLane(m.Chat, m.From, m.FromMe), []string{"reaction:" + m.MessageID + ":" + who + ":" + moment(m.Time) + ":" + m.Reaction}}
}

// Type is TypeMessageEdited.
func (*MessageEdited) Type() string { return TypeMessageEdited }
func (m *MessageEdited) about() about {
	return about{m.Time, lane(m.Chat, m.Phone), names("edited", m.ID+":"+moment(m.Time), m.Chat, m.Phone, m.LID)}
}

// Type is TypeMessageRevoked.
func (*MessageRevoked) Type() string { return TypeMessageRevoked }
func (m *MessageRevoked) about() about {
	return about{m.Time, lane(m.Chat, m.Phone), names("revoked", m.ID, m.Chat, m.Phone, m.LID)}
}

// Type is TypeMessageMedia.
func (*MessageMedia) Type() string { return TypeMessageMedia }

// It is written together with the state of the file, which changes once; a file that is asked for again is told again.
func (m *MessageMedia) about() about { return about{chat: lane(m.Chat, m.Phone)} }

// Type is TypeSessionState.
func (*SessionState) Type() string { return TypeSessionState }

// A state can come back within the same second; Log.AppendState names it.
func (*SessionState) about() about { return about{} }

// Type is TypeSessionQR.
func (*SessionQR) Type() string { return TypeSessionQR }

// Which wait it is, only the log can tell; see Log.AppendQR.
func (*SessionQR) about() about { return about{} }

// Type is TypeGroupParticipants.
func (*GroupParticipants) Type() string { return TypeGroupParticipants }
func (g *GroupParticipants) about() about {
	return about{g.Time, g.Chat, []string{"group:" + g.Chat + ":" + g.ID}}
}

// Type is TypeGroupSubject.
func (*GroupSubject) Type() string { return TypeGroupSubject }
func (g *GroupSubject) about() about {
	return about{g.Time, g.Chat, []string{"group:" + g.Chat + ":" + g.ID}}
}

// Type is TypeCallReceived.
func (*CallReceived) Type() string { return TypeCallReceived }
func (c *CallReceived) about() about {
	return about{c.Time, personLane(c.Chat, c.From, false), []string{"call:" + c.ID}}
}

// Type is TypePresence.
func (*Presence) Type() string { return TypePresence }
func (p *Presence) about() about {
	return about{p.Time, personLane(p.Chat, p.From, false), []string{"presence:" + p.From.WID + ":" + p.Chat + ":" + strconv.FormatInt(p.Time.UnixMicro(), 10)}}
}

// Type is TypeWebhookDisabled.
func (*WebhookDisabled) Type() string { return TypeWebhookDisabled }
func (w *WebhookDisabled) about() about {
	return about{keys: []string{"webhook:" + w.Webhook + ":" + strconv.FormatInt(w.Since.UnixMicro(), 10)}}
}

// Type is TypeWebhookTest.
func (*WebhookTest) Type() string { return TypeWebhookTest }
func (*WebhookTest) about() about { return about{} }

// personLane is the lane of what a person did in a chat: in a chat with one person that is the person.
func personLane(chat string, who Person, fromMe bool) string {
	if fromMe {
		return chat
	}
	return lane(chat, who.Phone)
}

// moment is a time of WhatsApp, which knows seconds.
func moment(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
