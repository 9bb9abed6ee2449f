package sandbox

import (
	"slices"
	"time"
)

const (
	contactsPerChunk = 1000
	chatsPerChunk    = 500
	messagesPerChunk = 1000
	statusLifetime   = 24 * 3600 // seconds
)

// past is what a device is told of the time before it was linked, or since it was last here. It is taken under the
// lock and sent without it.
type past struct {
	seed     *seed // nil: without the generated part
	cleared  map[string]int64
	contacts []WireContact
	chats    []WireChat
	messages []WireMessage

	chunks, sent int
}

// history answers with the number of chunks and then pushes them, at the speed at which the page reads.
func (c *conn) history(req request) error {
	a, err := decode[struct{ Since int64 }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		p := c.s.world.past(d.owner, a.Since)
		c.ok(req.N, map[string]int{"chunks": p.chunks})
		c.s.spawn(func() {
			if err := p.send(c); err != nil {
				c.s.log.Debug("sandbox history", "err", err)
			}
		})
		return nil
	})
}

const earlierAtOnce = 50 // messages

// earlier gives a device messages that are older than what it has. They are on the phone only, which must be online.
func (c *conn) earlier(req request) error {
	a, err := decode[struct{ Chat, ID string }](req.Args)
	if err != nil {
		return err
	}
	return c.linked(func(d *device) error {
		if d.owner.Offline {
			return errOffline(d.owner.Phone.Number)
		}
		list, more := []WireMessage{}, false
		if d.owner.seed != nil {
			var found []WireMessage
			found, more = d.owner.seed.earlier(a.Chat, a.ID, earlierAtOnce)
			list = append(list, found...)
		}
		c.ok(req.N, map[string]any{"messages": list, "more": more})
		return nil
	})
}

// past collects what a device does not know. The caller holds s.mu.
func (w *world) past(a *account, since int64) *past {
	p := &past{cleared: map[string]int64{}}
	for wid, t := range a.Cleared {
		p.cleared[wid] = t
	}
	if since == 0 {
		p.seed = a.seed
	}
	for _, c := range a.People {
		p.contacts = append(p.contacts, *c)
	}
	for wid, c := range a.Chats {
		if a.Hidden[wid] {
			continue
		}
		wire := *c
		if isGroup(wid) {
			if g := w.group(wid); g != nil {
				full := g.wire(c.T)
				wire.Name, wire.Group = full.Name, full.Group
			}
		}
		p.chats = append(p.chats, wire)
	}
	slices.SortFunc(p.chats, func(x, y WireChat) int { return int(y.T - x.T) })
	for _, m := range a.Log {
		if m.Chat == statusWID && m.T < time.Now().Unix()-statusLifetime {
			continue
		}
		if m.T >= since && !a.cleared(m) {
			p.messages = append(p.messages, m.WireMessage)
		}
	}
	p.plan(a)
	return p
}

// plan drops what is both generated and known better, and counts the chunks.
func (p *past) plan(a *account) {
	contacts, chats, messages := len(p.contacts), len(p.chats), len(p.messages)
	if p.seed != nil {
		contacts += p.seed.spec.Contacts
		chats += p.seed.spec.Chats
		messages += p.seed.givenInAll()
		for wid := range a.Chats {
			p.hide(wid)
		}
		for wid := range a.Hidden {
			p.hide(wid)
		}
	}
	p.chunks = max(1, ceil(contacts, contactsPerChunk)+ceil(chats, chatsPerChunk)+ceil(messages, messagesPerChunk))
}

func (p *past) hide(wid string) {
	if _, ok := p.cleared[wid]; !ok {
		p.cleared[wid] = 0
	}
}

func ceil(n, by int) int { return (n + by - 1) / by }

// send pushes the chunks: contacts, chats, messages. Every list is the known part followed by the generated one.
func (p *past) send(c *conn) error {
	generated := PhoneSpec{}
	if p.seed != nil {
		generated = p.seed.spec
	}
	known := map[string]bool{}
	for _, x := range p.contacts {
		known[x.WID] = true
	}
	err := sendPart(p, c, contactsPerChunk, len(p.contacts)+generated.Contacts, func(i int, h *historyPush) {
		if i < len(p.contacts) {
			h.Contacts = append(h.Contacts, p.contacts[i])
		} else if x := p.seed.contact(i - len(p.contacts)); !known[x.WID] {
			h.Contacts = append(h.Contacts, x)
		}
	})
	if err != nil {
		return err
	}
	err = sendPart(p, c, chatsPerChunk, len(p.chats)+generated.Chats, func(i int, h *historyPush) {
		if i < len(p.chats) {
			h.Chats = append(h.Chats, p.chats[i])
		} else if x := p.seed.chat(i - len(p.chats)); !has(p.cleared, x.WID) {
			h.Chats = append(h.Chats, x)
		}
	})
	if err != nil {
		return err
	}
	next, n := p.generatedMessages(), len(p.messages)
	if p.seed != nil {
		n += p.seed.givenInAll()
	}
	err = sendPart(p, c, messagesPerChunk, n, func(i int, h *historyPush) {
		if i < len(p.messages) {
			h.Messages = append(h.Messages, p.messages[i])
		} else if m := next(); m.T > p.cleared[m.Chat] {
			h.Messages = append(h.Messages, m)
		}
	})
	if err != nil || p.sent > 0 {
		return err
	}
	return p.chunk(c, historyPush{}) // there is no past at all
}

func has(m map[string]int64, key string) bool {
	_, ok := m[key]
	return ok
}

// generatedMessages walks over the generated messages, chat by chat, the newest chat first.
func (p *past) generatedMessages() func() WireMessage {
	i, k := 0, 0
	var chat WireChat
	return func() WireMessage {
		for k == p.seed.given(i) {
			i, k = i+1, 0
		}
		if k == 0 {
			chat = p.seed.chat(i)
		}
		k++
		return p.seed.message(i, p.seed.count(i)-p.seed.given(i)+k-1, &chat)
	}
}

// sendPart sends n things, per chunk so many.
func sendPart(p *past, c *conn, perChunk, n int, put func(i int, h *historyPush)) error {
	for from := 0; from < n; from += perChunk {
		var h historyPush
		for i := from; i < min(n, from+perChunk); i++ {
			put(i, &h)
		}
		if err := p.chunk(c, h); err != nil {
			return err
		}
	}
	return nil
}

// chunk queues one push when the page is not far behind. The lists are never null in JSON.
func (p *past) chunk(c *conn, h historyPush) error {
	p.sent++
	h.Final = p.sent == p.chunks
	if h.Contacts == nil {
		h.Contacts = []WireContact{}
	}
	if h.Chats == nil {
		h.Chats = []WireChat{}
	}
	if h.Messages == nil {
		h.Messages = []WireMessage{}
	}
	return c.out.addWhenRoom(c.ctx, item{frame: encode(push{Op: "history", Args: h})})
}

// person returns what an account knows of somebody, as a copy. The caller holds s.mu.
func (w *world) person(a *account, wid string) WireContact {
	if p := a.People[wid]; p != nil {
		return *p
	}
	for i := range a.Phone.Contacts {
		if a.seed.number(i)+userServer == wid {
			return a.seed.contact(i)
		}
	}
	c := WireContact{WID: wid}
	if number, err := parseUser(wid); err == nil {
		c.LID, c.Pushname = lidOf(number), w.ensure(number).Phone.Name
	}
	return c
}
