package handlers

import (
	"strings"
	"time"

	"kurir/handlers/intake"
	"kurir/models"
	"kurir/problem"
)

// messageView is a message of the outbox as callers see it: where it is, not what it says.
type messageView struct {
	ID          string              `json:"id"`
	WAID        string              `json:"wa_id"` // WhatsApp's id of it
	Instance    string              `json:"instance"`
	Phone       string              `json:"phone,omitempty"` // as kurir read it
	Chat        string              `json:"chat"`
	Kind        string              `json:"kind"`
	State       models.MessageState `json:"state"`
	Code        string              `json:"code,omitempty"` // why it failed, or why it waits
	Detail      string              `json:"detail,omitempty"`
	Attempts    int                 `json:"attempts"`
	Ack         int                 `json:"ack"`
	Filename    string              `json:"filename,omitempty"`
	MimeType    string              `json:"mimetype,omitempty"`
	Size        int64               `json:"size,omitempty"`     // bytes
	Priority    string              `json:"priority,omitempty"` // high or low
	CreatedAt   time.Time           `json:"created_at"`
	SendAt      *time.Time          `json:"send_at,omitempty"`    // not before
	ExpiresAt   *time.Time          `json:"expires_at,omitempty"` // not from then on
	SentAt      *time.Time          `json:"sent_at,omitempty"`
	DeliveredAt *time.Time          `json:"delivered_at,omitempty"`
	ReadAt      *time.Time          `json:"read_at,omitempty"`
	EndedAt     *time.Time          `json:"ended_at,omitempty"` // when it failed, expired, was cancelled or became unknown
}

func viewMessage(m models.Message) messageView {
	v := messageView{
		ID: m.ID, WAID: m.WAID, Instance: m.InstanceID, Phone: m.Phone, Chat: m.Chat, Kind: m.Kind, State: m.State,
		Code: m.Code, Detail: m.Detail, Attempts: m.Attempts, Ack: m.Ack,
		Filename: m.FileName, MimeType: m.MimeType, Size: m.FileSize,
		CreatedAt: m.CreatedAt, SentAt: m.SentAt, DeliveredAt: m.DeliveredAt, ReadAt: m.ReadAt, EndedAt: m.EndedAt,
		Priority: priorityWord(m.Priority), ExpiresAt: m.ExpiresAt,
	}
	if !m.NotBefore.IsZero() {
		v.SendAt = &m.NotBefore
	}
	return v
}

// messageStatus is POST /wa/status: where a message is. A failed message is data, not a failure of this call.
func (s *server) messageStatus(c *call) (reply, error) {
	form, err := c.fields()
	if err != nil {
		return reply{}, err
	}
	t, err := s.tenant(c, &form)
	if err != nil {
		return reply{}, err
	}
	id := strings.TrimSpace(form.Text(intake.ID))
	if id == "" {
		return reply{}, problem.New(problem.BadRequest, "`id` is missing: the id that the send answered")
	}
	m, err := s.DB.Message(c.ctx(), t.instance.ID, id)
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: m.ID, data: viewMessage(m)}, nil
}
