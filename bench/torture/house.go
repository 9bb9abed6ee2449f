package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"kurir/sandbox"
)

// house is a kurir that can be killed and a world that goes on meanwhile.
type house struct {
	*api
	f      *findings
	dir    string
	binary string
	env    []string
	seed   uint64

	world     *child
	instances []*instance

	mu     sync.Mutex
	kurir  *child
	seen   map[process]bool // Chromium processes of all kurirs
	starts int
}

// instance is a linked one.
type instance struct {
	n               int
	id, key, number string
}

// openHouse starts both and links the instances. The house is to be closed on an error, too.
func openHouse(ctx context.Context, o options, dir string, f *findings) (*house, error) {
	h := &house{f: f, dir: dir, binary: o.binary, seed: o.seed, seen: map[process]bool{}}
	var err error
	h.world, err = startChild("the sandbox", o.binary, []string{"sandbox"},
		[]string{"KURIR_SANDBOX_ADDR=127.0.0.1:0", "KURIR_DATA=" + filepath.Join(dir, "world")}, filepath.Join(dir, "sandbox.log"))
	if err != nil {
		return h, err
	}
	line, err := h.world.firstLine(ctx)
	if err != nil {
		return h, err
	}
	control := regexp.MustCompile(`http://[0-9.:]+`).FindString(line)
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0") // one port for all kurirs: clients know only one
	if err != nil {
		return h, err
	}
	addr := l.Addr().String()
	_ = l.Close()
	h.api = newAPI("http://"+addr, control)
	h.env = []string{"KURIR_ADDR=" + addr, "KURIR_DATA=" + h.data(), "KURIR_ADMIN_TOKEN=" + adminToken,
		"KURIR_SANDBOX_CONTROL=" + control, "KURIR_LOG_LEVEL=info", "KURIR_ACK_TIMEOUT=8s", "KURIR_RATE_PER_MINUTE=0"}
	if err := h.start(ctx); err != nil {
		return h, err
	}
	for i := range o.instances {
		in, err := h.link(ctx, i)
		if err != nil {
			return h, fmt.Errorf("link instance %d: %w", i, err)
		}
		h.instances = append(h.instances, in)
	}
	return h, nil
}

func (h *house) data() string { return filepath.Join(h.dir, "data") }

// start starts kurir and returns when it answers.
func (h *house) start(ctx context.Context) error {
	c, err := startChild("kurir", h.binary, []string{"serve"}, h.env, filepath.Join(h.dir, "kurir.log"))
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.kurir = c
	h.starts++
	h.mu.Unlock()
	go func() {
		<-c.exited
		if !c.ending.Load() {
			h.f.bad(endedItself, "%v, see kurir.log", c.waitErr)
		}
	}()
	return poll(ctx, time.Minute, 5*time.Millisecond, func() error {
		if c.gone() {
			return errors.New("kurir has ended")
		}
		return h.admin(ctx, http.MethodGet, "/healthz", nil, nil)
	})
}

// running is the kurir of now.
func (h *house) running() *child {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kurir
}

// chromium is one browser of an instance, with its children.
type chromium struct {
	instance *instance
	browser  process
	children []process
}

// chromiums lists kurir's browsers that run now, and takes note of all their processes.
func (h *house) chromiums() []chromium {
	var list []chromium
	for _, p := range descendants(h.running().pid) {
		h.mu.Lock()
		h.seen[process{pid: p.pid, start: p.start}] = true
		h.mu.Unlock()
		if line := p.commandLine(); !strings.Contains(line, " --type=") && p.pgid == p.pid {
			for _, in := range h.instances {
				if strings.Contains(line, "/"+in.id) {
					list = append(list, chromium{in, p, descendants(p.pid)})
				}
			}
		}
	}
	return list
}

var errNobody = errors.New("nobody there")

// chromium finds an instance's browser.
func (h *house) chromium(in *instance) (*chromium, error) {
	for _, c := range h.chromiums() {
		if c.instance == in {
			return &c, nil
		}
	}
	return nil, errNobody
}

func (h *house) killBrowser(in *instance) error {
	c, err := h.chromium(in)
	if err == nil && !c.browser.signal(syscall.SIGKILL) {
		err = errNobody
	}
	return err
}

func (h *house) killRenderer(in *instance) error {
	c, err := h.chromium(in)
	if err != nil {
		return err
	}
	for _, p := range c.children {
		if strings.Contains(p.commandLine(), "--type=renderer") && p.signal(syscall.SIGKILL) {
			return nil
		}
	}
	return errNobody
}

// reload has an instance's page load itself again.
func (h *house) reload(ctx context.Context, in *instance) error {
	return h.fault(ctx, sandbox.Fault{Name: sandbox.FaultPage, Page: "reload", Account: in.number})
}

// kill is SIGKILL for kurir. Its Chromiums have to end with it, each process of them.
func (h *house) kill(ctx context.Context) {
	h.chromiums()
	h.running().kill()
	h.expectNoChromium(ctx)
}

func (h *house) expectNoChromium(ctx context.Context) {
	err := poll(ctx, 10*time.Second, 5*time.Millisecond, func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		for p := range h.seen {
			if p.lives() {
				return fmt.Errorf("process %d: %.300s", p.pid, p.commandLine())
			}
			delete(h.seen, p)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		h.f.bad(orphan, "%v", err)
	}
}

// link makes an instance and scans its code with a phone of its own.
func (h *house) link(ctx context.Context, n int) (*instance, error) {
	in := &instance{n: n, number: fmt.Sprintf("62811000013%02d", n)}
	var made struct{ ID, Key string }
	if err := h.admin(ctx, http.MethodPost, "/v1/instances", map[string]any{"name": fmt.Sprintf("siksa %d", n), "sandbox": true}, &made); err != nil {
		return nil, err
	}
	in.id, in.key = made.ID, made.Key
	if err := h.api.world(ctx, http.MethodPost, "/phones", sandbox.PhoneSpec{Number: in.number, Name: "Toko"}, nil); err != nil {
		return nil, err
	}
	if err := h.waitState(ctx, in, "SCAN_QR_CODE"); err != nil {
		return nil, err
	}
	qr, err := h.qr(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := h.api.world(ctx, http.MethodPost, "/phones/"+in.number+"/scan", map[string]string{"qr": qr}, nil); err != nil {
		return nil, err
	}
	return in, h.waitState(ctx, in, "WORKING")
}

func (h *house) waitState(ctx context.Context, in *instance, want string) error {
	return poll(ctx, 2*time.Minute, 20*time.Millisecond, func() error {
		var now struct{ State, Reason string }
		if err := h.admin(ctx, http.MethodGet, "/v1/instances/"+in.id, nil, &now); err != nil {
			return err
		}
		if now.State != want {
			return fmt.Errorf("instance %d is %s (%s), not %s", in.n, now.State, now.Reason, want)
		}
		return nil
	})
}

// close ends everything, whatever became of the run's context, and looks for what is left.
func (h *house) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if c := h.running(); c != nil {
		h.chromiums()
		errs = append(errs, c.terminate(40*time.Second))
		before := h.f.count(orphan)
		h.expectNoChromium(ctx)
		if h.f.count(orphan) > before {
			errs = append(errs, errors.New("a Chromium outlived kurir's end"))
		}
	}
	if h.world != nil {
		errs = append(errs, h.world.terminate(20*time.Second))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.seen { // should there be any, after all
		p.signal(syscall.SIGKILL)
	}
	return errors.Join(errs...)
}
