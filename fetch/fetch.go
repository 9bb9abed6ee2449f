// Package fetch downloads a file from an address that a caller chose, without becoming the caller's way into
// the network that kurir runs in.
//
// Invariant: no connection is opened to an address that is not public. It is the address itself that is
// checked, after DNS and at the moment of connecting, on every hop; never the text of the URL. A file is
// complete or it is not there: over the limit or broken off means an error, not a shorter file.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"kurir/problem"
)

const (
	maxRedirects   = 5
	maxURL         = 4096
	defaultTimeout = 30 * time.Second
)

// Config of a Client. The zero value is right for production.
type Config struct {
	// Allow are address ranges that may be fetched although they are not public. For tests and for the
	// simulator, which live on loopback; never set it for addresses that callers choose.
	Allow []netip.Prefix
	// Timeout is for all of a download, DNS and redirects included. Zero: 30 s.
	Timeout time.Duration
	// Resolver looks names up; nil: the machine's. What it says is not believed: see Guard.Control.
	Resolver *net.Resolver
}

// Client downloads files. It is safe for concurrent use and keeps no connections, cookies or other state.
type Client struct {
	http    http.Client
	guard   Guard
	timeout time.Duration
}

// File is a file that was downloaded.
type File struct {
	Path     string // where it is; the caller removes it
	Name     string // what to call it, safe as a file name; never empty
	Size     int64  // bytes
	MimeType string // by its content
	SHA256   [32]byte
}

// New returns a Client.
func New(c Config) *Client {
	client := &Client{guard: Guard{Allow: c.Allow}, timeout: c.Timeout}
	if client.timeout == 0 {
		client.timeout = defaultTimeout
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: -1, Control: client.guard.Control, Resolver: c.Resolver}
	client.http = http.Client{
		CheckRedirect: client.checkRedirect,
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would connect for us, unchecked
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  20 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // the size that is announced is the size that arrives
			DisableKeepAlives:      true,
			ForceAttemptHTTP2:      true,
		},
	}
	return client
}

// checkRedirect holds a redirect to the same rules as the first address.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return problem.New(problem.URLUnreachable, "it redirects more than "+strconv.Itoa(maxRedirects)+" times")
	}
	req.Header.Del("Referer")
	return c.guard.CheckURL(req.URL)
}

// Download fetches rawURL into a new file (mode 0600) in dir, flushed to disk. A file of more than maxBytes is
// an error. The errors are *problem.Error: URL_BLOCKED, URL_UNREACHABLE, FILE_TOO_LARGE, or one for the disk; no
// file is left behind then.
func (c *Client) Download(ctx context.Context, rawURL, dir string, maxBytes int64) (File, error) {
	if len(rawURL) > maxURL {
		return File{}, problem.New(problem.URLBlocked, "it is too long")
	}
	u, err := url.Parse(strings.TrimSpace(rawURL))
	if err != nil {
		return File{}, problem.New(problem.URLBlocked, "it is not an address")
	}
	if err := c.guard.CheckURL(u); err != nil {
		return File{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return File{}, problem.Wrap(problem.URLBlocked, "it is not an address", err)
	}
	req.Header.Set("User-Agent", "kurir")
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.http.Do(req)
	if err != nil {
		return File{}, unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := checkResponse(resp, maxBytes); err != nil {
		return File{}, err
	}
	f, err := save(resp.Body, dir, maxBytes)
	if err != nil {
		return File{}, err
	}
	f.Name = name(resp, f.MimeType)
	return f, nil
}

func checkResponse(resp *http.Response, maxBytes int64) error {
	switch enc := resp.Header.Get("Content-Encoding"); {
	case resp.StatusCode != http.StatusOK:
		return problem.New(problem.URLUnreachable, "its server answered "+strconv.Itoa(resp.StatusCode))
	case enc != "" && !strings.EqualFold(enc, "identity"):
		return problem.New(problem.URLUnreachable, "its server compresses the file though it was asked not to")
	case resp.ContentLength > maxBytes:
		return tooLarge(maxBytes)
	}
	return nil
}

// unreachable finds the reason in what http.Client returns. Nothing of the network behind kurir is told.
func unreachable(err error) error {
	var p *problem.Error
	var dns *net.DNSError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &dns):
		return problem.Wrap(problem.URLUnreachable, "its host name was not found", err)
	case errors.Is(err, context.DeadlineExceeded):
		return problem.Wrap(problem.URLUnreachable, "it took too long", err)
	}
	return problem.Wrap(problem.URLUnreachable, "", err)
}

func tooLarge(maxBytes int64) error {
	return problem.New(problem.FileTooLarge, fmt.Sprintf("the limit is %d bytes", maxBytes))
}

// errDisk marks what went wrong on our side of the copy.
type errDisk struct{ error }

func (e errDisk) Unwrap() error { return e.error }

type diskWriter struct{ *os.File }

func (w diskWriter) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	if err != nil {
		err = errDisk{err}
	}
	return n, err
}

func diskProblem(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return problem.Wrap(problem.StorageFull, "", err)
	}
	return problem.Wrap(problem.Internal, "", err)
}

// save writes body to a new file in dir, whole or not at all.
func save(body io.Reader, dir string, maxBytes int64) (_ File, err error) {
	f, err := os.CreateTemp(dir, "url-*")
	if err != nil {
		return File{}, diskProblem(fmt.Errorf("make file for a download: %w", err))
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	sum := newHash()
	n, err := io.Copy(io.MultiWriter(diskWriter{f}, sum), io.LimitReader(body, maxBytes+1))
	var disk errDisk
	switch {
	case errors.As(err, &disk):
		return File{}, diskProblem(fmt.Errorf("write download: %w", err))
	case err != nil:
		return File{}, problem.Wrap(problem.URLUnreachable, "it broke off", err)
	case n > maxBytes:
		return File{}, tooLarge(maxBytes)
	case n == 0:
		return File{}, problem.New(problem.URLUnreachable, "the file there is empty")
	}
	if err := f.Sync(); err != nil {
		return File{}, diskProblem(fmt.Errorf("flush download: %w", err))
	}
	mt, err := mimetype.DetectFile(f.Name())
	if err != nil {
		return File{}, diskProblem(fmt.Errorf("read download: %w", err))
	}
	out := File{Path: f.Name(), Size: n, MimeType: mt.String()}
	sum.Sum(out.SHA256[:0])
	return out, nil
}
