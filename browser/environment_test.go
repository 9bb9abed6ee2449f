package browser

import (
	"slices"
	"strings"
	"testing"
)

// Chromium runs code of others: it must not find kurir's secrets in its environment.
func TestEnvironmentHasNoSecrets(t *testing.T) {
	t.Setenv("KURIR_ADMIN_TOKEN", "canary")
	t.Setenv("DISPLAY", ":7")
	env := environment(launchOptions{TempDir: "/tmp/x", TimeZone: "Asia/Jakarta"})
	for _, v := range env {
		if strings.Contains(v, "canary") || strings.HasPrefix(v, "DISPLAY=") {
			t.Errorf("Chromium gets %s", v)
		}
	}
	if !slices.Contains(env, "TZ=Asia/Jakarta") || !slices.Contains(env, "TMPDIR=/tmp/x") {
		t.Errorf("Chromium misses what it needs: %v", env)
	}
}
