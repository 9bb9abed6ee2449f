package browser

import (
	"strings"
	"testing"
	"time"

	"kurir/problem"
)

func TestRestricted(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		end := time.Now().Add(time.Hour)
		m.engine().fail(&rawError{Code: "RESTRICTED", Until: end.Unix()})
		err := m.send("x")
		if problem.CodeOf(err) != problem.Restricted || problem.UntilOf(err).Unix() != end.Unix() {
			m.t.Errorf("%v until %v", err, problem.UntilOf(err))
		}
		m.want(0, StateRestricted, "until 2000-01-01 01:00:00 UTC")
		if st := m.Status(); st.Until == nil || st.Until.Unix() != end.Unix() || !st.CanSend {
			m.t.Errorf("%+v", st)
		}
		m.engine().stop("killed") // it is the account's, not this Chromium's
		m.want(time.Minute, StateRestricted, "")
		if err := m.send("to somebody known"); err != nil || !strings.Contains(m.engine().lastArgs(), `"known_only":true`) {
			m.t.Errorf("%v, called with %s", err, m.engine().lastArgs())
		}
		if st := m.Status(); st.RestrictedUntil == nil || st.RestrictedUntil.Unix() != end.Unix() {
			m.t.Errorf("%+v", st)
		}
		m.want(time.Hour, StateWorking, "")
		if st := m.Status(); st.Until != nil || st.RestrictedUntil != nil {
			m.t.Errorf("%+v", st)
		}
	})
}

// TestTerm: a clock that was set back must not make a restriction last for a year, nor a machine that has slept add its
// sleep.
func TestTerm(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		term term
		over bool
	}{
		"as it should be": {termUntil(now.Add(time.Minute), now), false},
		"just over":       {termUntil(now, now), true},
		"none":            {termUntil(time.Time{}, now), true},
		"clock set back":  {term{wall: now.Add(24 * 365 * time.Hour).Round(0), steady: now.Add(-time.Second)}, true},
		"machine slept":   {term{wall: now.Add(-time.Second).Round(0), steady: now.Add(time.Hour)}, true},
		"clock set ahead": {term{wall: now.Add(-time.Hour).Round(0), steady: now.Add(time.Minute)}, true},
	} {
		if got := c.term.over(now); got != c.over {
			t.Errorf("%s: over %v", name, got)
		}
	}
}

// TestRestrictionIsKept: a session that is told of a restriction obeys it from the first message on, says so in every
// state, and is told that it is over when the account is unlinked.
func TestRestrictionIsKept(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		if err := m.Stop(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		seen := &events{}
		end := time.Now().Add(time.Hour).Round(time.Second)
		cfg := m.cfg
		cfg.RestrictedUntil, cfg.OnEvent = end, seen.add
		again := New(cfg)
		again.open = m.engineFor
		m.Session = again
		if err := m.Start(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		m.want(0, StateRestricted, "first messages wait")
		if err := m.send("x"); err != nil || !strings.Contains(m.engine().lastArgs(), `"known_only":true`) {
			m.t.Errorf("%v, called with %s", err, m.engine().lastArgs())
		}
		m.engine().tell("state", with(atMain, func(p *pageState) { p.Stream, p.Socket = "DISCONNECTED", "OPENING" }))
		m.want(m.timing.settle, StateDegraded, "no connection")
		if st := m.Status(); st.RestrictedUntil == nil || !st.RestrictedUntil.Equal(end) || st.Until != nil {
			m.t.Errorf("%+v", st)
		}
		for _, e := range seen.all { // also while it starts
			if e.Type == EventState && e.Status.RestrictedUntil == nil {
				m.t.Errorf("told without the restriction: %+v", e.Status)
			}
		}
		m.engine().tell("logout", map[string]string{"reason": "device_removed"})
		m.want(0, StateLoggedOut, "")
		if st := m.Status(); st.RestrictedUntil != nil {
			m.t.Errorf("the next link may be another number's: %+v", st)
		}
	})
}
