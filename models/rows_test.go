package models

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"kurir/problem"
)

func wantCode(t *testing.T, err error, code problem.Code) {
	t.Helper()
	if err == nil || problem.CodeOf(err) != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

func TestInstances(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	in := Instance{Name: "a", Sandbox: true, Region: "ID", Language: "id-ID", TimeZone: "Asia/Jakarta", LID: "1@lid"}
	key, plain, err := db.CreateInstanceWithKey(ctx, &in, NewKey{Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(in.ID, "inst_") || !strings.HasPrefix(plain, "kurir_test_") || key.InstanceID != in.ID {
		t.Errorf("instance %+v, key %+v", in, key)
	}
	got, err := db.Instance(ctx, in.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(in, got); d != "" {
		t.Error(d)
	}
	wantCode(t, db.CreateInstance(ctx, &Instance{Name: "a"}), problem.InstanceExists)
	other := Instance{Name: "b"}
	_, _, err = db.CreateInstanceWithKey(ctx, &other, NewKey{Plain: plain})
	wantCode(t, err, problem.InstanceExists)
	if all, err := db.Instances(ctx); err != nil || len(all) != 1 {
		t.Errorf("a failed creation left %d instances, %v", len(all), err)
	}
	if err := db.UpdateInstance(ctx, in.ID, map[string]any{"wanted": true, "linked": true, "phone": "62811"}); err != nil {
		t.Fatal(err)
	}
	if got, err = db.InstanceByName(ctx, "a"); err != nil || !got.Wanted || !got.Linked || got.Phone != "62811" || !got.UpdatedAt.After(in.UpdatedAt) {
		t.Errorf("updated: %+v, %v", got, err)
	}
	wantCode(t, db.UpdateInstance(ctx, "none", map[string]any{"wanted": true}), problem.NotFound)
	for _, want := range []Pacing{{Set: true, GapMS: 500, Typing: true, QuietFrom: "22:00", QuietTo: "06:00"}, {Set: true}, {}} {
		if err := db.SetPacing(ctx, in.ID, want); err != nil {
			t.Fatal(err)
		}
		if got, err = db.Instance(ctx, in.ID); err != nil || got.Pacing != want {
			t.Errorf("pacing %+v, want %+v, %v", got.Pacing, want, err)
		}
	}
	wantCode(t, db.SetPacing(ctx, "none", Pacing{}), problem.NotFound)
	enqueue(t, db, textTo(in.ID, "x"))
	if err := db.DeleteInstance(ctx, in.ID); err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.DeleteInstance(ctx, in.ID), problem.NotFound)
	_, err = db.KeyByPlain(ctx, plain)
	wantCode(t, err, problem.Unauthorized)
	if lines, err := db.Audit(ctx, in.ID, 0, 10); err != nil || len(lines) != 1 {
		t.Errorf("the audit log has %d lines of the deleted instance, %v", len(lines), err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	row, plain, err := db.CreateKey(ctx, NewKey{InstanceID: id})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^kurir_live_[0-9A-Za-z]{32}$`).MatchString(plain) || row.Hint != "kurir_live_…"+plain[len(plain)-4:] {
		t.Errorf("key %q, hint %q", plain, row.Hint)
	}
	if row.Hash == plain || len(row.Hash) != 64 {
		t.Errorf("hash %q", row.Hash)
	}
	if got, err := db.KeyByPlain(ctx, plain); err != nil || got.ID != row.ID || got.InstanceID != id {
		t.Errorf("%+v, %v", got, err)
	}
	_ = db.Ping(ctx) // the note of the use was queued before
	keys, err := db.Keys(ctx, id)
	if err != nil || len(keys) != 1 || keys[0].LastUsedAt == nil {
		t.Fatalf("%+v, %v", keys, err)
	}
	if _, err := db.KeyByPlain(ctx, plain); err != nil {
		t.Fatal(err)
	}
	_ = db.Ping(ctx)
	if again, err := db.Keys(ctx, id); err != nil || !again[0].LastUsedAt.Equal(*keys[0].LastUsedAt) {
		t.Errorf("noted twice in a minute: %v, %v", again[0].LastUsedAt, err)
	}
	for _, bad := range []string{"", "x", plain + "x", plain[:len(plain)-1]} {
		_, err := db.KeyByPlain(ctx, bad)
		wantCode(t, err, problem.Unauthorized)
	}
	for _, bad := range []string{"fifteen-chars-x", "with a space in it", "kunci-rahasia-é-panjang", strings.Repeat("x", 257)} {
		_, _, err := db.CreateKey(ctx, NewKey{InstanceID: id, Plain: bad})
		wantCode(t, err, problem.BadRequest)
	}
	if own, p, err := db.CreateKey(ctx, NewKey{InstanceID: id, Plain: "my-own-wachatpro-key"}); err != nil || p != "my-own-wachatpro-key" || own.Hint != "…-key" {
		t.Errorf("own key: %+v, %q, %v", own, p, err)
	}
	_, _, err = db.CreateKey(ctx, NewKey{InstanceID: id, Plain: "my-own-wachatpro-key"})
	wantCode(t, err, problem.InstanceExists)
	_, _, err = db.CreateKey(ctx, NewKey{InstanceID: "none"})
	wantCode(t, err, problem.NotFound)
	if err := db.DeleteKey(ctx, row.ID); err != nil {
		t.Fatal(err)
	}
	_, err = db.KeyByPlain(ctx, plain)
	wantCode(t, err, problem.Unauthorized)
	wantCode(t, db.DeleteKey(ctx, row.ID), problem.NotFound)
}

func TestEnqueue(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	row := enqueue(t, db, textTo(id, "x"))
	if !regexp.MustCompile(`^msg_[0-9A-Z]{26}$`).MatchString(row.ID) || !regexp.MustCompile(`^3EB0[0-9A-F]{18}$`).MatchString(row.WAID) {
		t.Errorf("ids %s, %s", row.ID, row.WAID)
	}
	got, err := db.Message(ctx, id, row.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(row, got); d != "" {
		t.Error(d)
	}
	_, err = db.Message(ctx, "other", row.ID)
	wantCode(t, err, problem.NotFound)
	if got, err = db.MessageByWAID(ctx, id, row.WAID); err != nil || got.ID != row.ID {
		t.Errorf("by WhatsApp id: %+v, %v", got, err)
	}
	_, _, err = db.Enqueue(ctx, textTo("none", "x"), AuditEntry{Action: "wa.send"})
	wantCode(t, err, problem.NotFound)
	lines, err := db.Audit(ctx, "", 0, 10)
	if err != nil || len(lines) != 1 || lines[0].Target != row.ID || lines[0].InstanceID != id || lines[0].Code != "QUEUED" {
		t.Errorf("audit %+v, %v", lines, err)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "kurir.db")
	db := openAt(t, path)
	id, other := instance(t, db, "a"), instance(t, db, "b")
	key := "order-1"
	m := textTo(id, "x")
	m.IdempotencyKey = &key
	first := enqueue(t, db, m)
	if err := db.Close(); err != nil { // it must hold over a restart
		t.Fatal(err)
	}
	db = openAt(t, path)
	again, repeated, err := db.Enqueue(ctx, m, AuditEntry{Action: "wa.send", Code: "QUEUED"})
	if err != nil || !repeated || again.ID != first.ID || again.WAID != first.WAID {
		t.Errorf("repeat: %+v, %v, %v", again, repeated, err)
	}
	changed := m
	changed.Body, changed.ContentHash = "y", HashSecret("y")
	_, _, err = db.Enqueue(ctx, changed, AuditEntry{Action: "wa.send"})
	wantCode(t, err, problem.IdempotencyConflict)
	elsewhere := m
	elsewhere.InstanceID = other
	if row, repeated, err := db.Enqueue(ctx, elsewhere, AuditEntry{Action: "wa.send"}); err != nil || repeated || row.ID == first.ID {
		t.Errorf("another instance: %v, %v", repeated, err)
	}
	empty := textTo(id, "z")
	empty.IdempotencyKey = new(string)
	a, b := enqueue(t, db, empty), enqueue(t, db, empty)
	if a.ID == b.ID {
		t.Error("an empty key is a key")
	}
	lines, err := db.Audit(ctx, id, 0, 10)
	if err != nil || len(lines) != 4 || lines[1].Code != "REPEATED" || lines[1].Target != first.ID {
		t.Errorf("audit %+v, %v", lines, err)
	}
}

func TestAuditIsAppendOnlyAndPages(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	for range 5 {
		if err := db.AppendAudit(ctx, AuditEntry{Action: "instance.create", IP: "127.0.0.1", LatencyUS: 7}); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{"UPDATE audit_log SET code = 'x'", "DELETE FROM audit_log WHERE id = 1"} {
		err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Exec(q).Error })
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", q, err)
		}
	}
	var ids []int64
	for after := int64(0); ; {
		page, err := db.Audit(ctx, "", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, l := range page {
			if l.IP != "127.0.0.1" || l.LatencyUS != 7 || l.Time.IsZero() {
				t.Errorf("line %+v", l)
			}
			ids, after = append(ids, l.ID), l.ID
		}
	}
	if d := cmp.Diff([]int64{1, 2, 3, 4, 5}, ids); d != "" {
		t.Error(d)
	}
}

func TestSettingsAndConsoleSessions(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	if v, created, err := db.SettingOnce(ctx, "admin_token", "1"); err != nil || !created || v != "1" {
		t.Errorf("%q, %v, %v", v, created, err)
	}
	if v, created, err := db.SettingOnce(ctx, "admin_token", "2"); err != nil || created || v != "1" {
		t.Errorf("%q, %v, %v", v, created, err)
	}
	if err := db.SetSetting(ctx, "admin_token", "3"); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := db.Setting(ctx, "admin_token"); err != nil || !ok || v != "3" {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Second)
	for hash, end := range map[string]time.Time{"live": soon, "dead": past} {
		if err := db.CreateConsoleSession(ctx, ConsoleSession{Hash: hash, ExpiresAt: end}); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := db.ConsoleSession(ctx, "live"); err != nil || s.Hash != "live" {
		t.Errorf("%+v, %v", s, err)
	}
	_, err := db.ConsoleSession(ctx, "dead")
	wantCode(t, err, problem.Unauthorized)
	if err := db.ExpireConsoleSessions(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	var n int64
	if db.read.Raw("SELECT count(*) FROM console_sessions").Scan(&n); n != 1 {
		t.Errorf("%d sessions are left, want 1", n)
	}
	if err := db.DeleteConsoleSession(ctx, "live"); err != nil {
		t.Fatal(err)
	}
	_, err = db.ConsoleSession(ctx, "live")
	wantCode(t, err, problem.Unauthorized)
}

func TestUnneededFiles(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	id := instance(t, db, "a")
	data := t.TempDir()
	old := time.Now().Add(-2 * time.Hour)
	for name, at := range map[string]time.Time{"outbox/used": old, "outbox/x/orphan": old, "outbox/young": time.Now()} {
		file := filepath.Join(data, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	m := textTo(id, "x")
	m.FilePath = "outbox/used"
	row := enqueue(t, db, m)
	check := func(want ...string) {
		t.Helper()
		got, err := db.UnneededFiles(ctx, data, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	check(filepath.Join(data, "outbox/x/orphan"))
	if _, file, changed, err := db.Acknowledge(ctx, id, row.WAID, 1, now()); err != nil || !changed || file != "outbox/used" {
		t.Fatalf("%q, %v, %v", file, changed, err)
	}
	check(filepath.Join(data, "outbox/x/orphan"), filepath.Join(data, "outbox/used"))
	if got, err := db.UnneededFiles(ctx, filepath.Join(data, "nowhere"), 0); err != nil || len(got) != 0 {
		t.Errorf("no folder: %v, %v", got, err)
	}
}
