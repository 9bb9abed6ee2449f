package events

import (
	"kurir/models"
)

// Outcomes says what a step of a message of the outbox means to those who listen. It is models.Config.Outcomes: the
// events are written in the step's own transaction.
func Outcomes(before, after models.Message) []models.NewEvent {
	var list []models.NewEvent
	add := func(p Payload) {
		if row, err := Row(after.InstanceID, p); err == nil { // these structs always encode
			list = append(list, row)
		}
	}
	switch after.State {
	case models.MessageScheduled, models.MessageQueued, models.MessageSending:
		return nil
	case models.MessageFailed, models.MessageUnknown, models.MessageExpired, models.MessageCancelled:
		if before.State == after.State {
			return nil // nothing new is known
		}
		f := MessageFailed{
			MessageID: after.ID, ID: after.WAID, Chat: after.Chat, Phone: after.Phone, State: string(after.State),
			Code: after.Code, Detail: after.Detail, Attempts: after.Attempts,
		}
		if after.EndedAt != nil {
			f.ended = *after.EndedAt
		}
		add(&f)
		return list
	}
	switch before.State {
	case models.MessageQueued, models.MessageSending, models.MessageFailed, models.MessageUnknown:
		add(sent(after))
	}
	if after.Ack >= 2 && after.Ack > before.Ack {
		add(&MessageAck{
			ID: after.WAID, MessageID: after.ID, Chat: after.Chat, Phone: after.Phone, Ack: after.Ack, State: AckState(after.Ack),
		})
	}
	return list
}

// AckState is the word for an ack of 2 or more.
func AckState(ack int) string {
	switch {
	case ack >= 4:
		return "played"
	case ack == 3:
		return "read"
	}
	return "delivered"
}

func sent(m models.Message) *MessageSent {
	c := Content{ID: m.WAID, Chat: m.Chat, Phone: m.Phone, FromMe: true, Kind: m.Kind, Body: m.Body}
	if m.SentAt != nil {
		c.Time = m.SentAt.UTC()
	}
	if m.Kind == "text" {
		c.Kind = "chat" // WhatsApp's word
	} else {
		c.Body, c.Caption = "", m.Body
		c.Media = &Media{MimeType: m.MimeType, FileName: m.FileName, Size: m.FileSize}
	}
	return &MessageSent{Content: c, MessageID: m.ID}
}
