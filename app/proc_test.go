package app_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// descendants lists the processes below the given ones.
func descendants(t *testing.T, roots []int) []int {
	t.Helper()
	children := map[int][]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range stats {
		b, err := os.ReadFile(f) //nolint:gosec // a file whose name the test itself made or knows
		if err != nil {
			continue // ended meanwhile
		}
		// pid (comm) state ppid …; comm may hold anything, so read from its end.
		var pid, ppid int
		var state string
		_, _ = fmt.Sscanf(string(b), "%d", &pid)
		_, _ = fmt.Sscanf(string(b[bytes.LastIndexByte(b, ')')+1:]), "%s %d", &state, &ppid)
		children[ppid] = append(children[ppid], pid)
	}
	var all []int
	for queue := slices.Clone(roots); len(queue) > 0; {
		pid := queue[0]
		queue = append(queue[1:], children[pid]...)
		all = append(all, children[pid]...)
	}
	return all
}

// isRenderer says whether a process is one of Chromium's renderers.
func isRenderer(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(b), "--type=renderer")
}
