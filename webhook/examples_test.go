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
			w := newWorld(t, Config{Timeout: patience})
			hook := w.hook("http://127.0.0.1:1/", events.TypeMessage)
			url := "http://127.0.0.1:" + run(t, command, hook.Secret) + "/in"
			if _, err := w.db.UpdateWebhook(t.Context(), hook.ID, map[string]any{"url": url}); err != nil {
				t.Fatal(err)
			}

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

// run starts a receiver, waits until it listens, and returns its port; it ends with the test. The port is free when it is
// looked for and may be taken when the receiver wants it: then it ends, and another one is tried.
func run(t *testing.T, command func(ctx context.Context, port string) *exec.Cmd, secret string) (port string) {
	t.Helper()
	out := &bytes.Buffer{}
	for range 5 {
		port = freePort(t)
		out.Reset()
		cmd := command(t.Context(), port)
		cmd.Env = append(os.Environ(), "KURIR_WEBHOOK_SECRET="+secret)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatalf("%v (scripts/setup.sh test installs what is missing)", err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		if listens(t, port, ended) {
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				<-ended
				if t.Failed() {
					t.Log(out.String())
				}
			})
			return port
		}
		_ = cmd.Process.Kill()
		<-ended
	}
	t.Fatalf("it does not listen: %s", out)
	return ""
}

// listens waits until somebody listens at the port, and says whether the receiver lives to be the one.
func listens(t *testing.T, port string, ended <-chan struct{}) bool {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		select {
		case <-ended:
			return false
		default:
		}
		if err == nil {
			return true
		}
	}
	return false
}
