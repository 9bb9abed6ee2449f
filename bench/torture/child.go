package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// child is a process of the binary.
type child struct {
	name    string
	pid     int
	ending  atomic.Bool   // it was told to end
	exited  chan struct{} // closed when it has ended
	waitErr error         // how, after exited
	line    chan string   // the first line of its standard output
}

// startChild starts the binary in a group of its own. It dies with this process, whatever kills that: the kernel looks
// at the thread that forked, so that thread does nothing but wait for it.
func startChild(name, binary string, args, env []string, logFile string) (*child, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // in our own folder
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	c := &child{name: name, exited: make(chan struct{}), line: make(chan string, 1)}
	cmd := exec.Command(binary, args...) //nolint:noctx,gosec // its life is ended by kill and terminate
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
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
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 0 {
				c.line <- lines.Text()
			}
		}
		c.waitErr = cmd.Wait()
		close(c.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// gone says whether it has ended.
func (c *child) gone() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// kill is SIGKILL: no drain, no goodbye. It returns when the process is gone.
func (c *child) kill() {
	c.ending.Store(true)
	if !c.gone() {
		_ = syscall.Kill(c.pid, syscall.SIGKILL)
	}
	<-c.exited
}

// terminate is SIGTERM, and SIGKILL when that takes longer than limit.
func (c *child) terminate(limit time.Duration) error {
	c.ending.Store(true)
	if !c.gone() {
		_ = syscall.Kill(c.pid, syscall.SIGTERM)
	}
	select {
	case <-c.exited:
		return c.waitErr
	case <-time.After(limit):
		c.kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM", c.name, limit)
	}
}

// firstLine waits for what it prints first.
func (c *child) firstLine(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case l := <-c.line:
		return strings.TrimSpace(l), nil
	case <-c.exited:
		return "", fmt.Errorf("%s ended: %w", c.name, errors.Join(c.waitErr, errors.New("see its log")))
	case <-ctx.Done():
		return "", fmt.Errorf("%s says nothing: %w", c.name, ctx.Err())
	}
}
