package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// bystander starts a process of the test's own in a group of its own, which is reaped when it ends.
func bystander(t *testing.T, name string, args ...string) (cmd *exec.Cmd, ended chan struct{}) {
	t.Helper()
	// Not the test's context: it would end the process alone, and leave the group to nobody.
	cmd = exec.CommandContext(context.Background(), name, args...) //nolint:gosec // a program of the test's own
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		select {
		case <-ended:
		default:
			_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
			<-ended
		}
	})
	return cmd, ended
}

// TestOrphanOfAnEarlierKurir: a Chromium that nobody holds works on the profile, and is stopped besides, so that it
// would hear nothing. The next session ends it with all that is below it, and nothing else, and works.
func TestOrphanOfAnEarlierKurir(t *testing.T) {
	cfg := testConfig(t, fakeWeb(t))
	args := flags(launchOptions{Binary: cfg.Binary, ProfileDir: cfg.ProfileDir})
	for i, a := range args {
		if a == "--remote-debugging-pipe" {
			args[i] = "--remote-debugging-port=0" // nothing ends it when its pipes do
		}
	}
	orphan, ended := bystander(t, cfg.Binary, append(args, cfg.URL)...)
	pid := orphan.Process.Pid
	eventually(t, func() error {
		if n := len(groupProcesses(pid)); n < 3 {
			return fmt.Errorf("%d processes: not what a Chromium has", n)
		}
		return nil
	})
	if err := recordBirth(cfg.ProfileDir, pid); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(-pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	other, _ := bystander(t, "sleep", "60")

	s := started(t, cfg)
	await(t, s, StateScanQR)
	<-ended
	if left := groupProcesses(pid); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if p, ok := processOf(other.Process.Pid); !ok || !p.runs() {
		t.Error("a bystander was ended")
	}
	var b birth
	data, err := os.ReadFile(filepath.Join(cfg.ProfileDir, birthFile))
	if err != nil || json.Unmarshal(data, &b) != nil || b.PID != chromiumOf(t, s).pid {
		t.Errorf("recorded %s, the session's Chromium is %d: %v", data, chromiumOf(t, s).pid, err)
	}
}

// TestStoppedHelpersOfAnEarlierChromium: a stopped renderer does not notice that its Chromium is gone.
func TestStoppedHelpersOfAnEarlierChromium(t *testing.T) {
	dir := t.TempDir()
	// A shell that leaves a stopped child with a renderer's command line in its group. The kernel hangs up on what is
	// stopped in a group that nobody leads any more; the child must not end by that.
	leader, ended := bystander(t, "sh", "-c", `sh -c 'trap "" HUP; kill -STOP $$; sleep 60' --type=renderer & echo $! > "$0/child"; exec sleep 60`, dir)
	var child int
	eventually(t, func() error {
		data, _ := os.ReadFile(filepath.Join(dir, "child")) //nolint:gosec // a file whose name the test itself made or knows
		_, err := fmt.Sscan(string(data), &child)
		if p, ok := processOf(child); err == nil && (!ok || p.state != 'T') {
			err = fmt.Errorf("the child is not stopped: %+v", p)
		}
		return err
	})
	if err := recordBirth(dir, leader.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(leader.Process.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-ended
	if p, ok := processOf(child); !ok || !p.runs() {
		t.Fatal("the child ended with its parent: the test shows nothing")
	}
	p, err := openProfile(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.release()
	if p, ok := processOf(child); ok && p.runs() {
		_ = unix.Kill(child, unix.SIGKILL)
		t.Error("left behind")
	}
}

// TestNobodyElseIsEnded: the recorded id belongs to another process now, to one of another boot, or the record is broken.
func TestNobodyElseIsEnded(t *testing.T) {
	other, _ := bystander(t, "sleep", "60")
	now, _ := processOf(other.Process.Pid)
	for name, b := range map[string]birth{
		"another process": {PID: now.pid, Start: now.start - 1, Boot: bootID()},
		"another boot":    {PID: now.pid, Start: now.start, Boot: "0f4c"},
		"the first":       {PID: 1, Start: 1, Boot: bootID()},
		"no process":      {Boot: bootID()},
		"broken":          {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			data, _ := json.Marshal(b)
			if name == "broken" {
				data = []byte("{")
			}
			if err := os.WriteFile(filepath.Join(dir, birthFile), data, 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := openProfile(dir, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			p.release()
			if p, ok := processOf(now.pid); !ok || !p.runs() {
				t.Fatal("it was ended")
			}
		})
	}
}

// TestALivingKurirKeepsItsChromium: who does not get the lock ends nothing.
func TestALivingKurirKeepsItsChromium(t *testing.T) {
	dir := t.TempDir()
	p, err := openProfile(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.release()
	its, _ := bystander(t, "sleep", "60")
	if err := recordBirth(dir, its.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := openProfile(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "in use by another kurir") {
		t.Errorf("second owner: %v", err)
	}
	if p, ok := processOf(its.Process.Pid); !ok || !p.runs() {
		t.Error("the Chromium of a living kurir was ended")
	}
}

// TestStaleSingletonLock: Chromium's own lock names a host and a process. After a container's restart it is another
// host's, and Chromium alone would refuse the profile.
func TestStaleSingletonLock(t *testing.T) {
	cfg := testConfig(t, fakeWeb(t))
	for name, target := range map[string]string{
		"SingletonLock": "an-earlier-container-1", "SingletonCookie": "1234567890", "SingletonSocket": "/tmp/of/another/host/SingletonSocket",
	} {
		if err := os.Symlink(target, filepath.Join(cfg.ProfileDir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := started(t, cfg)
	await(t, s, StateScanQR)
	if target, err := os.Readlink(filepath.Join(cfg.ProfileDir, "SingletonLock")); err == nil && strings.HasPrefix(target, "an-earlier-container") {
		t.Errorf("the lock is still %s", target)
	}
}

func TestProfileInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := openProfile(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openProfile(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "in use by another kurir (process ") {
		t.Errorf("second owner: %v", err)
	}
	p.release()
	p, err = openProfile(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.release()
}
