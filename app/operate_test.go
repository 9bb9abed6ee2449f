package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kurir/app"
)

// TestOneKurirPerDataFolder starts a second kurir on the folder of a running one: it says so and touches nothing.
func TestOneKurirPerDataFolder(t *testing.T) {
	dir := t.TempDir()
	openGateway(t, dir)
	cfg, err := app.LoadConfig([]string{"KURIR_ADDR=127.0.0.1:0", "KURIR_DATA=" + dir, "KURIR_CHROMIUM=" + os.Getenv("KURIR_CHROMIUM")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Open(t.Context(), cfg, testLog(t)); err == nil || !strings.Contains(err.Error(), "another kurir") {
		t.Errorf("the second kurir: %v", err)
	}
}

// TestUnlinkedPhone removes the link on the phone: the instance says LOGGED_OUT, keeps what is accepted meanwhile, and
// after a restart it shows a new QR, is linked again and sends it.
func TestUnlinkedPhone(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.linked("lepas", "6281100000301")
	if err := g.sandbox().Unlink(in.Number); err != nil {
		t.Fatal(err)
	}
	if s := g.waitState(in.ID, "LOGGED_OUT"); s.Reason == "" {
		t.Error("LOGGED_OUT without a reason")
	}
	a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": "6281234567851", "body": "menunggu"})
	if !a.Status || a.Code != "QUEUED" {
		t.Fatalf("send while logged out: %+v", a)
	}
	if r := g.wa("/wa/chats", map[string]any{"key": in.Key}); r.Code != "INSTANCE_NOT_READY" || r.HTTP != 503 || !bytes.Contains(r.Data, []byte("LOGGED_OUT")) {
		t.Errorf("chats while logged out: %+v", r)
	}
	if r := g.call("POST", "/v1/instances/"+in.ID+"/restart", nil); !r.Status {
		t.Fatalf("restart: %+v", r)
	}
	g.waitState(in.ID, "SCAN_QR_CODE")
	if err := g.sandbox().Scan(in.Number, g.qrText(in.ID)); err != nil {
		t.Fatal(err)
	}
	g.waitState(in.ID, "WORKING")
	g.waitSent(in, a.ID)
}

// TestPairingCode links without a camera, and logs out from kurir's side.
func TestPairingCode(t *testing.T) {
	g := openGateway(t, t.TempDir())
	in := g.newInstance("kode")
	if _, err := g.sandbox().CreatePhone(phoneSpec("6281100000302")); err != nil {
		t.Fatal(err)
	}
	g.waitState(in.ID, "SCAN_QR_CODE")
	a := g.call("POST", "/v1/instances/"+in.ID+"/pairing-code", map[string]any{"phone": "0811-0000-0302"})
	var d struct {
		Code string `json:"code"`
	}
	a.into(t, &d)
	code := strings.ReplaceAll(d.Code, "-", "")
	if len(code) != 8 {
		t.Fatalf("pairing code %+v", a)
	}
	if err := g.sandbox().EnterCode("6281100000302", code); err != nil {
		t.Fatal(err)
	}
	if s := g.waitState(in.ID, "WORKING"); s.Phone != "6281100000302" {
		t.Errorf("linked as %+v", s)
	}
	if r := g.call("POST", "/v1/instances/"+in.ID+"/logout", nil); !r.Status {
		t.Fatalf("logout: %+v", r)
	}
	g.waitState(in.ID, "LOGGED_OUT")
	if p, err := g.sandbox().Phone("6281100000302"); err != nil || len(p.Devices) != 0 {
		t.Errorf("the phone still lists %+v, %v", p.Devices, err)
	}
	if r := g.call("DELETE", "/v1/instances/"+in.ID, nil); !r.Status {
		t.Fatalf("delete: %+v", r)
	}
	if left, _ := filepath.Glob(filepath.Join(g.dir, "profiles", "*")); len(left) > 0 {
		t.Errorf("the profile is left behind: %v", left)
	}
}

// TestDemo is what a newcomer sees: serve --demo links by itself, prints a key that works, and does so again after a
// restart.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		g := openGateway(t, dir, func(c *app.Config) { c.Demo = true; c.AdminToken = "" })
		var out bytes.Buffer
		g.app.Greet(t.Context(), &out)
		_, after, found := strings.Cut(out.String(), "-d key=")
		if !found {
			t.Fatalf("no curl in:\n%s", out.String())
		}
		key := strings.Fields(after)[0]
		if a := g.wa("/wa/send", map[string]any{"key": key, "phone": "081234567890", "body": "Halo dari kurir", "wait": true}); !a.Status {
			t.Errorf("the printed key: %+v", a)
		}
		g.close()
	}
}

func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	g := openGateway(t, dir)
	cfg, err := app.LoadConfig([]string{"KURIR_ADDR=" + strings.TrimPrefix(g.url, "http://"), "KURIR_DATA=" + dir})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := app.Doctor(t.Context(), cfg, &out); err != nil || strings.Count(out.String(), " ok ") != 6 || !strings.Contains(out.String(), "a kurir is running there") {
		t.Errorf("%v\n%s", err, out.String())
	}
	cfg.Chromium = filepath.Join(dir, "no-such-browser")
	out.Reset()
	if err := app.Doctor(t.Context(), cfg, &out); err == nil || !strings.Contains(out.String(), "NOT OK") {
		t.Errorf("a missing Chromium is not noticed: %v\n%s", err, out.String())
	}
}

func TestLoadConfig(t *testing.T) {
	for _, c := range []struct{ set, wants string }{
		{"KURIR_ADDR=0.0.0.0:8080", "KURIR_ADMIN_TOKEN"},
		{"KURIR_ADDR=nonsense", "KURIR_ADDR"},
		{"KURIR_ADMIN_TOKEN=short", "16 characters"},
		{"KURIR_TIME_ZONE=Jakarta", "KURIR_TIME_ZONE"},
		{"KURIR_MAX_FILE_MB=0", "KURIR_MAX_FILE_MB"},
		{"KURIR_ACK_TIMEOUT=1s", "KURIR_ACK_TIMEOUT"},
		{"KURIR_ACK_TIMEOUT=2m", "KURIR_ACK_TIMEOUT"},
		{"KURIR_MEMORY_RESERVE=-1", "KURIR_MEMORY_RESERVE"},
		{"KURIR_MEMORY_BUDGET=100", "KURIR_MEMORY_BUDGET"},
		{"KURIR_RATE_PER_MINUTE=-1", "KURIR_RATE_PER_MINUTE"},
		{"KURIR_SANDBOX_ADDR=0.0.0.0:8081", "loopback"},
		{"KURIR_ADAPTERS=fonnte,twilio", "KURIR_ADAPTERS: there is no \"twilio\""},
		{"KURIR_FETCH_ALLOW=somewhere", "FetchAllow"},
	} {
		if _, err := app.LoadConfig([]string{c.set}); err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s: %v, want an error with %q", c.set, err, c.wants)
		}
	}
	if _, err := app.LoadConfig([]string{"KURIR_ADDR=0.0.0.0:8080", "KURIR_ADMIN_TOKEN=0123456789abcdef"}); err != nil {
		t.Errorf("beyond loopback with a token: %v", err)
	}
}
