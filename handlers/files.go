package handlers

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"

	"kurir/handlers/intake"
	"kurir/problem"
)

const (
	fileReadTimeout = 15 * time.Minute // for a body with a file of somebody unknown to arrive
	sniffLen        = 3072             // bytes of a file's head that decide its type
	maxFileName     = 255
	maxDrain        = 64 << 20 // bytes of a refused upload that are read so that its sender hears why
	drainTimeout    = 5 * time.Second
)

// received is a file that came with a call and is on disk.
type received struct {
	path string // below FilesDir
	name string // of the file part, as it came; empty for base64
	size int64
	hash string // SHA-256, hex
	head []byte // its first sniffLen bytes
}

// sendFile is POST /wa/sendfile: base64 in `body`, or a real file part. The file is never in memory as a whole.
func (s *server) sendFile(c *call) (reply, error) {
	f, form, err := s.receive(c)
	if err == nil {
		var r reply
		if r, err = s.acceptFile(c, &form, f); err == nil {
			return r, nil
		}
	}
	// A message that was queued and failed has let go of its file; the outbox removes it.
	if f.path != "" && !c.done {
		s.removeFile(filepath.Base(f.path))
	}
	return reply{}, err
}

func (s *server) acceptFile(c *call, form *intake.Form, f received) (reply, error) {
	t, err := s.tenant(c, form)
	if err != nil {
		return reply{}, err
	}
	if form.Get(intake.Phone).Kind == intake.Other || form.Get(intake.Messages).Kind == intake.Other {
		return reply{}, problem.New(problem.BulkInvalid, "a file that is uploaded goes to one number; /wa/sendfileurl takes several")
	}
	p, err := s.parcel(c, t, form)
	if err != nil {
		return reply{}, err
	}
	if f.size == 0 {
		return reply{}, problem.New(problem.BodyRequired, "")
	}
	name := form.Text(intake.Filename)
	if strings.TrimSpace(name) == "" {
		name = f.name
	}
	if p.FileName, err = fileName(name); err != nil {
		return reply{}, err
	}
	if p.Body = form.Text(intake.Caption); checkText(p.Body) != nil {
		return reply{}, checkText(p.Body)
	}
	p.FilePath, p.FileSize = filepath.Base(f.path), f.size
	p.MimeType = mimeType(f.head, p.FileName)
	p.Kind = string(kindOf(p.MimeType))
	p.hash(f.hash)
	if err := syncDir(s.FilesDir); err != nil {
		return reply{}, err
	}
	return s.accept(c, p)
}

// receive reads a body with a file. On an error too, f.path is to be removed when it is set.
func (s *server) receive(c *call) (f received, form intake.Form, err error) {
	// Base64 and what forms and JSON do to it make a file longer by a half at most, and twice is generous.
	total := 2*s.MaxFileBytes + maxText
	if c.Request.ContentLength > total {
		return f, form, s.tooLarge()
	}
	form, err = intake.Read(c.Request.Body, intake.Options{
		ContentType: c.GetHeader("Content-Type"), MaxText: maxText, MaxTotal: total,
		File: func(before intake.Form, name string, r io.Reader) error {
			release, err := s.admit(c, &before)
			if err != nil {
				return err
			}
			defer release()
			f, err = s.store(r)
			f.name = name
			return err
		},
	})
	if err != nil {
		c.drain()
	}
	return f, form, err
}

func (s *server) tooLarge() error {
	return problem.New(problem.FileTooLarge, fmt.Sprintf("the limit is %d bytes", s.MaxFileBytes))
}

// admit decides whether a file may be written before the whole call was read. With a key it must be a good one;
// a key that only comes after the file makes its sender wait for one of few slots.
func (s *server) admit(c *call, before *intake.Form) (release func(), err error) {
	if keyOf(c, before) != "" {
		_, err := s.tenant(c, before)
		return func() {}, err
	}
	select {
	case s.unknown <- struct{}{}:
		lift := c.readWithin(fileReadTimeout) // of a known sender the gate wants no more than that the file moves
		return func() { lift(); <-s.unknown }, nil
	case <-c.ctx().Done():
		return nil, context.Cause(c.ctx())
	}
}

// store writes a file of unknown length to disk, flushed. The limit counts its bytes, whatever they were wrapped in.
func (s *server) store(r io.Reader) (f received, err error) {
	out, err := os.OpenFile(filepath.Join(s.FilesDir, "file-"+rand.Text()), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- a name of our own
	if err != nil {
		return f, diskError("make file", err)
	}
	f.path = out.Name()
	defer func() { _ = out.Close() }()
	sum := sha256.New()
	var head bytes.Buffer
	buf := make([]byte, 64<<10)
	for {
		n, readErr := r.Read(buf)
		if f.size += int64(n); f.size > s.MaxFileBytes {
			return f, s.tooLarge()
		}
		if room := sniffLen - head.Len(); room > 0 {
			head.Write(buf[:min(n, room)])
		}
		_, _ = sum.Write(buf[:n])
		if _, err := out.Write(buf[:n]); err != nil {
			return f, diskError("write file", err)
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return f, readErr
		}
	}
	if err := out.Sync(); err != nil {
		return f, diskError("flush file", err)
	}
	f.head, f.hash = head.Bytes(), hex.EncodeToString(sum.Sum(nil))
	return f, nil
}

// syncDir makes the names in a folder survive a power cut, as Sync does for a file's content.
func syncDir(dir string) error {
	d, err := os.Open(dir) // #nosec G304 -- from the settings
	if err != nil {
		return diskError("open folder of files", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil {
		return diskError("flush folder of files", err)
	}
	return nil
}

func diskError(doing string, err error) error {
	code := problem.Internal
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		code = problem.StorageFull
	}
	return problem.Wrap(code, "", fmt.Errorf("%s: %w", doing, err))
}

// removeFile removes a file that no message has. name is relative to FilesDir; empty is none.
func (s *server) removeFile(name string) {
	if name == "" {
		return
	}
	if err := os.Remove(filepath.Join(s.FilesDir, name)); err != nil {
		s.Log.Error("file stays behind", "file", name, "err", err)
	}
}

// drain reads some of what a refused sender still sends: many clients write to the end before they read, and would
// see a broken connection instead of the answer. One that asked for permission first (Expect) does not need it.
func (c *call) drain() {
	if c.GetHeader("Expect") != "" {
		return
	}
	defer c.readWithin(drainTimeout)()
	_, _ = io.CopyN(io.Discard, c.Request.Body, maxDrain)
}

// fileName checks the name that the receiver will see. It is kept as it is or refused, never changed.
func fileName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", problem.New(problem.FilenameRequired, "")
	case len(name) > maxFileName:
		return "", problem.New(problem.FilenameInvalid, fmt.Sprintf("it may have %d bytes", maxFileName))
	case name == ".", name == "..", strings.ContainsAny(name, `/\`), strings.ToValidUTF8(name, "") != name:
		return "", problem.New(problem.FilenameInvalid, "")
	}
	for _, r := range name {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return "", problem.New(problem.FilenameInvalid, "")
		}
	}
	return name, nil
}
