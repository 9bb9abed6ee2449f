package handlers

import (
	"math"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"kurir/models"
	"kurir/problem"
)

// maxRates bounds how many keys are counted; beyond that those that rest are forgotten, which changes nothing for them.
const maxRates = 4096

// rates counts the requests of keys by the id of the key, so that the old and the new secret of one share a count. A key
// may spend a minute's worth at once. The zero value is ready.
type rates struct {
	mu sync.Mutex
	by map[string]*rate.Limiter
}

// allowance is where a key stands.
type allowance struct {
	left  int           // requests that may come at once
	full  time.Duration // until it may spend a whole minute's worth again
	retry time.Duration // until the next one, when there is none left
}

// take counts a request of a key that may make so many a minute.
func (r *rates) take(keyID string, perMinute int, now time.Time) (a allowance, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	every := rate.Limit(float64(perMinute) / 60)
	l := r.by[keyID]
	switch {
	case l == nil:
		if r.by == nil || len(r.by) >= maxRates {
			r.rest(now)
		}
		l = rate.NewLimiter(every, perMinute)
		r.by[keyID] = l
	case l.Burst() != perMinute: // somebody changed it
		l.SetLimitAt(now, every)
		l.SetBurstAt(now, perMinute)
	}
	ok = l.AllowN(now, 1)
	tokens := min(l.TokensAt(now), float64(perMinute))
	seconds := func(missing float64) time.Duration {
		return time.Duration(max(0, missing) / float64(every) * float64(time.Second))
	}
	return allowance{left: int(math.Floor(max(0, tokens))), full: seconds(float64(perMinute) - tokens), retry: seconds(1 - tokens)}, ok
}

// rest forgets the keys that have all of their minute; with more busy keys than that, all.
func (r *rates) rest(now time.Time) {
	for id, l := range r.by {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(r.by, id)
		}
	}
	if r.by == nil || len(r.by) > maxRates/2 {
		r.by = map[string]*rate.Limiter{}
	}
}

// countCall counts a call of a key and says in the answer's headers where the key stands. The names are those of the
// IETF draft up to its seventh version, which clients know; the structured fields that came after it need a parser that
// the callers here do not have.
func (s *server) countCall(c *call, k models.APIKey, now time.Time) error {
	perMinute := k.Rate(s.RatePerMinute)
	if perMinute == 0 {
		return nil
	}
	a, ok := s.rates.take(k.ID, perMinute, now)
	c.Header("RateLimit-Limit", strconv.Itoa(perMinute))
	c.Header("RateLimit-Remaining", strconv.Itoa(a.left))
	c.Header("RateLimit-Reset", strconv.Itoa(int(math.Ceil(a.full.Seconds()))))
	if ok {
		return nil
	}
	c.retryAfter(a.retry)
	return problem.New(problem.RateLimited, strconv.Itoa(perMinute)+" a minute")
}
