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
	// message that has to be decrypted again keeps its time. What was told before is known by its key.
	catchUpSlack = 16 * time.Minute
	catchUpChats = 100    // of one call into the page
	catchUpMost  = 50_000 // events that are put in order together
)

// catchUp finds in the page what is not in the log, and writes it down, oldest first: what happened since the mark, and
// nothing older than it is wanted. That is new messages, and what was done since to older ones: edits and reactions have
// their own time; a revocation has none on the page, so that it has the time of its message here, and is not told at all
// of a message from before the link or older than three days. Missed calls too. What js/src/backlog.ts says it does not
// find is not found.
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
	changed, err := f.page.Changed(ctx, from)
	if err != nil {
		return fmt.Errorf("list the chats: %w", err)
	}
	if len(changed.Unread) > 0 {
		f.log.Warn("this WhatsApp Web does not give all that is caught up with", "missing", changed.Unread)
	}
	var found []browser.Event
	written, newest := 0, int64(0)
	flush := func() error {
		n, last, err := f.replay(ctx, found)
		written, newest, found = written+n, max(newest, last), found[:0]
		return err
	}
	for rest := changed.Chats; len(rest) > 0; {
		list, done, cut, err := f.page.Backlog(ctx, rest[:min(len(rest), catchUpChats)], from, first)
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
	found = append(found, changed.Events...) // behind the messages of the same second
	if err := flush(); err != nil {
		return err
	}
	f.blind = false
	if written > 0 || len(changed.Chats) > 0 {
		f.log.Info("caught up", "events", written, "chats", len(changed.Chats), "since", from, "ms", time.Since(begun).Milliseconds())
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
