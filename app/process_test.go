package app_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kurir/app"
	"kurir/sandbox"
	"kurir/webhook"
)

// helperEnv makes the test binary run a kurir instead of the tests, so that a test can SIGKILL it.
const helperEnv = "KURIR_TEST_HELPER"

// runHelper is kurir in a process of its own: it prints its URL and runs until SIGTERM.
func runHelper() int {
	if size := os.Getenv(tmpfsEnv); size != "" {
		if err := mountTmpfs(os.Getenv("KURIR_DATA"), size); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if os.Getenv(noNamespacesEnv) != "" {
		if err := forbidNamespaces(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	syscall.Umask(0o077) // as main does
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := app.LoadConfig(os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Getenv(helperEnv) == "doctor" {
		if err := app.Doctor(ctx, cfg, os.Stdout); err != nil {
			return 1
		}
		return 0
	}
	if os.Getenv(hooksEnv) != "" {
		cfg.Waits.Webhook = webhook.Config{Timeout: time.Second, Schedule: slices.Repeat([]time.Duration{200 * time.Millisecond}, 10_000), Breath: 50 * time.Millisecond}
	}
	a, err := app.Open(ctx, cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel})))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(a.URL())
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.Background(), cfg.DrainTimeout)
	defer cancel()
	if err := a.Close(drain); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is a kurir in a process of its own, against a sandbox that lives in the test and so survives it.
type process struct {
	*gateway
	cmd *exec.Cmd
}

// startProcess starts kurir on dir. change may change how.
func startProcess(t *testing.T, dir string, world *sandbox.Server, change ...func(*exec.Cmd)) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), exe, "-test.run=^$") //nolint:gosec // a program of the test's own; it ends when the test says
	cmd.Env = append(os.Environ(), helperEnv+"=serve", "KURIR_ADDR=127.0.0.1:0", "KURIR_DATA="+dir,
		"KURIR_ADMIN_TOKEN="+adminToken, "KURIR_SANDBOX_CONTROL="+world.ControlURL())
	cmd.Stderr = t.Output()
	for _, f := range change {
		f(cmd)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{gateway: &gateway{t: t, dir: dir}, cmd: cmd}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("kurir did not start: %v", err)
	}
	p.url = strings.TrimSpace(line)
	return p
}

// kill is SIGKILL: no drain, no goodbye. Calling it twice is harmless.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// terminate is SIGTERM; it returns the exit code.
func (p *process) terminate() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// openWorld starts a sandbox that belongs to the test.
func openWorld(t *testing.T) *sandbox.Server {
	t.Helper()
	return openWorldWith(t, nil)
}

// openWorldWith is openWorld with other lifetimes of its QR codes.
func openWorldWith(t *testing.T, refs []time.Duration) *sandbox.Server {
	t.Helper()
	world, err := sandbox.Open(t.Context(), sandbox.Config{Dir: t.TempDir(), Addr: "127.0.0.1:0", ControlAddr: "127.0.0.1:0", Log: testLog(t), RefLifetimes: refs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Errorf("close sandbox: %v", err)
		}
	})
	return world
}
