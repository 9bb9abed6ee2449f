package handlers

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"kurir/models"
	"kurir/models/modelstest"
)

// reopened is the handlers with a database that was closed and opened again, as after a restart.
func reopened(t *testing.T, path string) (*world, *models.DB) {
	t.Helper()
	db := modelstest.Open(t, models.Config{URL: path})
	w := newWorld(t, func(w *world) {
		w.deps.DB = db
		all, err := db.Instances(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.instances.all = all
	})
	return w, db
}

// A repeat is judged by what was asked for, not by the clock: times that were said relative to now, and times that have
// passed since, do not make it another message. All of it holds over a restart.
func TestIdempotencyOverRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kurir.db")
	w, db := reopened(t, path)
	in := models.Instance{Name: "toko", Region: "ID", TimeZone: "Asia/Jakarta"}
	_, key, err := db.CreateInstanceWithKey(t.Context(), &in, models.NewKey{})
	if err != nil {
		t.Fatal(err)
	}
	w.instances.all = []models.Instance{in}
	soon := time.Now().Add(time.Hour)
	send := func(idempotencyKey, phone, more string) *httptest.ResponseRecorder {
		body := fmt.Sprintf(`{"key":%q,"phone":%s,"body":"a"%s}`, key, phone, more)
		return w.serve(t, "", "/wa/send", map[string]string{"Idempotency-Key": idempotencyKey}, strings.NewReader(body))
	}
	const one, two = `"62812345678"`, `["62812345678","62812345679"]`
	sendAt := fmt.Sprintf(`,"send_at":%d`, soon.Unix())
	cases := []struct{ name, phone, first, same string }{
		{"plain", one, ``, `,"priority":"normal"`},
		{"expires_in", one, `,"expires_in":"5m"`, `,"expires_in":300`},
		{"priority", one, `,"priority":"high"`, `,"priority":10`},
		{"send_at", one, sendAt, `,"send_at":"` + soon.In(jakarta).Format("2006-01-02 15:04:05") + ` WIB"`},
		{"expires_at", one, fmt.Sprintf(`,"expires_at":%d`, soon.Unix()), fmt.Sprintf(`,"expires_at":%d`, soon.Unix()*1000)},
		{"many", two, ``, ``},
		{"many with times", two, sendAt, sendAt},
	}
	ids := map[string]string{}
	idIn := func(rec *httptest.ResponseRecorder) string {
		_, after, _ := strings.Cut(rec.Body.String(), `"id":"msg_`)
		id, _, _ := strings.Cut(after, `"`)
		return id
	}
	for _, tt := range cases {
		rec := send(tt.name, tt.phone, tt.first)
		if ids[tt.name] = idIn(rec); rec.Code != 200 || ids[tt.name] == "" || strings.Contains(rec.Body.String(), "repeated") {
			t.Fatalf("%s: %s", tt.name, rec.Body)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w, db = reopened(t, path)
	t.Cleanup(func() { _ = db.Close() })
	for _, tt := range cases {
		rec := send(tt.name, tt.phone, tt.same)
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), `"repeated":true`) || idIn(rec) != ids[tt.name] {
			t.Errorf("%s, repeated: %s", tt.name, rec.Body)
		}
		if len(w.outbox.woken) > 0 {
			t.Errorf("%s: the repeat was told to the queue", tt.name)
		}
		for _, other := range []string{`,"priority":"low"`, `,"expires_in":301`, fmt.Sprintf(`,"send_at":%d`, soon.Unix()+60)} {
			if rec := send(tt.name, tt.phone, other); rec.Code != 409 {
				t.Errorf("%s, then %s: %s", tt.name, other, rec.Body)
			}
		}
	}
	if rec := send("many", one, ""); rec.Code != 409 {
		t.Errorf("one under the key of many: %s", rec.Body)
	}
	if rec := send("plain", two, ""); rec.Code != 409 {
		t.Errorf("many under the key of one: %s", rec.Body)
	}
	if rec := send("", one, `,"idempotency_key":"plain"`); rec.Code != 200 || idIn(rec) != ids["plain"] {
		t.Errorf("the key in the body: %s", rec.Body)
	}

	// A time that was to come has passed: the repeat is answered, a first call is refused.
	past := time.Now().Add(-time.Hour).Unix()
	late := fmt.Sprintf(`,"send_at":%d`, past)
	for name, phone := range map[string]string{"late": one, "late many": two} {
		if rec := send(name, phone, fmt.Sprintf(`,"send_at":%d`, soon.Unix())); rec.Code != 200 {
			t.Fatal(rec.Body)
		}
		hash := func(m models.Message) string {
			p := parcel{Message: m, timing: timing{sendAt: time.Unix(past, 0)}}
			p.hash("")
			return p.ContentHash
		}
		// As if it had been asked for two hours ago.
		row := models.Message{Chat: "62812345678@c.us", Body: "a"}
		h := hash(row)
		if name == "late many" {
			row.Chat = "62812345679@c.us"
			h = models.HashSecret(fmt.Sprintf("all\x1f%d:%s%d:%s", len(h), h, len(h), hash(row)))
			setHash(t, db, name+"\x1f1", hash(row))
		}
		setHash(t, db, name, h)
		if rec := send(name, phone, late); rec.Code != 200 || !strings.Contains(rec.Body.String(), `"repeated":true`) {
			t.Errorf("%s: %s", name, rec.Body)
		}
		if rec := send(name+" and new", phone, late); rec.Code != 422 || !strings.Contains(rec.Body.String(), "SEND_AT_INVALID") {
			t.Errorf("%s, first call: %s", name, rec.Body)
		}
	}
}

func setHash(t *testing.T, db *models.DB, key, hash string) {
	t.Helper()
	if err := db.Write(t.Context(), func(tx *gorm.DB) error {
		return tx.Exec("UPDATE messages SET content_hash = ? WHERE idempotency_key = ?", hash, key).Error
	}); err != nil {
		t.Fatal(err)
	}
}

// A repeat of a message that was called off says so; it does not send it after all.
func TestRepeatOfACancelled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	send := func() got {
		return h.call("POST", "/wa/send", h.keys["send"], "", `{"phone":"081234567890","body":"a","idempotency_key":"once"}`)
	}
	first := send()
	h.want("QUEUED", first)
	h.want("OK", h.call("POST", "/wa/cancel", h.keys["send"], "", `{"id":"`+first.ID+`"}`))
	if again := send(); again.HTTP != 410 || again.Code != "CANCELLED" || again.ID != first.ID {
		t.Error(again.Text)
	}
}
