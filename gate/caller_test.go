package gate

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestCaller(t *testing.T) {
	t.Parallel()
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		remote, forwarded, proto string
		want                     string
		secure                   bool
	}{
		{remote: "203.0.113.5:4711", want: "203.0.113.5:4711"},
		{remote: "203.0.113.5:4711", forwarded: "1.2.3.4", proto: "https", want: "203.0.113.5:4711"}, // forged
		{remote: "10.1.1.1:80", want: "10.1.1.1:80"},
		{remote: "10.1.1.1:80", forwarded: "203.0.113.7", proto: "https", want: "203.0.113.7:0", secure: true},
		{remote: "10.1.1.1:80", forwarded: "1.2.3.4, 203.0.113.7", proto: "http", want: "203.0.113.7:0"}, // 1.2.3.4 is forged
		{remote: "10.1.1.1:80", forwarded: "1.2.3.4, 203.0.113.7, 10.2.2.2", want: "203.0.113.7:0"},
		{remote: "10.1.1.1:80", forwarded: "10.3.3.3, 10.2.2.2", want: "10.3.3.3:0"},
		{remote: "10.1.1.1:80", forwarded: "203.0.113.7:5555", want: "203.0.113.7:0"},
		{remote: "10.1.1.1:80", forwarded: "[2400:cb00::1]:5555", want: "[2400:cb00::1]:0"},
		{remote: "10.1.1.1:80", forwarded: "2400:cb00::1", want: "[2400:cb00::1]:0"},
		{remote: "10.1.1.1:80", forwarded: "unknown", proto: "https, http", want: "10.1.1.1:80"},
		{remote: "10.1.1.1:80", forwarded: "1.2.3.4, evil\", 10.2.2.2", want: "10.2.2.2:0"},
		{remote: "10.1.1.1:80", forwarded: "127.0.0.1", want: "127.0.0.1:0"},
		{remote: "[::ffff:10.1.1.1]:80", forwarded: "::ffff:203.0.113.7", want: "203.0.113.7:0"},
		{remote: "[fd00::1]:80", forwarded: "203.0.113.7", want: "203.0.113.7:0"},
		{remote: "@", forwarded: "203.0.113.7", proto: "https", want: "@"},
	}
	for _, tt := range tests {
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
		r.RemoteAddr = tt.remote
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		if got, secure := proxies.Caller(r); got != tt.want || secure != tt.secure {
			t.Errorf("%+v: %s %v", tt, got, secure)
		}
		if got, secure := Proxies(nil).Caller(r); got != tt.remote || secure {
			t.Errorf("nobody is trusted, and %s %v", got, secure)
		}
	}
}

// What a caller says about itself does not pass the gate.
func TestForgedOriginDoesNotPass(t *testing.T) {
	h := open(t, Limits{}, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.RemoteAddr, "127.0.0.4:") || Secure(r) {
			t.Errorf("the caller is %s, secure %v", r.RemoteAddr, Secure(r))
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "X-") || name == "Forwarded" {
				t.Errorf("%s passed", name)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
	forged := "GET / HTTP/1.1\r\nHost: k\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1;proto=https\r\n" +
		"X-Forwarded-Proto: https\r\nX-Original-URL: /v1/instances\r\nX-HTTP-Method-Override: DELETE\r\n\r\n"
	if got := ask(h.dial("127.0.0.4"), forged); got != http.StatusNoContent {
		t.Errorf("answered %d", got)
	}
}

// The header is the server's: what is taken away from it is taken from a copy.
func TestForgetLeavesTheServersHeader(t *testing.T) {
	t.Parallel()
	names := []string{
		"forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip",
		"x-client-ip", "true-client-ip", "cf-connecting-ip", "x-original-url", "x-rewrite-url", "x-http-method-override", "x-method-override",
	}
	for _, name := range names { // each alone: the first one makes the copy
		server := http.Header{}
		server.Set(name, "1.2.3.4")
		server.Set("Content-Type", "application/json")
		got := forget(server)
		if got.Get(name) != "" || got.Get("Content-Type") == "" || len(got) != 1 {
			t.Errorf("%s: behind the gate there is %v", name, got)
		}
		if len(server) != 2 {
			t.Errorf("%s: the server's header is %v", name, server)
		}
	}
}
