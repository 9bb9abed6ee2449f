package media

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kurir/problem"
)

func TestLinksEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		links := NewLinks([]byte("0123456789abcdef"), "https://kurir.example.com", time.Hour)
		raw := links.URL("med_A", "/v1/media/med_A")
		u, err := url.Parse(raw)
		if err != nil || !strings.HasPrefix(raw, "https://kurir.example.com/v1/media/med_A?expires=") {
			t.Fatal(raw, err)
		}
		query := u.Query()
		with := func(name, value string) url.Values {
			q := url.Values{Expires: {query.Get(Expires)}, Signature: {query.Get(Signature)}}
			q.Set(name, value)
			return q
		}
		for name, tt := range map[string]struct {
			id    string
			query url.Values
			want  problem.Code
		}{
			"whole":             {"med_A", query, ""},
			"of another file":   {"med_B", query, problem.LinkInvalid},
			"for longer":        {"med_A", with(Expires, query.Get(Expires)+"0"), problem.LinkInvalid},
			"no end":            {"med_A", with(Expires, ""), problem.LinkInvalid},
			"no signature":      {"med_A", with(Signature, ""), problem.LinkInvalid},
			"half a signature":  {"med_A", with(Signature, query.Get(Signature)[:20]), problem.LinkInvalid},
			"not base64":        {"med_A", with(Signature, "!"), problem.LinkInvalid},
			"the parts shifted": {"med_A\n" + query.Get(Expires)[:1], with(Expires, query.Get(Expires)[1:]), problem.LinkInvalid},
		} {
			if err := links.Check(tt.id, tt.query); problem.CodeOf(err) != tt.want && (err != nil || tt.want != "") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := NewLinks([]byte("another key 1234"), "", time.Hour).Check("med_A", query); problem.CodeOf(err) != problem.LinkInvalid {
			t.Errorf("of another kurir: %v", err)
		}
		time.Sleep(time.Hour - time.Second)
		if err := links.Check("med_A", query); err != nil {
			t.Errorf("a second before its end: %v", err)
		}
		time.Sleep(time.Second)
		if err := links.Check("med_A", query); problem.CodeOf(err) != problem.LinkExpired {
			t.Errorf("at its end: %v", err)
		}
	})
}
