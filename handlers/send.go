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
	"kurir/outbox"
	"kurir/phone"
	"kurir/problem"
)

// maxRunes is the longest text that WhatsApp takes.
const maxRunes = 65536

// send is POST /wa/send: a text, or several.
func (s *server) send(c *call) (reply, error) {
	form, err := c.bulkFields()
	if err != nil {
		return reply{}, err
	}
	t, err := s.tenant(c, &form)
	if err != nil {
		return reply{}, err
	}
	return s.sendText(c, t, &form)
}

func (s *server) sendText(c *call, t tenant, form *intake.Form) (reply, error) {
	if isBulk(form) {
		return s.sendAll(c, t, form, textContent)
	}
	p, err := s.parcel(c, t, form)
	if err != nil {
		return reply{}, err
	}
	if err := textContent(&p, form); err != nil {
		return reply{}, err
	}
	return s.accept(c, p)
}

// textContent fills a parcel with a text.
func textContent(p *parcel, form *intake.Form) error {
	p.Kind, p.Body = string(browser.KindText), form.Text(intake.Body)
	if strings.TrimSpace(p.Body) == "" {
		return problem.New(problem.BodyRequired, "")
	}
	p.hash("")
	return checkText(p.Body)
}

func checkText(text string) error {
	if len(text) > maxRunes && utf8.RuneCountInString(text) > maxRunes {
		return problem.New(problem.BodyTooLarge, fmt.Sprintf("WhatsApp takes texts of up to %d characters", maxRunes))
	}
	return nil
}

// parcel is a message on its way to the outbox, with what its sender wants besides.
type parcel struct {
	models.Message
	timing timing
	url    string        // of its file, which is still to be fetched
	wait   time.Duration // for the outcome
}

// parcel checks what every single send has in common: for whom it is, and how it goes.
func (s *server) parcel(c *call, t tenant, form *intake.Form) (p parcel, err error) {
	p, err = s.addressed(t, form)
	if p.Chat != "" {
		c.line.Target = p.Chat // of a send that is refused; one that is accepted has its message's id there
	}
	if err != nil {
		return p, err
	}
	if p.IdempotencyKey, err = c.idempotencyKey(form); err != nil {
		return p, err
	}
	p.wait, err = wait(form)
	return p, err
}

// addressed reads what every message has but its content, one of many included.
func (s *server) addressed(t tenant, form *intake.Form) (p parcel, err error) {
	target, err := s.target(form, t)
	if err != nil {
		return p, err
	}
	if target.Kind == phone.Broadcast || target.Kind == phone.Newsletter {
		return p, problem.New(problem.InvalidPhone, "messages go to numbers and groups")
	}
	p.InstanceID, p.Chat, p.Phone = t.instance.ID, target.WID, target.Phone
	if !t.key.AllowsRecipient(p.Chat) {
		return p, problem.New(problem.RecipientNotAllowed, p.Chat)
	}
	if p.Priority, err = priority(form); err != nil {
		return p, err
	}
	p.timing, err = readTiming(form, s.zone(t))
	return p, err
}

// hash tells a repeat from another message under the same idempotency key: it is over all that was asked for. content is
// the hash of the file, or its address.
func (p *parcel) hash(content string) {
	parts := []string{p.Chat, p.Body, p.FileName, content}
	if when := p.timing.words() + priorityWord(p.Priority); when != "" {
		parts = append(parts, when)
	}
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:", len(part))
		_, _ = io.WriteString(h, part)
	}
	p.ContentHash = hex.EncodeToString(h.Sum(nil))
}

// accept puts a message into the outbox and answers, at once or with the outcome.
func (s *server) accept(c *call, p parcel) (reply, error) {
	if err := p.timing.apply(&p.Message, time.Now()); err != nil {
		r, repeated, again := s.repeat(c, p)
		if again == nil && !repeated {
			again = err
		}
		return r, again
	}
	if c.line.Code = codeQueued; !p.NotBefore.IsZero() {
		c.line.Code = codeScheduled
	}
	m, repeated, err := s.DB.Enqueue(c.ctx(), p.Message, c.line)
	if err != nil {
		return reply{}, err
	}
	c.done = true
	if repeated {
		return s.answerRepeat(c, p, m)
	}
	place := s.Outbox.Accepted(c.ctx(), m)
	if p.wait > 0 && time.Until(m.NotBefore) < p.wait {
		m = s.outcome(c, m, p.wait)
	}
	return s.answerSend(m, place, false)
}

// repeat answers a send whose idempotency key has an answer already. It is asked where nothing new can be accepted: a
// send_at that has passed since the first call is no reason to refuse the second.
func (s *server) repeat(c *call, p parcel) (r reply, repeated bool, err error) {
	if p.IdempotencyKey == nil {
		return r, false, nil
	}
	m, found, err := s.DB.Repeat(c.ctx(), p.Message, c.line)
	if err != nil || !found {
		return r, false, err
	}
	c.done = true
	r, err = s.answerRepeat(c, p, m)
	return r, true, err
}

// answerRepeat gives the first answer again, as things stand now. The file that came with the repeat is not needed.
func (s *server) answerRepeat(c *call, p parcel, m models.Message) (reply, error) {
	s.removeFile(p.FilePath)
	if p.wait > 0 && time.Until(m.NotBefore) < p.wait {
		m = s.outcome(c, m, p.wait)
	}
	return s.answerSend(m, outbox.Place{}, true)
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
	Position      int           `json:"position,omitempty"` // 1: it is the next
	ETA           *time.Time    `json:"eta,omitempty"`      // when it should leave
	InstanceState browser.State `json:"instance_state"`     // why it may wait
	Repeated      bool          `json:"repeated,omitempty"`
}

// answerSend says where a message is. One that has ended without leaving is a failure of the call that asked for the
// outcome.
func (s *server) answerSend(m models.Message, place outbox.Place, repeated bool) (reply, error) {
	view := sendView{messageView: viewMessage(m), InstanceState: s.Instances.Status(m.InstanceID).State, Repeated: repeated}
	switch m.State {
	case models.MessageFailed, models.MessageUnknown, models.MessageExpired, models.MessageCancelled:
		code := problem.Code(m.Code)
		if code == "" {
			code = problem.Internal
		}
		return reply{}, failure{problem.New(code, m.Detail), m.ID, view}
	case models.MessageScheduled:
		return reply{code: codeScheduled, id: m.ID, data: view}, nil
	case models.MessageQueued, models.MessageSending:
		if m.State == models.MessageQueued {
			view.Position, view.ETA = place.Position, place.ETA
		}
		return reply{code: codeQueued, id: m.ID, data: view}, nil
	}
	return reply{code: codeSent, id: m.ID, data: view}, nil
}
