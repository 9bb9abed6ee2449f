package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"kurir/browser"
	"kurir/handlers/intake"
	"kurir/models"
	"kurir/phone"
	"kurir/problem"
)

// maxRunes is the longest text that WhatsApp takes.
const maxRunes = 65536

// send is POST /wa/send: a text.
func (s *server) send(c *call) (reply, error) {
	form, err := c.fields()
	if err != nil {
		return reply{}, err
	}
	p, err := s.parcel(c, &form)
	if err != nil {
		return reply{}, err
	}
	p.Kind, p.Body = string(browser.KindText), form.Text(intake.Body)
	if strings.TrimSpace(p.Body) == "" {
		return reply{}, problem.New(problem.BodyRequired, "")
	}
	if err := checkText(p.Body); err != nil {
		return reply{}, err
	}
	p.ContentHash = contentHash(p.Message, "")
	return s.accept(c, p)
}

func checkText(text string) error {
	if len(text) > maxRunes && utf8.RuneCountInString(text) > maxRunes {
		return problem.New(problem.BodyTooLarge, fmt.Sprintf("WhatsApp takes texts of up to %d characters", maxRunes))
	}
	return nil
}

// parcel is a message on its way to the outbox, with how long its sender wants to wait for the outcome.
type parcel struct {
	models.Message
	wait time.Duration
}

// parcel checks what every send has in common: whose it is, for whom, and how.
func (s *server) parcel(c *call, form *intake.Form) (p parcel, err error) {
	t, err := s.tenant(c, form)
	if err != nil {
		return p, err
	}
	target, err := s.target(form, t)
	if err != nil {
		return p, err
	}
	if target.Kind == phone.Broadcast || target.Kind == phone.Newsletter {
		return p, problem.New(problem.InvalidPhone, "messages go to numbers and groups")
	}
	p.InstanceID, p.Chat, p.Phone = t.instance.ID, target.WID, target.Phone
	c.line.Target = target.WID // of a send that is refused; one that is accepted has its message's id there
	if p.IdempotencyKey, err = c.idempotencyKey(form); err != nil {
		return p, err
	}
	p.wait, err = wait(form)
	return p, err
}

// contentHash tells a repeat from another message under the same idempotency key. content is the hash of the file,
// or its address.
func contentHash(m models.Message, content string) string {
	h := sha256.New()
	for _, part := range []string{m.Chat, m.Body, m.FileName, content} {
		_, _ = fmt.Fprintf(h, "%d:", len(part))
		_, _ = io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// accept puts a message into the outbox and answers, at once or with the outcome.
func (s *server) accept(c *call, p parcel) (reply, error) {
	c.line.Code = codeQueued
	m, repeated, err := s.DB.Enqueue(c.ctx(), p.Message, c.line)
	if err != nil {
		return reply{}, err
	}
	c.done = true
	if repeated {
		s.removeFile(p.FilePath)
	} else {
		s.Outbox.Wake(m.InstanceID)
	}
	if p.wait > 0 {
		m = s.outcome(c, m, p.wait)
	}
	return s.answerSend(m, repeated)
}

// outcome waits until the message has left or has failed. When the time or the queue ends before, it is the message
// as it is then.
func (s *server) outcome(c *call, m models.Message, wait time.Duration) models.Message {
	ctx, cancel := context.WithTimeout(c.ctx(), wait)
	defer cancel()
	if now, err := s.Outbox.Wait(ctx, m.ID); err == nil {
		return now
	}
	if now, err := s.DB.Message(context.WithoutCancel(ctx), m.InstanceID, m.ID); err == nil {
		return now
	}
	return m
}

// sendView is what a sender sees of his message.
type sendView struct {
	messageView
	InstanceState browser.State `json:"instance_state"` // why it may wait
	Repeated      bool          `json:"repeated,omitempty"`
}

// answerSend says where a message is. One that failed is a failure of the call that asked for the outcome.
func (s *server) answerSend(m models.Message, repeated bool) (reply, error) {
	view := sendView{viewMessage(m), s.Instances.Status(m.InstanceID).State, repeated}
	switch m.State {
	case models.MessageFailed, models.MessageUnknown:
		code := problem.Code(m.Code)
		if code == "" {
			code = problem.Internal
		}
		return reply{}, failure{problem.New(code, m.Detail), m.ID, view}
	case models.MessageQueued, models.MessageSending:
		return reply{code: codeQueued, id: m.ID, data: view}, nil
	}
	return reply{code: codeSent, id: m.ID, data: view}, nil
}
