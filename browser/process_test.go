package browser

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const helperEnv = "KURIR_TEST_HELPER"

// helperMain is this test binary as another process: it runs a session until it is killed.
func helperMain() {}

// groupProcesses returns the live processes of a group with their command lines.
func groupProcesses(pgid int) map[int]string {
	list := map[int]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(f) < 3 || f[2] != strconv.Itoa(pgid) || f[0] == "Z" {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		list[pid] = string(cmdline)
	}
	return list
}
