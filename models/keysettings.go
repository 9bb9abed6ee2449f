package models

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
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

// KeyName returns the name of a key without the blanks around it; false when it cannot be one.
func KeyName(text string) (string, bool) {
	name := strings.TrimSpace(text)
	return name, name != "" && utf8.ValidString(name) && utf8.RuneCountInString(name) <= MaxKeyName && !strings.ContainsFunc(name, unicode.IsControl)
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
