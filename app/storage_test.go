package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gorm.io/gorm"

	"kurir/models"
)

// tmpfsEnv has the helper put its data folder on a small disk of its own, of that size.
const tmpfsEnv = "KURIR_TEST_TMPFS"

func mountTmpfs(dir, size string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep the mount to ourselves: %w", err)
	}
	return unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
}

// onSmallDisk runs kurir in a mount namespace with a data folder of that size.
func onSmallDisk(size string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, tmpfsEnv+"="+size)
		attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
		if os.Getuid() != 0 { // a user may do so in a user namespace of his own
			attr.Cloneflags |= unix.CLONE_NEWUSER
			attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		cmd.SysProcAttr = attr
	}
}

// TestDiskFull: on a full disk a send gets a clear 507 and nothing of it stays; what was accepted before stays accepted;
// and with room on the disk again everything goes on without a restart.
func TestDiskFull(t *testing.T) {
	world := openWorld(t)
	dir := t.TempDir()
	p := startProcess(t, dir, world, onSmallDisk("256m"))
	disk := filepath.Join("/proc", fmt.Sprint(p.cmd.Process.Pid), "root", dir)
	in := p.linkedIn(world, "penuh", "6281100000261")
	if a := p.call("POST", "/v1/instances/"+in.ID+"/stop", nil); !a.Status {
		t.Fatalf("stop: %+v", a)
	}
	const customer = "6281234567861"
	n := 0
	send := func() answer {
		n++
		return p.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": fmt.Sprintf("%d %s", n, strings.Repeat("x", 20_000))})
	}
	if a := send(); !a.Status {
		t.Fatalf("before: %+v", a)
	}

	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	accepted, refused := 1, 0
	for range 400 { // what SQLite has reserved already still takes some
		switch a := send(); {
		case a.Status:
			accepted++
		case a.Code != "STORAGE_FULL" || a.HTTP != 507:
			t.Fatalf("on a full disk: %+v", a)
		default:
			refused++
		}
		if refused > 3 {
			break
		}
	}
	file := base64.StdEncoding.EncodeToString(randomBytes(9, 3_000_000))
	a := p.wa("/wa/sendfile", map[string]any{"key": in.Key, "phone": customer, "filename": "a.bin", "body": file})
	if refused <= 3 || a.Code != "STORAGE_FULL" || a.HTTP != 507 {
		t.Errorf("%d refused; a file: %+v", refused, a)
	}
	if left, _ := filepath.Glob(filepath.Join(disk, "files", "*")); len(left) > 0 {
		t.Errorf("left of what was refused: %v", left)
	}
	if a := p.call("GET", "/v1/instances/"+in.ID, nil); !a.Status {
		t.Errorf("reading on a full disk: %+v", a)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if a := send(); !a.Status {
			return fmt.Sprintf("with room again: %+v", a)
		}
		accepted++
		return ""
	})
	a = p.wa("/wa/sendfile", map[string]any{"key": in.Key, "phone": customer, "filename": "a.bin", "body": file})
	if !a.Status {
		t.Fatalf("a file with room again: %+v", a)
	}
	accepted++
	if a := p.call("POST", "/v1/instances/"+in.ID+"/start", nil); !a.Status {
		t.Fatalf("start: %+v", a)
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	got := waitInbox(t, world, customer, accepted)
	last := 0
	for _, m := range got[:accepted-1] {
		var k int
		if _, err := fmt.Sscanf(m.Body, "%d ", &k); err != nil || k <= last || m.Copies != 1 {
			t.Errorf("after %d came %.10s, %d times", last, m.Body, m.Copies)
		}
		last = k
	}
}

// fill writes to a file until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name) //nolint:gosec // a file whose name the test itself made or knows
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for block := bytes.Repeat([]byte{1}, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2] // to the last byte
		}
	}
}

// TestDatabaseLocked: while another process holds the database, a send gets a clear 503 and is not accepted; then it
// is, and the queue goes on.
func TestDatabaseLocked(t *testing.T) {
	t.Parallel() // waits most of its time
	g := openGateway(t, t.TempDir())
	in := g.linked("terkunci", "6281100000262")
	const customer = "6281234567862"
	if a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": "sebelum", "wait": 50}); !a.Status {
		t.Fatalf("before: %+v", a)
	}

	other, err := models.Open(t.Context(), models.Config{URL: filepath.Join(g.dir, "kurir.db")})
	if err != nil {
		t.Fatal(err)
	}
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- other.Write(context.Background(), func(*gorm.DB) error { close(held); <-release; return nil })
	}()
	<-held
	began := time.Now()
	if a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": "saat terkunci"}); a.Code != "UNAVAILABLE" || a.HTTP != 503 {
		t.Errorf("while locked: %+v", a)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s to say so", took)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if a := g.wa("/wa/send", map[string]any{"key": in.Key, "phone": customer, "body": "sesudah", "wait": 50}); !a.Status {
		t.Errorf("after: %+v", a)
	}
	var bodies []string
	for _, m := range g.inbox(customer, 2) {
		bodies = append(bodies, m.Body)
	}
	if strings.Join(bodies, ",") != "sebelum,sesudah" {
		t.Errorf("the phone received %q", bodies)
	}
}
