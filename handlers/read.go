package handlers

import (
	"context"
	"slices"
	"strings"
	"time"

	"kurir/browser"
	"kurir/handlers/intake"
	"kurir/problem"
)

// pageTimeout bounds a read; the session has limits of its own below it.
const pageTimeout = 45 * time.Second

// chats is POST /wa/chats: the newest first.
func (s *server) chats(c *call) (reply, error) {
	form, err := c.fields()
	if err != nil {
		return reply{}, err
	}
	t, err := s.tenant(c, &form)
	if err != nil {
		return reply{}, err
	}
	n, err := limit(&form)
	if err != nil {
		return reply{}, err
	}
	return readPage(s, c, t, func(ctx context.Context, r Reader) ([]browser.Chat, error) { return r.Chats(ctx, n) })
}

// messages is POST /wa/messages: the newest of one chat, in the order of time. `before` and `after`, ids of messages, and
// `since`, a time, narrow it: before gives the page of older ones, after the page of newer ones, up to limit each. The
// answer's `complete` says that there is nothing more in that range; without it, ask again with `before` the first (or
// `after` the last) of this page, until a page is complete or empty. Older messages than WhatsApp Web has are asked of
// the phone; when it does not answer in time, complete is false.
func (s *server) messages(c *call) (reply, error) {
	form, err := c.fields()
	if err != nil {
		return reply{}, err
	}
	t, err := s.tenant(c, &form)
	if err != nil {
		return reply{}, err
	}
	which, err := messageRange(&form)
	if err != nil {
		return reply{}, err
	}
	target, err := s.target(&form, t)
	if err != nil {
		return reply{}, err
	}
	c.line.Target = target.WID
	complete := true
	r, err := readPage(s, c, t, func(ctx context.Context, r Reader) ([]browser.Message, error) {
		page, err := r.History(ctx, target.WID, which)
		if problem.CodeOf(err) == problem.ChatNotFound {
			return nil, nil // nothing was written yet: that is an empty list to whoever asks
		}
		complete = page.Complete
		return page.Messages, err
	})
	r.complete = &complete
	return r, err
}

// messageRange reads `limit`, `before`, `after` and `since`.
func messageRange(form *intake.Form) (r browser.Range, err error) {
	if r.Limit, err = limit(form); err != nil {
		return r, err
	}
	for field, into := range map[intake.Field]*string{intake.Before: &r.Before, intake.After: &r.After} {
		*into = strings.TrimSpace(form.Text(field))
		if *into != "" && !messageID(*into) {
			return r, problem.New(problem.BadRequest, "`before` and `after` are ids of messages, as this call answers them")
		}
	}
	r.Since, err = since(form.Text(intake.Since))
	return r, err
}

// since reads a time: Unix seconds, or RFC 3339.
func since(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, nil
	}
	if n, ok := whole(text); ok && n >= 0 && n < 1e11 {
		return int64(n), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Unix() < 0 {
		return 0, problem.New(problem.BadRequest, "`since` must be a time: 2026-12-01T08:00:00+07:00, or Unix seconds")
	}
	return at.Unix(), nil
}

// contacts is POST /wa/contacts: all of them.
func (s *server) contacts(c *call) (reply, error) {
	form, err := c.fields()
	if err != nil {
		return reply{}, err
	}
	t, err := s.tenant(c, &form)
	if err != nil {
		return reply{}, err
	}
	return readPage(s, c, t, func(ctx context.Context, r Reader) ([]browser.Contact, error) { return r.Contacts(ctx) })
}

// readPage reads a list from the page of an instance. A page that has no connection, or may not send, still knows its
// chats.
func readPage[T any](s *server, c *call, t tenant, get func(context.Context, Reader) ([]T, error)) (reply, error) {
	c.read = true
	if st := s.Instances.Status(t.instance.ID); !slices.Contains([]browser.State{browser.StateWorking, browser.StateDegraded, browser.StateRestricted}, st.State) {
		return reply{}, notReady(st)
	}
	r, err := s.Instances.Reader(t.instance.ID)
	if err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithTimeout(c.ctx(), pageTimeout)
	defer cancel()
	list, err := get(ctx, r)
	if err != nil {
		return reply{}, err
	}
	if list == nil {
		list = []T{} // [] for a caller, not null
	}
	return reply{code: codeOK, data: list}, nil
}

// stateView is the state of an instance beside an error that it explains.
type stateView struct {
	State  browser.State `json:"state"`
	Reason string        `json:"reason,omitempty"`
}

func notReady(st browser.Status) error {
	return withData(problem.New(problem.InstanceNotReady, string(st.State)), stateView{st.State, st.Reason})
}
