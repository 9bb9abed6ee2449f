package handlers

import (
	"context"
	"slices"
	"time"

	"kurir/browser"
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

// messages is POST /wa/messages: the newest of one chat, in the order of time.
func (s *server) messages(c *call) (reply, error) {
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
	target, err := s.target(&form, t)
	if err != nil {
		return reply{}, err
	}
	c.line.Target = target.WID
	return readPage(s, c, t, func(ctx context.Context, r Reader) ([]browser.Message, error) {
		list, err := r.Messages(ctx, target.WID, n)
		if problem.CodeOf(err) == problem.ChatNotFound {
			return nil, nil // nothing was written yet: that is an empty list to whoever asks
		}
		return list, err
	})
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
