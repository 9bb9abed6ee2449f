package models

import (
	"net/netip"
	"slices"
	"time"
)

// Scope is a kind of thing that a key may do with its instance. None includes another.
type Scope string

// The scopes.
const (
	ScopeSend   Scope = "send"   // messages: send, cancel, send again, see where they are
	ScopeRead   Scope = "read"   // chats, messages, contacts, files, events
	ScopeManage Scope = "manage" // the instance itself: start and stop it, its settings, webhooks and keys
)

// Scopes has every scope.
func Scopes() []Scope { return []Scope{ScopeSend, ScopeRead, ScopeManage} }

// DefaultScopes are those of a key of which nothing else was said.
func DefaultScopes() []Scope { return []Scope{ScopeSend, ScopeRead} }

// Rights are what a key may do, from where, for whom, how often and how long.
type Rights struct {
	Scopes        []Scope        `gorm:"serializer:json"`
	IPs           []netip.Prefix `gorm:"column:ips;serializer:json"` // callers' networks; empty: all
	Recipients    []string       `gorm:"serializer:json"`            // wids that it may send to; empty: all
	RatePerMinute int            // requests; 0: as the settings say
	ExpiresAt     *time.Time     // it opens nothing from then on; nil: never ends
}

// Has says whether one of the scopes is there.
func (r Rights) Has(scopes ...Scope) bool {
	return slices.ContainsFunc(scopes, func(s Scope) bool { return slices.Contains(r.Scopes, s) })
}

// Expired says whether the end has come.
func (r Rights) Expired(now time.Time) bool { return r.ExpiresAt != nil && !now.Before(*r.ExpiresAt) }

// AllowsIP says whether a caller may come from an address. What is no address may only where all may.
func (r Rights) AllowsIP(addr string) bool {
	if len(r.IPs) == 0 {
		return true
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(r.IPs, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// AllowsRecipient says whether messages may go to a chat.
func (r Rights) AllowsRecipient(wid string) bool {
	return len(r.Recipients) == 0 || slices.Contains(r.Recipients, wid)
}

// Beyond returns the first field in which r is more than other allows; "" when r is no more than other. usual is the rate
// that 0 stands for, itself 0 for no limit.
func (r Rights) Beyond(other Rights, usual int) string {
	within := func(p netip.Prefix) bool {
		return slices.ContainsFunc(other.IPs, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
	}
	switch {
	case slices.ContainsFunc(r.Scopes, func(s Scope) bool { return !other.Has(s) }):
		return "scopes"
	case len(other.IPs) > 0 && (len(r.IPs) == 0 || slices.ContainsFunc(r.IPs, func(p netip.Prefix) bool { return !within(p) })):
		return "ips"
	case len(other.Recipients) > 0 &&
		(len(r.Recipients) == 0 || slices.ContainsFunc(r.Recipients, func(wid string) bool { return !other.AllowsRecipient(wid) })):
		return "recipients"
	case faster(r.Rate(usual), other.Rate(usual)):
		return "rate_per_minute"
	case other.ExpiresAt != nil && (r.ExpiresAt == nil || r.ExpiresAt.After(*other.ExpiresAt)):
		return "expires_at"
	}
	return ""
}

// Rate is how many requests a minute are allowed; 0: no limit.
func (r Rights) Rate(usual int) int {
	if r.RatePerMinute > 0 {
		return r.RatePerMinute
	}
	return usual
}

// faster compares rates, of which 0 is the greatest.
func faster(a, b int) bool { return b > 0 && (a == 0 || a > b) }
