package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kurir/events"
	"kurir/sandbox"
)

const friend = "6281234567801"

// noise is n bytes that do not compress, the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(n) + 1 //nolint:gosec // a small number of the test, which fits
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
	return b
}

// sendFile lets the friend's phone send a file and returns WhatsApp's id of the message.
func (g *gateway) sendFile(to string, m sandbox.Message) string {
	g.t.Helper()
	m.ID = sandbox.NewMessageID()
	if m.Mimetype == "" {
		m.Mimetype = "application/pdf"
	}
	if m.Type == "" {
		m.Type = "document"
	}
	if err := g.sandbox().SendFrom(friend, to, m); err != nil {
		g.t.Fatal(err)
	}
	return m.ID
}

// fileOf waits for the event of a message and returns its file.
func (g *gateway) fileOf(in instance, id string) events.Media {
	g.t.Helper()
	var found events.Media
	eventually(g.t, func() string {
		for _, e := range g.events(in, events.TypeMessage) {
			var m events.Message
			if err := json.Unmarshal(e.Data, &m); err != nil {
				g.t.Fatal(err)
			}
			if m.ID == id && m.Media != nil {
				found = *m.Media
				return ""
			}
		}
		return "no event of the message " + id
	})
	return found
}

// endOf waits until a file is not pending and returns what became of it.
func (g *gateway) endOf(in instance, mediaID string) events.Media {
	g.t.Helper()
	var found events.Media
	eventually(g.t, func() string {
		for _, e := range g.events(in, events.TypeMessageMedia) {
			var m events.MessageMedia
			if err := json.Unmarshal(e.Data, &m); err != nil {
				g.t.Fatal(err)
			}
			if m.Media.ID == mediaID {
				found = m.Media
			}
		}
		if found.ID == "" {
			return "no event of what became of " + mediaID
		}
		return ""
	})
	return found
}

func (g *gateway) events(in instance, types string) []events.Envelope {
	g.t.Helper()
	var list []events.Envelope
	g.call("GET", "/v1/events?limit=1000&instance="+in.ID+"&types="+types, nil).into(g.t, &list)
	return list
}

// get reads an address with headers ("Name: value") and returns the answer, read through.
func (g *gateway) get(url string, headers ...string) (head, string) {
	g.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = g.url + url
	}
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	h := sha256.New()
	var start bytes.Buffer
	if _, err := io.Copy(io.MultiWriter(h, &limited{&start, 4096}), resp.Body); err != nil {
		g.t.Fatal(err)
	}
	resp.Header.Set("Sum", hex.EncodeToString(h.Sum(nil)))
	return headOf(resp), start.String()
}

// limited keeps the start of what is written to it.
type limited struct {
	to   *bytes.Buffer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(l.left, len(b))
	l.left -= n
	l.to.Write(b[:n])
	return len(b), nil
}

// mediaFiles counts the files on disk.
func (g *gateway) mediaFiles() int {
	g.t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(g.dir, "media"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// hook is a receiver of webhooks that notes what it gets.
func (g *gateway) hook(in instance) <-chan events.Envelope {
	g.t.Helper()
	got := make(chan events.Envelope, 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e events.Envelope
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			g.t.Error(err)
		}
		got <- e
	}))
	g.t.Cleanup(srv.Close)
	if a := g.call("POST", "/v1/webhooks", map[string]any{"instance": in.ID, "url": srv.URL, "events": []string{"message", "message.media"}}); !a.Status {
		g.t.Fatalf("webhook: %+v", a)
	}
	return got
}

// toldOf waits until a hook brings the event of a message, and returns its file.
func toldOf(t *testing.T, hook <-chan events.Envelope, id string) events.Media {
	t.Helper()
	for limit := time.After(patience); ; {
		select {
		case e := <-hook:
			var m events.Message
			if err := json.Unmarshal(e.Data, &m); err != nil {
				t.Fatal(err)
			}
			if e.Type == events.TypeMessage && m.ID == id && m.Media != nil {
				return *m.Media
			}
		case <-limit:
			t.Fatalf("no webhook of the message %s", id)
		}
	}
}
