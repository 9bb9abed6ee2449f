package app_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kurir/app"
	"kurir/models"
	"kurir/password"
)

// TestCommandsBesideARunningKurir checks the audit log and gives a new password while kurir runs and after it.
func TestCommandsBesideARunningKurir(t *testing.T) {
	dir := t.TempDir()
	g := openGateway(t, dir)
	cfg, err := app.LoadConfig([]string{"KURIR_DATA=" + dir})
	if err != nil {
		t.Fatal(err)
	}
	db, err := models.Open(t.Context(), models.Config{URL: filepath.Join(dir, "kurir.db"), Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := password.New().Hash(t.Context(), "kata sandi lama")
	if err == nil {
		err = db.CreateUser(t.Context(), &models.User{Name: "siti", Role: models.RoleOwner, Password: hash})
	}
	if err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	signIn := func(password string) int {
		t.Helper()
		client := *httpClient
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		head, err := postForm(t, &client, g.url+"/login", url.Values{"name": {"siti"}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		return head.StatusCode
	}
	verify := func(head string) (string, error) {
		var out bytes.Buffer
		err := app.VerifyAudit(t.Context(), cfg, head, &out)
		return out.String(), err
	}
	reset := func() string {
		t.Helper()
		var out bytes.Buffer
		if err := app.ResetPassword(t.Context(), cfg, "Siti", &out, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		return first(regexp.MustCompile(`siti: (\S+)`), out.String())
	}
	if got := signIn("kata sandi lama"); got != http.StatusSeeOther {
		t.Errorf("before: %d", got)
	}
	plain := reset()
	if old, now := signIn("kata sandi lama"), signIn(plain); old != http.StatusUnauthorized || now != http.StatusSeeOther {
		t.Errorf("after the reset of a running kurir: old %d, new %d", old, now)
	}
	out, err := verify("")
	if err != nil || !strings.HasPrefix(out, "ok: 4 lines, 1 to 4\n") {
		t.Errorf("%s %v", out, err)
	}
	head := first(regexp.MustCompile(`head: (\S+)`), out)
	g.close()
	if again := reset(); again == plain {
		t.Error("the same password twice")
	}
	if out, err := verify(head); err != nil || !strings.HasPrefix(out, "ok: 5 lines") {
		t.Errorf("%s %v", out, err)
	}
	if err := app.ResetPassword(t.Context(), cfg, "tono", &bytes.Buffer{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("for somebody who is not there: %v", err)
	}
	pool, err := sql.Open("sqlite", filepath.Join(dir, "kurir.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	for _, q := range []string{"DROP TRIGGER audit_log_no_update", "UPDATE audit_log SET ip = '192.0.2.1' WHERE id = 3"} {
		if _, err := pool.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := verify(head); err == nil || !strings.HasPrefix(out, "line 3: ") || !strings.Contains(out, "2 lines before it") {
		t.Errorf("after a forgery: %s %v", out, err)
	}
}
