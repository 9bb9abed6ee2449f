package fetch

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"kurir/problem"
)

// Guard decides which addresses kurir may call because somebody else said so. The zero value allows the public
// internet.
type Guard struct {
	Allow []netip.Prefix // allowed although they are not public
}

// Control is net.Dialer's hook: it refuses to connect to an address that is not allowed. It is called with what DNS
// answered, at the moment of connecting. Its error is URL_BLOCKED.
func (g Guard) Control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return problem.Wrap(problem.URLBlocked, "", err)
	}
	return g.checkAddr(ap.Addr())
}

func (g Guard) checkAddr(a netip.Addr) error {
	for _, p := range g.Allow {
		if p.Contains(a.Unmap()) {
			return nil
		}
	}
	if !Public(a) {
		return problem.New(problem.URLBlocked, "it leads to an address that is not public")
	}
	return nil
}

// CheckURL refuses what needs no look at the network, with URL_BLOCKED. An address in figures is judged here already;
// that is for a clear answer, the guard is Control.
func (g Guard) CheckURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return problem.New(problem.URLBlocked, "only http and https are fetched")
	case u.User != nil:
		return problem.New(problem.URLBlocked, "it must not hold a user name or password")
	case emptyLabel(u.Hostname()):
		return problem.New(problem.URLBlocked, "it has no host, or one with nothing between two dots")
	case oddNumber(u.Hostname()):
		return problem.New(problem.URLBlocked, "write the IP address in its usual form")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return g.checkAddr(a)
	}
	return nil
}

// oddNumber recognises 2130706433, 0x7f.1, 0177.0.0.1 and the like: forms of an IPv4 address that some
// resolvers take, and that only somebody with something to hide would write.
func oddNumber(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	digits := strings.TrimPrefix(last, "0x")
	return last != "" && last[0] >= '0' && last[0] <= '9' && strings.Trim(digits, "0123456789abcdef") == ""
}

// emptyLabel recognises "", "." and names such as "0..": no name of DNS has an empty label but the root's at the end (RFC 1035
// §2.3.4), and what a resolver makes of one is its own affair.
func emptyLabel(host string) bool {
	return slices.Contains(strings.Split(strings.TrimSuffix(host, "."), "."), "")
}
