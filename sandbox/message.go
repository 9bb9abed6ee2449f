package sandbox

import (
	"context"
	"slices"
	"time"
)

// message carries out the request of a page to send a message: hold, refuse, keep, deliver, acknowledge. It runs on
// the connection's lane, one message at a time.
func (c *conn) message(req request) error {
	m, err := decode[WireMessage](req.Args)
	if err != nil {
		return err
	}
	s := c.s
	s.mu.Lock()
	d := c.device
	if d == nil {
		s.mu.Unlock()
		return errorf(401, "not linked")
	}
	o, err := s.normalise(&m)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	o.account, o.op = d.owner.Phone.Number, req.Op
	info := Held{Account: o.account, Device: d.ID, Chat: m.Chat, MessageID: m.ID}
	if ok, err := c.holdOnWire(d, o, info); !ok {
		s.mu.Unlock()
		return err
	}
	p, err := s.accept(d, m, o)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	info.At = BeforeAck
	h := s.takeHold(o, info)
	if h == nil && p.delay == 0 && !p.silent {
		c.ok(req.N, p.answer)
		receipts := s.deliver(p)
		s.mu.Unlock()
		receipts()
		s.fetch(p)
		return nil
	}
	s.mu.Unlock()
	s.fetch(p)
	if p.silent {
		s.waitReleased(c.ctx, h)
		return nil
	}
	s.spawn(func() { c.acknowledgeLate(req.N, p, h) })
	return nil
}

// holdOnWire stops a message that has come, before anything is kept of it: BeforeWire, where it is gone with its
// connection, or AfterWire, where WhatsApp has it whatever becomes of the page. ok: it goes on. The caller holds s.mu,
// which is let go of meanwhile.
func (c *conn) holdOnWire(d *device, o occasion, info Held) (ok bool, err error) {
	s := c.s
	for _, stop := range []struct {
		at  string
		ctx context.Context
	}{{BeforeWire, c.ctx}, {AfterWire, s.ctx}} {
		info.At = stop.at
		h := s.takeHold(o, info)
		if h == nil {
			continue
		}
		s.mu.Unlock()
		released := s.waitReleased(stop.ctx, h)
		s.mu.Lock()
		switch {
		case !released:
			return false, nil // it never reached WhatsApp
		case stop.at == BeforeWire && c.device != d, s.world.findDevice(d.ID) != d:
			return false, errorf(401, "not linked") // unlinked or replaced while it was held
		}
	}
	return true, nil
}

// acknowledgeLate answers after a hold and a delay. When the page has left meanwhile the receipts still go out: they
// wait for its device.
func (c *conn) acknowledgeLate(n int64, p parcel, h *held) {
	s := c.s
	here := s.waitReleased(c.ctx, h)
	if here && p.delay > 0 {
		timer := time.NewTimer(p.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
		}
	}
	if s.ctx.Err() != nil {
		return
	}
	c.ok(n, p.answer)
	s.mu.Lock()
	receipts := s.deliver(p)
	s.mu.Unlock()
	receipts()
}

// parcel is a message on its way through the server.
type parcel struct {
	sender   *account
	message  WireMessage
	answer   messageOK
	silent   bool          // never acknowledged
	delay    time.Duration // of the acknowledgement
	repeated bool          // the same device has sent this id before
	occasion occasion
}

// normalise checks a message and turns its chat into the form that accounts use: a lid and a jid become a c.us wid.
func (s *Server) normalise(m *WireMessage) (occasion, error) {
	if m.ID == "" || len(m.ID) > 64 {
		return occasion{}, errorf(400, "a message needs an id of at most 64 characters")
	}
	if m.Type == "" {
		return occasion{}, errorf(400, "a message needs a type")
	}
	if isShared(m.Chat) {
		return occasion{number: m.Chat}, nil
	}
	number, err := parseUser(m.Chat)
	if err != nil {
		return occasion{}, err
	}
	m.Chat = widOf(number)
	return occasion{number: number}, nil
}

// accept decides over a message and keeps it. The caller holds s.mu. When it returns without an error the message is
// in the journal, in the receiver's inbox and on the queues of the other devices.
func (s *Server) accept(d *device, m WireMessage, o occasion) (parcel, error) {
	sender := d.owner
	p := parcel{sender: sender, occasion: o}
	if f := s.faults.take(FaultSendError, o); f != nil {
		return p, f.error()
	}
	if f := s.faults.take(FaultOpError, o); f != nil {
		return p, f.error()
	}
	if err := s.reachable(sender, m.Chat, o); err != nil {
		return p, err
	}
	p.silent = s.faults.take(FaultNoAck, o) != nil || s.faults.take(FaultOpHang, o) != nil
	if f := s.faults.take(FaultAckDelay, o); f != nil {
		p.delay = time.Duration(f.DelayMS) * time.Millisecond
	}
	e := &event{Op: "message", T: time.Now().Unix(), Account: sender.Phone.Number, Device: d.ID, Message: &m, Silent: p.silent}
	if old := sender.byKey[msgKey{m.Chat, m.ID, true}]; old != nil && old.Device == d.ID {
		e = &event{Op: "copy", T: old.T, Account: sender.Phone.Number, Message: &WireMessage{ID: m.ID, Chat: m.Chat}, Silent: p.silent}
		p.repeated = true
	}
	m.T = e.T
	p.message, p.answer = m, messageOK{T: e.T, Chat: m.Chat}
	return p, s.commit(e)
}

// reachable says why a message cannot go to chat. The caller holds s.mu.
func (s *Server) reachable(sender *account, chat string, o occasion) error {
	if chat == statusWID {
		return nil
	}
	if !isGroup(chat) {
		if !s.exists(o) {
			return errorf(404, "item-not-found")
		}
		return nil
	}
	g := s.world.group(chat)
	if g == nil {
		return errorf(404, "item-not-found")
	}
	me := g.member(sender.wid())
	if me < 0 {
		return errorf(403, "forbidden")
	}
	if g.Announce && !g.Participants[me].Admin {
		return errorf(403, "not-authorized: only admins write in this group")
	}
	return nil
}

// exists says whether a number is on WhatsApp: every number is, but for the magic ones and those with a fault. The
// caller holds s.mu.
func (s *Server) exists(o occasion) bool { return s.faults.take(FaultNotExists, o) == nil }

// deliver has the receivers' phones answer with receipts. The caller holds s.mu; what it returns is to be called
// without it.
func (s *Server) deliver(p parcel) (start func()) {
	if p.repeated && !s.undelivered(p) {
		return func() {}
	}
	type answer struct {
		number, kind string
		after        time.Duration
	}
	var late []answer
	for _, number := range s.world.audience(p.sender, p.message.Chat) {
		o := p.occasion
		o.number = number
		a := s.world.ensure(number)
		if a == p.sender || a.Offline || s.faults.take(FaultNoReceipt, o) != nil {
			continue
		}
		delivery := time.Duration(a.Phone.DeliveryDelayMS) * time.Millisecond
		if delivery == 0 {
			s.receipt(number, p, "delivery")
		} else {
			late = append(late, answer{number, "delivery", delivery})
		}
		if a.Phone.AutoRead {
			late = append(late, answer{number, "read", delivery + time.Duration(a.Phone.ReadDelayMS)*time.Millisecond})
		}
	}
	return func() {
		for _, x := range late {
			s.later(x.after, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.receipt(x.number, p, x.kind)
			})
		}
	}
}

func (s *Server) undelivered(p parcel) bool {
	m := p.sender.byKey[msgKey{p.message.Chat, p.message.ID, true}]
	return m != nil && m.Ack < 2
}

// receipt lets a phone tell that it has a message. The caller holds s.mu.
func (s *Server) receipt(number string, p parcel, kind string) {
	r := &receiptArgs{Chat: p.sender.wid(), IDs: []string{p.message.ID}, Type: kind, Author: p.sender.wid()}
	if isShared(p.message.Chat) {
		r.Chat = p.message.Chat
	}
	a := s.world.ensure(number)
	if b := a.People[p.sender.wid()]; a.Offline || b != nil && b.Blocked && !isGroup(r.Chat) {
		return // the phone never saw it, or not yet
	}
	if err := s.commit(&event{Op: "receipt", T: time.Now().Unix(), Account: number, Receipt: r}); err != nil {
		s.log.Error("sandbox receipt", "err", err)
	}
}

// messageAction carries out an edit, a revocation or a reaction.
func (c *conn) messageAction(req request) error {
	a, err := decode[messageActionArgs](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		err := c.s.act(d.owner, d.ID, &a)
		if err == nil {
			c.ok(req.N, map[string]int64{"t": a.T})
		}
		return err
	})
}

// act keeps an action on a message and tells whom it concerns. The caller holds s.mu.
func (s *Server) act(actor *account, device string, a *messageActionArgs) error {
	if !isShared(a.Chat) {
		number, err := parseUser(a.Chat)
		if err != nil {
			return err
		}
		a.Chat = widOf(number)
	}
	if !s.world.mayAct(actor, a) {
		return errorf(403, "not-authorized")
	}
	a.T = time.Now().Unix()
	return s.commit(&event{Op: "action", T: a.T, Account: actor.Phone.Number, Device: device, Action: a})
}

// mayAct: a message is edited by who wrote it; for everybody it is revoked by who wrote it or, in a group, by an admin.
// Who is not in a group has no business there; where only admins change a group, only they pin. The caller holds Server.mu.
func (w *world) mayAct(actor *account, a *messageActionArgs) bool {
	admin := false
	if g := w.group(a.Chat); g != nil {
		me := g.member(actor.wid())
		if me < 0 && !private(a.Action) {
			return false
		}
		admin = me >= 0 && g.Participants[me].Admin
	}
	switch a.Action {
	case "edit":
		return a.Target.FromMe
	case "revoke":
		return a.Target.FromMe || admin
	case "pin", "unpin":
		g := w.group(a.Chat)
		return g == nil || admin || !g.Restrict
	case "vote":
		m := actor.byKey[msgKey{a.Chat, a.Target.ID, a.Target.FromMe}]
		return m == nil || m.Type == "poll_creation"
	}
	return true
}

// Act lets a phone edit, revoke or react to a message, or star or delete its own copy of it.
func (s *Server) Act(number, chat, action, id string, fromMe bool, text string) error {
	return s.actFrom(number, messageActionArgs{Chat: chat, Action: action, Text: text, Target: messageTarget{ID: id, FromMe: fromMe}})
}

// actFrom is Act for every action: vote needs the options, pin the seconds.
func (s *Server) actFrom(number string, x messageActionArgs) error {
	n, err := parseUser(number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.world.ensure(n)
	if a.Offline {
		return errOffline(n)
	}
	x.ID = NewMessageID()
	if i := slices.IndexFunc(a.Log, func(m *entry) bool { return m.ID == x.Target.ID && m.FromMe == x.Target.FromMe }); i >= 0 {
		x.Target.Author = a.Log[i].Author
	}
	return s.act(a, "", &x)
}
