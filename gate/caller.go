package gate

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the addresses whose word about a caller is believed. The zero value believes nobody.
type Proxies []netip.Prefix

// Trusts says whether addr is one of them.
func (p Proxies) Trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// Caller returns the address of who called, in the form of Request.RemoteAddr, and whether a proxy took the call by TLS.
// Proxies add to X-Forwarded-For at its end, so it is read from there: the first address that is no proxy of ours is the
// caller's, and what stands before it the caller may have written.
func (p Proxies) Caller(r *http.Request) (remote string, secure bool) {
	connected, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.Trusts(connected.Addr()) {
		return r.RemoteAddr, false
	}
	caller := connected.Addr()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := hopAddr(strings.TrimSpace(hop))
		if err != nil {
			break // the last that is known
		}
		if caller = addr; !p.Trusts(addr) {
			break
		}
	}
	protos := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	secure = strings.EqualFold(strings.TrimSpace(protos[len(protos)-1]), "https")
	if caller == connected.Addr() {
		return r.RemoteAddr, secure
	}
	return netip.AddrPortFrom(caller.Unmap(), 0).String(), secure
}

// hopAddr reads an address as proxies write it: some with a port.
func hopAddr(hop string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(hop); err == nil {
		hop = host
	}
	return netip.ParseAddr(strings.Trim(hop, "[]"))
}

// forget returns h without what says something about the origin of a request and was read, or is not to be believed. h
// is the server's: it stays as it is, and is copied only when there is something to take away.
func forget(h http.Header) http.Header {
	out, mine := h, false
	for _, name := range []string{ // in the form of keys of http.Header
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Original-Url", "X-Rewrite-Url",
		"X-Http-Method-Override", "X-Method-Override",
	} {
		if _, there := out[name]; !there {
			continue
		}
		if !mine {
			out, mine = h.Clone(), true
		}
		delete(out, name)
	}
	return out
}
