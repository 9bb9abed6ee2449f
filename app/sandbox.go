package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"kurir/sandbox"
)

// simulator gives the flags that lead Chromium to a simulated WhatsApp: kurir's own, started when first needed, or
// one that runs elsewhere on this machine.
type simulator struct {
	cfg Config
	log *slog.Logger

	mu     sync.Mutex
	server *sandbox.Server // nil until needed, and when the simulator is elsewhere
}

// args returns Chromium's flags for a sandbox instance.
func (s *simulator) args(ctx context.Context) ([]string, error) {
	if s.cfg.SandboxControl != "" {
		return s.fetchArgs(ctx)
	}
	server, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	return server.ChromiumArgs(), nil
}

// own returns kurir's own simulator, started at the first call.
func (s *simulator) own(ctx context.Context) (*sandbox.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return s.server, nil
	}
	server, err := openSandbox(ctx, s.cfg, s.cfg.sandboxDir(), s.log)
	if err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	s.server = server
	return server, nil
}

func (s *simulator) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

// openSandbox starts a simulator. Its control API takes the port that the settings name, or any when that is taken:
// a second kurir on the machine must not fail for it.
func openSandbox(ctx context.Context, cfg Config, dir string, log *slog.Logger) (*sandbox.Server, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	c := sandbox.Config{Dir: dir, Log: log, Addr: "127.0.0.1:0", ControlAddr: cfg.SandboxAddr}
	server, err := sandbox.Open(ctx, c)
	if isAddrInUse(err) {
		c.ControlAddr = "127.0.0.1:0"
		server, err = sandbox.Open(ctx, c)
	}
	return server, err
}

// SandboxOptions are what `kurir sandbox` is told on its command line.
type SandboxOptions struct {
	Memory     bool   // keep nothing on disk
	Seed       string // history of a phone to make, see sandbox.ParseSeed; empty: no phone
	SeedNumber uint64 // which history
}

// RunSandbox runs the simulator alone until ctx ends.
func RunSandbox(ctx context.Context, cfg Config, o SandboxOptions, stdout io.Writer, log *slog.Logger) error {
	var seeded sandbox.PhoneSpec
	if o.Seed != "" {
		var err error
		if seeded, err = sandbox.ParseSeed(o.Seed, o.SeedNumber); err != nil {
			return fmt.Errorf("--seed: %w", err)
		}
	}
	dir := cfg.sandboxDir()
	if o.Memory {
		dir = ""
	}
	server, err := openSandbox(ctx, cfg, dir, log)
	if err != nil {
		return err
	}
	if seeded.Number != "" {
		if _, err := server.CreatePhone(seeded); err != nil {
			return errors.Join(fmt.Errorf("--seed: %w", err), server.Close())
		}
		_, _ = fmt.Fprintf(stdout, "Phone %s has %d chats, %d messages and %d contacts. --seed-number %d makes the same again.\n",
			seeded.Number, seeded.Chats, seeded.Messages, seeded.Contacts, seeded.Seed)
	}
	_, _ = fmt.Fprintf(stdout, "Sandbox ready. Control API: %s\nChromium reaches it with:\n  %s\n", server.ControlURL(), strings.Join(server.ChromiumArgs(), "\n  "))
	<-ctx.Done()
	return server.Close()
}

// fetchArgs asks the control API of another process for its Chromium flags.
func (s *simulator) fetchArgs(ctx context.Context) ([]string, error) {
	var info struct {
		ChromiumArgs []string `json:"chromium_args"`
	}
	if err := s.request(ctx, http.MethodGet, "/info", nil, &info); err != nil {
		return nil, err
	}
	if len(info.ChromiumArgs) == 0 {
		return nil, errors.New("KURIR_SANDBOX_CONTROL does not answer like kurir's sandbox")
	}
	return info.ChromiumArgs, nil
}

// control makes a call of the control API of another process.
func (s *simulator) control(ctx context.Context, path string, body any) error {
	return s.request(ctx, http.MethodPost, path, body, nil)
}

func (s *simulator) request(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.cfg.SandboxControl, "/")+path, bytes.NewReader(sent))
	if err != nil {
		return fmt.Errorf("KURIR_SANDBOX_CONTROL: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the sandbox at KURIR_SANDBOX_CONTROL: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the sandbox's answer: %w", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the sandbox answered %s: %s", resp.Status, got)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(got, into); err != nil {
		return fmt.Errorf("read the sandbox's answer: %w", err)
	}
	return nil
}
