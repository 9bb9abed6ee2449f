package browser

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// birth names a Chromium of this machine for good: a process id is given to others later, together with its start and
// the boot that the start counts from it is not.
type birth struct {
	PID   int    `json:"pid"` // of the browser process, and of its group
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
}

// recordBirth writes into the profile folder which Chromium works on it. It is never removed: of one that has ended
// there is nothing to find.
func recordBirth(dir string, pid int) error {
	p, ok := processOf(pid)
	if !ok {
		return fmt.Errorf("record Chromium: process %d has ended", pid)
	}
	data, err := json.Marshal(birth{PID: pid, Start: p.start, Boot: bootID()})
	if err != nil {
		return fmt.Errorf("record Chromium: %w", err)
	}
	path := filepath.Join(dir, birthFile)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("record Chromium: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("record Chromium: %w", err)
	}
	return nil
}

// bootID is this boot of the machine; "" where the kernel does not tell.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

// endOrphan ends the Chromium that an earlier kurir has left on the profile, if it has, with everything below it, and
// returns when nothing of it runs. The caller holds the profile's lock, so no living kurir has a use for it.
//
// The kernel kills Chromium with its kurir (Pdeathsig), so this is for what that does not reach: a binary that changes
// its user, and the processes that Chromium has started, when they are stopped and do not notice that it is gone.
func endOrphan(dir string, log *slog.Logger) error {
	data, err := os.ReadFile(filepath.Join(dir, birthFile)) //nolint:gosec // kurir's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var b birth
	if err == nil {
		err = json.Unmarshal(data, &b)
	}
	if err != nil {
		log.Warn("which Chromium an earlier kurir had cannot be read", "err", err)
		return nil
	}
	if b.PID <= 1 || b.Boot != bootID() {
		return nil
	}
	left := b.left(runningProcesses())
	if len(left) == 0 {
		return nil
	}
	log.Warn("an earlier kurir has left its Chromium on the profile; it is ended", "pid", b.PID, "processes", len(left))
	for end := time.Now().Add(goneLimit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		for _, p := range left {
			_ = unix.Kill(p.pid, unix.SIGKILL) // each was looked at just now
		}
		if left = b.left(runningProcesses()); len(left) == 0 {
			return nil
		}
	}
	return fmt.Errorf("the profile folder %s is in use by a Chromium of an earlier kurir that does not end (process %d)", dir, b.PID)
}

// left returns what still runs of the Chromium that was born so: the browser process, its group and all descendants.
// When the browser process itself is gone, its id may be somebody else's; then only helper processes of a Chromium in
// the group count, of which none is of use without its browser process.
func (b birth) left(all []process) []process {
	leader, alive := process{}, false
	ours := map[int]bool{}
	for _, p := range all {
		if p.pid == b.PID {
			leader, alive = p, true
		}
	}
	if alive && leader.start != b.Start {
		return nil // another process
	}
	for _, p := range all {
		ours[p.pid] = alive && (p.pid == b.PID || p.group == b.PID) ||
			!alive && p.group == b.PID && p.start >= b.Start && isHelper(p.pid)
	}
	for grown := true; grown; { // children of children
		grown = false
		for _, p := range all {
			if !ours[p.pid] && ours[p.parent] {
				ours[p.pid], grown = true, true
			}
		}
	}
	var list []process
	for _, p := range all {
		if ours[p.pid] {
			list = append(list, p)
		}
	}
	return list
}

// isHelper says whether a process is one that a Chromium starts for itself: a renderer, a zygote, a utility.
func isHelper(pid int) bool {
	cmdline, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && bytes.Contains(cmdline, []byte("--type="))
}
