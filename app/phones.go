package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"kurir/models"
	"kurir/phone"
	"kurir/problem"
	"kurir/sandbox"
	"kurir/web"
)

// consolePhones is kurir's own simulator as the console sees it: phones in the hand of a person.
type consolePhones struct{ *Sessions }

// phones returns the console's phones; nil when the simulator is another process, whose phones are there.
func (s *Sessions) phones() web.Phones {
	if s.cfg.SandboxControl != "" {
		return nil
	}
	return consolePhones{s}
}

// numberOf is the number of a sandbox instance's phone: the one that linked it, else the one that would.
func (s *Sessions) numberOf(in models.Instance) string {
	return cmp.Or(strings.TrimPrefix(s.Status(in.ID).Phone, "+"), ownNumber(in))
}

// Own returns the number of the phone that links a sandbox instance.
func (c consolePhones) Own(ctx context.Context, instance string) (string, error) {
	in, err := c.db.Instance(ctx, instance)
	if err != nil {
		return "", err
	}
	if !in.Sandbox {
		return "", problem.New(problem.NotFound, "")
	}
	number := c.numberOf(in)
	if number != ownNumber(in) {
		return number, nil
	}
	return number, c.with(ctx, func(s *sandbox.Server) error { return namePhone(s, in) })
}

// Find returns the number that a person typed.
func (c consolePhones) Find(typed string) (string, error) {
	target, err := phone.Parse(typed, c.cfg.Region)
	if err != nil {
		return "", err
	}
	if target.Phone == "" { // a group or a lid
		return "", problem.New(problem.InvalidPhone, "")
	}
	return target.Phone, nil
}

// Look returns a phone with its chats.
func (c consolePhones) Look(ctx context.Context, number string) (web.Phone, error) {
	server, err := c.simulator.own(ctx)
	if err != nil {
		return web.Phone{}, err
	}
	p, err := server.Phone(number)
	if err != nil {
		return web.Phone{}, phoneError(err)
	}
	chats, err := server.PhoneChats(number)
	if err != nil {
		return web.Phone{}, phoneError(err)
	}
	held := web.Phone{Number: p.Number, Name: p.Name, AutoRead: p.AutoRead, Offline: p.Offline}
	for _, d := range p.Devices {
		held.Devices = append(held.Devices, web.PhoneDevice{ID: d.ID, Platform: d.Platform, Linked: time.Unix(d.LinkedAt, 0), Online: d.Online})
	}
	for _, chat := range chats {
		held.Chats = append(held.Chats, chatOf(chat))
	}
	return held, nil
}

// Chat returns a chat and its newest messages.
func (c consolePhones) Chat(ctx context.Context, number, chat string, limit int) (web.PhoneChat, []web.PhoneMessage, error) {
	server, err := c.simulator.own(ctx)
	if err != nil {
		return web.PhoneChat{}, nil, err
	}
	found, err := server.PhoneChat(number, chat)
	if err != nil {
		return web.PhoneChat{}, nil, phoneError(err)
	}
	list, err := server.ShownMessages(number, found.WID, limit)
	if err != nil {
		return web.PhoneChat{}, nil, phoneError(err)
	}
	messages := make([]web.PhoneMessage, len(list))
	for i, m := range list {
		messages[i] = messageOf(m)
	}
	return chatOf(found), messages, nil
}

func chatOf(c sandbox.PhoneChat) web.PhoneChat {
	chat := web.PhoneChat{ID: c.WID, Number: c.Number, Name: c.Name, Unread: c.Unread, Typing: c.Typing}
	if c.Last != nil {
		last := messageOf(*c.Last)
		chat.Last = &last
	}
	return chat
}

func messageOf(m sandbox.Shown) web.PhoneMessage {
	w := web.PhoneMessage{
		ID: m.ID, FromMe: m.FromMe, Author: m.AuthorName, Kind: m.Type, Text: cmp.Or(m.Body, extraText(m)), At: time.Unix(m.T, 0), Ack: m.Ack,
	}
	if m.Quoted != nil {
		w.Quoted = m.Quoted.Body
	}
	if m.Media != nil {
		w.File = &web.PhoneAttachment{
			Name: m.Media.Filename, Type: m.Media.Mimetype, Size: m.Media.Size, Fetching: m.Fetching, Gone: m.MediaError != "",
		}
	}
	return w
}

// extraText is what can be said in words of a message that is neither text nor file: a place, a card, a poll.
func extraText(m sandbox.Shown) string {
	var words []string
	for _, key := range []string{"name", "lat", "lng", "vcard_name", "poll_name"} {
		raw, ok := m.Extra[key]
		var s string
		switch {
		case !ok:
		case json.Unmarshal(raw, &s) == nil:
			words = append(words, s)
		case len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'):
			words = append(words, string(raw))
		}
	}
	return strings.Join(words, ", ")
}

// File decrypts the file of a message. Its bytes are checked before anybody sees them.
func (c consolePhones) File(ctx context.Context, number, chat, message string) (_ web.PhoneFile, err error) {
	server, err := c.simulator.own(ctx)
	if err != nil {
		return web.PhoneFile{}, err
	}
	f, err := os.CreateTemp("", "kurir-phone-*")
	if err != nil {
		return web.PhoneFile{}, fmt.Errorf("file of a message: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	// Without a name it is gone when it is closed, whatever happens.
	if err := os.Remove(f.Name()); err != nil {
		return web.PhoneFile{}, fmt.Errorf("file of a message: %w", err)
	}
	m, err := server.MessageFile(f, number, chat, message)
	if err != nil {
		return web.PhoneFile{}, phoneError(err)
	}
	return web.PhoneFile{ReadSeekCloser: f, Name: m.Media.Filename, Type: m.Media.Mimetype}, nil
}

// Send lets the phone send a text or a file.
func (c consolePhones) Send(ctx context.Context, number, chat string, d web.PhoneDraft) error {
	return c.with(ctx, func(s *sandbox.Server) error {
		m := sandbox.Message{Body: d.Text, Data: d.Data, Filename: d.Filename, Mimetype: d.Type}
		if d.Document {
			m.Type = "document"
		}
		return s.SendFrom(number, chat, m)
	})
}

// Read lets the phone read a chat.
func (c consolePhones) Read(ctx context.Context, number, chat string) error {
	return c.with(ctx, func(s *sandbox.Server) error { return s.Read(number, chat) })
}

// SetAutoRead lets the phone read by itself or not.
func (c consolePhones) SetAutoRead(ctx context.Context, number string, on bool) error {
	return c.with(ctx, func(s *sandbox.Server) error { return s.SetAutoRead(number, on) })
}

// SetOffline takes the phone off the net or brings it back.
func (c consolePhones) SetOffline(ctx context.Context, number string, offline bool) error {
	return c.with(ctx, func(s *sandbox.Server) error { return s.SetOffline(number, offline) })
}

// Unlink removes a linked device.
func (c consolePhones) Unlink(ctx context.Context, number, device string) error {
	return c.with(ctx, func(s *sandbox.Server) error { return s.UnlinkDevice(number, device) })
}

// Changed returns a channel that is closed at the next change.
func (c consolePhones) Changed(ctx context.Context) (<-chan struct{}, error) {
	server, err := c.simulator.own(ctx)
	if err != nil {
		return nil, err
	}
	return server.Changed(), nil
}

// Scan lets the phone scan the code of an instance.
func (c consolePhones) Scan(ctx context.Context, number, instance string) error {
	in, err := c.db.Instance(ctx, instance)
	if err != nil {
		return err
	}
	if number == ownNumber(in) {
		return phoneError(c.Sessions.Scan(ctx, instance))
	}
	qr, ok := c.QR(instance)
	if !in.Sandbox || !ok {
		return problem.New(problem.NoQR, string(c.Status(instance).State))
	}
	return c.with(ctx, func(s *sandbox.Server) error { return s.Scan(number, qr.Text) })
}

func (c consolePhones) with(ctx context.Context, do func(*sandbox.Server) error) error {
	server, err := c.simulator.own(ctx)
	if err != nil {
		return err
	}
	return phoneError(do(server))
}

// phoneError gives what the simulator refuses a code of the catalogue.
func phoneError(err error) error {
	var refused *sandbox.Error
	if !errors.As(err, &refused) {
		return err
	}
	code := problem.BadRequest
	switch refused.Code {
	case 404:
		code = problem.NotFound
	case 409:
		code = problem.InstanceNotReady
	case 500, 503:
		code = problem.Unavailable
	}
	return problem.Wrap(code, "", err)
}

// Faults lists what goes wrong now.
func (c consolePhones) Faults(ctx context.Context) ([]web.PhoneFault, error) {
	server, err := c.simulator.own(ctx)
	if err != nil {
		return nil, err
	}
	var list []web.PhoneFault
	for _, f := range server.Faults() {
		list = append(list, web.PhoneFault{
			ID: f.ID, Kind: kindOf(f), Name: string(f.Name), Account: f.Account, Number: f.Number, Count: f.Count, Seconds: f.Seconds,
		})
	}
	return list, nil
}

// SetFault lets something go wrong.
func (c consolePhones) SetFault(ctx context.Context, wish web.FaultWish) error {
	return c.with(ctx, func(s *sandbox.Server) error {
		i := slices.IndexFunc(consoleFaults(), func(f consoleFault) bool { return f.kind == wish.Kind })
		if i < 0 {
			return problem.New(problem.BadRequest, string(wish.Kind))
		}
		chosen := consoleFaults()[i]
		f := chosen.fault
		switch {
		case chosen.everybody:
		case wish.Own:
			f.Account = wish.Number
		default:
			f.Number = wish.Number
		}
		if wish.Once && !chosen.stays {
			f.Count = 1
		}
		_, err := s.SetFault(f)
		var refused *sandbox.Error
		if f.Name == sandbox.FaultPage && errors.As(err, &refused) && refused.Code == 409 {
			return problem.Wrap(problem.SessionLost, "", err)
		}
		return err
	})
}

// EndFault ends a fault, or all.
func (c consolePhones) EndFault(ctx context.Context, id string) error {
	return c.with(ctx, func(s *sandbox.Server) error {
		if id == "" {
			s.ClearFaults()
		} else {
			s.ClearFault(id)
		}
		return nil
	})
}
