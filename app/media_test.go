package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"kurir/app"
	"kurir/events"
	"kurir/sandbox"
)

// TestMedia lets a phone send files and reads them from kurir.
func TestMedia(t *testing.T) {
	t.Parallel() // waits most of its time
	g := openGateway(t, t.TempDir(), func(c *app.Config) { c.MediaMaxMB = 68 })
	in := g.linked("berkas", "6281100000501")
	hook := g.hook(in)

	t.Run("served", func(t *testing.T) { served(t, g, in) })
	t.Run("webhook", func(t *testing.T) { linkInWebhook(t, g, in, hook) })
	t.Run("hostile names", func(t *testing.T) { hostileNames(t, g, in) })
	t.Run("gone and too large", func(t *testing.T) { goneAndTooLarge(t, g, in) })
	t.Run("settings", func(t *testing.T) { mediaSettings(t, g, in) })
	t.Run("a network that fails", func(t *testing.T) { networkFails(t, g, in) })
	t.Run("own", func(t *testing.T) { ownFile(t, g, in) })
	t.Run("groups", func(t *testing.T) { groupFile(t, g, in) })
}

// TestTheSameBytes passes files on, small and large. It has the process to itself, and waits for the event of a file without
// asking for it again and again: what is allocated meanwhile is what kurir needs for the file.
func TestTheSameBytes(t *testing.T) {
	g := openGateway(t, t.TempDir(), func(c *app.Config) { c.MediaMaxMB = 68 })
	in := g.linked("sama", "6281100000502")
	hook := g.hook(in)
	for _, size := range []int{0, 1, 64 << 20} {
		sum := sha(noise(size))
		id := g.sendFile(in.Number, sandbox.Message{Data: noise(size), Filename: "a.pdf", Body: "ini"})
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		told := toldOf(t, hook, id)
		if told.State != "pending" && told.State != "stored" || told.Size != int64(size) || !strings.HasPrefix(told.URL, g.url+"/v1/media/"+told.ID+"?") {
			t.Errorf("%d bytes: the event says %+v", size, told)
		}
		resp, _ := g.get("/v1/media/"+told.ID+"?wait=50", "X-Api-Key: "+in.Key)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Sum") != sum || resp.ContentLength != int64(size) {
			t.Errorf("%d bytes: HTTP %d, %d bytes", size, resp.StatusCode, resp.ContentLength)
		}
		runtime.ReadMemStats(&after)
		t.Logf("%d bytes: from the phone to a reader of the API in %s; allocated meanwhile: %d MB", size, time.Since(begin), (after.TotalAlloc-before.TotalAlloc)>>20)
		if size > 0 && after.TotalAlloc-before.TotalAlloc > 40<<20 {
			t.Errorf("%d MB were allocated for a file of 64", (after.TotalAlloc-before.TotalAlloc)>>20)
		}
		if listed := g.fileOf(in, id); listed.ID != told.ID || listed.URL != "/v1/media/"+told.ID {
			t.Errorf("%d bytes: the log says %+v", size, listed)
		}
		if end := g.endOf(in, told.ID); end.State != "stored" || end.SHA256 != sum || end.Size != int64(size) {
			t.Errorf("%d bytes: became %+v", size, end)
		}
	}
	left, err := os.ReadDir(filepath.Join(g.dir, "downloads", in.ID))
	if err != nil || len(left) > 0 {
		t.Errorf("%d files are left in the folder of downloads, %v", len(left), err)
	}
}

func served(t *testing.T, g *gateway, in instance) {
	content := noise(100_000)
	told := g.fileOf(in, g.sendFile(in.Number, sandbox.Message{Data: content, Filename: "laporan bulan ini.pdf"}))
	key := "X-Api-Key: " + in.Key
	resp, _ := g.get(told.URL+"?wait=50", key)
	for name, want := range map[string]string{
		"Content-Type": "application/pdf", "Content-Disposition": `attachment; filename="laporan bulan ini.pdf"`,
		"X-Content-Type-Options": "nosniff", "Etag": `"` + sha(content) + `"`, "Accept-Ranges": "bytes",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for rng, want := range map[string][]byte{"bytes=0-9": content[:10], "bytes=99990-": content[99_990:], "bytes=-5": content[99_995:]} {
		resp, body := g.get(told.URL, key, "Range: "+rng)
		if resp.StatusCode != http.StatusPartialContent || body != string(want) {
			t.Errorf("%s: HTTP %d, %d bytes", rng, resp.StatusCode, len(body))
		}
	}
	for _, tt := range []struct {
		url     string
		headers []string
		status  int
		code    string
	}{
		{told.URL, []string{key, "Range: bytes=100000-"}, 416, ""},
		{told.URL, []string{key, "If-None-Match: " + resp.Header.Get("Etag")}, 304, ""},
		{told.URL, []string{"Authorization: Bearer " + adminToken}, 200, ""},
		{told.URL, []string{"Authorization: Bearer " + in.Key}, 200, ""},
		{told.URL, nil, 401, "UNAUTHORIZED"},
		{told.URL, []string{"X-Api-Key: wrong"}, 401, "UNAUTHORIZED"},
		{told.URL + "?expires=99999999999&signature=AAAA", []string{key}, 403, "LINK_INVALID"},
		{"/v1/media/med_01ARZ3NDEKTSV4RRFFQ69G5FAV", []string{key}, 404, "NOT_FOUND"},
		{"/v1/media/..%2f..%2fkurir.db", []string{key}, 404, "NOT_FOUND"},
	} {
		resp, body := g.get(tt.url, tt.headers...)
		if resp.StatusCode != tt.status || tt.code != "" && !strings.Contains(body, `"code":"`+tt.code+`"`) {
			t.Errorf("%s %v: HTTP %d %.200s", tt.url, tt.headers, resp.StatusCode, body)
		}
	}
	other := g.newInstance("lain")
	if resp, _ := g.get(told.URL, "X-Api-Key: "+other.Key); resp.StatusCode != http.StatusNotFound {
		t.Errorf("with the key of another instance: HTTP %d", resp.StatusCode)
	}
	if a := g.call("DELETE", "/v1/instances/"+other.ID, nil); !a.Status {
		t.Errorf("%+v", a)
	}
	// The same bytes again are a file of their own and the same file on disk.
	before := g.mediaFiles()
	again := g.fileOf(in, g.sendFile(in.Number, sandbox.Message{Data: content, Filename: "lagi.pdf"}))
	if g.endOf(in, again.ID).State != "stored" || again.ID == told.ID || g.mediaFiles() != before {
		t.Errorf("the same bytes twice: %d files, before %d", g.mediaFiles(), before)
	}
}

func linkInWebhook(t *testing.T, g *gateway, in instance, hook <-chan events.Envelope) {
	content := noise(5000)
	id := g.sendFile(in.Number, sandbox.Message{Data: content, Filename: "foto.jpg", Mimetype: "image/jpeg", Type: "image", Body: "lihat \"/v1/media/\" <ini>"})
	var link string
	for range 2 {
		for link == "" || id != "" {
			var e events.Envelope
			select {
			case e = <-hook:
			case <-time.After(patience):
				t.Fatal("no webhook")
			}
			var m events.Message
			var end events.MessageMedia
			if err := json.Unmarshal(e.Data, &m); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(e.Data, &end); err != nil {
				t.Fatal(err)
			}
			if e.Type == "message" && m.ID == id {
				if m.Caption != "lihat \"/v1/media/\" <ini>" || m.Media.State != "pending" {
					t.Errorf("message: %+v", m)
				}
				link = m.Media.URL
				resp, _ := g.get(link + "&wait=50") // pending or not: the link is good
				if resp.StatusCode != http.StatusOK || resp.Header.Get("Sum") != sha(content) {
					t.Errorf("by the link: HTTP %d", resp.StatusCode)
				}
			}
			if e.Type == "message.media" && end.MessageID == id {
				if link == "" {
					t.Error("what became of the file came before its message")
				}
				if resp, _ := g.get(end.Media.URL); resp.StatusCode != http.StatusOK || end.Media.State != "stored" {
					t.Errorf("by the second link: HTTP %d, %+v", resp.StatusCode, end)
				}
				id = ""
			}
		}
	}
	for _, bad := range []string{strings.Replace(link, "expires=", "expires=9", 1), link[:len(link)-2], strings.Replace(link, "med_", "med_0", 1)} {
		if resp, body := g.get(bad); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "LINK_INVALID") {
			t.Errorf("%s: HTTP %d %s", bad, resp.StatusCode, body)
		}
	}
}

func hostileNames(t *testing.T, g *gateway, in instance) {
	for _, name := range []string{
		"../../../../etc/passwd", `..\..\kurir.db`, "a\r\nSet-Cookie: x=1.pdf", "gpj.\u202efdp.exe", "\x00\x01\x02", strings.Repeat("ü", 5000) + ".pdf",
		`"; filename="evil.exe`, "laporan 2026 – Ñandú 日本.pdf", "", ".", "/",
	} {
		told := g.fileOf(in, g.sendFile(in.Number, sandbox.Message{Data: noise(10), Filename: name}))
		resp, _ := g.get(told.URL+"?wait=50", "X-Api-Key: "+in.Key)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%.40q: HTTP %d", name, resp.StatusCode)
		}
		kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
		got := params["filename"]
		if err != nil || kind != "attachment" || got == "" || len(got) > 200 || strings.ContainsAny(got, "/\\\r\n\x00\u202e\"") {
			t.Errorf("%.40q: served as %q (%v)", name, got, err)
		}
	}
	for _, dir := range []string{"media", "downloads"} {
		if entries, err := filepath.Glob(filepath.Join(g.dir, dir, "*", "*pdf*")); err != nil || len(entries) > 0 {
			t.Errorf("a name from outside is a name of ours: %v", entries)
		}
	}
}

func goneAndTooLarge(t *testing.T, g *gateway, in instance) {
	fault, err := g.sandbox().SetFault(sandbox.Fault{Name: sandbox.FaultDownloadGone})
	if err != nil {
		t.Fatal(err)
	}
	id := g.sendFile(in.Number, sandbox.Message{Data: noise(77), Filename: "hilang.pdf"})
	after := g.sendFile(in.Number, sandbox.Message{Data: noise(78), Filename: "hilang juga.pdf"})
	told := g.fileOf(in, id)
	g.fileOf(in, after) // the message behind it is not held up
	if end := g.endOf(in, told.ID); end.State != "gone" {
		t.Errorf("gone: %+v", end)
	}
	resp, body := g.get(told.URL, "X-Api-Key: "+in.Key)
	if resp.StatusCode != http.StatusGone || !strings.Contains(body, "MEDIA_GONE") {
		t.Errorf("gone: HTTP %d %s", resp.StatusCode, body)
	}
	g.endOf(in, g.fileOf(in, after).ID)
	g.sandbox().ClearFault(fault)
	// The sender's phone was asked and has it again: whoever asks gets it.
	a := g.call("POST", "/v1/messages/"+id+"/media", map[string]any{"instance": in.ID})
	if a.HTTP != 202 || a.Code != "PENDING" || a.ID != told.ID {
		t.Errorf("ask: %+v", a)
	}
	if resp, _ := g.get(told.URL+"?wait=50", "X-Api-Key: "+in.Key); resp.StatusCode != http.StatusOK || resp.Header.Get("Sum") != sha(noise(77)) {
		t.Errorf("asked again: HTTP %d", resp.StatusCode)
	}

	before := g.mediaFiles()
	big := g.fileOf(in, g.sendFile(in.Number, sandbox.Message{Data: noise(68_000_001), Filename: "besar.bin"}))
	resp, body = g.get(big.URL+"?wait=50", "X-Api-Key: "+in.Key)
	if big.State != "too_large" || resp.StatusCode != http.StatusConflict || !strings.Contains(body, "MEDIA_TOO_LARGE") || g.mediaFiles() != before {
		t.Errorf("too large: %+v, HTTP %d %s", big, resp.StatusCode, body)
	}
}

// networkFails: a file that could not be fetched is not gone. It waits for its next try, and who asks has it tried at once.
func networkFails(t *testing.T, g *gateway, in instance) {
	for _, code := range []int{0, 503} {
		fault, err := g.sandbox().SetFault(sandbox.Fault{Name: sandbox.FaultDownloadFail, Code: code})
		if err != nil {
			t.Fatal(err)
		}
		id := g.sendFile(in.Number, sandbox.Message{Data: noise(810 + code), Filename: "putus.pdf"})
		told := g.fileOf(in, id)
		eventually(t, func() string {
			if n := g.attempts(told.ID); n > 0 {
				return ""
			}
			return "it was not tried"
		})
		resp, body := g.get(told.URL, "X-Api-Key: "+in.Key)
		if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusGone || strings.Contains(body, "MEDIA_GONE") {
			t.Errorf("after a failure (%d): HTTP %d %s", code, resp.StatusCode, body)
		}
		g.sandbox().ClearFault(fault)
		if a := g.call("POST", "/v1/messages/"+id+"/media", map[string]any{"instance": in.ID}); a.HTTP != 202 || a.ID != told.ID {
			t.Errorf("ask: %+v", a)
		}
		if end := g.endOf(in, told.ID); end.State != "stored" || end.SHA256 != sha(noise(810+code)) {
			t.Errorf("then: %+v", end)
		}
	}
}

// attempts is how often a file was tried in vain.
func (g *gateway) attempts(mediaID string) int {
	g.t.Helper()
	n, err := g.app.MediaAttempts(g.t.Context(), mediaID)
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// ownFile fetches the file of a message that was sent through kurir, and of one that was sent with the phone.
func ownFile(t *testing.T, g *gateway, in instance) {
	content := noise(701)
	sent := g.wa("/wa/sendfile", map[string]any{"key": in.Key, "phone": friend, "filename": "nota.pdf", "body": base64.StdEncoding.EncodeToString(content), "wait": 50})
	if !sent.Status {
		t.Fatalf("%+v", sent)
	}
	var ours string
	for _, e := range g.events(in, events.TypeMessageSent) {
		var m events.MessageSent
		if err := json.Unmarshal(e.Data, &m); err != nil {
			t.Fatal(err)
		}
		if m.MessageID == sent.ID {
			ours = m.ID
		}
	}
	byHand := sandbox.NewMessageID()
	if err := g.sandbox().SendFrom(in.Number, friend, sandbox.Message{ID: byHand, Type: "document", Mimetype: "application/pdf", Filename: "a.pdf", Data: noise(702)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		for _, e := range g.events(in, events.TypeMessageSent) {
			if bytes.Contains(e.Data, []byte(byHand)) {
				return ""
			}
		}
		return "no event of " + byHand
	})
	for id, want := range map[string][]byte{ours: content, byHand: noise(702)} {
		a := g.call("POST", "/v1/messages/"+id+"/media", map[string]any{"instance": in.ID})
		if a.HTTP != 202 {
			t.Fatalf("ask for %q: %+v", id, a)
		}
		if end := g.endOf(in, a.ID); end.State != "stored" || end.SHA256 != sha(want) {
			t.Errorf("%s: %+v", id, end)
		}
	}
}

func mediaSettings(t *testing.T, g *gateway, in instance) {
	set := func(body map[string]any) answer { return g.call("PUT", "/v1/instances/"+in.ID+"/media", body) }
	if a := set(map[string]any{"types": []string{"image"}, "max_mb": 1}); !a.Status {
		t.Fatalf("%+v", a)
	}
	if a := set(map[string]any{"types": []string{"everything"}}); a.Code != "MEDIA_SETTINGS_INVALID" {
		t.Errorf("%+v", a)
	}
	id := g.sendFile(in.Number, sandbox.Message{Data: noise(501), Filename: "a.pdf"})
	skipped := g.fileOf(in, id)
	image := g.fileOf(in, g.sendFile(in.Number, sandbox.Message{Data: noise(502), Mimetype: "image/png", Type: "image"}))
	large := g.fileOf(in, g.sendFile(in.Number, sandbox.Message{Data: noise(1_000_001), Mimetype: "image/png", Type: "image"}))
	if skipped.State != "skipped" || image.State != "pending" || large.State != "too_large" {
		t.Errorf("%s, %s, %s", skipped.State, image.State, large.State)
	}
	if end := g.endOf(in, image.ID); end.State != "stored" {
		t.Errorf("image: %+v", end)
	}
	if resp, body := g.get(skipped.URL+"?wait=50", "X-Api-Key: "+in.Key); resp.StatusCode != http.StatusConflict || !strings.Contains(body, "MEDIA_SKIPPED") {
		t.Errorf("skipped: HTTP %d %s", resp.StatusCode, body)
	}
	for _, tt := range []struct {
		path   string
		body   map[string]any
		status int
		code   string
	}{
		{"/v1/messages/" + id + "/media", map[string]any{"key": in.Key}, 202, "PENDING"},
		{"/v1/messages/3EB0AAAAAAAAAAAAAAAAAA/media", map[string]any{"key": in.Key}, 404, "NOT_FOUND"},
		{"/v1/messages/" + id + "/media", map[string]any{}, 401, "UNAUTHORIZED"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+tt.path, strings.NewReader(string(must(json.Marshal(tt.body)))))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if a := g.do(req); a.HTTP != tt.status || a.Code != tt.code {
			t.Errorf("%s %v: %+v", tt.path, tt.body, a)
		}
	}
	if end := g.endOf(in, skipped.ID); end.State != "stored" || end.SHA256 != sha(noise(501)) {
		t.Errorf("on demand: %+v", end)
	}
	if a := set(map[string]any{"auto": false}); !a.Status || !bytes.Contains(a.Data, []byte(`"auto":false`)) {
		t.Errorf("%+v", a)
	}
	if m := g.fileOf(in, g.sendFile(in.Number, sandbox.Message{Data: noise(503), Filename: "b.pdf"})); m.State != "skipped" {
		t.Errorf("nothing automatic: %s", m.State)
	}
	if a := set(map[string]any{}); !a.Status {
		t.Errorf("%+v", a)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func groupFile(t *testing.T, g *gateway, in instance) {
	group, err := g.sandbox().CreateGroup(friend, "Keluarga", []string{in.Number})
	if err != nil {
		t.Fatal(err)
	}
	content := noise(900)
	told := g.fileOf(in, g.sendFile(group, sandbox.Message{Data: content, Filename: "grup.pdf"}))
	if end := g.endOf(in, told.ID); end.State != "stored" || end.SHA256 != sha(content) {
		t.Errorf("%+v", end)
	}
}
