package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kurir/browser"
	"kurir/events"
)

const (
	// catchUpSlack is how much older than the mark a message may be that came after it: chats come in one by one, and a
	// message that has to be decrypted again keeps its time. A text can be edited for 15 minutes, so the edits of known
	// messages are found too. What was told before is known by its key.
	catchUpSlack = 16 * time.Minute
	catchUpChats = 100    // of one call into the page
	catchUpMost  = 50_000 // events that are put in order together
)

// catchUp finds in the page what is not in the log, and writes it down, oldest first: in the chats in which something
// happened since the mark, and nothing older than it is wanted.
func (f *inflow) catchUp(ctx context.Context) error {
	f.mu.Lock()
	heard, first := f.heard, f.from
	f.mu.Unlock()
	if heard.IsZero() || f.s.cfg.CatchUp == 0 {
		return nil
	}
	from := heard.Add(-catchUpSlack)
	for _, oldest := range []time.Time{first, time.Now().Add(-f.s.cfg.CatchUp)} {
		if from.Before(oldest) {
			from = oldest
		}
	}
	begun := time.Now()
	chats, err := f.session.Changed(ctx, from)
	if err != nil {
		return fmt.Errorf("list the chats: %w", err)
	}
	var found []browser.Event
	written, newest := 0, int64(0)
	flush := func() error {
		n, last, err := f.replay(ctx, found)
		written, newest, found = written+n, max(newest, last), found[:0]
		return err
	}
	for rest := chats; len(rest) > 0; {
		list, done, cut, err := f.session.Backlog(ctx, rest[:min(len(rest), catchUpChats)], from)
		if err != nil {
			return fmt.Errorf("read chats: %w", err)
		}
		if cut > 0 {
			f.log.Warn("some chats have more than is caught up with", "chats", cut)
		}
		rest = rest[done:]
		if found = append(found, list...); len(found) >= catchUpMost {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	f.blind = false
	if written > 0 || len(chats) > 0 {
		f.log.Info("caught up", "events", written, "chats", len(chats), "since", from, "ms", time.Since(begun).Milliseconds())
	}
	return f.mark(ctx, newest, 0)
}

// replay writes down what was found, oldest first, and returns how much of it was new and the time of its newest message.
func (f *inflow) replay(ctx context.Context, found []browser.Event) (written int, newest int64, err error) {
	payloads := make([]events.Payload, 0, len(found))
	live := f.live()
	for _, e := range found {
		if m := e.Message; m != nil {
			newest = max(newest, m.Time)
			if m.FromMe && m.Ack < 1 {
				continue // not sent yet, or never
			}
		}
		if p := f.s.payload(ctx, f.id, e, !live(e)); p != nil {
			payloads = append(payloads, p)
		}
	}
	// Each chat is in order already, and stays so: WhatsApp's seconds are the same for many.
	slices.SortStableFunc(payloads, func(a, b events.Payload) int { return events.When(a).Compare(events.When(b)) })
	for batch := range slices.Chunk(payloads, inflowBatch) {
		added, err := f.s.events.Append(ctx, f.id, batch...)
		if err != nil {
			return written, newest, err
		}
		written += len(added)
	}
	return written, newest, nil
}

// live says which messages are seen when they come: those that wait to be written, and those that came when the page
// received already and are still on their way here. The page has them as well by now.
func (f *inflow) live() func(browser.Event) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	names, since := map[string]bool{}, f.since.Unix()
	for _, it := range f.items {
		if it.event.Message != nil && !it.replayed {
			names[nameOf(it.event)] = true
		}
	}
	return func(e browser.Event) bool {
		return e.Message != nil && (names[nameOf(e)] || f.opening && e.Message.Time >= since)
	}
}

// nameOf is what a message is known by in the page; "" for other events.
func nameOf(e browser.Event) string {
	if e.Message == nil {
		return ""
	}
	return e.Message.Chat + " " + e.Message.ID
}
