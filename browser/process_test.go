package browser

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// helperEnv makes this test binary run helperMain instead of tests: "profile folder|url".
const helperEnv = "KURIR_TEST_HELPER"

// helperMain is another process that runs a session until it is killed. It says "working" when it works.
func helperMain() {
	dir, url, _ := strings.Cut(os.Getenv(helperEnv), "|")
	binary, err := FindChromium(os.Getenv("KURIR_CHROMIUM"))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := New(Config{Binary: binary, ProfileDir: dir, URL: url, Scripts: []string{fakeBridge}, Log: slog.New(slog.DiscardHandler)})
	if err := s.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	for s.Status().State != StateScanQR {
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Println("working")
	select {}
}

// groupProcesses returns the live processes of a group with their command lines.
func groupProcesses(pgid int) map[int]string {
	return processes(func(pid, group int, _ string) bool { return group == pgid })
}

// processes returns the live processes that match.
func processes(match func(pid, group int, cmdline string) bool) map[int]string {
	list := map[int]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path) //nolint:gosec // a file whose name the test itself made or knows
		if err != nil {
			continue
		}
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(f) < 3 || f[0] == "Z" {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		group, _ := strconv.Atoi(f[2])
		cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if match(pid, group, string(cmdline)) {
			list[pid] = string(cmdline)
		}
	}
	return list
}

// Whatever kills kurir, no Chromium stays behind, and the profile can be used again at once.
func TestNoChromiumOutlivesSIGKILL(t *testing.T) {
	dir, url := t.TempDir(), fakeWeb(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // a program of the test's own
	cmd.Env = append(os.Environ(), helperEnv+"="+dir+"|"+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "working\n" {
		_ = cmd.Process.Kill()
		t.Fatalf("the helper says %q, %v", line, err)
	}
	leaders := processes(func(pid, group int, cmdline string) bool { return pid == group && strings.Contains(cmdline, dir) })
	if len(leaders) != 1 {
		t.Fatalf("%d Chromiums of the profile", len(leaders))
	}
	var group int
	for group = range leaders {
	}
	if n := len(groupProcesses(group)); n < 3 {
		t.Fatalf("%d processes: not what a Chromium has", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_ = cmd.Wait()
	eventually(t, func() error {
		if left := groupProcesses(group); len(left) > 0 {
			return fmt.Errorf("left behind: %v", left)
		}
		return nil
	})
	t.Logf("all gone %s after the kill", time.Since(begin))
	p, err := openProfile(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.release()
}

// What "WORKING" promises: Chromium can be killed the moment after and the link is kept.
func TestLinkSurvivesAKillAtWorking(t *testing.T) {
	url := fakeWeb(t)
	cfg := testConfig(t, url)
	s := started(t, cfg)
	await(t, s, StateScanQR)
	begin := time.Now()
	js(t, s, `fake.link("62812:3@c.us")`)
	await(t, s, StateWorking)
	t.Logf("link → WORKING %s", time.Since(begin))

	begin = time.Now()
	if err := unix.Kill(chromiumOf(t, s).pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitAgain(t, s, StateWorking, begin) // SCAN_QR_CODE: the link is lost
	t.Logf("kill of Chromium → WORKING %s", time.Since(begin))
}

// A frozen Chromium holds nobody: writes end, calls end, and it is replaced.
func TestFrozenChromium(t *testing.T) {
	s := New(testConfig(t, fakeWeb(t)))
	s.timing.heartbeat = 300 * time.Millisecond
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, s, StateScanQR)
	old := chromiumOf(t, s)
	pids := groupProcesses(old.pid)
	if err := unix.Kill(-old.pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	<-old.exited
	t.Logf("frozen → gone %s", time.Since(begin))
	for pid := range pids {
		if left := processes(func(p, _ int, _ string) bool { return p == pid }); len(left) > 0 && strings.Contains(left[pid], "chrom") {
			t.Errorf("left behind: %v", left)
		}
	}
	awaitAgain(t, s, StateScanQR, begin)

	// Stop is bounded too.
	now := chromiumOf(t, s)
	if err := unix.Kill(-now.pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin = time.Now()
	err := s.Stop(ctx)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Stop took %s", took)
	}
	t.Logf("Stop of a frozen Chromium: %s, %v", time.Since(begin), err)
	if left := groupProcesses(now.pid); len(left) > 0 || s.Status().State != StateStopped {
		t.Errorf("after Stop: %v, %v", left, s.Status())
	}
}

// pss returns the proportional memory of the groups in kB, from /proc/*/smaps_rollup.
func pss(t testing.TB, groups ...int) int {
	t.Helper()
	total := 0
	for pid := range processes(func(_, group int, _ string) bool { return slices.Contains(groups, group) }) {
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(rollup)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				n, _ := strconv.Atoi(f[1])
				total += n
			}
		}
	}
	return total
}
