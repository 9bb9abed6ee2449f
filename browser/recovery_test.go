package browser

import (
	"context"
	"fmt"
	"testing"
	"time"

	"kurir/problem"
)

// TestPageWithoutBridge: loaded again once, then Chromium is started again, ever later.
func TestPageWithoutBridge(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{bridgeless: true}, func(m *machine) {
		first := m.engine()
		m.want(m.timing.heartbeat, StateStarting, "loading WhatsApp Web")
		if first.loaded() != 2 || m.launches() != 1 {
			m.t.Errorf("%d loads, %d launches", first.loaded(), m.launches())
		}
		m.want(m.timing.heartbeat, StateFailed, "the bridge is not in the page, also after it was loaded again")
		m.change(func(s *fakeSet) { s.bridgeless, s.state = false, atMain })
		m.want(m.timing.backoffMin, StateWorking, "")
		if m.launches() != 2 {
			m.t.Errorf("%d launches", m.launches())
		}
	})
}

// onceWithout is the fake bridge, but for the one document before which the page has set a mark.
const onceWithout = `(() => {
  try {
    if (localStorage.without) return localStorage.removeItem("without");
  } catch { return; }
  ` + fakeBridge + `
})();`

// TestPageThatIsLost: what the page can do to itself, in a real Chromium. A send that is under way ends as lost, and the
// session works again by itself.
func TestPageThatIsLost(t *testing.T) {
	cfg := testConfig(t, fakeWeb(t))
	cfg.Scripts = []string{onceWithout}
	cfg.Limits.Heartbeat = 500 * time.Millisecond
	s := started(t, cfg)
	await(t, s, StateScanQR)
	js(t, s, `fake.link("62812:3@c.us")`)
	await(t, s, StateWorking)
	pid := chromiumOf(t, s).pid
	for name, act := range map[string]string{
		"navigated to nowhere":          `location.href = "about:blank"`,
		"reloaded":                      `location.reload()`,
		"bridge missing after a reload": `localStorage.without = 1, location.reload()`,
	} {
		t.Run(name, func(t *testing.T) {
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
			js(t, s, "setTimeout(() => { "+act+" })")
			if err := <-hung; problem.CodeOf(err) != problem.SessionLost {
				t.Errorf("the send that was under way: %v", err)
			}
			awaitAgain(t, s, StateWorking, begin)
			t.Logf("works again after %s", time.Since(begin).Round(time.Millisecond))
			if now := chromiumOf(t, s).pid; now != pid {
				t.Errorf("Chromium was restarted for it")
			}
			if _, err := s.Send(t.Context(), Outgoing{ID: "3EB2", Chat: "1@c.us", Kind: KindText, Body: "x"}); err != nil {
				t.Error(err)
			}
		})
	}
}
