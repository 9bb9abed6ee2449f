package outbox

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"
	"unicode/utf8"

	"kurir/models"
)

// Pace is how fast an instance may send: the figures, and the time zone of its days and quiet hours.
type Pace struct {
	models.Pacing
	Zone *time.Location // nil: UTC
}

// PaceState is where an instance stands with its pace.
type PaceState struct {
	SentToday          int        `json:"sent_today"`
	FirstContactsToday int        `json:"first_contacts_today"`
	WaitsUntil         *time.Time `json:"waits_until,omitempty"` // nothing of normal priority leaves before
	Reason             string     `json:"reason,omitempty"`      // gap, quiet_hours or daily_limit
}

const (
	typingPerRune = 60 * time.Millisecond // a fast typist
	typingMax     = 5 * time.Second
	nobody        = math.MaxInt // a priority that no message has
)

// pacer decides when the next message may leave. The dispatcher's goroutine asks; the figures change from outside.
type pacer struct {
	mu     sync.Mutex
	pace   Pace
	nextAt time.Time // the gap's end; with its monotonic reading, so that a clock that is set does not stretch it
	day    string    // the local day that the counts are of; "" while they are not known
	sent   int
	first  int
	each   time.Duration // what a message takes, a moving average
}

func (p *pacer) set(pace Pace) {
	if pace.Zone == nil {
		pace.Zone = time.UTC
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pace.Zone != nil && p.pace.Zone.String() != pace.Zone.String() {
		p.day = ""
	}
	p.pace = pace
	if longest := time.Now().Add(ms(pace.GapMS + pace.JitterMS)); p.nextAt.After(longest) {
		p.nextAt = longest // a shorter gap holds from now on
	}
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// admits returns the least priority that may leave now, and, when that is not every one, until when and why.
func (p *pacer) admits(now time.Time) (least int, until time.Time, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.pace.PerDay; n > 0 && p.day == p.dayOf(now) && p.sent >= n {
		return nobody, p.midnight(now), "daily_limit"
	}
	if end, quiet := p.quiet(now); quiet {
		return models.PriorityHigh, end, "quiet_hours"
	}
	if now.Before(p.nextAt) {
		return models.PriorityHigh, p.nextAt, "gap"
	}
	return models.PriorityLow, time.Time{}, ""
}

// free says that a message may follow the one before at once, whatever its priority.
func (p *pacer) free() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.pace
	return f.GapMS == 0 && f.JitterMS == 0 && f.PerDay == 0 && f.FirstPerDay == 0 && f.QuietFrom == ""
}

// limited says whether the day's counts are needed and not known: then they are to be read since the returned time.
func (p *pacer) limited(now time.Time) (since time.Time, missing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pace.PerDay == 0 && p.pace.FirstPerDay == 0 || p.day == p.dayOf(now) {
		return time.Time{}, false
	}
	y, m, d := now.In(p.pace.Zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, p.pace.Zone), true
}

func (p *pacer) counted(now time.Time, sent, first int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.day, p.sent, p.first = p.dayOf(now), sent, first
}

// knownOnly says that the day's first contacts are used up.
func (p *pacer) knownOnly() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pace.FirstPerDay > 0 && p.first >= p.pace.FirstPerDay
}

// typing returns how long somebody would type m.
func (p *pacer) typing(m models.Message) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.pace.Typing || m.Priority >= models.PriorityHigh {
		return 0
	}
	return min(typingMax, time.Duration(utf8.RuneCountInString(m.Body))*typingPerRune)
}

// left notes that a message was handed to WhatsApp, whatever came of it, and took so long.
func (p *pacer) left(now time.Time, took time.Duration, sent, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gap := ms(p.pace.GapMS)
	if p.pace.JitterMS > 0 {
		gap += rand.N(ms(p.pace.JitterMS) + 1) //nolint:gosec // a pause is no secret
	}
	if gap > 0 {
		p.nextAt = now.Add(gap)
	}
	if sent {
		p.sent++
	}
	if first {
		p.first++
	}
	took += gap
	if p.each == 0 {
		p.each = took
	}
	p.each += (took - p.each) / 8
}

// expect says when a message with so many before it will leave.
func (p *pacer) expect(now time.Time, before, priority int) *time.Time {
	least, until, _ := p.admits(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now
	if priority < least && until.After(at) {
		at = until
	}
	at = at.Add(time.Duration(before) * p.each).UTC()
	return &at
}

func (p *pacer) state(now time.Time) PaceState {
	least, until, reason := p.admits(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	st := PaceState{Reason: reason}
	if p.day == p.dayOf(now) {
		st.SentToday, st.FirstContactsToday = p.sent, p.first
	}
	if least > models.PriorityNormal {
		until = until.UTC()
		st.WaitsUntil = &until
	}
	return st
}

// tomorrow is when the day's limits begin anew.
func (p *pacer) tomorrow(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.midnight(now)
}

// The rest is called with p.mu held.

func (p *pacer) dayOf(now time.Time) string { return now.In(p.pace.Zone).Format(time.DateOnly) }

// midnight is when the next local day begins.
func (p *pacer) midnight(now time.Time) time.Time {
	y, m, d := now.In(p.pace.Zone).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, p.pace.Zone)
}

// quiet says whether now is within the quiet hours, and when they end.
func (p *pacer) quiet(now time.Time) (end time.Time, yes bool) {
	from, err1 := time.Parse("15:04", p.pace.QuietFrom)
	to, err2 := time.Parse("15:04", p.pace.QuietTo)
	if err1 != nil || err2 != nil {
		return time.Time{}, false
	}
	local := now.In(p.pace.Zone)
	minute := local.Hour()*60 + local.Minute()
	begin, stop := from.Hour()*60+from.Minute(), to.Hour()*60+to.Minute()
	day := local.Day()
	switch {
	case begin <= stop && (minute < begin || minute >= stop):
		return time.Time{}, false
	case begin > stop && minute < begin && minute >= stop:
		return time.Time{}, false
	case begin > stop && minute >= begin:
		day++
	}
	return time.Date(local.Year(), local.Month(), day, to.Hour(), to.Minute(), 0, 0, p.pace.Zone), true
}
