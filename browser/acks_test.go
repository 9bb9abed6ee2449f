package browser

import (
	"testing"
	"testing/synctest"
	"time"

	"kurir/problem"
)

// unackedMessage is what the fake page says of a message that waits for its ack.
var unackedMessage = map[string]any{"id": "3EB0", "chat": "1@c.us"}

// holds has the page hold the message with this ack when it is looked up.
func (m *machine) holds(found string, ack int) {
	m.change(func(s *fakeSet) { s.holds = map[string]Presence{"3EB0": {Found: found, Ack: ack}} })
	m.engine().mu.Lock()
	m.engine().set.holds = m.set.holds
	m.engine().mu.Unlock()
}

// queue checks whether messages are taken.
func (m *machine) queue(open bool) {
	m.t.Helper()
	if got := m.Status().CanSend; got != open {
		m.t.Errorf("CanSend %v in %+v", got, m.Status())
	}
	if err := m.send("x"); (err == nil) != open || !open && problem.CodeOf(err) != problem.InstanceNotReady {
		m.t.Errorf("send: %v, want it open: %v", err, open)
	}
}

// TestUnackedEscalates: the server is asked, the page loaded once, Chromium restarted once, each with the patience of
// an ack; then the queue goes on, and the same message causes nothing any more.
func TestUnackedEscalates(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain, holds: map[string]Presence{"3EB0": {Found: FoundPresent}}}, func(m *machine) {
		first := m.engine()
		first.hang("reach")
		lost := make(chan error, 1)
		go func() { lost <- m.send("hang") }()
		synctest.Wait()
		first.tell("unacked", unackedMessage)
		m.want(0, StateDegraded, "has not acknowledged a message for 30s; the queue waits for it; asking WhatsApp's server")
		m.queue(false)
		first.hang("")
		m.want(m.timing.reach, StateDegraded, "asked WhatsApp's server: no answer within 6s, loaded the page again")
		if err := <-lost; problem.CodeOf(err) != problem.SendTimeout {
			m.t.Errorf("the send that waited: %v", err)
		}
		if first.loaded() != 2 || m.launches() != 1 {
			m.t.Fatalf("%d loads, %d launches", first.loaded(), m.launches())
		}
		m.queue(false)
		m.want(m.timing.ack-time.Millisecond, StateDegraded, "loaded the page again")
		if m.launches() != 1 {
			m.t.Fatal("Chromium was restarted too soon")
		}
		m.want(2*time.Millisecond, StateDegraded, "loaded the page again, restarted Chromium")
		if first.ending() != "closed" || m.launches() != 2 || m.engine().loaded() != 1 {
			m.t.Fatalf("%q, %d launches", first.ending(), m.launches())
		}
		m.queue(false)
		m.want(m.timing.ack, StateDegraded, "restarted Chromium; that one is still not acknowledged")
		m.queue(true)
		m.engine().tell("unacked", unackedMessage) // asked for once more, by a resend
		m.want(time.Hour, StateDegraded, "still not acknowledged")
		if m.engine().loaded() != 1 || m.launches() != 2 {
			m.t.Errorf("%d loads, %d launches for a message that was given up", m.engine().loaded(), m.launches())
		}
		m.engine().tell("unacked", map[string]any{"id": "3EB1", "chat": "1@c.us"}) // the next one too
		m.want(0, StateDegraded, "it answered in 7 ms, loaded the page again")
		m.queue(false)
		m.engine().tell("ack", Ack{ID: "3EB9", Ack: 2})
		m.want(0, StateWorking, "")
		m.queue(true)
	})
}

// TestAckEndsEachStep: an ack of any message at any step, and the queue goes on as if nothing had been.
func TestAckEndsEachStep(t *testing.T) {
	t.Parallel()
	steps := map[string]time.Duration{"asking": 0, "reloaded": 10 * time.Second, "restarted": 40 * time.Second, "given up": 100 * time.Second}
	for name, after := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inMachine(t, fakeSet{state: atMain, holds: map[string]Presence{"3EB0": {Found: FoundPresent}}}, func(m *machine) {
				m.engine().hang("reach")
				m.engine().tell("unacked", unackedMessage)
				m.want(after, StateDegraded, "has not acknowledged")
				loads, launches := m.engine().loaded(), m.launches()
				m.engine().tell("ack", Ack{ID: "3EB0", Ack: 1})
				m.want(0, StateWorking, "")
				m.queue(true)
				m.want(time.Hour, StateWorking, "")
				if m.engine().loaded() != loads || m.launches() != launches {
					m.t.Errorf("something was done after the ack: %d loads, %d launches", m.engine().loaded(), m.launches())
				}
			})
		})
	}
}

// TestAckFoundByLooking: the page got the ack before the bridge listened. And what else a look can find.
func TestAckFoundByLooking(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		found string
		ack   int
		state State
		told  int // acks
	}{
		"acknowledged": {FoundPresent, 2, StateWorking, 1},
		"refused":      {FoundPresent, -1, StateWorking, 0},
		"lost":         {FoundAbsent, 0, StateDegraded, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := &events{}
			inMachine(t, fakeSet{state: atMain, holds: map[string]Presence{"3EB0": {Found: FoundPresent}}}, func(m *machine) {
				m.cfg.OnEvent = seen.add
				m.engine().tell("unacked", unackedMessage)
				m.want(time.Second, StateDegraded, "loaded the page again")
				m.holds(c.found, c.ack)
				m.want(m.timing.retry, c.state, "")
				m.queue(true)
				m.want(time.Hour, c.state, "")
				if m.launches() != 1 {
					m.t.Errorf("%d launches", m.launches())
				}
			})
			told := 0
			for _, e := range seen.all {
				if e.Type == EventAck && e.Ack.ID == "3EB0" && e.Ack.Ack == c.ack {
					told++
				}
			}
			if told != c.told {
				t.Errorf("%d acks told", told)
			}
		})
	}
}

// TestUnackedWithoutAConnection: nothing is loaded for want of an ack while there is no connection; the ack's time
// begins again when there is one.
func TestUnackedWithoutAConnection(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain, holds: map[string]Presence{"3EB0": {Found: FoundPresent}}}, func(m *machine) {
		e := m.engine()
		gone := with(atMain, func(p *pageState) { p.Stream, p.Socket = "DISCONNECTED", "OPENING" })
		e.mu.Lock()
		e.state = gone // its event is late: the question finds it
		e.mu.Unlock()
		e.tell("unacked", unackedMessage)
		m.want(m.timing.grace, StateDegraded, "no connection")
		m.queue(false)
		m.want(time.Hour, StateDegraded, "no connection")
		if e.loaded() != 1 {
			m.t.Errorf("%d loads without a connection", e.loaded())
		}
		e.tell("state", atMain)
		m.want(m.timing.retry, StateDegraded, "loaded the page again")
		m.want(m.timing.ack-3*time.Second, StateDegraded, "loaded the page again")
		e.tell("state", gone)
		m.want(10*m.timing.ack, StateDegraded, "no connection")
		e.tell("state", atMain)
		m.want(m.timing.ack-time.Second, StateDegraded, "loaded the page again")
		if m.launches() != 1 {
			m.t.Error("time without a connection counted")
		}
		m.want(2*time.Second, StateDegraded, "restarted Chromium")
	})
}

// TestUnackedSurvivesACrash: a page that is lost in the middle of a step does not begin it anew.
func TestUnackedSurvivesACrash(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain, holds: map[string]Presence{"3EB0": {Found: FoundPresent}}}, func(m *machine) {
		m.engine().hang("reach")
		m.engine().tell("unacked", unackedMessage)
		m.want(time.Second, StateDegraded, "asking")
		m.engine().emit(signal{kind: signalCrash})
		m.engine().hang("")
		m.want(m.timing.retry, StateDegraded, "loaded the page again")
		m.engine().stop("killed") // Chromium
		m.want(time.Second, StateDegraded, "loaded the page again")
		m.queue(false)
		m.want(m.timing.ack, StateDegraded, "restarted Chromium")
		m.want(m.timing.ack, StateDegraded, "still not acknowledged")
		m.queue(true)
	})
}

// TestPendingFoundByTheQueue: a message that no Send waits for, as after a restart of kurir, is overdue too.
func TestPendingFoundByTheQueue(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain, holds: map[string]Presence{"3EB0": {Found: FoundPresent}}}, func(m *machine) {
		look := func() {
			if _, err := m.Lookup(m.t.Context(), "1@c.us", []string{"3EB0"}); err != nil {
				m.t.Error(err)
			}
		}
		every := func(gap, limit time.Duration) {
			for range limit / gap {
				look()
				m.want(gap, StateWorking, "")
			}
		}
		every(time.Minute, time.Hour) // of a message that was given up
		every(2*time.Second, m.timing.ack)
		m.engine().tell("ack", Ack{ID: "3EB9", Ack: 1}) // acks flow, then
		every(2*time.Second, m.timing.ack)
		look()
		m.want(0, StateDegraded, "loaded the page again")
		m.holds(FoundPresent, 1)
		m.want(m.timing.retry, StateWorking, "")
	})
}
