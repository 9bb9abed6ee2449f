package browser

import (
	"strings"
	"testing"
	"time"
)

// A number that is left out, and one that never comes after the last: both are noticed, once.
func TestMissingEventsAreNoticed(t *testing.T) {
	t.Parallel()
	seen := &events{}
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		m.cfg.OnEvent = seen.add
		m.want(time.Second, StateWorking, "")
		e := m.engine()
		e.lose()
		e.tell("message", Message{ID: "after"})
		m.want(0, StateWorking, "")
		if got := seen.names(); got != "missed message" {
			t.Errorf("a number left out: %q", got)
		}
		e.lose()
		m.want(3*m.timing.heartbeat, StateWorking, "")
		if got := seen.names(); got != "missed message missed" {
			t.Errorf("the last one lost: %q", got)
		}
		e.tell("message", Message{ID: "last"})
		m.want(3*m.timing.heartbeat, StateWorking, "")
		if got := seen.names(); got != "missed message missed message" {
			t.Errorf("all is well again: %q", got)
		}
	})
}

// lose counts an event that never arrives.
func (e *fakeEngine) lose() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seq++
}

// names are the types of what came, without states and codes.
func (e *events) names() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, x := range e.all {
		if x.Type != EventState && x.Type != EventQR {
			out = append(out, string(x.Type))
		}
	}
	return strings.Join(out, " ")
}
