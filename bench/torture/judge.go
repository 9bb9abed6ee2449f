package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kurir/sandbox"
)

// chaosReport is what became of the letters.
type chaosReport struct {
	counts           map[string]int // deeds
	took, settled    time.Duration
	tries, repeats   int64
	written          int // letters
	accepted, files  int
	received         int
	states           map[string]int // of accepted letters
	failed           map[string]int // by code
	unknown          map[string]int // by code, and whether it was received
	unknownWhile     int            // were unknown and are resolved
	behind           int            // WhatsApp has acknowledged more than kurir's state says
	again            int            // the wire brought the same id again: WhatsApp knows it and shows it once
	ordered          int            // were compared with the one before
	unanswered       int
	unansweredAndHad int
}

// delivery is one message as a phone received it.
type delivery struct {
	sandbox.Received
	phone string
	place int // among all that this phone received
}

// judge compares what kurir says of each letter with what the phones have.
func judge(ctx context.Context, h *house, w *watcher, c *crowd, r *chaosReport) error {
	got, err := collect(ctx, h)
	if err != nil {
		return err
	}
	letters := c.accepted()
	says, err := ask(ctx, h, letters)
	if err != nil {
		return err
	}
	r.states, r.failed, r.unknown = map[string]int{}, map[string]int{}, map[string]int{}
	ever := w.everUnknown()
	for _, l := range letters {
		m := says[l.id]
		r.states[m.State]++
		if ever[l.id] && m.State != "unknown" {
			r.unknownWhile++
		}
		h.judgeLetter(l, m, got[l.token], r)
	}
	r.accepted = len(letters)
	known := map[string]bool{}
	for _, of := range c.letters {
		for _, l := range of {
			r.written++
			known[l.token] = true
			if l.file != nil {
				r.files++
			}
			if l.id == "" {
				r.unanswered++
				r.unansweredAndHad += len(got[l.token])
				if len(got[l.token]) > 1 {
					h.f.bad(doubled, "%s, which was never answered, came %d times", l.token, len(got[l.token]))
				}
			}
		}
	}
	for token, list := range got {
		if strings.HasPrefix(token, "c") && !known[token] {
			h.f.bad(stray, "%q on %s", token, list[0].phone)
		}
	}
	place, err := w.order(ctx)
	if err != nil {
		return fmt.Errorf("read the order of acceptance: %w", err)
	}
	r.ordered = h.judgeOrder(letters, got, ever, place)
	return nil
}

// judgeLetter compares one letter's state with its deliveries.
func (h *house) judgeLetter(l *letter, m message, had []delivery, r *chaosReport) {
	r.received += min(1, len(had))
	if m.State == "sent" && m.Ack >= 2 || m.State == "delivered" && m.Ack >= 3 {
		r.behind++
	}
	about := fmt.Sprintf("%s %s %s of instance %d to %s: %s %s %s", l.token, l.id, l.waID, l.in.n, l.phone, m.State, m.Code, m.Detail)
	if len(had) > 1 {
		h.f.bad(doubled, "%s: %d times", about, len(had))
	}
	for _, d := range had {
		r.again += d.Copies - 1
		if d.ID != l.waID || d.phone != l.phone || d.From != l.in.number+"@c.us" {
			h.f.bad(damaged, "%s: received by %s from %s as %s", about, d.phone, d.From, d.ID)
		}
		if l.file == nil && d.Body != l.text || l.file != nil && (d.SHA256 != l.sha() || d.Caption != l.text || d.Filename != l.name) {
			h.f.bad(damaged, "%s: received %s of %d bytes, %s", about, d.Type, d.Size, d.MediaError)
		}
	}
	if l.cancelled && m.State != "cancelled" {
		h.f.bad(wrongState, "%s: it was called off", about)
	}
	switch {
	case m.State == "":
		h.f.bad(lost, "%s: kurir does not know it", about)
	case m.waiting():
		h.f.bad(lost, "%s: it still waits", about)
	case m.left() && len(had) == 0:
		h.f.bad(wrongState, "%s: not received", about)
	case m.State == "unknown":
		r.unknown[fmt.Sprintf("%s, received: %v", m.Code, len(had) > 0)]++
	case !m.left():
		r.failed[m.State+" "+m.Code]++
		if len(had) > 0 {
			h.f.bad(wrongState, "%s: received", about)
		}
	}
}

// judgeOrder compares, for each instance, phone and priority, the order of receipt with that of acceptance, and for each client
// with the order in which it sent. What was unknown at any time may be overtaken.
func (h *house) judgeOrder(letters []*letter, got map[string][]delivery, ever map[string]bool, place map[string]int) (compared int) {
	type arrival struct {
		*letter
		at int
	}
	streets := map[string][]arrival{}
	for _, l := range letters {
		if had := got[l.token]; len(had) > 0 && !ever[l.id] {
			street := fmt.Sprint(l.in.n, " ", l.phone, " ", l.priority)
			streets[street] = append(streets[street], arrival{l, had[0].place})
		}
	}
	for street, list := range streets {
		slices.SortFunc(list, func(a, b arrival) int { return a.at - b.at })
		last := map[string]int{}
		for i, a := range list {
			if n, ok := last[a.client]; ok && n > a.n {
				h.f.bad(disordered, "%s: %s came after %s-%d", street, a.token, a.client, n)
			}
			last[a.client] = a.n
			if i == 0 {
				continue
			}
			compared++
			if b := list[i-1]; place[b.id] > place[a.id] {
				h.f.bad(disordered, "%s: %s %s came after %s %s, which was accepted later", street, a.token, a.id, b.token, b.id)
			}
		}
	}
	return compared
}

// collect reads all inboxes: deliveries by the first word of what came.
func collect(ctx context.Context, h *house) (map[string][]delivery, error) {
	numbers := map[string]bool{}
	for _, in := range h.instances {
		for _, n := range phones(in) {
			numbers[n] = true
		}
	}
	got := map[string][]delivery{}
	for number := range numbers {
		list, err := h.inbox(ctx, number)
		if err != nil {
			return nil, err
		}
		for i, r := range list {
			token, _, _ := strings.Cut(r.Body+r.Caption, " ")
			token, _, _ = strings.Cut(token, "\n")
			got[token] = append(got[token], delivery{r, number, i})
		}
	}
	return got, nil
}

// ask asks kurir for the state of each letter.
func ask(ctx context.Context, h *house, letters []*letter) (map[string]message, error) {
	says := make(map[string]message, len(letters))
	work := make(chan *letter)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for l := range work {
				m, err := h.message(ctx, l.id)
				if err != nil {
					m = message{ID: l.id, Detail: err.Error()}
				}
				mu.Lock()
				says[l.id] = m
				mu.Unlock()
			}
		})
	}
	for _, l := range letters {
		select {
		case work <- l:
		case <-ctx.Done():
		}
	}
	close(work)
	wg.Wait()
	return says, ctx.Err()
}
