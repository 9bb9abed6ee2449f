package sandbox

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// private says whether an action changes the own copy of a message only and is nobody else's business.
func private(action string) bool { return action == "star" || action == "unstar" || action == "delete" }

// applyAction carries out an edit or a revocation in every log that has the message, and tells the devices.
func (w *world) applyAction(e *event) []outgoing {
	actor, a := w.ensure(e.Account), *e.Action
	a.Author = actor.wid()
	actor.act(a, a.Chat, a.Target.FromMe)
	out := actor.all("message_action", a, e.Device)
	if private(a.Action) {
		return out
	}
	for _, number := range w.audience(actor, a.Chat) {
		r := w.ensure(number)
		if r == actor {
			continue
		}
		seen := a
		if !isShared(a.Chat) {
			seen.Chat = actor.wid()
		}
		seen.Target.FromMe = !a.Target.FromMe && (!isShared(a.Chat) || a.Target.Author == r.wid())
		r.act(seen, seen.Chat, seen.Target.FromMe)
		out = append(out, r.all("message_action", seen, "")...)
	}
	return out
}

func (a *account) act(x messageActionArgs, chat string, fromMe bool) {
	m := a.byKey[msgKey{chat, x.Target.ID, fromMe}]
	if m == nil {
		return
	}
	switch x.Action {
	case "edit":
		m.Body, m.Edited = x.Text, x.T
	case "revoke":
		m.Type, m.Body, m.Media, m.Reactions, m.Votes, m.Pin = "revoked", "", nil, nil, nil, nil
	case "react":
		m.react(x.Author, x.Text)
	case "vote":
		m.vote(x.Author, x.Options)
	case "pin":
		m.Pin = &WirePin{By: x.Author, T: x.T, Seconds: x.Seconds}
	case "unpin":
		m.Pin = nil
	case "star", "unstar":
		m.Star = x.Action == "star"
	case "delete":
		a.Log = slices.DeleteFunc(a.Log, func(other *entry) bool { return other == m })
		delete(a.byKey, m.key())
	}
}

// react keeps one reaction for each account; an empty one takes it back.
func (m *entry) react(author, emoji string) {
	reactions := maps.Clone(m.Reactions) // copies of the message may be on their way to somebody
	if reactions == nil {
		reactions = map[string]string{}
	}
	reactions[author] = emoji
	if emoji == "" {
		delete(reactions, author)
	}
	m.Reactions = reactions
}

// vote keeps what an account chooses in a poll; nothing chosen is no vote.
func (m *entry) vote(author string, options []string) {
	votes := maps.Clone(m.Votes) // as with reactions
	if votes == nil {
		votes = map[string][]string{}
	}
	votes[author] = options
	if len(options) == 0 {
		delete(votes, author)
	}
	m.Votes = votes
}

// applyChat carries out a change of a chat.
func (w *world) applyChat(e *event) []outgoing {
	a, x := w.ensure(e.Account), *e.Chat
	c := w.chat(a, x.Chat)
	on := string(x.Value) != "false" && string(x.Value) != "0"
	switch x.Action {
	case "archive":
		c.Archived = on
	case "pin":
		c.Pinned = 0
		if on {
			c.Pinned = e.T
		}
	case "mute":
		c.MuteUntil = muteUntil(x.Value, e.T)
	case "unread":
		c.Unread = 0
		if on {
			c.Unread = -1 // marked by hand, as WhatsApp has it
		}
	case "clear", "delete":
		a.Cleared[x.Chat] = e.T
		a.Kept[x.Chat] = x.Action == "clear" && strings.Contains(string(x.Value), `"keep_starred":true`)
		if x.Action == "delete" {
			a.Hidden[x.Chat] = true
		}
	}
	return a.all("chat_action", x, e.Device)
}

// muteUntil reads the value of "mute": epoch seconds, -1 for ever; 0, false or a time that has passed: not muted.
func muteUntil(value []byte, now int64) int64 {
	switch string(value) {
	case "true", "-1":
		return -1
	}
	if until, err := strconv.ParseInt(string(value), 10, 64); err == nil && until > now {
		return until
	}
	return 0
}
