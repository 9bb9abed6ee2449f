package browser

import (
	"context"
	"maps"
	"slices"
	"time"
)

// refusals are the modes in which WhatsApp does not let this page work, with what to tell people.
func refusals() map[string]string {
	return map[string]string{
		"TOS_BLOCK":          "WhatsApp blocks this account (terms of service)",
		"SMB_TOS_BLOCK":      "WhatsApp blocks this business account (terms of service)",
		"DEPRECATED_VERSION": "WhatsApp calls this version of WhatsApp Web too old",
		"PROXYBLOCK":         "WhatsApp blocks the address of this machine (proxy)",
	}
}

// show derives the state and publishes it with what belongs to it. It starts the calls that the state waits for.
func (l *life) show() {
	if l.end != nil && !l.end.loggedOut {
		return // the loop says what follows
	}
	now := time.Now()
	until := l.restrictedUntil() // asked once: a caller may learn of a restriction meanwhile
	state, reason := l.derive(now, until)
	if state == StateStarting || state == StateSyncing {
		reason = l.why(reason)
	}
	l.set(func(st *Status) {
		st.State, st.Reason, st.Until = state, reason, nil
		if state == StateRestricted {
			st.Until = &until
		}
		st.Receiving = state == StateWorking || (state == StateDegraded || state == StateRestricted) && l.broken.IsZero()
		st.CanSend = state == StateWorking || state == StateRestricted ||
			state == StateDegraded && l.overdue.id != "" && !l.overdue.paused() && l.outgrown == 0 && l.broken.IsZero() && l.canSend()
		p := l.page
		if p == nil {
			return
		}
		st.Phone, st.LID, st.Pushname = "", "", ""
		if p.Registered {
			st.Phone, st.LID, st.Pushname = number(p.WID), p.LID, p.Pushname
		}
		st.WAVersion = p.Version
		if l.caps != nil {
			st.Capabilities = maps.Clone(l.caps)
		}
	})
}

// derive says what the session's state is, restricted until then (zero: it is not). Every state but WORKING has a reason,
// except where its name is one.
func (l *life) derive(now, restricted time.Time) (State, string) {
	p := l.page
	switch {
	case l.logoutWhy != "":
		return StateLoggedOut, "the link to the phone was ended: " + l.logoutWhy
	case p == nil:
		return StateStarting, "loading WhatsApp Web"
	case refusals()[p.Mode] != "":
		return StateFailed, refusals()[p.Mode]
	case !p.Registered && p.Passkey:
		return StatePasskeyRequired, "WhatsApp asks this account for a passkey, which only a browser with a screen can answer"
	case !p.Registered && (l.qrSeen || p.Socket == "UNPAIRED_IDLE"):
		return StateScanQR, ""
	case !p.Registered:
		return StateStarting, "waiting for WhatsApp's QR code"
	case !p.Synced || (p.Mode != "MAIN" && p.Mode != "CONFLICT" && p.Mode != "OFFLINE"):
		l.broken = time.Time{}
		return StateSyncing, "WhatsApp Web is loading the chats"
	case p.Stream != "CONNECTED" || p.Mode != "MAIN":
		return l.disconnected(now)
	}
	l.broken = time.Time{}
	delete(l.at, "show")
	delete(l.at, "takeback")
	return l.connected(now, restricted)
}

// disconnected is the state of a linked page without a connection. Reconnects of a few seconds are everyday and
// need no alarm. Socket.state and mode stay as they were, whatever happened: only the stream tells.
func (l *life) disconnected(now time.Time) (State, string) {
	if l.broken.IsZero() {
		l.broken = now
	}
	l.overdue.waiting = ""
	delete(l.at, "ack") // a message without a connection waits for that; its time begins anew
	if _, set := l.at["takeback"]; !set && l.replaced() {
		l.at["takeback"] = now.Add(l.takebackIn(now))
	}
	was := l.Status().State
	limit := l.timing.settle
	if was == StateWorking {
		limit = l.timing.grace
	}
	if was != StateDegraded && now.Sub(l.broken) < limit {
		l.at["show"] = l.broken.Add(limit)
		if was == StateWorking {
			return StateWorking, ""
		}
		return StateSyncing, "connecting to WhatsApp"
	}
	if l.replaced() {
		return StateDegraded, "WhatsApp ended this connection for another one that uses the same link; the page is loaded again to take it back"
	}
	return StateDegraded, "no connection to WhatsApp (stream " + orNone(l.page.Stream) + ", socket " + orNone(l.page.Socket) + ")"
}

// replaced says whether the page has lost its connection for good: after WhatsApp gave it to another one, the page
// looks for no new one, and mode and socket stay as they were. A page that does look is in the socket's OPENING.
func (l *life) replaced() bool {
	return l.page.Mode == "CONFLICT" || l.page.Socket == "CONNECTED" && l.page.Stream == "DISCONNECTED"
}

// takebackIn is how long to leave the link to who took it: longer each time, so that two that both want it do not
// push each other off all day.
func (l *life) takebackIn(now time.Time) time.Duration {
	n := 0
	for _, t := range l.takebacks {
		if now.Sub(t) < l.timing.crashes {
			n++
		}
	}
	return l.timing.takeback << min(n, 5)
}

// connected is the state of a linked page with a connection: working, when the link is safe and sending works.
func (l *life) connected(now, restricted time.Time) (State, string) {
	if !l.saved {
		l.again("save", "unsaved", func() {
			l.do("unsaved", l.timing.saveLimit, func(ctx context.Context) (any, error) { return l.engine.unsaved(ctx) })
		})
		if _, set := l.at["saveBy"]; !set {
			l.at["saveBy"] = now.Add(l.timing.saveLimit)
		}
		return StateSyncing, "saving the link"
	}
	if !l.canSend() {
		l.again("probe", "probe", func() { l.ask("probe", l.timing.probe) })
		if l.caps == nil {
			return l.whileProbing()
		}
		return StateDegraded, "this WhatsApp Web cannot send: " + l.caps[capabilitySend].Detail
	}
	l.watchMemory(now)
	if l.overdue.paused() {
		l.awaitAck(now)
		return StateDegraded, l.overdue.reason(l.timing.ack)
	}
	if l.outgrown > 0 {
		return l.recycle(now)
	}
	if !restricted.IsZero() {
		l.at["show"] = restricted
		return StateRestricted, "WhatsApp lets this number write only to people it has a conversation with, until " +
			restricted.UTC().Format("2006-01-02 15:04:05 UTC") + "; first messages wait"
	}
	if l.overdue.id != "" {
		return StateDegraded, l.overdue.reason(l.timing.ack)
	}
	return StateWorking, ""
}

// capabilitySend is the line of the probe without which a session does not work.
const capabilitySend = "send_text"

func (l *life) canSend() bool { return l.caps[capabilitySend].OK }

// whileProbing keeps a state that was reached: the probe is repeated when wa-js comes, and the answer takes
// milliseconds.
func (l *life) whileProbing() (State, string) {
	st := l.Status()
	if slices.Contains([]State{StateWorking, StateDegraded}, st.State) {
		return st.State, st.Reason
	}
	return StateSyncing, "looking at what this WhatsApp Web can do"
}

// again starts a call unless it is under way or was answered just now; then it sees to it that show comes back.
func (l *life) again(deadline, name string, start func()) {
	now := time.Now()
	t, set := l.at[deadline]
	switch {
	case l.busy[name]:
	case set && now.Before(t):
		l.at["show"] = t
	default:
		delete(l.at, deadline)
		start()
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
