package fetch

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kurir/fetch/dnstest"
	"kurir/problem"
)

// innerServer is a server at 127.0.0.2, which plays the inside; 127.0.0.1 is allowed and plays the public internet.
func innerServer(t *testing.T) (port string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the inside was reached as %s", r.Host)
	}))
	_ = inside.Listener.Close()
	inside.Listener = l
	inside.Start()
	t.Cleanup(inside.Close)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// A name that is public when it is looked at and leads inside when it is called, in every order that a name server has.
func TestRebinding(t *testing.T) {
	t.Parallel()
	public, inside := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	port := innerServer(t)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Back to the same name, which is another address by now.
		http.Redirect(w, r, "http://rebind.test:"+port+"/", http.StatusFound)
	}))
	front.Start()
	defer front.Close()
	_, frontPort, _ := net.SplitHostPort(front.Listener.Addr().String())

	var lookups atomic.Int32
	names := dnstest.Resolver(t, func(name string, asked int) []netip.Addr {
		lookups.Add(1)
		switch {
		case name == "rebind.test" && asked == 0:
			return []netip.Addr{public}
		case name == "both.test":
			return []netip.Addr{netip.MustParseAddr("::1"), inside, netip.MustParseAddr("64:ff9b::7f00:2")}
		case name == "mapped.test":
			return []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.2")}
		case name == "nat64.test":
			return []netip.Addr{netip.MustParseAddr("64:ff9b::7f00:2"), netip.MustParseAddr("2002:7f00:2::")}
		}
		return []netip.Addr{inside}
	})
	c := New(Config{Allow: loopback, Resolver: names})
	dir := t.TempDir()
	for _, url := range []string{
		"http://rebind.test:" + frontPort, // public, then inside
		"http://rebind.test:" + port,      // inside by now
		"http://inside.test:" + port, "http://both.test:" + port, "http://mapped.test:" + port, "http://nat64.test:" + port,
		"http://inside.test.:" + port, "http://INSIDE.test:" + port,
	} {
		if _, err := c.Download(t.Context(), url, dir, 1000); problem.CodeOf(err) != problem.URLBlocked {
			t.Errorf("%s: %v; want URL_BLOCKED", url, err)
		}
	}
	if lookups.Load() == 0 {
		t.Error("no name was looked up: this shows nothing")
	}
	wantEmpty(t, dir)
}

// Addresses in every spelling that one library or another takes for 127.0.0.2.
func TestSpellingsOfAnInnerAddress(t *testing.T) {
	t.Parallel()
	port := innerServer(t)
	c := New(Config{Allow: loopback, Resolver: dnstest.Resolver(t, func(string, int) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")} // a resolver that takes them for numbers
	})})
	for _, host := range []string{
		"127.0.0.2", "127.2", "127.0.2", "2130706434", "0x7f000002", "0x7F.0.0.2", "0x7f.2", "0177.0.0.2", "0177.0.0.02", "017700000002",
		"127.0.0.2.", "①②⑦.0.0.2", "127。0。0。2", "127.0.0.2%00.example.com", "127.0.0.2%2f.example.com", "%31%32%37.0.0.2",
		"[::ffff:127.0.0.2]", "[::ffff:7f00:2]", "[0:0:0:0:0:ffff:7f00:2]", "[::127.0.0.2]", "[64:ff9b::127.0.0.2]", "[2002:7f00:2::]",
		"[::ffff:127.0.0.2%25lo]", "[fe80::1%25lo]", "[::1%25lo]", "[::]", "0", "0.0.0.0",
		"example.com@127.0.0.2", "example.com:80@127.0.0.2", "example.com%40127.0.0.2@127.0.0.2", "127.0.0.2#@example.com:80", "127.0.0.2\\@example.com",
	} {
		dir := t.TempDir()
		if _, err := c.Download(t.Context(), "http://"+host+":"+port+"/", dir, 1000); problem.CodeOf(err) != problem.URLBlocked {
			t.Errorf("%s: %v; want URL_BLOCKED", host, err)
		}
		wantEmpty(t, dir)
	}
}

// Redirects in every manner, each to the inside, at the end of a chain that begins outside.
func TestRedirectChainsToTheInside(t *testing.T) {
	t.Parallel()
	port := innerServer(t)
	targets := []string{
		"http://127.0.0.2:" + port, "//127.0.0.2:" + port, "http://2130706434:" + port, "http://[::ffff:127.0.0.2]:" + port,
		"http://inside.test:" + port, "http://user@127.0.0.2:" + port, "HTTP://127.0.0.2:" + port, "https://127.0.0.2:" + port,
		"gopher://127.0.0.2:" + port, "file:///etc/passwd", "http:\\\\127.0.0.2:" + port,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status, left, to int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d/%d/%d", &status, &left, &to)
		location := fmt.Sprintf("/%d/%d/%d", status, left-1, to)
		if left == 0 {
			location = targets[to]
		}
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	}))
	defer srv.Close()
	c := New(Config{Allow: loopback, Resolver: dnstest.Resolver(t, func(string, int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.2")} })})
	dir := t.TempDir()
	for i := range targets {
		for _, status := range []int{301, 302, 303, 307, 308} {
			_, err := c.Download(t.Context(), fmt.Sprintf("%s/%d/%d/%d", srv.URL, status, i%5, i), dir, 1000)
			if code := problem.CodeOf(err); code != problem.URLBlocked && code != problem.URLUnreachable {
				t.Errorf("%s by %d: %v", targets[i], status, err)
			}
		}
	}
	wantEmpty(t, dir)
}

// Bodies that lie about their length or do not end cost no more than the limit, in bytes and in time.
func TestBodiesThatLie(t *testing.T) {
	t.Parallel()
	const most = 100_000
	var sent atomic.Int64
	raw := func(answer func(io.Writer) error) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
			_ = answer(conn)
		}
	}
	endless := func(head, piece string) http.HandlerFunc {
		return raw(func(w io.Writer) error {
			if _, err := io.WriteString(w, head); err != nil {
				return err
			}
			for {
				n, err := io.WriteString(w, piece)
				if sent.Add(int64(n)); err != nil {
					return err
				}
			}
		})
	}
	mux := http.NewServeMux()
	kilo := strings.Repeat("x", 1024)
	mux.HandleFunc("/endless", endless("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", kilo))
	mux.HandleFunc("/endless-chunks", endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "400\r\n"+kilo+"\r\n"))
	mux.HandleFunc("/endless-header", endless("HTTP/1.1 200 OK\r\n", "X: "+kilo+"\r\n"))
	mux.HandleFunc("/endless-informational", endless("", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"))
	mux.HandleFunc("/negative", raw(func(w io.Writer) error {
		_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc")
		return err
	}))
	mux.HandleFunc("/two", raw(func(w io.Writer) error {
		_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc")
		return err
	}))
	mux.HandleFunc("/more-than-said", raw(func(w io.Writer) error {
		_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef")
		return err
	}))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	c := New(Config{Allow: loopback, Timeout: time.Minute})
	for path, want := range map[string]problem.Code{
		"/endless": problem.FileTooLarge, "/endless-chunks": problem.FileTooLarge, "/endless-header": problem.URLUnreachable,
		"/endless-informational": problem.URLUnreachable, "/negative": problem.URLUnreachable, "/two": problem.URLUnreachable,
	} {
		dir := t.TempDir()
		if _, err := c.Download(t.Context(), srv.URL+path, dir, most); problem.CodeOf(err) != want {
			t.Errorf("%s: %v; want %s", path, err, want)
		}
		wantEmpty(t, dir)
	}
	if f, err := c.Download(t.Context(), srv.URL+"/more-than-said", t.TempDir(), most); err != nil || f.Size != 3 {
		t.Errorf("what is behind the end was taken: %+v, %v", f, err)
	}
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d bytes were sent for a limit of %d", n, most)
	}
}
