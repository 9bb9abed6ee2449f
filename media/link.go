package media

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"time"

	"kurir/problem"
)

// The names in the query of a link.
const (
	Expires   = "expires"   // Unix seconds
	Signature = "signature" // base64url without padding of the HMAC-SHA256
)

// Links makes and checks links to files that work without a key until a time. A link is for one file: the id and the
// time are what is signed.
type Links struct {
	key  []byte
	base string        // https://kurir.example.com
	life time.Duration // of a new link
}

// NewLinks returns the links of a key. base is kurir's address as receivers of webhooks reach it.
func NewLinks(key []byte, base string, life time.Duration) *Links {
	return &Links{key: key, base: base, life: life}
}

// URL returns a new link to the file with that id.
func (l *Links) URL(id, path string) string {
	expires := strconv.FormatInt(time.Now().Add(l.life).Unix(), 10)
	query := url.Values{Expires: {expires}, Signature: {base64.RawURLEncoding.EncodeToString(l.sign(id, expires))}}
	return l.base + path + "?" + query.Encode()
}

// Check says whether the query of a link lets its bearer read the file: nil, LINK_INVALID or LINK_EXPIRED.
func (l *Links) Check(id string, query url.Values) error {
	expires := query.Get(Expires)
	got, err := base64.RawURLEncoding.DecodeString(query.Get(Signature))
	if err != nil || !hmac.Equal(got, l.sign(id, expires)) {
		return problem.New(problem.LinkInvalid, "")
	}
	until, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return problem.New(problem.LinkInvalid, "")
	}
	if time.Now().Unix() >= until {
		return problem.New(problem.LinkExpired, "")
	}
	return nil
}

// sign is over both parts, none of which can hold the line break between them: ids have none, and a time with one
// would not be a number.
func (l *Links) sign(id, expires string) []byte {
	h := hmac.New(sha256.New, l.key)
	_, _ = h.Write([]byte("kurir media\n" + id + "\n" + expires)) // never fails
	return h.Sum(nil)
}
