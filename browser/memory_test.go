package browser

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kurir/problem"
)

// machineOf lays out /proc and /sys of a machine.
func machineOf(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAvailableMemory(t *testing.T) {
	t.Parallel()
	const meminfo = "MemTotal:       4000000 kB\nMemFree:         100000 kB\nMemAvailable:   1000000 kB\n"
	group := func(dir, limit, used string) map[string]string {
		return map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::" + dir + "\n",
			"sys/fs/cgroup" + dir + "/memory.max": limit, "sys/fs/cgroup" + dir + "/memory.current": used,
			"sys/fs/cgroup" + dir + "/memory.stat": "anon 1\nfile 70000000\ninactive_file 50000000\nactive_file 20000000\n",
		}
	}
	with := func(files map[string]string, name, text string) map[string]string { files[name] = text; return files }
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no control group":        {map[string]string{"proc/meminfo": meminfo}, 1_024_000_000},
		"version 1":               {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/a\n0::/\n"}, 1_024_000_000},
		"no limit":                {group("/user.slice/a", "max\n", "300000000\n"), 1_024_000_000},
		"a limit, cached files":   {group("/user.slice/a", "500000000\n", "300000000\n"), 250_000_000},
		"a container's own root":  {group("", "500000000\n", "300000000\n"), 250_000_000},
		"more than the machine":   {group("/a", "9000000000\n", "300000000\n"), 1_024_000_000},
		"more used than allowed":  {group("/a", "500000000\n", "600000000\n"), 0},
		"the group above is less": {with(with(group("/a/b", "500000000\n", "300000000\n"), "sys/fs/cgroup/a/memory.max", "400000000"), "sys/fs/cgroup/a/memory.current", "390000000"), 10_000_000},
	} {
		if got, err := availableMemory(machineOf(t, c.files)); err != nil || got != c.want {
			t.Errorf("%s: %d %v, want %d", name, got, err, c.want)
		}
	}
	if _, err := availableMemory(t.TempDir()); err == nil {
		t.Error("a machine that does not tell")
	}
	if got, err := AvailableMemory(); err != nil || got < 10<<20 {
		t.Errorf("this machine has %d, %v", got, err)
	}
}

// TestMemoryCountsWhatIsStarting: two that start at the same time must not both be given what is free.
func TestMemoryCountsWhatIsStarting(t *testing.T) {
	t.Parallel()
	free := int64(2*chromiumMemory + 100<<20 - 1)
	m := &Memory{Reserve: 100 << 20, Available: func() (int64, error) { return free, nil }}
	leave, err := m.enter()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.enter(); err == nil || !strings.Contains(err.Error(), "memory is short") {
		t.Errorf("the second: %v", err)
	}
	leave() // it has taken its memory, which was free otherwise
	if _, err := m.enter(); err != nil {
		t.Error(err)
	}
	m.Available = func() (int64, error) { return 0, errors.New("no /proc") }
	if _, err := m.enter(); err != nil {
		t.Errorf("not to know is no reason to refuse: %v", err)
	}
}

// TestNoRoomForOneMore: the start is refused with the reason, at once and without a Chromium, tried again, and done
// when there is room.
func TestNoRoomForOneMore(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		if err := m.Stop(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		var free atomic.Int64
		var asked atomic.Int64
		free.Store(400 << 20)
		m.cfg.Memory = &Memory{Reserve: 256 << 20, Available: func() (int64, error) { asked.Add(1); return free.Load(), nil }}
		if err := m.Start(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		const why = "memory is short: 419 MB are free, a Chromium takes some 209 MB, and 268 MB have to stay free"
		if st := m.Status(); st.State != StateFailed || !strings.Contains(st.Reason, why) {
			m.t.Errorf("right after the start: %+v", st)
		}
		m.want(10*time.Minute, StateFailed, why)
		if n := asked.Load(); m.launches() != 1 || n < 8 || n > 60 {
			m.t.Errorf("%d launches, asked %d times", m.launches(), n)
		}
		free.Store(2 << 30)
		m.want(m.timing.backoffMax, StateWorking, "")
		if m.cfg.Memory.starting != 0 {
			m.t.Errorf("%d places were not given back", m.cfg.Memory.starting)
		}
	})
}

// TestRecycling: over its budget, Chromium is restarted when nothing is under way; the queue waits for that moment.
func TestRecycling(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		if err := m.Stop(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		m.cfg.MemoryBudget = 1_500_000_000
		if err := m.Start(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		synctest.Wait()
		fat := m.engine()
		m.want(m.timing.memory+m.timing.heartbeat, StateWorking, "")
		fat.mu.Lock()
		fat.used = 1_700_000_000
		fat.mu.Unlock()
		done := make(chan error, 1)
		ctx := m.t.Context()
		go func() {
			_, err := m.Lookup(ctx, "hang", nil)
			done <- err
		}()
		m.want(m.timing.memory-m.timing.heartbeat+time.Second, StateDegraded, "holds 1700 MB of memory, more than its budget of 1500 MB (KURIR_MEMORY_BUDGET); it is restarted when what is under way has ended")
		m.queue(false)
		if fat.ending() != "" {
			m.t.Error("restarted in the middle of a call")
		}
		if err := <-done; problem.CodeOf(err) != problem.PageTimeout { // the call ended by itself
			m.t.Error(err)
		}
		m.want(m.timing.quiet-time.Millisecond, StateDegraded, "it is restarted when what is under way has ended")
		m.want(time.Millisecond, StateWorking, "")
		if fat.ending() != "closed" || m.launches() != 3 {
			m.t.Errorf("%q, %d launches", fat.ending(), m.launches())
		}
		m.queue(true)

		// An account that needs so much is not restarted all day.
		m.engine().mu.Lock()
		m.engine().used = 1_700_000_000
		m.engine().mu.Unlock()
		m.want(m.timing.recycle-time.Minute, StateWorking, "")
		if m.launches() != 3 {
			m.t.Errorf("%d launches", m.launches())
		}
		m.want(2*time.Minute, StateWorking, "")
		if m.launches() != 4 {
			m.t.Errorf("%d launches", m.launches())
		}
	})
}

// TestRecyclingWithoutABudget: nothing is measured, whatever Chromium holds.
func TestRecyclingWithoutABudget(t *testing.T) {
	t.Parallel()
	inMachine(t, fakeSet{state: atMain}, func(m *machine) {
		m.engine().mu.Lock()
		m.engine().used = 1 << 40
		m.engine().mu.Unlock()
		m.want(time.Hour, StateWorking, "")
		if m.launches() != 1 {
			m.t.Errorf("%d launches", m.launches())
		}
	})
}

// TestLaunchesAreBounded: of many sessions that are started together no more start at a time than there are places,
// and all of them get there.
func TestLaunchesAreBounded(t *testing.T) {
	t.Parallel()
	const places, sessions = 2, 7
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		launches := make(chan struct{}, places)
		var starting, most atomic.Int64
		var all []*Session
		for i := range sessions {
			s := New(Config{ProfileDir: filepath.Join(dir, string(rune('a'+i))), URL: "https://web.whatsapp.com/", Launches: launches})
			s.open = func(_ context.Context, emit func(signal)) (engine, error) {
				most.Store(max(most.Load(), starting.Add(1)))
				time.Sleep(time.Second) // what a launch takes
				e := &fakeEngine{emit: emit, set: fakeSet{state: atMain}, asked: map[string]int{}}
				e.loading = func() {
					time.Sleep(time.Second)
					starting.Add(-1)
				}
				return e, nil
			}
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		time.Sleep(2 * time.Second * (sessions/places + 1))
		synctest.Wait()
		for _, s := range all {
			if st := s.Status(); st.State != StateWorking {
				t.Errorf("%+v", st)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if most.Load() != places {
			t.Errorf("%d started at a time", most.Load())
		}
	})
}
