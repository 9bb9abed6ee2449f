package handlers

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kurir/handlers/intake"
	"kurir/models"
	"kurir/phone"
	"kurir/problem"
)

const maxListLimit = 1000

// sendMessage is POST /v1/messages: what /wa/send and, with `url`, /wa/sendfileurl do. The operator says for which
// instance.
func (s *server) sendMessage(c *call) (reply, error) {
	form, err := c.bulkFields()
	if err != nil {
		return reply{}, err
	}
	t, err := s.ownerOf(c, &form, strings.TrimSpace(form.Text(intake.Instance)))
	if err != nil {
		return reply{}, err
	}
	if t.instance.ID == "" {
		return reply{}, problem.New(problem.BadRequest, "`instance` is missing: the id of the instance that sends")
	}
	if hasURL(&form) {
		return s.sendURL(c, t, &form)
	}
	return s.sendText(c, t, &form)
}

func hasURL(form *intake.Form) bool {
	return said(form.Get(intake.URL)) ||
		slices.ContainsFunc(form.Items(), func(item intake.Form) bool { return said(item.Get(intake.URL)) })
}

// ownerOf is whose messages a call is about: the key's, or, with the admin token, those of the instance that it names;
// the tenant is empty when it names none. A key that names another instance finds nothing there.
func (s *server) ownerOf(c *call, form *intake.Form, instance string) (tenant, error) {
	t, admin, err := s.caller(c, form)
	switch {
	case err != nil:
		return t, err
	case instance != "" && owns(t, admin, instance) != nil:
		return t, owns(t, admin, instance)
	case !admin || instance == "":
		return t, nil
	}
	in, err := s.Instances.Get(c.ctx(), instance)
	if err != nil {
		return t, err
	}
	c.line.InstanceID = in.ID
	c.Set(instanceKey, in.ID)
	return tenant{instance: in}, nil
}

// messageList is a page: next is where the next one begins (after=), null when there is none.
type messageList struct {
	Messages []messageView `json:"messages"`
	Next     *string       `json:"next"`
}

// listMessages is GET /v1/messages?instance=&state=&phone=&after=&limit=: the newest first.
func (s *server) listMessages(c *call) (reply, error) {
	t, err := s.ownerOf(c, &intake.Form{}, c.Query("instance"))
	if err != nil {
		return reply{}, err
	}
	f, err := s.messageFilter(c, t)
	if err != nil {
		return reply{}, err
	}
	f.Limit++ // the one more says whether there is a next page
	rows, err := s.DB.Messages(c.ctx(), f)
	if err != nil {
		return reply{}, err
	}
	list := messageList{Messages: []messageView{}}
	for _, m := range rows {
		if len(list.Messages) == f.Limit-1 {
			list.Next = &list.Messages[len(list.Messages)-1].ID
			break
		}
		list.Messages = append(list.Messages, viewMessage(m))
	}
	return reply{code: codeOK, data: list}, nil
}

func (s *server) messageFilter(c *call, t tenant) (f models.MessageFilter, err error) {
	f = models.MessageFilter{InstanceID: t.instance.ID, After: c.Query("after"), Limit: defaultLimit}
	if q := c.Query("limit"); q != "" {
		if f.Limit, err = parseLimit(q, maxListLimit); err != nil {
			return f, problem.New(problem.LimitInvalid, "here at most "+strconv.Itoa(maxListLimit))
		}
	}
	if q := c.Query("phone"); q != "" {
		target, err := phone.Parse(q, t.region(s.Region))
		if err != nil {
			return f, err
		}
		if f.Phone = target.Phone; f.Phone == "" {
			f.Chat = target.WID
		}
	}
	if q := c.Query("state"); q != "" {
		for word := range strings.SplitSeq(q, ",") {
			state := models.MessageState(strings.ToLower(strings.TrimSpace(word)))
			if !slices.Contains(allStates, state) {
				return f, problem.New(problem.BadRequest, "`state` has no "+strconv.Quote(clip(word)))
			}
			f.States = append(f.States, state)
		}
	}
	return f, nil
}

var allStates = []models.MessageState{
	models.MessageScheduled, models.MessageQueued, models.MessageSending, models.MessageSent, models.MessageDelivered, models.MessageRead,
	models.MessageFailed, models.MessageExpired, models.MessageCancelled, models.MessageUnknown,
}

// getMessage is GET /v1/messages/{id}: where a message is.
func (s *server) getMessage(c *call) (reply, error) {
	t, err := s.ownerOf(c, &intake.Form{}, "")
	if err != nil {
		return reply{}, err
	}
	m, err := s.message(c, t, c.Param("id"))
	if err != nil {
		return reply{}, err
	}
	return reply{code: codeOK, id: m.ID, data: viewMessage(m)}, nil
}

// message returns a message of the caller's.
func (s *server) message(c *call, t tenant, id string) (models.Message, error) {
	if t.instance.ID == "" {
		return s.DB.MessageByID(c.ctx(), id)
	}
	return s.DB.Message(c.ctx(), t.instance.ID, id)
}

// waCancel is POST /wa/cancel: a message that still waits is called off.
func (s *server) waCancel(c *call) (reply, error) {
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
	return s.cancel(c, t, id)
}

// cancelMessage is POST /v1/messages/{id}/cancel.
func (s *server) cancelMessage(c *call) (reply, error) {
	t, err := s.ownerOf(c, &intake.Form{}, "")
	if err != nil {
		return reply{}, err
	}
	return s.cancel(c, t, c.Param("id"))
}

func (s *server) cancel(c *call, t tenant, id string) (reply, error) {
	c.line.Target, c.line.Code = clip(id), codeOK
	m, file, err := s.DB.Cancel(c.ctx(), t.instance.ID, id, c.line)
	if err != nil {
		return reply{}, aboutMessage(c, m, err)
	}
	c.done = true
	s.Outbox.Ended(m, file)
	return reply{code: codeOK, id: m.ID, data: viewMessage(m)}, nil
}

// resendMessage is POST /v1/messages/{id}/resend: a message that has not left, or of which nobody knows, goes out under
// the WhatsApp id that it has. See models.DB.Resend.
func (s *server) resendMessage(c *call) (reply, error) {
	t, err := s.ownerOf(c, &intake.Form{}, "")
	if err != nil {
		return reply{}, err
	}
	c.line.Target, c.line.Code = clip(c.Param("id")), codeQueued
	m, err := s.message(c, t, c.Param("id"))
	if err != nil {
		return reply{}, err
	}
	if !t.key.AllowsRecipient(m.Chat) {
		return reply{}, problem.New(problem.RecipientNotAllowed, m.Chat)
	}
	if m.FilePath != "" {
		if _, err := os.Stat(filepath.Join(s.FilesDir, filepath.FromSlash(m.FilePath))); err != nil {
			return reply{}, aboutMessage(c, m, problem.Wrap(problem.NotResendable, "its file is gone", err))
		}
	}
	if m, err = s.DB.Resend(c.ctx(), t.instance.ID, m.ID, c.line); err != nil {
		return reply{}, aboutMessage(c, m, err)
	}
	c.done = true
	return s.answerSend(m, s.Outbox.Accepted(c.ctx(), m), false)
}

// aboutMessage shows the message that an error is about, when the caller may see it.
func aboutMessage(c *call, m models.Message, err error) error {
	if m.ID == "" {
		return err
	}
	c.line.InstanceID = m.InstanceID
	return failure{err, m.ID, viewMessage(m)}
}
