package guess

import (
	"net/netip"
	"testing"
	"time"
)

func spend[K comparable](t *testing.T, tries *Tries[K], who K, now time.Time) {
	t.Helper()
	for range Burst {
		if _, ok := tries.Take(who, now); !ok {
			t.Fatalf("%v: refused too early", who)
		}
	}
}

func TestTries(t *testing.T) {
	t.Parallel()
	tries, now := New[netip.Prefix](), time.Unix(1e9, 0)
	home := Address("192.0.2.1")
	spend(t, tries, home, now)
	if wait, ok := tries.Take(home, now); ok || wait != Period {
		t.Errorf("after the burst: %v, wait %s", ok, wait)
	}
	if _, ok := tries.Take(Address("192.0.2.2"), now); !ok {
		t.Error("another address is slowed too")
	}
	if _, ok := tries.Take(home, now.Add(Period)); !ok {
		t.Error("no try came back with time")
	}
	tries.Forgive(home)
	spend(t, tries, home, now)
	for i := range 2 * Most {
		tries.Take(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), now)
		if len(tries.by) > Most {
			t.Fatalf("%d addresses are remembered", len(tries.by))
		}
	}
}

func TestIdleOnesAreForgottenFirst(t *testing.T) {
	t.Parallel()
	tries, now := New[int](), time.Unix(1e9, 0)
	for i := range Most - 1 {
		tries.Take(i, now)
	}
	now = now.Add(Period)
	spend(t, tries, -1, now)
	tries.Take(Most, now) // makes room
	if _, ok := tries.Take(-1, now); ok {
		t.Error("one that is out of tries was forgotten while there were idle ones")
	}
	if len(tries.by) != 2 {
		t.Errorf("%d are remembered", len(tries.by))
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	tries, now := New[int](), time.Unix(1e9, 0)
	if _, ok := tries.Open(1, now); !ok {
		t.Error("closed from the start")
	}
	tries.Knew(2, now)
	for _, who := range []int{1, 2} {
		spend(t, tries, who, now)
	}
	if wait, ok := tries.Open(1, now); ok || wait != Period {
		t.Errorf("after the burst: %v, wait %s", ok, wait)
	}
	if _, ok := tries.Open(1, now.Add(Period)); !ok {
		t.Error("no try came back with time")
	}
	if _, ok := tries.Open(2, now); !ok {
		t.Error("one who knew the secret is locked out by wrong tries")
	}
	for range Trusted / Period { // wrong tries all day long
		now = now.Add(Period)
		tries.Take(2, now)
	}
	tries.Take(2, now)
	if _, ok := tries.Open(2, now); ok {
		t.Error("one who knew the secret a day ago is not locked out")
	}
	for i := range 2 * Most {
		tries.Knew(i, now)
	}
	if len(tries.knows) > Most {
		t.Errorf("%d are remembered", len(tries.knows))
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{"192.0.2.1", "::ffff:192.0.2.1"}, {"2001:db8::1", "2001:db8::2"}, {"fe80::1%eth0", "fe80::2"}, {"", "not an address"},
	} {
		if Address(same[0]) != Address(same[1]) {
			t.Errorf("%v have tries of their own", same)
		}
	}
	for _, other := range [][2]string{{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8:0:1::1"}, {"192.0.2.1", ""}} {
		if Address(other[0]) == Address(other[1]) {
			t.Errorf("%v share their tries", other)
		}
	}
}
