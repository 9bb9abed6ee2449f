package sandbox

import (
	"context"
	"slices"
	"time"
)

// Where FaultHoldMessage stops a message, in the order of a send. The first three are in the page: it asks the server
// at these steps, only while a fault names one. While the page has no connection it asks nobody and goes on.
const (
	BeforeAdd    = "before_add"    // the page was asked to send; no message has been made
	AfterAdd     = "after_add"     // the message shows (ack 0) and is stored nowhere; the file of one is not uploaded
	AfterStorage = "after_storage" // it is in IndexedDB and not on the wire
	BeforeWire   = "before_wire"   // the bytes have arrived; nothing is kept or delivered, and nothing is when the page goes
	AfterWire    = "after_wire"    // WhatsApp has it, also when the page goes; the receiver has not, and the sender is not told
	BeforeAck    = "before_ack"    // kept and delivered; the sender is not told yet
)

// stepsPatience is how long SetFault waits for pages to take note of a step.
const stepsPatience = 2 * time.Second

// HoldPoints lists them.
func HoldPoints() []string {
	return []string{BeforeAdd, AfterAdd, AfterStorage, BeforeWire, AfterWire, BeforeAck}
}

// inPage says whether a hold point is a step of the page.
func inPage(at string) bool { return at == BeforeAdd || at == AfterAdd || at == AfterStorage }

// held is a message that waits at a hold point.
type held struct {
	Held
	release chan struct{}
}

// Held is a message that waits at a hold point.
type Held struct {
	Account   string `json:"account"`
	Device    string `json:"device"`
	Chat      string `json:"chat"`
	MessageID string `json:"message_id"`
	At        string `json:"at"`
}

// WaitHeld waits until a message is held and returns the one that has been held longest.
func (s *Server) WaitHeld(ctx context.Context) (Held, error) {
	var h Held
	err := s.await(ctx, func() bool {
		if len(s.faults.held) == 0 {
			return false
		}
		h = s.faults.held[0].Held
		return true
	})
	return h, err
}

// Held lists the messages that are held now, the longest held first.
func (s *Server) Held() []Held {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Held{}
	for _, h := range s.faults.held {
		list = append(list, h.Held)
	}
	return list
}

// Release lets a held message go on, or all with messageID "". The fault stays: the next message is held again.
func (s *Server) Release(messageID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.faults.held {
		if messageID == "" || h.MessageID == messageID {
			close(h.release)
		}
	}
	s.faults.held = slices.DeleteFunc(s.faults.held, func(h *held) bool { return messageID == "" || h.MessageID == messageID })
	s.notify()
}

// takeHold registers the message as held when a fault says so; nil: it goes on. The caller holds s.mu, so that a
// fault that is cleared meanwhile cannot leave a message behind.
func (s *Server) takeHold(o occasion, h Held) *held {
	o.at = h.At
	if s.faults.take(FaultHoldMessage, o) == nil {
		return nil
	}
	x := &held{Held: h, release: make(chan struct{})}
	s.faults.held = append(s.faults.held, x)
	s.notify()
	return x
}

// waitReleased waits until a held message is released (true), or its connection or the server ends (false).
func (s *Server) waitReleased(ctx context.Context, h *held) bool {
	if h == nil {
		return true
	}
	select {
	case <-h.release:
		return true
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.held = slices.DeleteFunc(s.faults.held, func(x *held) bool { return x == h })
	s.notify()
	return false
}

// steps are the hold points of the page that faults name for an account. The caller holds Server.mu.
func (f *faults) steps(account string) []string {
	list := []string{}
	for _, at := range HoldPoints() {
		if inPage(at) && slices.ContainsFunc(f.list, func(x *Fault) bool {
			return x.Name == FaultHoldMessage && x.At == at && (x.Account == "" || x.Account == account)
		}) {
			list = append(list, at)
		}
	}
	return list
}

// faultsChanged wakes those who wait for a change, and tells the pages at which steps they have to ask from now on.
// The caller holds s.mu.
func (s *Server) faultsChanged(name FaultName) {
	s.notify()
	if name != FaultHoldMessage {
		return
	}
	for c := range s.conns {
		if c.device != nil {
			c.nameSteps()
		}
	}
}

// nameSteps tells a linked page at which steps it has to ask. The caller holds s.mu.
func (c *conn) nameSteps() {
	c.stepsTold++
	c.push("steps", stepsPush{c.s.faults.steps(c.device.owner.Phone.Number), c.stepsTold})
}

// steps is a page's word that it asks at the steps that it was told.
func (c *conn) steps(req request) error {
	a, err := decode[struct{ N int64 }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(*device) error {
		c.stepsKnown = a.N
		c.s.notify()
		c.ok(req.N, none{})
		return nil
	})
}

// waitSteps waits until every connected page knows at which steps it has to ask, so that the next message is held. A
// page that does not answer is not waited for long.
func (s *Server) waitSteps() {
	ctx, cancel := context.WithTimeout(s.ctx, stepsPatience)
	defer cancel()
	_ = s.await(ctx, func() bool {
		for c := range s.conns {
			if c.device != nil && c.stepsKnown < c.stepsTold {
				return false
			}
		}
		return true
	})
}

// step is a page's question whether a message that it sends has to wait. It is answered when the message may go on,
// beside the rest of the traffic.
func (c *conn) step(req request) error {
	a, err := decode[stepArgs](req.Args)
	if err != nil {
		return err
	}
	if !inPage(a.At) {
		return errorf(400, "there is no step %q", a.At)
	}
	m := WireMessage{ID: a.ID, Chat: a.Chat, Type: "chat"}
	o, err := c.s.normalise(&m)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		o.account = d.owner.Phone.Number
		h := c.s.takeHold(o, Held{Account: o.account, Device: d.ID, Chat: m.Chat, MessageID: m.ID, At: a.At})
		if h == nil {
			c.ok(req.N, none{})
			return nil
		}
		c.s.spawn(func() {
			if c.s.waitReleased(c.ctx, h) {
				c.ok(req.N, none{})
			}
		})
		return nil
	})
}
