package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kurir/sandbox"
)

const adminToken = "admin-token-of-the-bench"

// binary is what `make build` made.
const binary = "bin/kurir"

// world is the sandbox, in the bench's own process: its memory is not kurir's.
type world struct {
	*sandbox.Server
	control string
}

func startWorld(ctx context.Context, dir string) (*world, error) {
	data := filepath.Join(dir, "sandbox")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	s, err := sandbox.Open(ctx, sandbox.Config{Dir: data, Addr: "127.0.0.1:0", ControlAddr: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	return &world{Server: s, control: s.ControlURL()}, nil
}

func (w *world) stop() { _ = w.Close() }

// kurir is the binary under test.
type kurir struct {
	cmd     *exec.Cmd
	url     string
	data    string
	control string
}

func startKurir(ctx context.Context, dir, control string) (*kurir, error) {
	k := &kurir{data: filepath.Join(dir, "data"), control: control}
	return k, k.start(ctx)
}

func (k *kurir) start(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	k.url = "http://" + addr
	log, err := os.OpenFile(k.data+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	k.cmd = exec.CommandContext(context.WithoutCancel(ctx), binary, "serve") // ended by stop, gracefully
	k.cmd.Env = append(os.Environ(), "KURIR_ADDR="+addr, "KURIR_DATA="+k.data, "KURIR_ADMIN_TOKEN="+adminToken,
		"KURIR_SANDBOX_CONTROL="+k.control, "KURIR_LOG_LEVEL=warn", "KURIR_RATE_PER_MINUTE=0")
	k.cmd.Stderr = log
	if err := k.cmd.Start(); err != nil {
		return err
	}
	return poll(ctx, 30*time.Second, func() error { _, err := k.request(ctx, "GET", "/healthz", nil); return err })
}

func (k *kurir) stop() {
	_ = k.cmd.Process.Signal(syscall.SIGTERM)
	_ = k.cmd.Wait()
}

// chromiums lists kurir's Chromium processes, all generations.
func (k *kurir) chromiums() []int { return descendants(k.cmd.Process.Pid) }

func descendants(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		b, err := os.ReadFile(f) //nolint:gosec // a name that the glob above made
		if err != nil {
			continue
		}
		s := string(b)
		pid, _ := strconv.Atoi(s[:strings.IndexByte(s, ' ')])
		rest := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
		ppid, _ := strconv.Atoi(rest[1])
		children[ppid] = append(children[ppid], pid)
	}
	var all []int
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		all = append(all, children[queue[0]]...)
		queue = append(queue, children[queue[0]]...)
	}
	return all
}

// memory reads a figure of /proc in MB: file "status" or "smaps_rollup", field "VmRSS", "VmHWM", "Pss", "Rss".
func memory(pid int, file, field string) float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, value, ok := strings.Cut(s.Text(), ":")
		if ok && name == field {
			kb, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kb * 1024 / 1e6
		}
	}
	return 0
}

// resetPeak makes VmHWM start from now.
func resetPeak(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o600)
}

func sumPSS(pids []int) float64 {
	var sum float64
	for _, p := range pids {
		sum += memory(p, "smaps_rollup", "Pss")
	}
	return sum
}

// poll repeats f until it succeeds or limit is over.
func poll(ctx context.Context, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
