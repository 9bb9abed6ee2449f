package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrFull says that the folder has as many bytes as it may have.
var ErrFull = errors.New("the folder of media is full")

// Store is a folder of files named by the SHA-256 of their bytes. Its methods may be called from any goroutine.
type Store struct {
	dir string
	max int64 // bytes in all

	// mu stands between a file's place in the folder and its row in the database: who adds one or removes one holds it
	// until both agree.
	mu    sync.Mutex
	bytes int64
	count int
}

// OpenStore opens the folder, which is made when missing, and removes what needed does not name: what a crash left
// between the folder and the database. maxBytes is for all files together.
func OpenStore(dir string, maxBytes int64, needed map[string]bool) (*Store, error) {
	s := &Store{dir: dir, max: maxBytes}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the folder of media: %w", err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !needed[d.Name()] || path != s.path(d.Name()) || !info.Mode().IsRegular() {
			return os.Remove(path) //nolint:gosec // nobody else writes below our folder
		}
		s.bytes += info.Size()
		s.count++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open the folder of media: %w", err)
	}
	return s, nil
}

// Usage is how much there is.
func (s *Store) Usage() (count int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, s.bytes
}

// Room says whether a file of that size may come.
func (s *Store) Room(size int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes+size <= s.max
}

// Take moves the file at path into the store and calls written with its hash and size when it is safely there; when
// written fails, or the file may not stay, it is removed. The file at path is gone in any case.
func (s *Store) Take(ctx context.Context, path string, written func(sum string, size int64) error) (err error) {
	defer func() {
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}()
	sum, size, err := flush(ctx, path)
	if err != nil {
		return fmt.Errorf("store a file: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	added, err := s.place(path, sum, size)
	if err != nil {
		return fmt.Errorf("store a file: %w", err)
	}
	if err := written(sum, size); err != nil {
		if added {
			err = errors.Join(err, s.drop(sum, size))
		}
		return err
	}
	return nil
}

// flush reads a file through, for its hash, and has the disk take it.
func flush(ctx context.Context, path string) (sum string, size int64, err error) {
	f, err := openReal(path) // Chromium's own name for it, below our folder
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if size, err = io.Copy(h, reader{ctx, f}); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, f.Sync()
}

// reader ends with its context.
type reader struct {
	ctx context.Context //nolint:containedctx // it lives for one copy
	io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// place moves a flushed file to its place; added is false when the same bytes are there already.
func (s *Store) place(path, sum string, size int64) (added bool, err error) {
	to := s.path(sum)
	if info, err := os.Lstat(to); err == nil && info.Mode().IsRegular() && info.Size() == size {
		return false, nil
	}
	if s.bytes+size > s.max {
		return false, ErrFull
	}
	dir := filepath.Dir(to)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return false, errors.Join(err, fmt.Errorf("%s is a link, not a folder", dir))
	}
	if err := os.Chmod(path, 0o600); err != nil { // Chromium's files can be read by others
		return false, err
	}
	if err := os.Rename(path, to); err != nil {
		return false, err
	}
	s.bytes += size
	s.count++
	return true, errors.Join(syncDir(dir), syncDir(s.dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // ours
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open opens a file for reading. fs.ErrNotExist when it is not there.
func (s *Store) Open(sum string) (*os.File, error) {
	if !isHash(sum) {
		return nil, fs.ErrNotExist
	}
	return openReal(s.path(sum))
}

// openReal opens a file itself, never what a link in its place leads to, nor a pipe or a device.
func openReal(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0) //nolint:gosec // the caller's name
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, f.Close(), fmt.Errorf("%s is no file", path))
	}
	return f, nil
}

// Remove removes a file unless needed says that it is.
func (s *Store) Remove(sum string, needed func() (bool, error)) error {
	if !isHash(sum) {
		return fs.ErrNotExist
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if yes, err := needed(); err != nil || yes {
		return err
	}
	info, err := os.Lstat(s.path(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = s.drop(sum, info.Size())
	}
	if err != nil {
		return fmt.Errorf("remove a file: %w", err)
	}
	return nil
}

// drop removes a file that is there. The caller holds s.mu.
func (s *Store) drop(sum string, size int64) error {
	err := os.Remove(s.path(sum))
	if err == nil {
		s.bytes -= size
		s.count--
	}
	return err
}

// path spreads the files over 256 folders.
func (s *Store) path(sum string) string {
	if len(sum) < 2 {
		return filepath.Join(s.dir, "_")
	}
	return filepath.Join(s.dir, sum[:2], sum)
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}
