package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// journal is the world's history on disk: one event per line, written with write(2) before anything is acknowledged.
// There is no fsync: a SIGKILL of the process loses nothing, a power cut may.
type journal struct {
	file *os.File // nil: memory only
	lock *os.File
	size int64
}

// openJournal replays the journal of dir into w and compacts it.
func openJournal(dir string, w *world) (_ *journal, err error) {
	if dir == "" {
		return &journal{}, nil
	}
	j := &journal{}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	if j.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil { // #nosec G304 -- own folder
		return nil, fmt.Errorf("open the sandbox's folder: %w", err)
	}
	if err := syscall.Flock(int(j.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // #nosec G115 -- a file descriptor fits
		return nil, fmt.Errorf("another process uses the sandbox's folder %s: %w", dir, err)
	}
	name := filepath.Join(dir, "journal.jsonl")
	if err := replay(name, w); err != nil {
		return nil, fmt.Errorf("read the sandbox's journal: %w", err)
	}
	if err := compact(name, w); err != nil {
		return nil, fmt.Errorf("compact the sandbox's journal: %w", err)
	}
	if j.file, err = os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0o600); err != nil { // #nosec G304 -- own folder
		return nil, fmt.Errorf("open the sandbox's journal: %w", err)
	}
	if j.size, err = j.file.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("open the sandbox's journal: %w", err)
	}
	return j, nil
}

// replay applies every whole line. The last line may be torn by a crash: it was acknowledged to nobody.
func replay(name string, w *world) error {
	f, err := os.Open(name) // #nosec G304 -- own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		w.apply(&e)
	}
}

// compact writes the world as a journal of its own: one line for each account and group.
func compact(name string, w *world) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	tmp, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // #nosec G304 -- own folder
	if err != nil {
		return err
	}
	defer func() { _ = tmp.Close() }()
	put := func(e event) error {
		buf.Reset()
		if err := enc.Encode(e); err != nil {
			return err
		}
		_, err := tmp.Write(buf.Bytes())
		return err
	}
	for _, g := range w.groups {
		if err := put(event{Op: "existing", Existing: g}); err != nil {
			return err
		}
	}
	for _, a := range w.accounts {
		if err := put(event{Op: "state", State: a}); err != nil {
			return err
		}
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}

// append writes one event. A write that did not go through whole is taken back, so that what follows can be read.
func (j *journal) append(e *event) error {
	if j.file == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	n, err := j.file.Write(append(line, '\n'))
	if err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(n)
	return nil
}

func (j *journal) close() error {
	var errs []error
	for _, f := range []*os.File{j.file, j.lock} {
		if f != nil {
			errs = append(errs, f.Close()) // closing the lock file releases the lock
		}
	}
	return errors.Join(errs...)
}
