package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kurir/models"
)

// senders are the programs in examples/ that send. Each takes a phone, a text, a file and a name for the sending. n8n and
// Laravel are not here: small stand-ins in testdata run what is written for them.
var senders = map[string][]string{
	"curl":    {"sh", "../examples/send-curl/send.sh"},
	"Python":  {"python3", "../examples/send-python/send.py"},
	"Node":    {"node", "../examples/send-node/send.mjs"},
	"PHP":     {"php", "../examples/send-php/send.php"},
	"n8n":     {"node", "testdata/n8n/run.mjs", "../examples/send-n8n/workflow.json"},
	"Laravel": {"php", "testdata/laravel/run.php"},
}

const (
	sentText = "Halo \"Budi\" & Ani: 100% + é 🙏\nbaris dua \\ selesai; {{ $json.text }}"
	sentName = "Faktur café, 1; lunas.bin"
)

// The senders in examples/ send a text and a file, each once however often they are run, and say what was refused.
func TestSenders(t *testing.T) {
	t.Parallel()
	content := []byte("\x00\r\n--\xff\xfe\"'%&+\n" + strings.Repeat("isi\r\n", 1000))
	file := filepath.Join(t.TempDir(), sentName)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, command := range senders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPlace(t)
			key := w.key
			text := sentText
			send := func(key, sending string) (stdout, stderr string, ok bool) {
				args := []string{"081234567890", text, file, sending}
				return runSender(t, slices.Concat(command, args), "KURIR_URL="+w.url+"/", "KURIR_KEY="+key)
			}
			rows := func() []models.Message {
				list, err := w.db.Messages(t.Context(), models.MessageFilter{InstanceID: w.instance.ID, Limit: 10})
				if err != nil {
					t.Fatal(err)
				}
				return list
			}

			wrong := "kurir_live_" + strings.Repeat("x", 32)
			out, said, ok := send(wrong, "order-1")
			if ok || out != "" || !strings.Contains(said, "UNAUTHORIZED: ") || strings.Contains(said, wrong) || strings.Contains(said, key) {
				t.Errorf("with a wrong key: ok %v, %q, %q", ok, out, said)
			}
			if list := rows(); len(list) != 0 {
				t.Fatalf("a wrong key made %+v", list)
			}
			first, said, ok := send(key, "order-1")
			if !ok {
				t.Fatalf("%s", said)
			}
			if again, said, ok := send(key, "order-1"); !ok || again != first {
				t.Errorf("the second run: ok %v, %q, want %q; %s", ok, again, first, said)
			}
			list := rows() // the newest first
			if len(list) != 2 || first != list[1].ID+"\n"+list[0].ID+"\n" {
				t.Fatalf("%d rows: %+v; the sender said %q", len(list), list, first)
			}
			checkSent(t, w.dir, list[1], list[0], content)
			if _, said, ok := send(key, "order-2"); !ok || len(rows()) != 4 {
				t.Errorf("another sending: ok %v, %s, %d rows", ok, said, len(rows()))
			}
			text = "Lain"
			if _, said, ok := send(key, "order-1"); ok || !strings.Contains(said, "IDEMPOTENCY_CONFLICT: ") || len(rows()) != 4 {
				t.Errorf("another text under the same name: ok %v, %s, %d rows", ok, said, len(rows()))
			}
		})
	}
}

func checkSent(t *testing.T, dir string, text, file models.Message, content []byte) {
	t.Helper()
	for _, m := range []models.Message{text, file} {
		if m.Phone != "6281234567890" || m.State != models.MessageQueued {
			t.Errorf("%+v", m)
		}
	}
	if text.Body != sentText || text.FilePath != "" {
		t.Errorf("the text: %+v", text)
	}
	got, err := os.ReadFile(filepath.Join(dir, file.FilePath)) //nolint:gosec // a file whose name the test itself made or knows
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got) != sha256.Sum256(content) || file.FileName != sentName {
		t.Errorf("the file: %d bytes of %d, name %q", len(got), len(content), file.FileName)
	}
}

// place is a kurir over HTTP with a database of its own, an instance and its key, whose queue sleeps.
type place struct {
	*world
	url      string
	db       *models.DB
	instance models.Instance
	key      string
}

func newPlace(t *testing.T) (p place) {
	t.Helper()
	p.db, p.instance, p.key = realDB(t)
	p.world = newWorld(t, func(w *world) {
		w.deps.DB = p.db
		w.instances.all = []models.Instance{p.instance}
		w.deps.Outbox = sleepingOutbox{}
	})
	srv := httptest.NewServer(p.handler)
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

func runSender(t *testing.T, command []string, env ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // a program of the test's own
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil || cmd.ProcessState == nil {
		t.Fatalf("%v: %v (scripts/setup.sh test installs what is missing)", command[0], err)
	}
	return out.String(), errs.String(), err == nil
}
