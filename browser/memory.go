package browser

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// chromiumMemory is what a Chromium takes until its page has loaded, rounded up from 187 MB that were measured. It is an
// estimate for the decision to start one, no limit.
const chromiumMemory = 200 << 20

// Memory is the machine's memory as the sessions of one kurir share it: a Chromium is started only where it leaves the
// reserve. A machine without memory ends processes of its own choice, and stands still before that.
type Memory struct {
	Reserve   int64                 // bytes that a start leaves free
	Available func() (int64, error) // bytes that can be had; nil = AvailableMemory

	mu       sync.Mutex
	starting int // Chromiums that have not taken yet what they will
}

// enter takes the place of one more Chromium; leave says that it has taken its memory. The error says why there is no
// room. Without a Memory, or where the machine does not tell, there always is.
func (m *Memory) enter() (leave func(), err error) {
	if m == nil {
		return func() {}, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.short(); err != nil {
		return nil, err
	}
	m.starting++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.starting--
	}, nil
}

// look is enter without taking a place.
func (m *Memory) look() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.short()
}

func (m *Memory) short() error {
	available := m.Available
	if available == nil {
		available = AvailableMemory
	}
	free, err := available()
	if err != nil {
		return nil //nolint:nilerr // not to know is no reason to refuse
	}
	free = max(0, free-int64(m.starting)*chromiumMemory)
	if free-chromiumMemory >= m.Reserve {
		return nil
	}
	return fmt.Errorf("memory is short: %d MB are free, a Chromium takes some %d MB, and %d MB have to stay free (KURIR_MEMORY_RESERVE)",
		free/1_000_000, chromiumMemory/1_000_000, m.Reserve/1_000_000)
}

// AvailableMemory returns how many bytes new processes can have without swapping: what the kernel says of the machine
// (MemAvailable), or less where a control group bounds this process.
func AvailableMemory() (int64, error) { return availableMemory("/") }

// availableMemory is AvailableMemory with /proc and /sys below root.
func availableMemory(root string) (int64, error) {
	free, err := field(filepath.Join(root, "proc/meminfo"), "MemAvailable:")
	if err != nil {
		return 0, fmt.Errorf("read the machine's memory: %w", err)
	}
	return min(free<<10, groupAvailable(root)), nil
}

// groupAvailable returns what the control groups of this process (version 2) leave: of each, from its own up to the
// root, the limit less what is used and not just cached files, which the kernel gives up first. Without one, or
// without a limit, it is as much as there can be.
func groupAvailable(root string) int64 {
	least := int64(math.MaxInt64)
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) //nolint:gosec // of /proc
	if err != nil {
		return least
	}
	path := ""
	for line := range strings.Lines(string(own)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = rest
		}
	}
	mount := filepath.Join(root, "sys/fs/cgroup")
	for path = filepath.Clean("/" + path); ; path = filepath.Dir(path) {
		dir := filepath.Join(mount, path)
		limit, err := number64(filepath.Join(dir, "memory.max")) // an error: "max", or no such file
		used, err2 := number64(filepath.Join(dir, "memory.current"))
		if err == nil && err2 == nil {
			cached, _ := field(filepath.Join(dir, "memory.stat"), "inactive_file")
			least = min(least, max(0, limit-max(0, used-cached)))
		}
		if path == "/" {
			return least
		}
	}
}

// number64 reads a file that holds one number.
func number64(path string) (int64, error) {
	text, err := os.ReadFile(path) //nolint:gosec // of /sys
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// field reads the number that follows a word at the start of a line.
func field(path, name string) (int64, error) {
	text, err := os.ReadFile(path) //nolint:gosec // of /proc or /sys
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == name {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// watchMemory has Chromium's memory measured from time to time while there is a connection.
func (l *life) watchMemory(now time.Time) {
	if l.cfg.MemoryBudget <= 0 || l.busy["memory"] {
		return
	}
	if _, set := l.at["memory"]; !set {
		l.at["memory"] = now.Add(l.timing.memory)
	}
}

// measured takes how much memory Chromium holds. One that has outgrown its budget is to be recycled; one that has again
// soon after it was, needs so much, and to restart it all day would help nobody.
func (l *life) measured(used int64) {
	l.log.Debug("Chromium's memory", "bytes", used)
	switch {
	case used <= l.cfg.MemoryBudget:
		l.outgrown = 0
	case l.outgrown > 0: // said already
	case l.recycled.IsZero(), time.Since(l.recycled) >= l.timing.recycle:
		l.outgrown = used
	default:
		l.log.Warn("Chromium is over its memory budget again", "bytes", used, "budget", l.cfg.MemoryBudget, "recycled", time.Since(l.recycled))
	}
}

// recycle restarts Chromium for its memory as soon as nothing is under way in the page. Until then the queue is
// paused: between the messages of a long queue there is no other moment.
func (l *life) recycle(now time.Time) (State, string) {
	reason := fmt.Sprintf("Chromium holds %d MB of memory, more than its budget of %d MB (KURIR_MEMORY_BUDGET)",
		l.outgrown/1_000_000, l.cfg.MemoryBudget/1_000_000)
	if !l.retire(now) {
		return StateDegraded, reason + "; it is restarted when what is under way has ended"
	}
	l.recycled = now
	l.over(ending{reason: reason + "; it is restarted", planned: true})
	return StateDegraded, reason + "; it is restarted"
}

// retire takes the document away from callers, unless one of them has a call under way in it or had a moment ago: the
// page writes what came of a message to its database after it has told, and what it has not written it sends again.
func (l *life) retire(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doc.retiring = true // the end of the last call wakes the machine
	if l.doc.active > 0 {
		return false
	}
	if by := l.doc.quietSince.Add(l.timing.quiet); now.Before(by) {
		l.at["show"] = by
		return false
	}
	l.Session.doc = nil
	return true
}
