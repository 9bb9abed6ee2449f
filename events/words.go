package events

// Actions are what happens to the members of a group; the only ones in GroupParticipants.
func Actions() []string {
	return []string{ActionAdd, ActionRemove, ActionLeave, ActionJoin, ActionPromote, ActionDemote}
}

// The actions of GroupParticipants.
const (
	ActionAdd     = "add"
	ActionRemove  = "remove"
	ActionLeave   = "leave"
	ActionJoin    = "join"
	ActionPromote = "promote"
	ActionDemote  = "demote"
)

// PresenceStates are the only ones in Presence.
func PresenceStates() []string {
	return []string{PresenceAvailable, PresenceUnavailable, PresenceComposing, PresenceRecording, PresencePaused}
}

// The states of Presence.
const (
	PresenceAvailable   = "available"
	PresenceUnavailable = "unavailable"
	PresenceComposing   = "composing"
	PresenceRecording   = "recording"
	PresencePaused      = "paused"
)
