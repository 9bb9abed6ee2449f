package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// target is the kurir under attack, and what an attacker and his neighbour have there.
type target struct {
	base, addr, admin    string
	mine, theirs         instance
	theirMessage, marker string // a message of the neighbour, and what stands in it
	client               *http.Client
	trap                 net.Listener // a service inside the network that nobody may reach
	sprung               atomic.Int32
	cmd                  *exec.Cmd // nil: it was not started here
	dir                  string
}

type instance struct{ ID, Key string }

// answer is what came back; status 0: nothing.
type answer struct {
	status int
	header http.Header
	body   string
}

// code says whether the answer is a success of kurir's.
func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

func aim(ctx context.Context, base, admin string) (t *target, err error) {
	t = &target{base: strings.TrimRight(base, "/"), admin: admin, marker: "rahasia-tetangga"}
	t.client = &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.leave(context.WithoutCancel(ctx)))
		}
	}()
	if t.base == "" {
		if err := t.start(ctx); err != nil {
			return t, err
		}
	}
	u, err := url.Parse(t.base)
	if err != nil || u.Scheme != "http" || t.admin == "" {
		return t, errors.New("-url must be an address with http:// (before TLS), and -admin is needed with it")
	}
	t.addr = u.Host
	if u.Port() == "" {
		t.addr += ":80"
	}
	if t.trap, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return t, err
	}
	go t.guard()
	for _, in := range []*instance{&t.mine, &t.theirs} {
		if err := t.makeInstance(ctx, in); err != nil {
			return t, err
		}
	}
	a := t.call(ctx, "POST", "/wa/send", fmt.Sprintf(`{"key":%q,"phone":"628123456789","body":%q}`, t.theirs.Key, t.marker))
	var sent struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &sent); err != nil || sent.ID == "" {
		return t, fmt.Errorf("a first message: %d %s", a.status, a.body)
	}
	t.theirMessage = sent.ID
	return t, nil
}

// guard counts who comes to the trap.
func (t *target) guard() {
	for {
		c, err := t.trap.Accept()
		if err != nil {
			return
		}
		t.sprung.Add(1)
		_ = c.Close()
	}
}

func (t *target) makeInstance(ctx context.Context, in *instance) error {
	a := t.call(ctx, "POST", "/v1/instances", fmt.Sprintf(`{"name":"attack-%d","sandbox":true}`, time.Now().UnixNano()), "Authorization", "Bearer "+t.admin)
	var made struct {
		Data struct{ ID, Key string } `json:"data"`
	}
	if err := json.Unmarshal([]byte(a.body), &made); err != nil || made.Data.Key == "" {
		return fmt.Errorf("make an instance: %d %s", a.status, a.body)
	}
	*in = instance{made.Data.ID, made.Data.Key}
	return nil
}

// start starts the built binary on a folder of its own.
func (t *target) start(ctx context.Context) (err error) {
	if t.dir, err = os.MkdirTemp("", "kurir-attack-"); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	t.base, t.admin = "http://"+addr, "admin-token-of-the-attack"
	log, err := os.OpenFile(filepath.Join(t.dir, "log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "bin/kurir", "serve") // ended by leave
	cmd.Env = append(os.Environ(), "KURIR_ADDR="+addr, "KURIR_DATA="+filepath.Join(t.dir, "data"), "KURIR_ADMIN_TOKEN="+t.admin,
		"KURIR_SANDBOX_ADDR=127.0.0.1:0", "KURIR_LOG_LEVEL=warn")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start bin/kurir (make build first): %w", err)
	}
	t.cmd = cmd
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if t.alive(ctx) {
			return nil
		}
	}
	return errors.New("kurir does not answer")
}

func (t *target) alive(ctx context.Context) bool { return t.call(ctx, "GET", "/healthz", "").ok() }

// leave takes the instances away and ends what was started.
func (t *target) leave(ctx context.Context) (err error) {
	for _, in := range []instance{t.mine, t.theirs} {
		if in.ID != "" {
			t.call(ctx, "DELETE", "/v1/instances/"+in.ID, "", "Authorization", "Bearer "+t.admin)
		}
	}
	if t.trap != nil {
		err = t.trap.Close()
	}
	if t.cmd != nil {
		err = errors.Join(err, t.cmd.Process.Signal(syscall.SIGTERM), t.cmd.Wait())
	}
	if t.dir != "" {
		err = errors.Join(err, os.RemoveAll(t.dir)) //nolint:gosec // the folder that start made
	}
	return err
}

// call makes a request; header has names and values in turn.
func (t *target) call(ctx context.Context, method, path, body string, header ...string) answer {
	req, err := http.NewRequestWithContext(ctx, method, t.base+path, strings.NewReader(body)) //nolint:gosec // the kurir that the caller of this program names
	if err != nil {
		return answer{body: err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := t.client.Do(req) //nolint:gosec // as above
	if err != nil {
		return answer{body: err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// dial opens a connection.
func (t *target) dial(ctx context.Context, limit time.Duration) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", t.addr)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(limit))
	}
	return c, err
}

// raw sends bytes as they are and returns every answer that comes, at most for 5 s.
func (t *target) raw(ctx context.Context, text string) (all []answer) {
	c, err := t.dial(ctx, 5*time.Second)
	if err != nil {
		return nil
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, text)
	r := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return all
		}
		var b bytes.Buffer
		_, _ = io.Copy(&b, io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		all = append(all, answer{resp.StatusCode, resp.Header, b.String()})
	}
}
