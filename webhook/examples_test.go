package webhook

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"kurir/events"
)

// The receivers in examples/ take what kurir sends and nothing else.
func TestExamples(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(ctx context.Context, port string) *exec.Cmd{
		"PHP": func(ctx context.Context, port string) *exec.Cmd {
			return exec.CommandContext(ctx, "php", "-S", "127.0.0.1:"+port, "../examples/webhook-php/index.php") //nolint:gosec // a program of the test's own
		},
		"Python": func(ctx context.Context, port string) *exec.Cmd {
			return exec.CommandContext(ctx, "python3", "../examples/webhook-python/receiver.py", port) //nolint:gosec // a program of the test's own
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{})
			port := freePort(t)
			url := "http://127.0.0.1:" + port + "/in"
			hook := w.hook(url, events.TypeMessage)
			run(t, command(t.Context(), port), hook.Secret, port)

			got, err := w.d.Test(t.Context(), hook.ID)
			if err != nil || !got.Delivered || got.Status != 204 {
				t.Fatalf("%+v, %v", got, err)
			}
			w.start()
			w.say("6281234567890@c.us", 3)
			w.until("three messages", func() bool { return w.states(hook.ID)["delivered"] == 3 })
			if _, err := w.db.RotateSecret(t.Context(), hook.ID, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if got, err = w.d.Test(t.Context(), hook.ID); err != nil || !got.Delivered {
				t.Errorf("while the secret is being rotated: %+v, %v", got, err)
			}
			if _, err := w.db.RotateSecret(t.Context(), hook.ID, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			if got, err = w.d.Test(t.Context(), hook.ID); err != nil || got.Delivered || got.Status != 401 {
				t.Errorf("with another secret: %+v, %v", got, err)
			}
			for what, change := range map[string]func(h http.Header, body []byte) []byte{
				"unchanged":    func(_ http.Header, b []byte) []byte { return b },
				"another body": func(_ http.Header, b []byte) []byte { return append(b, ' ') },
				"another id":   func(h http.Header, b []byte) []byte { h.Set("webhook-id", "evt_2"); return b },
				"no signature": func(h http.Header, b []byte) []byte { h.Del("webhook-signature"); return b },
				"an hour old": func(h http.Header, b []byte) []byte {
					_ = sign(h, []string{hook.Secret}, "evt_1", time.Now().Add(-time.Hour), b)
					return b
				},
			} {
				body := []byte(`{"id":"evt_1","type":"presence","data":{}}`)
				h := http.Header{}
				if err := sign(h, []string{hook.Secret}, "evt_1", time.Now(), body); err != nil {
					t.Fatal(err)
				}
				want := 401
				if what == "unchanged" {
					want = 204
				}
				if got := post(t, url, h, change(h, body)); got != want {
					t.Errorf("%s: HTTP %d, want %d", what, got, want)
				}
			}
		})
	}
}

func post(t *testing.T, url string, h http.Header, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = h
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// run starts a receiver and waits until it listens; it ends with the test.
func run(t *testing.T, cmd *exec.Cmd, secret, port string) {
	t.Helper()
	cmd.Env = append(os.Environ(), "KURIR_WEBHOOK_SECRET="+secret)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (scripts/setup.sh test installs what is missing)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
			return
		}
		if ctx.Err() != nil {
			t.Fatal("it does not listen")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
