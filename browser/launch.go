package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-rod/rod/lib/proto"
	"golang.org/x/sys/unix"
)

const (
	// closeLimit is how long Chromium may take to flush its profile and leave when asked to.
	closeLimit = 8 * time.Second
	// goneLimit is how long the processes of a killed group may take to vanish from the process table.
	goneLimit = 5 * time.Second
	// answerLimit is how long a new Chromium may take to its first answer; a cold disk is slow.
	answerLimit = 30 * time.Second
)

// launchOptions say how to start one Chromium.
type launchOptions struct {
	Binary     string
	ProfileDir string // the user data directory; the caller holds its lock
	TempDir    string // Chromium's TMPDIR: made here, removed when the process has ended
	UserAgent  string
	Language   string
	TimeZone   string
	ExtraArgs  []string
	OnStart    func(pid int) // called when the process is there, before it answers; nil = nobody
	OnEvent    func(frame)
	Log        *slog.Logger
}

// chromium is a running Chromium: its process group and the protocol to it.
type chromium struct {
	*conn
	pid     int
	tempDir string
	version *proto.BrowserGetVersionResult
	stderr  *stderrLog
	exited  chan struct{} // closed when the process has ended and its group was killed
	log     *slog.Logger
}

// launch starts Chromium and returns when it answers. The process is in a group of its own, talks over fds 3 and
// 4 only (no port that another user could connect to), and dies with this process, whatever kills it.
func launch(ctx context.Context, o launchOptions) (*chromium, error) {
	if err := os.MkdirAll(o.TempDir, 0o700); err != nil {
		return nil, fmt.Errorf("make Chromium's folder for temporary files: %w", err)
	}
	ends, err := pipes()
	if err != nil {
		return nil, fmt.Errorf("make the pipes to Chromium: %w", err)
	}
	c := &chromium{tempDir: o.TempDir, exited: make(chan struct{}), log: o.Log, stderr: &stderrLog{log: o.Log}}
	p := newPipe(ends.answersR, ends.commandsW, o.Log)
	cmd := exec.Command(o.Binary, flags(o)...) //nolint:noctx,gosec // its life is the session's: ended by close and kill, as a group
	cmd.Env = environment(o)
	cmd.ExtraFiles = []*os.File{ends.commandsR, ends.answersW} // fd 3 and fd 4 of the child
	cmd.Stderr = c.stderr
	cmd.WaitDelay = time.Second // a straggler must not hold Wait through stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	err = c.start(cmd, p)
	_ = ends.commandsR.Close() // the child has its own copies
	_ = ends.answersW.Close()
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("start Chromium: %w", err)
	}
	if o.OnStart != nil {
		o.OnStart(c.pid)
	}
	c.conn = newConn(p, o.OnEvent, o.Log)

	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if c.version, err = (proto.BrowserGetVersion{}).Call(c.on(ctx, "")); err != nil {
		c.kill()
		<-c.done
		if c.stderr.noJail() {
			return nil, noJail()
		}
		return nil, fmt.Errorf("start Chromium: it does not answer (%s): %w", c.stderr.tail(), err)
	}
	return c, nil
}

// ends are the four ends of the two pipes between kurir and Chromium.
type ends struct{ commandsR, commandsW, answersR, answersW *os.File }

func pipes() (ends, error) {
	var e ends
	var err error
	if e.commandsR, e.commandsW, err = os.Pipe(); err != nil {
		return ends{}, err
	}
	if e.answersR, e.answersW, err = os.Pipe(); err != nil {
		_ = e.commandsR.Close()
		_ = e.commandsW.Close()
		return ends{}, err
	}
	return e, nil
}

// start starts cmd and waits for it in the background, both on one thread that does nothing else.
//
// The kernel sends Pdeathsig when the *thread* that forked ends, not the process. Go ends threads when it likes
// (when a goroutine that is locked to one returns), and Chromium would die with it in the middle of its work.
// So the goroutine that forks is locked to its thread and stays in wait4 on it until Chromium has ended.
func (c *chromium) start(cmd *exec.Cmd, p *pipe) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			c.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		defer close(c.exited)
		// While the leader is dead but not yet reaped its id cannot be given to anybody else: the moment to
		// end what is left of the group (stopped children do not notice that the browser is gone).
		awaitExit(c.pid)
		_ = unix.Kill(-c.pid, unix.SIGKILL)
		err = cmd.Wait()
		p.Close() // ends the calls that wait
		c.log.Debug("Chromium ended", "pid", c.pid, "err", err)
		awaitGroup(c.pid)
		_ = os.RemoveAll(c.tempDir)
	}()
	return <-started
}

// awaitExit returns when the child pid has ended, and leaves it to be reaped.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// awaitGroup returns when no process of the killed group runs any more, or after goneLimit. A dead one that its
// new parent has not reaped yet does not count: pid 1 takes a second for that, and in a bare container for ever.
func awaitGroup(pgid int) {
	for end := time.Now().Add(goneLimit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if errors.Is(unix.Kill(-pgid, 0), unix.ESRCH) || !groupRuns(pgid) {
			return
		}
	}
}

// kill ends Chromium's process group at once and returns when it is gone. What Chromium has not written is lost.
func (c *chromium) kill() {
	select {
	case <-c.exited: // its id may belong to somebody else by now
	default:
		_ = unix.Kill(-c.pid, unix.SIGKILL)
	}
	<-c.exited
}

// close asks Chromium to leave, which flushes the profile, and returns when no process is left. What has not left
// after closeLimit, or when ctx ends, is killed; then the error says so.
func (c *chromium) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	// The answer may be cut off by the exit: what counts is the exit.
	err := proto.BrowserClose{}.Call(c.on(ctx, ""))
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
		c.kill()
		return fmt.Errorf("close Chromium: killed, it did not leave by itself: %w", errors.Join(ctx.Err(), err))
	}
}

// Try starts the binary as a session does, on an empty profile that is removed again, and returns its version: it
// shows that Chromium runs here, with all the libraries and rights it needs.
func Try(ctx context.Context, binary string) (version string, err error) {
	dir, err := os.MkdirTemp("", "kurir-try-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := launch(ctx, launchOptions{
		Binary: binary, ProfileDir: filepath.Join(dir, "profile"), TempDir: filepath.Join(dir, "tmp"),
		OnEvent: func(frame) {}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return "", err
	}
	version = c.version.Product
	return version, c.close(ctx)
}

// environment is kurir's own, without its settings, which can be secrets, and without a screen; with the instance's
// time zone and a folder for temporary files.
func environment(o launchOptions) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "KURIR_") || strings.HasPrefix(v, "DISPLAY=") || strings.HasPrefix(v, "WAYLAND_DISPLAY=")
	})
	env = append(env,
		"TMPDIR="+o.TempDir,
		// Chromium must not wait for a desktop's message bus that a service has not got.
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/dev/null",
		"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/dev/null",
	)
	if o.TimeZone != "" {
		env = append(env, "TZ="+o.TimeZone) // for every thread of the page, workers too
	}
	return env
}
