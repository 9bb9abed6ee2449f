package fetch

import "net/netip"

// refused4 are the IPv4 ranges that are not the public internet (IANA's special-purpose registry), and one
// public address behind which a cloud keeps its metadata.
var refused4 = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carrier-grade NAT; Alibaba's metadata is in it
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's wire server
	"169.254.0.0/16",   // link-local; the metadata of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments; Oracle's metadata
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
)

// global6 is all of IPv6 that is routed. Outside are loopback, unspecified, unique local (AWS's fd00:ec2::254),
// link-local, multicast, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48) and what nobody uses yet.
var global6 = netip.MustParsePrefix("2000::/3")

// refused6 are the exceptions within global6.
var refused6 = prefixes(
	"2001::/23",     // protocol assignments: Teredo, benchmarks, ORCHID
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4: an IPv4 address in disguise
	"3fff::/20",     // documentation
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Public says whether an address is one of the public internet. An IPv4 address written as IPv6
// (::ffff:10.0.0.1) is judged as the IPv4 address that it is.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	refused := refused4
	if a.Is6() {
		if !global6.Contains(a) {
			return false
		}
		refused = refused6
	}
	for _, p := range refused {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}
