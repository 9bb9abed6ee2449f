package browser

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// process is one line of the process table (proc_pid_stat(5)).
type process struct {
	pid, parent, group int
	state              byte
	start              uint64 // in clock ticks after the machine's boot: with the pid it names a process for good
}

// runs says whether the process is more than an entry that its parent has not reaped.
func (p process) runs() bool { return p.state != 'Z' && p.state != 'X' }

// processOf reads the entry of one process; false when there is none.
func processOf(pid int) (process, bool) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, false
	}
	// "pid (name) state ppid pgrp …"; the name can hold anything, a bracket too. The start is the 22nd field.
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 20 {
		return process{}, false
	}
	p := process{pid: pid, state: f[0][0]}
	p.parent, _ = strconv.Atoi(string(f[1])) // numbers, by the kernel's word
	p.group, _ = strconv.Atoi(string(f[2]))
	p.start, _ = strconv.ParseUint(string(f[19]), 10, 64)
	return p, true
}

// runningProcesses reads the process table, without the dead.
func runningProcesses() []process {
	var list []process
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is fixed and valid
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, ok := processOf(pid); ok && p.runs() { // else ended meanwhile
			list = append(list, p)
		}
	}
	return list
}

// groupRuns says whether a process of the group runs.
func groupRuns(pgid int) bool {
	for _, p := range runningProcesses() {
		if p.group == pgid {
			return true
		}
	}
	return false
}

// groupMemory returns how many bytes the processes of a group hold for themselves: anonymous and shared-memory pages.
// The pages of files are not counted, which is most of a small Chromium's resident size: every instance shares them,
// and the kernel takes them back when it needs to. (PSS would be the exact word for it, but a renderer's is closed to
// everybody but root.)
func groupMemory(pgid int) (int64, error) {
	var total int64
	for _, p := range runningProcesses() {
		if p.group != pgid {
			continue
		}
		status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "status"))
		if err != nil {
			continue // ended meanwhile
		}
		for line := range bytes.Lines(status) {
			if bytes.HasPrefix(line, []byte("RssAnon:")) || bytes.HasPrefix(line, []byte("RssShmem:")) {
				var kb int64
				if _, err := fmt.Sscanf(string(line[bytes.IndexByte(line, ':')+1:]), "%d kB", &kb); err != nil {
					return 0, fmt.Errorf("read the memory of process %d: %w", p.pid, err)
				}
				total += kb << 10
			}
		}
	}
	return total, nil
}
