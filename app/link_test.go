package app_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kurir/app"
	"kurir/sandbox"
)

// allowLoopback lets sendfileurl reach the test's own file server.
func allowLoopback(c *app.Config) {
	c.FetchAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// notOnWhatsApp is one of the sandbox's magic numbers.
const notOnWhatsApp = "6281100000001"

// pngBytes is a 1×1 PNG.
func pngBytes(t *testing.T) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// randomBytes are the same for the same seed.
func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b) //nolint:gosec // a small number of the test, which fits
	return b
}

func sha(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// TestGateway is the product end to end: QR → scan → WORKING → each endpoint → what the simulated phone received.
func TestGateway(t *testing.T) {
	g := openGateway(t, t.TempDir(), allowLoopback)
	in := g.linked("satu", "6281100000101")
	if s := g.status(in.ID); s.Phone != in.Number || s.Pushname != "Toko satu" {
		t.Errorf("linked as %+v", s)
	}
	const customer = "6281234567801"

	t.Run("send", func(t *testing.T) { testSend(t, g, in, customer) })
	t.Run("sendfile", func(t *testing.T) { testSendFile(t, g, in) })
	t.Run("sendfileurl", func(t *testing.T) { testSendFileURL(t, g, in) })
	t.Run("body shapes", func(t *testing.T) { testBodyShapes(t, g, in) })
	t.Run("reads", func(t *testing.T) { testReads(t, g, in) })
	t.Run("acks", func(t *testing.T) { testAcks(t, g, in) })
	t.Run("not on whatsapp", func(t *testing.T) {
		a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": notOnWhatsApp, "body": "Halo", "wait": 30})
		if a.Status || a.Code != "NOT_ON_WHATSAPP" {
			t.Errorf("answered %+v", a)
		}
	})
	t.Run("php samples", func(t *testing.T) { testPHPSamples(t, g, in) })
	t.Run("order", func(t *testing.T) { testOrder(t, g, in) })
}

func testSend(t *testing.T, g *gateway, in instance, customer string) {
	a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": "0812-3456-7801", "body": "Halo, apa kabar? 😀\nBaris dua", "wait": true})
	var d struct {
		Phone string `json:"phone"`
		WAID  string `json:"wa_id"`
		State string `json:"state"`
	}
	a.into(t, &d)
	if !a.Status || a.HTTP != 200 || d.Phone != customer || d.State != "sent" && d.State != "delivered" {
		t.Fatalf("answered %+v %+v", a, d)
	}
	got := g.inbox(customer, 1)[0]
	if got.Body != "Halo, apa kabar? 😀\nBaris dua" || got.ID != d.WAID || got.From != in.Number+"@c.us" || got.Copies != 1 {
		t.Errorf("the phone received %+v", got)
	}
}

func testSendFile(t *testing.T, g *gateway, in instance) {
	image, doc := pngBytes(t), randomBytes(1, 3_000_000)
	customer := "6281234567802"
	a := g.wa("/wa/sendfile", map[string]any{"key": in.Key, "phone": customer, "filename": "foto.png", "caption": "keterangan gambar", "body": base64.StdEncoding.EncodeToString(image), "wait": true})
	if !a.Status {
		t.Fatalf("base64: %+v", a)
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for k, v := range map[string]string{"key": in.Key, "phone": customer, "wait": "true", "caption": "tagihan"} {
		_ = w.WriteField(k, v)
	}
	part, _ := w.CreateFormFile("file", "tagihan November.bin")
	_, _ = part.Write(doc)
	_ = w.Close()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/wa/sendfile", &form)
	req.Header.Set("Content-Type", w.FormDataContentType())
	if a := g.do(req); !a.Status {
		t.Fatalf("multipart: %+v", a)
	}
	got := g.inbox(customer, 2)
	if got[0].SHA256 != sha(image) || got[0].Type != "image" || got[0].Caption != "keterangan gambar" || got[0].Mimetype != "image/png" {
		t.Errorf("image: %+v", got[0])
	}
	if got[1].SHA256 != sha(doc) || got[1].Type != "document" || got[1].Filename != "tagihan November.bin" || got[1].Size != int64(len(doc)) {
		t.Errorf("document: %+v", got[1])
	}
	eventually(t, func() string {
		left, _ := filepath.Glob(filepath.Join(g.dir, "files", "*"))
		if len(left) > 0 {
			return "files are left behind: " + strings.Join(left, ", ")
		}
		return ""
	})
}

func testSendFileURL(t *testing.T, g *gateway, in instance) {
	image := pngBytes(t)
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(image) }))
	defer files.Close()
	customer := "6281234567803"
	a := g.wa("/wa/sendfileurl", map[string]any{"key": in.Key, "phone": customer, "url": files.URL + "/assets/icon.png", "caption": "ikon", "wait": true})
	if !a.Status {
		t.Fatalf("answered %+v", a)
	}
	if got := g.inbox(customer, 1)[0]; got.SHA256 != sha(image) || got.Caption != "ikon" || got.Type != "image" {
		t.Errorf("the phone received %+v", got)
	}
	if a := g.wa("/wa/sendfileurl", map[string]any{"key": in.Key, "phone": customer, "url": "http://169.254.169.254/latest/meta-data/"}); a.Code != "URL_BLOCKED" || a.HTTP != 422 {
		t.Errorf("metadata address: %+v", a)
	}
}

// testBodyShapes sends the same text in the ways that callers of WAChatPro do.
func testBodyShapes(t *testing.T, g *gateway, in instance) {
	customer := "6281234567804"
	inner := `{"key":"` + in.Key + `","phone":"` + customer + `","body":"satu","wait":true}`
	params := `{"method":"POST","params":` + inner + `}`
	shapes := []struct{ name, contentType, body string }{
		{"json", "application/json", inner},
		{"json with params", "application/json", params},
		{"form", "application/x-www-form-urlencoded", url.Values{"key": {in.Key}, "phone": {customer}, "body": {"satu"}, "wait": {"true"}}.Encode()},
		{"form data, as the Python samples", "application/x-www-form-urlencoded", url.Values{"data": {params}}.Encode()},
	}
	for i, s := range shapes {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/wa/send", strings.NewReader(s.body))
		req.Header.Set("Content-Type", s.contentType)
		if a := g.do(req); !a.Status {
			t.Errorf("%s: %+v", s.name, a)
			continue
		}
		if got := g.inbox(customer, i+1)[i]; got.Body != "satu" {
			t.Errorf("%s: the phone received %+v", s.name, got)
		}
	}
}

func testReads(t *testing.T, g *gateway, in instance) {
	customer := "6281234567805"
	if a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": "pertanyaan?", "wait": true}); !a.Status {
		t.Fatalf("send: %+v", a)
	}
	if err := g.sandbox().SendFrom(customer, in.Number, sandbox.Message{Body: "jawaban"}); err != nil {
		t.Fatal(err)
	}
	type message struct {
		ID     string `json:"id"`
		FromMe bool   `json:"from_me"`
		Type   string `json:"type"`
		Body   string `json:"body"`
	}
	eventually(t, func() string {
		a := g.wa("/wa/messages", map[string]any{"key": in.Key, "phone": customer, "limit": "50"})
		var ms []message
		a.into(t, &ms)
		if len(ms) == 2 && ms[0].Body == "pertanyaan?" && ms[0].FromMe && ms[1].Body == "jawaban" && !ms[1].FromMe {
			return ""
		}
		return "messages: " + string(a.Data)
	})
	type chat struct {
		Phone  string `json:"phone"`
		Unread int    `json:"unread"`
		Last   struct {
			Text   string `json:"text"`
			FromMe bool   `json:"from_me"`
		} `json:"last_message"`
	}
	eventually(t, func() string { // the page counts a moment after it has the message
		a := g.wa("/wa/chats", map[string]any{"key": in.Key})
		var chats []chat
		a.into(t, &chats)
		if len(chats) > 0 && chats[0].Phone == customer && chats[0].Last.Text == "jawaban" && !chats[0].Last.FromMe && chats[0].Unread == 1 {
			return ""
		}
		return "chats: " + string(a.Data)
	})
	if a := g.wa("/wa/contacts", map[string]any{"key": in.Key}); !a.Status {
		t.Errorf("contacts: %+v", a)
	}
	if a := g.wa("/wa/chats", map[string]any{"key": "wrong-key-wrong-key"}); a.HTTP != 401 || a.Code != "UNAUTHORIZED" {
		t.Errorf("wrong key: %+v", a)
	}
}

// testAcks follows a message to delivered and read.
func testAcks(t *testing.T, g *gateway, in instance) {
	customer := "6281234567806"
	a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": "sudah baca?", "wait": true})
	if !a.Status {
		t.Fatalf("send: %+v", a)
	}
	state := func() string {
		s := g.wa("/wa/status", map[string]any{"key": in.Key, "id": a.ID})
		var d struct {
			State string `json:"state"`
		}
		s.into(t, &d)
		return d.State
	}
	eventually(t, func() string {
		if s := state(); s != "delivered" {
			return "state is " + s + ", not delivered"
		}
		return ""
	})
	if err := g.sandbox().Read(customer, in.Number); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if s := state(); s != "read" {
			return "state is " + s + ", not read"
		}
		return ""
	})
}

// testPHPSamples runs the documentation's samples with php-cli. Only the URL, the key and what the documentation
// itself leaves open (the digits xxx, the cut base64, the picture's address) are filled in.
func testPHPSamples(t *testing.T, g *gateway, in instance) {
	php, err := exec.LookPath("php")
	if err != nil {
		t.Fatal("php-cli is missing: run `make test`, which installs it")
	}
	image := pngBytes(t)
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(image) }))
	defer files.Close()
	fill := strings.NewReplacer(
		"https://api.wachatpro.com", g.url, "'********'", "'"+in.Key+"'", "62812345678xxx", "6281234567807",
		"iVBORw0KGgoAAAANSUhEUgAAAV4AAACWBAMAAABkyf1EAAAAG1BMVEXMzMyWlpa.....", base64.StdEncoding.EncodeToString(image),
		"https://web.wachatpro.com/assets/icon.png", files.URL+"/assets/icon.png",
	)
	for _, name := range []string{"send", "sendfile", "sendfileurl", "chats", "messages", "contacts"} {
		sample, err := os.ReadFile(filepath.Join("testdata", "php", name+".php.txt")) //nolint:gosec // a file whose name the test itself made or knows
		if err != nil {
			t.Fatal(err)
		}
		script := filepath.Join(t.TempDir(), name+".php")
		if err := os.WriteFile(script, []byte("<?php\n"+fill.Replace(string(sample))+"\necho $result;\n"), 0o600); err != nil { //nolint:gosec // a file whose name the test itself made or knows
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), php, script).CombinedOutput() //nolint:gosec // a program of the test's own
		if err != nil || !bytes.Contains(out, []byte(`"status":true`)) {
			t.Errorf("%s.php: %v: %s", name, err, out)
		}
	}
	got := g.inbox("6281234567807", 3)
	if got[0].Body != "Isi pesan whatsapp yang akan dikirimkan" || got[1].SHA256 != sha(image) || got[1].Filename != "" && got[1].Filename != "test.png" || got[2].Caption != "keterangan gambar" {
		t.Errorf("the phone received %+v", got)
	}
}

// testOrder sends at once from many clients to one chat: they arrive in the order of acceptance.
func testOrder(t *testing.T, g *gateway, in instance) {
	const n = 50
	customer := "6281234567808"
	ids := make(chan answer, n)
	for i := range n {
		go func() {
			ids <- g.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": "pesan " + string(rune('A'+i%26))})
		}()
	}
	for range n {
		if a := <-ids; !a.Status {
			t.Errorf("send: %+v", a)
		}
	}
	got := g.inbox(customer, n)
	want := g.acceptedFor(customer)
	for i, r := range got {
		if r.ID != want[i] || r.Copies != 1 {
			t.Fatalf("message %d is %s (%d copies), accepted was %s", i, r.ID, r.Copies, want[i])
		}
	}
}

// acceptedFor lists the WhatsApp ids of what was accepted for a number, in the order of acceptance, from the database.
func (g *gateway) acceptedFor(phone string) []string {
	g.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(g.dir, "kurir.db")+"?mode=ro")
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(g.t.Context(), "SELECT wa_id FROM messages WHERE phone = ? ORDER BY seq", phone)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			g.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		g.t.Fatal(err)
	}
	return ids
}
