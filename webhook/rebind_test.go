package webhook

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"kurir/fetch/dnstest"
)

// A receiver's name that leads inside when it is called is not called, whatever it was before; nor is where a receiver
// sends kurir on to.
func TestReceiversThatLeadInside(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("reached as %s", r.Host) }))
	_ = inside.Listener.Close()
	inside.Listener = l
	inside.Start()
	defer inside.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	calls := 0
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
	}))
	defer outside.Close()
	_, outPort, _ := net.SplitHostPort(outside.Listener.Addr().String())

	names := dnstest.Resolver(t, func(_ string, asked int) []netip.Addr {
		if asked == 0 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")} // allowed: it plays the public internet
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	})
	c := newCaller([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, names, 1)
	defer c.client.CloseIdleConnections()
	post := func(url string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.client.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	if status, err := post("http://hook.test:" + outPort); err != nil || status != http.StatusTemporaryRedirect || calls != 1 {
		t.Fatalf("the first call, outside: %d %v, %d calls", status, err, calls)
	}
	c.client.CloseIdleConnections()
	for _, url := range []string{
		"http://hook.test:" + port, inside.URL, "http://[::ffff:127.0.0.2]:" + port, "http://2130706434:" + port, "http://[64:ff9b::7f00:2]:" + port,
	} {
		if status, err := post(url); err == nil {
			t.Errorf("%s was called: %d", url, status)
		}
	}
}
