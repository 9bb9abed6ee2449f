package web

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	guessBurst  = 5                // wrong tokens that cost nothing but the try
	guessPeriod = 10 * time.Second // then one more each
	guessPeople = 4096             // addresses remembered; beyond that the idle ones are forgotten
)

// guesses slows down whoever tries admin tokens, by address.
type guesses struct {
	mu sync.Mutex
	by map[netip.Prefix]*rate.Limiter
}

func newGuesses() *guesses { return &guesses{by: map[netip.Prefix]*rate.Limiter{}} }

// take spends one try of addr. When there is none left it returns how long to wait.
func (g *guesses) take(addr string, now time.Time) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := guessKey(addr)
	limiter, known := g.by[key]
	if !known {
		if len(g.by) >= guessPeople {
			g.forget(now)
		}
		limiter = rate.NewLimiter(rate.Every(guessPeriod), guessBurst)
		g.by[key] = limiter
	}
	if limiter.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - limiter.TokensAt(now)
	return time.Duration(missing * float64(guessPeriod)), false
}

// forgive gives addr all its tries back: it knew the token.
func (g *guesses) forgive(addr string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.by, guessKey(addr))
}

// forget drops the addresses that have all their tries back, and when that is not enough, all: the memory is bounded,
// and who owns thousands of addresses is not slowed by any of them.
func (g *guesses) forget(now time.Time) {
	for key, limiter := range g.by {
		if limiter.TokensAt(now) >= guessBurst {
			delete(g.by, key)
		}
	}
	if len(g.by) >= guessPeople {
		clear(g.by)
	}
}

// guessKey is the address, or for IPv6 its /64, of which one household has all. What is no address shares one key.
func guessKey(addr string) netip.Prefix {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap()
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
