package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"kurir/app"
)

// TestAdaptersAreSet asks a whole kurir at the addresses of other gateways: the one that the settings name refuses the
// token in Fonnte's words, the other's address is the console's like any unknown one: who has not signed in is led there.
func TestAdaptersAreSet(t *testing.T) {
	set, err := app.LoadConfig([]string{"KURIR_ADAPTERS= fonnte"})
	if err != nil {
		t.Fatal(err)
	}
	g := openGateway(t, t.TempDir(), func(c *app.Config) { c.Adapters = set.Adapters })
	ask := func(path string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+path, strings.NewReader("target=08123456789&message=a"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "TOKEN")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := httpClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if status, body := ask("/send"); status != 401 || !strings.HasPrefix(body, `{"status":false,"reason":"`) {
		t.Errorf("HTTP %d %s", status, body)
	}
	off, offBody := ask("/api/v2/send-message")
	nowhere, nowhereBody := ask("/api/v2/nothing")
	if off != nowhere || strings.HasPrefix(offBody, "{") || strings.ReplaceAll(offBody, "send-message", "nothing") != nowhereBody {
		t.Errorf("HTTP %d %s; an unknown path: HTTP %d %s", off, offBody, nowhere, nowhereBody)
	}
}
