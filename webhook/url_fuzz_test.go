package webhook

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"kurir/fetch"
	"kurir/problem"
)

// FuzzCheckURL: an address that is accepted is one of the web, without a name and password, and when it is written in figures
// it is public.
func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{
		"https://example.com/hook", "http://127.0.0.1/", "http://2130706433/", "http://[::ffff:127.0.0.1]/", "http://0x7f.1/", "http://a@b/", "ftp://a/", "//a/",
		"http://[64:ff9b::1]/", "http://[fe80::1%25lo]/", "http://0177.1/", "http:///", "https://8.8.8.8:99999/", "http://1.1.1.1.:80", "", "http://a b/", "HTTP://EXAMPLE.com",
	} {
		f.Add(s)
	}
	d := New(nil, Config{})
	f.Fuzz(func(t *testing.T, in string) {
		if err := d.CheckURL(in, false); err != nil {
			if problem.CodeOf(err) != problem.WebhookURLInvalid {
				t.Fatalf("%q: %v", in, err)
			}
			return
		}
		u, err := url.Parse(strings.TrimSpace(in))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Hostname() == "" || len(in) > maxURL {
			t.Fatalf("%q was accepted: %+v %v", in, u, err)
		}
		host := strings.TrimSuffix(u.Hostname(), ".")
		if a, err := netip.ParseAddr(host); err == nil && !fetch.Public(a) {
			t.Fatalf("%q was accepted and leads to %s", in, a)
		}
		if strings.Trim(host, "0123456789.") == "" && strings.Count(host, ".") != 3 {
			t.Fatalf("%q was accepted: figures in an odd form", in)
		}
	})
}
