package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"kurir/problem"
)

const (
	readLimit = 25 * time.Second
	// sendRate is the slowest upload that is waited for.
	sendRate = 256 << 10 // bytes per second
	// bridgeLead is how much sooner the bridge gives up than we do: it can say why.
	bridgeLead = time.Second
)

// request is one call into the page on behalf of somebody else.
type request struct {
	method string
	args   any
	in     []State // the states in which it makes sense; nil: those in which messages can be sent
	about  string  // the message's id, of a send
	limit  time.Duration
	late   problem.Code // what a passed deadline means
	lost   problem.Code // what an answer that cannot be understood means

	before func(ctx context.Context, e engine) (after func(), err error) // before the call; nil = nothing
	// then uses the answer while the document is there; its error is named like one of the call. nil = nothing
	then func(ctx context.Context, e engine, answer json.RawMessage) error
}

// call makes a request. It ends with a value or a *problem.Error by the limit, by the end of ctx, and at once
// when the page is lost.
func (s *Session) call(ctx context.Context, r request) (json.RawMessage, error) {
	s.mu.Lock()
	state, reason, doc := s.status.State, s.status.Reason, s.doc
	fit := doc != nil && (slices.Contains(r.in, state) || r.in == nil && s.status.CanSend)
	if fit {
		doc.active++
	}
	s.mu.Unlock()
	if !fit {
		return nil, notReady(state, reason)
	}
	defer s.ended(doc)
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	defer context.AfterFunc(doc.ctx, cancel)() //nolint:contextcheck // the call ends with the document, too

	if r.before != nil {
		after, err := r.before(ctx, doc.engine)
		if err != nil {
			r.lost = problem.PageError // the method was not called: nothing was done
			return nil, r.failure(ctx, doc, err)
		}
		defer func() { go after() }() // nobody needs to wait for the tidying
	}
	answer, err := doc.engine.call(ctx, r.method, r.args)
	switch {
	case err == nil && answer.Error == nil && r.then != nil:
		if err := r.then(ctx, doc.engine, answer.OK); err != nil {
			var known *problem.Error
			if doc.ctx.Err() == nil && errors.As(err, &known) {
				return nil, err
			}
			return nil, r.failure(ctx, doc, err)
		}
		return answer.OK, nil
	case err == nil && answer.Error == nil:
		return answer.OK, nil
	case err == nil && answer.Error.Reload:
		// Nobody may ask what became of the message while the document is there that may still send it.
		doc.tell(stuck{doc: doc, message: r.about})
		<-doc.ctx.Done()
		return nil, bridgeProblem(answer.Error)
	case err == nil:
		return nil, bridgeProblem(answer.Error)
	}
	return nil, r.failure(ctx, doc, err)
}

// ended takes note that a call into doc is over.
func (s *Session) ended(doc *document) {
	s.mu.Lock()
	doc.active--
	doc.quietSince = time.Now()
	last := doc.retiring && doc.active == 0
	s.mu.Unlock()
	if last {
		doc.tell(wake{})
	}
}

// failure names the error of a call that brought no answer.
func (r request) failure(ctx context.Context, doc *document, err error) error {
	switch {
	case errors.Is(err, errNoBridge):
		return problem.Wrap(problem.InstanceNotReady, "WhatsApp Web is loading", err)
	case errors.Is(context.Cause(doc.ctx), errUnacked): //nolint:contextcheck // as below
		return problem.Wrap(r.late, errUnacked.Error(), err)
	case doc.ctx.Err() != nil:
		return problem.Wrap(problem.SessionLost, context.Cause(doc.ctx).Error(), err) //nolint:contextcheck // why the document ended
	case errors.Is(err, errDocument), errors.Is(err, errPipeClosed), errors.Is(err, io.EOF):
		return problem.Wrap(problem.SessionLost, errLost.Error(), err)
	case ctx.Err() != nil:
		return problem.Wrap(r.late, fmt.Sprintf("no answer within %s", r.limit), err)
	}
	return problem.Wrap(r.lost, "", err)
}

// notReady is the error of a call for which the session is in the wrong state: nothing was tried.
func notReady(state State, reason string) error {
	detail := string(state)
	if reason != "" {
		detail += " (" + reason + ")"
	}
	return problem.New(problem.InstanceNotReady, detail)
}

// bridgeProblem is an error that the bridge reported, by its code.
func bridgeProblem(e *rawError) error {
	c := problem.Code(e.Code)
	if _, known := problem.Catalog[c]; !known {
		return problem.New(problem.PageError, e.Code+" "+e.Message)
	}
	p := problem.New(c, e.Message)
	if e.Until > 0 {
		p.Until = time.Unix(e.Until, 0)
	}
	return p
}

// decode makes a request and reads its value.
func decode[T any](ctx context.Context, s *Session, r request) (T, error) {
	var v T
	data, err := s.call(ctx, r)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, problem.Wrap(r.lost, "the page's answer could not be read", err)
	}
	return v, nil
}

// Send sends one message and returns when WhatsApp's server has it. Errors are *problem.Error. The outcome is
// unknown after SEND_TIMEOUT and SESSION_LOST; after every other code the message was not sent:
// INSTANCE_NOT_READY (nothing was tried), NOT_ON_WHATSAPP, SEND_REJECTED (WhatsApp's own no), RESTRICTED (until
// problem.UntilOf; first messages are not tried before, chats that exist can be written to), FIRST_CONTACT_LIMIT (only
// with m.KnownChat), and what the bridge says
// of files and chats. When Send returns, nothing in the page is still at work for the message, but for what the
// page does by itself with a message that it has stored.
func (s *Session) Send(ctx context.Context, m Outgoing) (Sent, error) {
	r := request{
		method: "send", about: m.ID, limit: s.timing.send, late: problem.SendTimeout,
		// The call was made and the answer makes no sense: it may have been sent.
		lost: problem.SessionLost,
	}
	r.limit += m.Typing
	if m.Kind != KindText {
		info, err := os.Lstat(m.FilePath)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is no file; a link is not followed", m.FilePath)
		}
		if err != nil {
			return Sent{}, problem.Wrap(problem.UploadFailed, "the file is not on this machine any more", err)
		}
		r.limit += time.Duration(info.Size()/sendRate) * time.Second
		r.before = func(ctx context.Context, e engine) (func(), error) { return e.hand(ctx, m.ID, m.FilePath) }
	}
	if by, ok := ctx.Deadline(); ok {
		r.limit = min(r.limit, time.Until(by))
	}
	r.args = struct {
		Outgoing
		TimeoutMS int64 `json:"timeout_ms"`
		AckMS     int64 `json:"ack_ms"`
		KnownOnly bool  `json:"known_only"`
		TypingMS  int64 `json:"typing_ms,omitempty"`
	}{m, max(r.limit-bridgeLead, r.limit/2).Milliseconds(), s.timing.ack.Milliseconds(), !s.restrictedUntil().IsZero(), m.Typing.Milliseconds()}
	sent, err := decode[Sent](ctx, s, r)
	var p *problem.Error
	if errors.As(err, &p) && p.Code == problem.Restricted {
		s.restrict(p)
	}
	return sent, err
}

// Lookup asks the page which of the message ids it has in chat. Errors are *problem.Error.
func (s *Session) Lookup(ctx context.Context, chat string, ids []string) (map[string]Presence, error) {
	s.mu.Lock()
	doc := s.doc
	s.mu.Unlock()
	found, err := decode[map[string]Presence](ctx, s, reading("lookup", map[string]any{"chat": chat, "ids": ids}))
	for id, p := range found {
		if doc != nil && p.Found == FoundPresent && p.Ack == 0 {
			doc.tell(pending{doc: doc, id: id, chat: chat})
		}
	}
	return found, err
}

// Chats returns the newest chats, at most limit. Errors are *problem.Error.
func (s *Session) Chats(ctx context.Context, limit int) ([]Chat, error) {
	return decode[[]Chat](ctx, s, reading("chats", map[string]any{"limit": limit}))
}

// Messages returns the newest messages of a chat in time order, at most limit. Errors are *problem.Error.
func (s *Session) Messages(ctx context.Context, chat string, limit int) ([]Message, error) {
	return decode[[]Message](ctx, s, reading("messages", map[string]any{"chat": chat, "limit": limit}))
}

// Range is which messages of a chat are read.
type Range struct {
	Limit  int    `json:"limit"`
	Before string `json:"before,omitempty"` // id of a message: the newest of those older than it
	After  string `json:"after,omitempty"`  // the oldest of those newer than it; with Before, up to that one
	Since  int64  `json:"since,omitempty"`  // epoch seconds: none older
}

// Page is what a Range gave.
type Page struct {
	Messages []Message `json:"messages"` // in time order, without a gap
	// Complete says that there is nothing more in the range. False: there is, or the phone may have more than WhatsApp Web
	// could load now.
	Complete bool `json:"complete"`
}

// History returns messages of a chat. Where the page has no older ones, WhatsApp is asked for them, for up to 10 s.
// Errors are *problem.Error; NOT_FOUND when the chat has no message Before or After.
func (s *Session) History(ctx context.Context, chat string, r Range) (Page, error) {
	return decode[Page](ctx, s, reading("history", struct {
		Chat string `json:"chat"`
		Range
	}{chat, r}))
}

// Contacts returns the address book. Errors are *problem.Error.
func (s *Session) Contacts(ctx context.Context) ([]Contact, error) {
	c, err := decode[contactColumns](ctx, s, reading("contacts", nil))
	if err != nil {
		return nil, err
	}
	list, err := c.rows()
	if err != nil {
		return nil, problem.Wrap(problem.PageError, "the page's contacts could not be read", err)
	}
	return list, nil
}

// contactColumns is the address book as it travels: less than half the bytes of a list of objects.
type contactColumns struct {
	WID      []string `json:"wid"`
	Phone    []string `json:"phone"` // "": the digits of the wid
	LID      []string `json:"lid"`
	Name     []string `json:"name"`
	Pushname []string `json:"pushname"`
	Flags    string   `json:"flags"` // a digit for each: 1 business + 2 mine + 4 blocked
}

func (c contactColumns) rows() ([]Contact, error) {
	n := len(c.WID)
	for _, have := range []int{len(c.Phone), len(c.LID), len(c.Name), len(c.Pushname), len(c.Flags)} {
		if have != n {
			return nil, fmt.Errorf("columns of %d and %d contacts", n, have)
		}
	}
	list := make([]Contact, n)
	for i := range list {
		phone, flags := c.Phone[i], c.Flags[i]-'0'
		if phone == "" {
			phone = number(c.WID[i])
		}
		list[i] = Contact{
			WID: c.WID[i], Phone: phone, LID: c.LID[i], Name: c.Name[i], Pushname: c.Pushname[i],
			IsBusiness: flags&1 != 0, IsMyContact: flags&2 != 0, Blocked: flags&4 != 0,
		}
	}
	return list, nil
}

// PairingCode asks WhatsApp for a code that links the phone of that number (digits) without a camera. Errors are
// *problem.Error; INSTANCE_NOT_READY when the session does not wait for a link.
func (s *Session) PairingCode(ctx context.Context, phone string) (string, error) {
	r := reading("pairingCode", map[string]any{"phone": phone})
	r.in, r.limit = []State{StateScanQR}, 35*time.Second
	v, err := decode[struct {
		Code string `json:"code"`
	}](ctx, s, r)
	return v.Code, err
}

// reading is a request that changes nothing. What a page without a connection knows, it can still tell.
func reading(method string, args any) request {
	return request{
		method: method, args: args, in: []State{StateWorking, StateDegraded, StateRestricted}, limit: readLimit,
		late: problem.PageTimeout, lost: problem.PageError,
	}
}
