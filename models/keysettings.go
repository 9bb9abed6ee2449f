package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kurir/phone"
)

// What the settings of a key may be.
const (
	MaxKeyName       = 100 // characters
	MaxKeyIPs        = 100
	MaxKeyRecipients = 1000
	MaxKeyRate       = 1_000_000 // requests a minute
)

// ItemError is about one item of a list that somebody wrote.
type ItemError struct{ Item, Why string }

func (e *ItemError) Error() string { return fmt.Sprintf("%q %s", e.Short(), e.Why) }

// Short is the item, or its beginning when it is long.
func (e *ItemError) Short() string {
	if len(e.Item) > 60 {
		return strings.ToValidUTF8(e.Item[:60], "") + "…"
	}
	return e.Item
}

// KeyChange is what somebody wants the settings of a key to be. nil leaves one as it is.
type KeyChange struct {
	Name       *string
	Scopes     *[]Scope
	IPs        *[]string  // empty: from anywhere
	Recipients *[]string  // empty: to anybody
	Rate       *int       // requests a minute; 0: the gateway's
	ExpiresAt  *time.Time // it ends then
	Endless    bool       // it never ends
}

// SettingError says which setting of a key cannot be, and why.
type SettingError struct {
	Field string // by its name in the API, for example rate_per_minute
	Err   error  // an *ItemError where one item of a list is wrong
}

func (e *SettingError) Error() string { return "`" + e.Field + "`: " + e.Err.Error() }

func (e *SettingError) Unwrap() error { return e.Err }

// Apply gives k the settings of c, and returns those that cannot be; k is to be thrown away then. region (ISO 3166-1) is
// the country of numbers without a country code.
func (c KeyChange) Apply(k *APIKey, region string, now time.Time) (wrong []*SettingError) {
	check := func(field string, err error) {
		if err != nil {
			wrong = append(wrong, &SettingError{field, err})
		}
	}
	var err error
	if c.Name != nil {
		k.Name, err = KeyName(*c.Name)
		check("name", err)
	}
	if c.Scopes != nil {
		k.Scopes, err = keyScopes(*c.Scopes)
		check("scopes", err)
	}
	if c.IPs != nil {
		k.IPs, err = ParseKeyIPs(*c.IPs)
		check("ips", err)
	}
	if c.Recipients != nil {
		k.Recipients, err = ParseKeyRecipients(*c.Recipients, region)
		check("recipients", err)
	}
	if c.Rate != nil {
		if k.RatePerMinute = *c.Rate; k.RatePerMinute < 0 || k.RatePerMinute > MaxKeyRate {
			check("rate_per_minute", fmt.Errorf("0 (the gateway's) to %d", MaxKeyRate))
		}
	}
	if c.Endless {
		k.ExpiresAt = nil
	}
	if c.ExpiresAt != nil {
		k.ExpiresAt, err = keyEnd(*c.ExpiresAt, now)
		check("expires_at", err)
	}
	return wrong
}

// keyScopes puts scopes in order, each once.
func keyScopes(list []Scope) ([]Scope, error) {
	for _, scope := range list {
		if !slices.Contains(Scopes(), scope) {
			return nil, fmt.Errorf("there are send, read and manage, and no %s", strconv.Quote((&ItemError{Item: string(scope)}).Short()))
		}
	}
	if len(list) == 0 {
		return nil, errors.New("at least one of send, read and manage")
	}
	return slices.Compact(slices.Sorted(slices.Values(list))), nil
}

// keyEnd refuses what has passed: a slip in the year would end a key that is in use.
func keyEnd(t, now time.Time) (*time.Time, error) {
	if t = t.UTC(); !t.After(now) {
		return nil, fmt.Errorf("%s has passed; to end a key now, delete it", t.Format(time.RFC3339))
	}
	return &t, nil
}

// SettingsPrint is a fingerprint of all that a KeyChange can change: whoever has read another one has read settings that
// hold no more.
func (k APIKey) SettingsPrint() string {
	var end int64
	if k.ExpiresAt != nil {
		end = k.ExpiresAt.UnixMicro()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %d %d", k.Name, k.Scopes, k.IPTexts(), k.Recipients, k.RatePerMinute, end))
	return hex.EncodeToString(sum[:16])
}

// KeyName returns the name of a key without the blanks around it.
func KeyName(text string) (string, error) {
	name := strings.TrimSpace(text)
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxKeyName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fmt.Errorf("1 to %d characters", MaxKeyName)
	}
	return name, nil
}

// ParseKeyIPs reads addresses and CIDR ranges. A range is kept without the bits of a host in it. An *ItemError is about
// one that is neither.
func ParseKeyIPs(list []string) (out []netip.Prefix, err error) {
	if len(list) > MaxKeyIPs {
		return nil, fmt.Errorf("at most %d", MaxKeyIPs)
	}
	for _, text := range list {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			p, err = netip.PrefixFrom(addr.WithZone(""), addr.BitLen()), nil
		}
		if err == nil && p.Addr().Is4In6() { // callers' addresses are compared in their short form
			if p.Bits() < 96 {
				return nil, &ItemError{text, "mixes IPv4 and IPv6"}
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if err != nil {
			return nil, &ItemError{text, "is no address and no range such as 192.0.2.0/24"}
		}
		if p = p.Masked(); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// ParseKeyRecipients reads numbers and groups as a send does. An *ItemError is about one that is neither.
func ParseKeyRecipients(list []string, region string) (out []string, err error) {
	if len(list) > MaxKeyRecipients {
		return nil, fmt.Errorf("at most %d", MaxKeyRecipients)
	}
	for _, text := range list {
		target, err := phone.Parse(text, region)
		if err != nil || target.Kind == phone.Broadcast || target.Kind == phone.Newsletter {
			return nil, &ItemError{text, "is no number and no group"}
		}
		if !slices.Contains(out, target.WID) {
			out = append(out, target.WID)
		}
	}
	return out, nil
}

// IPTexts are the addresses and ranges as people write them.
func (r Rights) IPTexts() []string {
	out := make([]string, len(r.IPs))
	for i, p := range r.IPs {
		out[i] = p.String()
		if p.IsSingleIP() {
			out[i] = p.Addr().String()
		}
	}
	return out
}

// RecipientTexts are the numbers and groups as people write them.
func (r Rights) RecipientTexts() []string {
	out := make([]string, len(r.Recipients))
	for i, wid := range r.Recipients {
		out[i] = strings.TrimSuffix(wid, "@c.us")
	}
	return out
}

// RecipientLines are the numbers and groups so that ParseKeyRecipients reads them back, whatever the region: a number of
// Hong Kong without its plus would be one of Indonesia.
func (r Rights) RecipientLines() []string {
	out := make([]string, len(r.Recipients))
	for i, wid := range r.Recipients {
		out[i] = wid
		if digits, ok := strings.CutSuffix(wid, "@c.us"); ok {
			if back, err := phone.Parse("+"+digits, ""); err == nil && back.WID == wid { // not of every id that was written as one
				out[i] = "+" + digits
			}
		}
	}
	return out
}
