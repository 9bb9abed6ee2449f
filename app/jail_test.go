package app_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is the user and the group of kurir in these tests: any but root.
const nobody = 65534

// place is where a kurir of another user than root lives: t.TempDir and the folder of the test binary are closed to others.
type place struct {
	t         *testing.T
	exe, data string
}

// openPlace makes one for a user.
func openPlace(t *testing.T, user int) *place {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can run kurir as another user")
	}
	dir, err := os.MkdirTemp("", "kurir-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &place{t: t, exe: filepath.Join(dir, "kurir"), data: filepath.Join(dir, "data")}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(self, p.exe); err != nil { // another disk
		copyFile(t, p.exe, self)
	}
	for _, step := range []error{os.Chmod(p.exe, 0o755), os.Mkdir(p.data, 0o700), os.Chown(p.data, user, user), os.Chmod(dir, 0o755)} { //nolint:gosec // for others on purpose
		if step != nil {
			t.Fatal(step)
		}
	}
	return p
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	in, err := os.Open(from) //nolint:gosec // a file of the test's own
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755) //nolint:gosec // for others on purpose
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// asNobody starts cmd as an ordinary user.
func (p *place) asNobody(cmd *exec.Cmd) {
	p.settle(cmd)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

func (p *place) settle(cmd *exec.Cmd) {
	cmd.Path, cmd.Dir = p.exe, p.data
	cmd.Env = append(cmd.Env, "HOME="+p.data)
}

// doctor runs `kurir doctor`.
func (p *place) doctor(change func(*exec.Cmd)) (lines string, err error) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.exe) //nolint:gosec // a program of the test's own
	cmd.Env = append(os.Environ(), helperEnv+"=doctor", "KURIR_ADDR=127.0.0.1:0", "KURIR_DATA="+p.data)
	change(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, p.t.Output()
	err = cmd.Run()
	return out.String(), err
}

// TestTheRendererIsJailed: kurir of an ordinary user does everything with Chromium's own sandbox on, says so, and keeps its
// files to itself; what the sandbox closes to kurir is not in its way when it measures, ends or loses its Chromium.
func TestTheRendererIsJailed(t *testing.T) {
	p := openPlace(t, nobody)
	try := exec.CommandContext(t.Context(), "unshare", "--user", "true")
	try.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := try.CombinedOutput(); err != nil {
		t.Skipf("this machine allows an ordinary user no namespaces: %v %s", err, out)
	}
	if lines, err := p.doctor(p.asNobody); err != nil || !strings.Contains(lines, "jail         ok      on\n") {
		t.Errorf("doctor: %v\n%s", err, lines)
	}

	world := openWorld(t)
	kurir := startProcess(t, p.data, world, p.asNobody)
	in := kurir.linkedIn(world, "warung", "6281100000281")
	const customer = "6281234567881"
	send := func(text string, n int) {
		t.Helper()
		if a := kurir.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": text, "wait": true}); a.Code != "SENT" {
			t.Errorf("send: %+v", a)
		}
		if got := waitInbox(t, world, customer, n); got[n-1].Body != text {
			t.Errorf("received %+v", got)
		}
	}
	send("dari balik jeruji", 1)
	checkJailed(t, p.data)
	checkOwn(t, p.data)

	left := descendants(t, []int{kurir.cmd.Process.Pid})
	kurir.kill() // and its Chromium goes with it, out of its jail
	awaitGone(t, left)
	kurir = startProcess(t, p.data, world, p.asNobody)
	kurir.waitState(in.ID, "WORKING")
	send("lagi", 2)
	left = descendants(t, []int{kurir.cmd.Process.Pid})
	if code := kurir.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	awaitGone(t, left)
}

// checkJailed looks at the processes of Chromium as the kernel has them.
func checkJailed(t *testing.T, data string) {
	t.Helper()
	mains := slices.DeleteFunc(chromiumsOf(t, data), func(pid int) bool { return strings.Contains(commandLine(pid), "--type=") })
	if len(mains) != 1 {
		t.Fatalf("browser processes: %v", mains)
	}
	renderers := 0
	for _, pid := range append(descendants(t, mains), mains...) {
		if strings.Contains(commandLine(pid), "--no-sandbox") {
			t.Errorf("--no-sandbox in %s", commandLine(pid))
		}
		if !isRenderer(pid) {
			continue
		}
		renderers++
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"Seccomp:\t2\n", "NoNewPrivs:\t1\n", // a filter of system calls is on, and stays
			"CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", // no rights, in its own namespace neither
			fmt.Sprintf("Uid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", nobody),
		} {
			if !bytes.Contains(status, []byte(line)) {
				t.Errorf("renderer %d: no %q in\n%s", pid, line, status)
			}
		}
		for _, kind := range []string{"user", "pid", "net"} {
			outer, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", mains[0], kind))
			inner, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
			if err != nil || err2 != nil || inner == outer {
				t.Errorf("renderer %d is in the %s namespace of its browser: %s %s, %v %v", pid, kind, inner, outer, err, err2)
			}
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/etc", pid)); err == nil { // its root is a folder of a process that is gone
			t.Errorf("renderer %d sees the files of this machine", pid)
		}
	}
	if renderers == 0 {
		t.Error("no renderer")
	}
}

func commandLine(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(bytes.ReplaceAll(b, []byte{0}, []byte{' '}))
}

// checkOwn holds every file below data to kurir's user, and closed to others.
func checkOwn(t *testing.T, data string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // Chromium's files come and go
		}
		info, err := d.Info()
		if err != nil || d.Type()&fs.ModeSymlink != 0 { // a link has no rights of its own
			return nil //nolint:nilerr // as above
		}
		seen++
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || stat.Uid != nobody || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v of %d", path, info.Mode(), stat.Uid)
		}
		return nil
	})
	if err != nil || seen < 20 {
		t.Errorf("%d files looked at, %v", seen, err)
	}
}

// awaitGone waits until none of the processes is left.
func awaitGone(t *testing.T, pids []int) {
	t.Helper()
	if len(pids) < 3 {
		t.Errorf("only %v to wait for", pids)
	}
	eventually(t, func() string {
		for _, pid := range pids {
			// What pid 1 has not reaped yet is dead all the same.
			if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !bytes.Contains(b, []byte(") Z ")) {
				return "still there: " + string(b)
			}
		}
		return ""
	})
}

// noNamespacesEnv has the helper forbid namespaces to itself first.
const noNamespacesEnv = "KURIR_TEST_NO_NAMESPACES"

// inner is kurir's user inside of the user namespace that withoutNamespaces makes; outside it is nobody.
const inner = 1000

// forbidNamespaces shuts the switch for this process's user namespace and becomes an ordinary user in it.
func forbidNamespaces() error {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return fmt.Errorf("forbid namespaces: %w", err)
	}
	if err := syscall.Setgid(inner); err != nil {
		return err
	}
	return syscall.Setuid(inner)
}

// withoutNamespaces starts cmd in a user namespace in which no more of them can be made, as on machines that forbid them.
func (p *place) withoutNamespaces(cmd *exec.Cmd) {
	p.settle(cmd)
	cmd.Env = append(cmd.Env, noNamespacesEnv+"=1")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: nobody - 1, Size: 1}, {ContainerID: inner, HostID: nobody, Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{Uid: 0, Gid: 0},
	}
}

// TestNoJailIsSaidClearly: where an ordinary user may have no namespaces kurir lives, and says what Chromium lacks and what
// to do, without Chromium's own words, which tell people to go without a sandbox.
func TestNoJailIsSaidClearly(t *testing.T) {
	p := openPlace(t, nobody)
	try := exec.CommandContext(t.Context(), "true")
	try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
	if err := try.Run(); err != nil {
		t.Skipf("this machine allows no namespaces, to try it in: %v", err)
	}
	isClear := func(words string) bool {
		return strings.Contains(words, "its own sandbox cannot be on: this machine allows no user namespaces. As root: sysctl -w user.max_user_namespaces=10000") &&
			!strings.Contains(words, "no-sandbox") && !strings.Contains(words, "dangerously")
	}
	lines, err := p.doctor(p.withoutNamespaces)
	if err == nil || !isClear(lines) || !strings.Contains(lines, "jail         NOT OK  start Chromium:") || !strings.Contains(lines, "chromium     NOT OK") || strings.Count(lines, "NOT OK") != 2 {
		t.Errorf("doctor: %v\n%s", err, lines)
	}
	kurir := startProcess(t, p.data, openWorld(t), p.withoutNamespaces)
	a := kurir.call("POST", "/v1/instances", map[string]any{"name": "warung", "sandbox": true})
	var made struct {
		ID string `json:"id"`
	}
	a.into(t, &made)
	if s := kurir.waitState(made.ID, "FAILED"); !isClear(s.Reason) {
		t.Errorf("reason: %s", s.Reason)
	}
	if code := kurir.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
