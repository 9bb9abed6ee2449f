package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurir/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func TestPublic(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.15.255.255": true, "172.32.0.0": true, "100.63.255.255": true, "100.128.0.0": true,
		"192.167.1.1": true, "11.0.0.1": true, "2606:4700::1111": true, "2a00:1450:4001::1": true, "2400:cb00::1": true,
		"::ffff:8.8.8.8": true,

		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "10.255.255.255": false, "100.64.0.1": false, "100.100.100.200": false,
		"100.127.255.255": false, "127.0.0.1": false, "127.255.255.254": false, "168.63.129.16": false, "169.254.0.1": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.192": false, "192.0.2.1": false,
		"192.88.99.1": false, "192.168.1.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false,
		"203.0.113.1": false, "224.0.0.1": false, "239.255.255.255": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false,
		"64:ff9b::8.8.8.8": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::1": false, "100::1": false,
		"2001::1": false, "2001:0:7f00:1::": false, "2001:2::1": false, "2001:10::1": false, "2001:db8::1": false, "2002:7f00:1::": false,
		"2002:a00:1::1": false, "3fff::1": false, "5f00::1": false, "fc00::1": false, "fd00:ec2::254": false, "fe80::1": false,
		"fe80::1%lo": false, "fec0::1": false, "ff02::1": false, "ff0e::1": false,
	}
	for addr, want := range tests {
		if got := Public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Public(%s) = %v", addr, got)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("the zero address counts as public")
	}
}

// The client as in production: whatever the text of the URL looks like, nothing inside is reached.
func TestDownloadBlocked(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was reached", r.Host)
	}))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())

	urls := []string{
		"http://127.0.0.1:" + port, "http://localhost:" + port, "http://127.1:" + port,
		"http://2130706433:" + port, "http://0x7f000001:" + port, "http://0177.0.0.1:" + port, "http://0x7f.1:" + port,
		"http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://[::ffff:7f00:1]:" + port, "http://[::]:" + port,
		"http://0.0.0.0:" + port, "http://0:" + port, "http://[64:ff9b::7f00:1]:" + port, "http://[2002:7f00:1::]:" + port,
		"http://[fe80::1%25lo]:" + port, "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest/meta-data/",
		"http://10.0.0.1", "http://192.168.1.1", "http://172.16.0.1", "http://100.64.0.1", "http://100.100.100.200", "http://224.0.0.1",
		"http://user:pass@example.com/", "http://user@127.0.0.1:" + port, "ftp://example.com/a", "file:///etc/passwd",
		"gopher://127.0.0.1:" + port, "data:text/plain,hi", "javascript:alert(1)", "//example.com/a", "/etc/passwd", "example.com/a.png",
		"http://", "http:///a", "http:example.com", "http://[::1", "http://exa mple.com/", "ht!tp://x", "http://a\x00b/", "",
		"http://example.com/" + strings.Repeat("a", 5000),
	}
	c := New(Config{})
	for _, u := range urls {
		t.Run(u[:min(len(u), 60)], func(t *testing.T) {
			dir := t.TempDir()
			_, err := c.Download(t.Context(), u, dir, 1000)
			if problem.CodeOf(err) != problem.URLBlocked {
				t.Errorf("%v; want URL_BLOCKED", err)
			}
			wantEmpty(t, dir)
		})
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	png := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), bytes.Repeat([]byte{7}, 5000)...)
	mux := http.NewServeMux()
	mux.HandleFunc("/icon.png", func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding: %s", got)
		}
		if r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
			t.Errorf("cookie or referrer sent: %v", r.Header)
		}
		w.Header().Set("Content-Type", "text/html") // a lie
		_, _ = w.Write(png)
	})
	hops := func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/hops/%d", &n)
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"}) //nolint:gosec // a cookie that must never come back
		to := fmt.Sprintf("/hops/%d", n-1)
		if n == 1 {
			to = "/icon.png"
		}
		http.Redirect(w, r, to, http.StatusFound)
	}
	mux.HandleFunc("/hops/", hops)
	redirect := func(path, to string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	}
	redirect("/to-inside", "http://127.0.0.2/")
	redirect("/to-metadata", "http://169.254.169.254/latest/")
	redirect("/to-mapped", "http://[::ffff:10.0.0.1]/")
	redirect("/to-file", "file:///etc/passwd")
	redirect("/to-user", "http://a:b@127.0.0.1/")
	mux.HandleFunc("/missing", http.NotFound)
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		for range 20 {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1000))
			_ = http.NewResponseController(w).Flush()
		}
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(png)
	})
	raw := func(path, answer string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		})
	}
	raw("/announces-much", "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nabc")
	raw("/broken-off", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
	raw("/chunk-broken", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
	raw("/no-length", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+strings.Repeat("x", 10001))
	raw("/no-http", "SSH-2.0-OpenSSH_9.2\r\n")
	raw("/huge-header", "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
	mux.HandleFunc("/exact", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10000)) })
	srv := httptest.NewServer(mux)
	defer srv.Close()

	tests := []struct {
		path string
		code problem.Code // "" = success
	}{
		{"/icon.png", ""}, {"/hops/5", ""}, {"/exact", ""},
		{"/hops/6", problem.URLUnreachable},
		{"/to-inside", problem.URLBlocked}, {"/to-metadata", problem.URLBlocked}, {"/to-mapped", problem.URLBlocked},
		{"/to-file", problem.URLBlocked}, {"/to-user", problem.URLBlocked},
		{"/missing", problem.URLUnreachable}, {"/empty", problem.URLUnreachable}, {"/gzip", problem.URLUnreachable},
		{"/chunked", problem.FileTooLarge}, {"/announces-much", problem.FileTooLarge}, {"/no-length", problem.FileTooLarge},
		{"/broken-off", problem.URLUnreachable}, {"/chunk-broken", problem.URLUnreachable},
		{"/no-http", problem.URLUnreachable}, {"/huge-header", problem.URLUnreachable},
	}
	c := New(Config{Allow: loopback})
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			dir := t.TempDir()
			f, err := c.Download(t.Context(), srv.URL+tt.path, dir, 10000)
			if tt.code != "" {
				if problem.CodeOf(err) != tt.code {
					t.Errorf("%v; want %s", err, tt.code)
				}
				wantEmpty(t, dir)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(f.Path)
			if err != nil || int64(len(got)) != f.Size || sha256.Sum256(got) != f.SHA256 {
				t.Fatalf("%v, %d bytes on disk, %+v", err, len(got), f)
			}
			if info, _ := os.Stat(f.Path); info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
			if tt.path == "/exact" {
				return
			}
			if !bytes.Equal(got, png) || f.Name != "icon.png" || f.MimeType != "image/png" {
				t.Errorf("%d bytes, %+v", len(got), f)
			}
		})
	}
}

// A host that is allowed does not open the door for another one: the check is made again for each hop, after DNS.
func TestRedirectToNameThatResolvesInside(t *testing.T) {
	t.Parallel()
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached") }))
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = inside.Listener.Close()
	inside.Listener = l
	inside.Start()
	defer inside.Close()
	outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusMovedPermanently))
	defer outside.Close()

	_, err = New(Config{Allow: loopback}).Download(t.Context(), outside.URL, t.TempDir(), 1000)
	if problem.CodeOf(err) != problem.URLBlocked {
		t.Errorf("%v; want URL_BLOCKED", err)
	}
}

func TestDownloadTimeLimit(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/drip" {
			_, _ = w.Write([]byte("a"))
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	}))
	defer srv.Close()
	defer close(release)
	c := New(Config{Allow: loopback, Timeout: 50 * time.Millisecond})
	for _, path := range []string{"/hang", "/drip"} {
		dir := t.TempDir()
		if _, err := c.Download(context.Background(), srv.URL+path, dir, 1000); problem.CodeOf(err) != problem.URLUnreachable {
			t.Errorf("%s: %v; want URL_UNREACHABLE", path, err)
		}
		wantEmpty(t, dir)
	}
}

func TestProxyOfEnvironmentIsNotUsed(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	if _, err := New(Config{}).Download(t.Context(), "http://192.168.1.1/", t.TempDir(), 10); problem.CodeOf(err) != problem.URLBlocked {
		t.Error(err)
	}
	if New(Config{}).http.Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy is set")
	}
}

func TestDiskProblem(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("abc")) }))
	defer srv.Close()
	_, err := New(Config{Allow: loopback}).Download(t.Context(), srv.URL, "/nonexistent", 10)
	if problem.CodeOf(err) != problem.Internal {
		t.Errorf("%v; want INTERNAL", err)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}
