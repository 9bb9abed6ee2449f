package gate

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"kurir/guess"
)

// Conns is a listener that bounds how many connections there are, in all and from one address. When one more comes than
// may, the one that has waited longest (for its first request, or for the next) is closed for it: who opens thousands and
// says nothing loses his own. Only when none waits is the new one refused.
type Conns struct {
	net.Listener
	max, perAddress int
	proxies         Proxies

	mu      sync.Mutex
	open    int
	by      map[netip.Prefix]int
	waiting list.List // of *conn, the one that has waited longest in front
}

// Listen bounds the connections of l. The server must call State at each change of a connection.
func Listen(l net.Listener, limits Limits, proxies Proxies) *Conns {
	limits = limits.WithDefaults()
	most := limits.Conns
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil && files.Cur/2 < uint64(most) { //nolint:gosec // limits are positive
		most = int(files.Cur / 2) //nolint:gosec // less than most; the other half is for files and Chromium
	}
	return &Conns{Listener: l, max: most, perAddress: limits.PerAddress, proxies: proxies, by: map[netip.Prefix]int{}}
}

// Accept is part of net.Listener.
func (l *Conns) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if in := l.admit(c); in != nil {
			return in, nil
		}
		_ = c.Close()
	}
}

// admit takes a connection in, in the place of another if need be; nil: there is no room.
func (l *Conns) admit(c net.Conn) net.Conn {
	key, bounded := l.key(c)
	var leaves *conn
	l.mu.Lock()
	if bounded && l.by[key] >= l.perAddress {
		leaves = l.longest(func(w *conn) bool { return w.key == key })
	} else if l.open >= l.max {
		leaves = l.longest(func(*conn) bool { return true })
	}
	if leaves != nil {
		l.drop(leaves)
	}
	full := bounded && l.by[key] >= l.perAddress || l.open >= l.max
	var in *conn
	if !full {
		in = &conn{Conn: c, gate: l, key: key}
		l.open++
		l.by[key]++
		in.place = l.waiting.PushBack(in)
	}
	l.mu.Unlock()
	if leaves != nil {
		_ = leaves.Conn.Close()
	}
	if full {
		return nil
	}
	return in
}

func (l *Conns) longest(fits func(*conn) bool) *conn {
	for e := l.waiting.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*conn); ok && fits(c) {
			return c
		}
	}
	return nil
}

// drop takes a connection off the books, once. The caller holds l.mu.
func (l *Conns) drop(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	l.unwait(c)
	l.open--
	if l.by[c.key]--; l.by[c.key] == 0 {
		delete(l.by, c.key)
	}
}

func (l *Conns) unwait(c *conn) {
	if c.place != nil {
		l.waiting.Remove(c.place)
		c.place = nil
	}
}

// State is http.Server.ConnState.
func (l *Conns) State(c net.Conn, state http.ConnState) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	in, ok := c.(*conn)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unwait(in); !in.gone && (state == http.StateIdle || state == http.StateNew) {
		in.place = l.waiting.PushBack(in)
	}
}

// key is what counts as one address.
func (l *Conns) key(c net.Conn) (key netip.Prefix, bounded bool) {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}, false // a listener without addresses
	}
	return guess.Of(ap.Addr()), !l.proxies.Trusts(ap.Addr())
}

// conn is a connection on the books of its gate.
type conn struct {
	net.Conn
	gate  *Conns
	key   netip.Prefix
	place *list.Element // in gate.waiting; nil while a request is under way
	gone  bool
}

// Close is part of net.Conn.
func (c *conn) Close() error {
	c.gate.mu.Lock()
	c.gate.drop(c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}
