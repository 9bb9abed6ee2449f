package browser

import (
	"time"

	"kurir/problem"
)

// restriction is how long a restriction is taken to last when WhatsApp does not say.
const restriction = 15 * time.Minute

// term is the end of something that lasts for hours, on two clocks. The machine's clock can be set while it lasts, and
// the one that cannot be set stands still while the machine sleeps. The term is over when one of them says so: WhatsApp
// says no again to what comes too early, and what never comes is worse.
type term struct {
	wall   time.Time // as WhatsApp means it and the database keeps it
	steady time.Time // as long from the moment when it was learnt
}

// termUntil returns the term that ends at t; the zero time is over.
func termUntil(t, now time.Time) term {
	t = t.Round(0)
	return term{wall: t, steady: now.Add(t.Sub(now.Round(0)))}
}

// over says whether the term has ended.
func (t term) over(now time.Time) bool {
	return !now.Before(t.steady) || !now.Round(0).Before(t.wall)
}

// restrict takes note that WhatsApp restricts the account.
func (s *Session) restrict(p *problem.Error) {
	now := time.Now()
	if !p.Until.After(now) {
		p.Until = now.Add(restriction)
	}
	s.mu.Lock()
	doc := s.doc
	s.restricted = termUntil(p.Until, now)
	s.mu.Unlock()
	if doc != nil {
		doc.tell(wake{})
	}
}

func (s *Session) forgetRestriction() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restricted = term{}
}

// restrictedUntil returns the end of the restriction; the zero time: there is none.
func (s *Session) restrictedUntil() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restrictedLocked()
}

// restrictedLocked is restrictedUntil for who holds s.mu.
func (s *Session) restrictedLocked() time.Time {
	if s.restricted.over(time.Now()) {
		return time.Time{}
	}
	return s.restricted.wall
}
