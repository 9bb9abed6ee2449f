package handlers

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/oapi-codegen/runtime" // what the generated client imports, so that go.mod has it
	_ "go.yaml.in/yaml/v3"

	"kurir/models"
)

// TestGoClient makes a client of the contract by oapi-codegen, as examples/client-go says, builds that example with it, and
// sends. Nothing of it is left in the tree: the compiler is told that the generated file lies there.
func TestGoClient(t *testing.T) {
	t.Parallel()
	const example = "../examples/client-go"
	dir := t.TempDir()
	generated, program := filepath.Join(dir, "kurir.go"), filepath.Join(dir, "sender")
	runGo(t, example, "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "-o", generated, "../../contract/openapi.yaml")
	there, err := filepath.Abs(filepath.Join(example, "kurir.go"))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{there: generated}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	runGo(t, example, "build", "-tags", "client", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".")

	w := newPlace(t)
	send := func(key, text string) (stdout, stderr string, ok bool) {
		return runSender(t, []string{program, "081234567890", text, "order-1"}, "KURIR_URL="+w.url, "KURIR_KEY="+key)
	}

	wrong := "kurir_live_" + strings.Repeat("x", 32)
	if out, said, ok := send(wrong, sentText); ok || out != "" || !strings.Contains(said, "UNAUTHORIZED: ") || strings.Contains(said, wrong) {
		t.Errorf("with a wrong key: ok %v, %q, %q", ok, out, said)
	}
	out, said, ok := send(w.key, sentText)
	list, err := w.db.Messages(t.Context(), models.MessageFilter{InstanceID: w.instance.ID, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Body != sentText || list[0].Phone != "6281234567890" {
		t.Fatalf("rows: %+v; the sender said %q", list, said)
	}
	if want := list[0].ID + " queued\n"; !ok || out != want {
		t.Errorf("ok %v, %q, want %q; %s", ok, out, want, said)
	}
	if _, said, ok := send(w.key, "Lain"); ok || !strings.Contains(said, "IDEMPOTENCY_CONFLICT: ") {
		t.Errorf("another text under the same name: ok %v, %s", ok, said)
	}
}

// runGo runs the go command in dir, with what is on this machine.
func runGo(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...) //nolint:gosec // the go command, with words of the test
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
