package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the kernel's unit of CPU time in /proc: USER_HZ, 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// spent is the CPU time that each part has used so far: kurir, the page (Chromium's renderers), the rest of Chromium
// (whose browser process keeps the page's database), and the bench itself, which is the sandbox and the receiver.
type spent struct{ kurir, page, chromium, bench time.Duration }

func (b *bench) cpu() spent {
	s := spent{kurir: cpuOf(b.kurir.cmd.Process.Pid), bench: cpuOf(os.Getpid())}
	for _, pid := range b.kurir.chromiums() {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.Contains(line, []byte("--type=renderer")) {
			s.page += cpuOf(pid)
		} else {
			s.chromium += cpuOf(pid)
		}
	}
	return s
}

// per says what each part used for one of n things since before.
func (s spent) per(n int, before spent) string {
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(n) }
	return fmt.Sprintf("page %.2f, the rest of Chromium %.2f, kurir %.2f, sandbox and receiver %.2f ms",
		ms(s.page-before.page), ms(s.chromium-before.chromium), ms(s.kurir-before.kurir), ms(s.bench-before.bench))
}

// cpuOf is the CPU time of a process, all its threads; 0: it is gone.
func cpuOf(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// load is the machine's load average of the last minute: others may work on it too.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
