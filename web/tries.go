package web

import (
	"net/netip"
	"time"

	"kurir/guess"
)

// tries slows down whoever guesses passwords and the admin token.
//
// By address, so that one machine cannot try much; by account, so that a thousand machines together cannot try more at
// one password than one could. The second lets an attacker keep the account's tries spent, and its owner out. So a
// browser in which the person has signed in before has tries of its own, by its cookie (OWASP's device cookies): the
// attack does not reach it, and whoever stole the cookie has only these few. A person with a new browser during an attack
// waits, or comes in with the admin token.
type tries struct {
	addresses *guess.Tries[netip.Prefix]
	accounts  *guess.Tries[string]
	devices   *guess.Tries[string]
}

func newTries() tries {
	return tries{guess.New[netip.Prefix](), guess.New[string](), guess.New[string]()}
}

// attempt is one try at a password.
type attempt struct {
	address netip.Prefix
	account string // as it was typed: a name that nobody has is slowed down like any other
	device  string // the hash of the browser's cookie
	known   bool   // the person has signed in in this browser before
}

func (t tries) take(a attempt, now time.Time) (wait time.Duration, ok bool) {
	if a.known {
		return t.devices.Take(a.device, now)
	}
	if wait, ok = t.addresses.Take(a.address, now); !ok {
		return wait, false // and the account's tries are not spent by it
	}
	return t.accounts.Take(a.account, now)
}

// forgive gives the tries back: the password was known.
func (t tries) forgive(a attempt) {
	if a.known {
		t.devices.Forgive(a.device)
		return
	}
	t.addresses.Forgive(a.address)
	t.accounts.Forgive(a.account)
}
