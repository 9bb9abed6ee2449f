// Package guess slows down whoever tries secrets: the admin token, API keys, passwords.
//
// Invariant: who has spent his tries gets them back one by one with time, or at once when he shows that he knows the
// secret; what is remembered is bounded, however many names or addresses the tries come under. Nothing runs in the
// background and nothing waits here: a caller is told how long it is until the next try.
package guess

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// Burst is how many wrong tries cost nothing but the try.
	Burst = 5
	// Period is how long each further one takes to come back.
	Period = 10 * time.Second
	// Most is how many are remembered; beyond that the idle ones are forgotten.
	Most = 4096
	// Trusted is how long one who knew the secret is not locked out by the wrong tries of his neighbours.
	Trusted = 24 * time.Hour
)

// Tries counts by address (see Address), by account, or by whatever K is. It is safe for concurrent use.
type Tries[K comparable] struct {
	mu    sync.Mutex
	by    map[K]*rate.Limiter
	knows map[K]time.Time // who has shown that he knows the secret → until when that counts
}

// New returns tries that nobody has spent any of.
func New[K comparable]() *Tries[K] {
	return &Tries[K]{by: map[K]*rate.Limiter{}, knows: map[K]time.Time{}}
}

// Take spends a try. When there is none left it returns how long to wait for the next.
//
// A secret that a person may have chosen is guarded by taking before it is checked, and by Forgive when it was right:
// so many at once do not get more tries than one after the other. One that nobody can guess may be checked first, so
// that a flood of wrong ones does not lock out the right one.
func (t *Tries[K]) Take(who K, now time.Time) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter, known := t.by[who]
	if !known {
		if len(t.by) >= Most {
			t.forget(now)
		}
		limiter = rate.NewLimiter(rate.Every(Period), Burst)
		t.by[who] = limiter
	}
	if limiter.AllowN(now, 1) {
		return 0, true
	}
	return wait1(limiter, now), false
}

// wait1 is how long it is until there is a whole try.
func wait1(l *rate.Limiter, now time.Time) time.Duration {
	return time.Duration((1 - l.TokensAt(now)) * float64(Period))
}

// Open says whether a right secret is taken from who, and how long it is until then: as long as there is a try left, and
// from those who have shown lately that they know it. It spends nothing.
//
// It is for a secret that programs send with every call, from an address that others may share.
func (t *Tries[K]) Open(who K, now time.Time) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter, known := t.by[who]
	if !known || limiter.TokensAt(now) >= 1 || now.Before(t.knows[who]) {
		return 0, true
	}
	return wait1(limiter, now), false
}

// Knew notes that who has sent the right secret while Open.
func (t *Tries[K]) Knew(who K, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.knows[who]; !known && len(t.knows) >= Most {
		clear(t.knows) // they show it again
	}
	t.knows[who] = now.Add(Trusted)
}

// Forgive gives all tries back: the secret was known.
func (t *Tries[K]) Forgive(who K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.by, who)
}

// forget drops those who have all their tries back and, when that is not much, all: the memory is bounded, and who has
// thousands of addresses is not slowed by any of them. Making room for half at least keeps the cost of looking small.
func (t *Tries[K]) forget(now time.Time) {
	for who, limiter := range t.by {
		if limiter.TokensAt(now) >= Burst {
			delete(t.by, who)
		}
	}
	if len(t.by) > Most/2 {
		clear(t.by)
	}
}

// Address is Of for an address in text. What is no address is one and the same.
func Address(addr string) netip.Prefix {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}
	}
	return Of(ip)
}

// Of is who an IP address stands for: itself, or for IPv6 its /64, of which one household has all.
func Of(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits) // the bits fit the family; of no address it is no prefix
	return prefix
}
