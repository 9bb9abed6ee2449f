package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"kurir/problem"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		helperMain()
		return
	}
	goleak.VerifyTestMain(m)
}

// events collects what a session reports.
type events struct {
	mu  sync.Mutex
	all []Event
}

func (e *events) add(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// await returns when the session is in the state, or fails the test.
func await(t testing.TB, s *Session, want State) {
	t.Helper()
	eventually(t, func() error {
		if st := s.Status(); st.State != want {
			return fmt.Errorf("state %s (%s), want %s", st.State, st.Reason, want)
		}
		return nil
	})
}

// awaitAgain is await for a state that the session has left and come back to since begin.
func awaitAgain(t testing.TB, s *Session, want State, begin time.Time) {
	t.Helper()
	eventually(t, func() error {
		if st := s.Status(); st.State != want || st.Since.Before(begin) {
			return fmt.Errorf("state %s (%s) since %s, want %s after %s", st.State, st.Reason, st.Since, want, begin)
		}
		return nil
	})
}

func eventually(t testing.TB, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// chromiumOf returns the session's tab.
func chromiumOf(t testing.TB, s *Session) *tab {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doc == nil {
		t.Fatal("the session has no document")
	}
	return s.doc.engine.(*tab)
}

// js evaluates in the session's page.
func js(t testing.TB, s *Session, expression string) string {
	t.Helper()
	out, err := chromiumOf(t, s).evaluate(t.Context(), proto.RuntimeEvaluate{
		Expression: expression, AwaitPromise: true, ReturnByValue: true,
	})
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return string(out.Result.Value)
}

func started(t *testing.T, cfg Config) *Session {
	t.Helper()
	s := New(cfg)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

// One launch, from the QR code to the logout.
func TestSessionInChromium(t *testing.T) {
	seen := &events{}
	cfg := testConfig(t, fakeWeb(t))
	cfg.OnEvent = seen.add
	s := started(t, cfg)

	await(t, s, StateScanQR)
	eventually(t, func() error {
		if qr, ok := s.QR(); !ok || qr.Text != "ref,a,b,c,1" {
			return fmt.Errorf("QR %q %v", qr.Text, ok)
		}
		return nil
	})
	if _, err := s.Send(t.Context(), Outgoing{ID: "3EB0", Chat: "1@c.us", Kind: KindText, Body: "x"}); problem.CodeOf(err) != problem.InstanceNotReady {
		t.Errorf("send before the link: %v", err)
	}

	js(t, s, `fake.link("62812:3@c.us")`)
	await(t, s, StateWorking)
	if st := s.Status(); st.Phone != "62812" || st.Pushname != "Fake" || st.WAVersion == "" || !st.Capabilities["send_text"].OK {
		t.Errorf("status %+v", st)
	}

	t.Run("send", func(t *testing.T) { sendInChromium(t, s) })
	t.Run("contacts", func(t *testing.T) {
		begin := time.Now()
		list, err := s.Contacts(t.Context())
		if err != nil || len(list) != 20_000 || list[7].Name != `Name "7"` || list[7].Phone != "62812000007" || !list[7].IsMyContact || list[7].Blocked {
			t.Fatalf("%d contacts, %v", len(list), err)
		}
		t.Logf("20,000 contacts: %s", time.Since(begin))
	})
	t.Run("identity", func(t *testing.T) { identityInChromium(t, s) })
	t.Run("a dialog holds nobody", func(t *testing.T) {
		if got := js(t, s, `confirm("leave?")`); got != "true" {
			t.Errorf("answered %s", got)
		}
	})
	t.Run("lost events lead to a fresh look", func(t *testing.T) {
		js(t, s, `fake.skip(2), fake.emit("ack", {id: "3EB0A", chat: "1@c.us", ack: 2})`)
		eventually(t, func() error {
			seen.mu.Lock()
			defer seen.mu.Unlock()
			for _, e := range seen.all {
				if e.Type == EventAck && e.Ack.ID == "3EB0A" && e.Ack.Ack == 2 {
					return nil
				}
			}
			return fmt.Errorf("no ack")
		})
	})
	t.Run("a killed renderer comes back", func(t *testing.T) {
		hung := make(chan error, 1)
		go func() {
			_, err := s.Send(context.Background(), Outgoing{ID: "3EB1", Chat: "1@c.us", Kind: KindText, Body: "hang"})
			hung <- err
		}()
		eventually(t, func() error {
			if js(t, s, "fake.hung") != "true" {
				return fmt.Errorf("the page has not got the send")
			}
			return nil
		})
		begin := time.Now()
		killRenderers(t, chromiumOf(t, s))
		if err := <-hung; problem.CodeOf(err) != problem.SessionLost {
			t.Errorf("a send during the crash: %v", err)
		}
		awaitAgain(t, s, StateWorking, begin)
	})
	t.Run("logout", func(t *testing.T) {
		if err := s.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, s, StateLoggedOut)
		if st := s.Status(); !strings.Contains(st.Reason, "user") {
			t.Errorf("reason %q", st.Reason)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, s, StateScanQR)
	})
}

func sendInChromium(t *testing.T, s *Session) {
	got, err := s.Send(t.Context(), Outgoing{ID: "3EB0", Chat: "62813@c.us", Kind: KindText, Body: "<&>\u2028"})
	if err != nil || got.Chat != "62813@c.us" || got.Ack != 1 {
		t.Errorf("text: %+v, %v", got, err)
	}
	if _, err = s.Send(t.Context(), Outgoing{ID: "3EB0", Chat: "1@c.us", Kind: KindText, Body: "no"}); problem.CodeOf(err) != problem.NotOnWhatsApp {
		t.Errorf("unknown number: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = s.Send(ctx, Outgoing{ID: "3EB0", Chat: "1@c.us", Kind: KindText, Body: "hang"}); problem.CodeOf(err) != problem.SendTimeout {
		t.Errorf("no answer: %v", err)
	}
	path := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(path, []byte("bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err = s.Send(t.Context(), Outgoing{ID: "3EB2", Chat: "1@c.us", Kind: KindDocument, FilePath: path})
	if err != nil || got.Chat != "blob 5 bytes" {
		t.Errorf("file: %+v, %v", got, err)
	}
	if _, err = s.Send(t.Context(), Outgoing{ID: "3EB3", Chat: "1@c.us", Kind: KindDocument, FilePath: path + "x"}); problem.CodeOf(err) != problem.UploadFailed {
		t.Errorf("missing file: %v", err)
	}
	if err := os.Symlink("/etc/passwd", path+"-link"); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Send(t.Context(), Outgoing{ID: "3EB4", Chat: "1@c.us", Kind: KindDocument, FilePath: path + "-link"}); problem.CodeOf(err) != problem.UploadFailed {
		t.Errorf("a link in the place of a file: %v", err)
	}
}

// killRenderers sends SIGKILL to the renderers of a Chromium.
func killRenderers(t *testing.T, c *tab) {
	t.Helper()
	killed := 0
	for pid, cmdline := range groupProcesses(c.pid) {
		if strings.Contains(cmdline, "--type=renderer") {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Error(err)
			}
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no renderer found")
	}
}
