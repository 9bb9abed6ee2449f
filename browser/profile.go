package browser

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The files that kurir keeps beside Chromium's in a profile folder.
const (
	lockFile   = "kurir.lock"     // flock, held from Start to Stop; its text is the holder's process id
	tempFolder = "kurir.tmp"      // Chromium's TMPDIR
	birthFile  = "kurir.chromium" // which Chromium was started here last; see birth
)

// profile is a profile folder that this process owns: nobody else starts a Chromium on it.
type profile struct {
	dir  string
	lock *os.File
	log  *slog.Logger
}

// openProfile makes the folder when it is missing, takes its lock, ends a Chromium that an earlier kurir has left on it
// and removes what one that is gone has left. It fails at once when another process holds the lock. The kernel frees the lock when its holder dies, so
// a stale one does not exist.
func openProfile(dir string, log *slog.Logger) (*profile, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the profile folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder; it holds the keys of a WhatsApp account
		return nil, fmt.Errorf("protect the profile folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // kurir's own folder
	if err != nil {
		return nil, fmt.Errorf("open the profile's lock: %w", err)
	}
	p := &profile{dir: dir, lock: lock, log: log}
	if err := p.take(); err != nil {
		p.release()
		return nil, err
	}
	if err := endOrphan(dir, log); err != nil {
		p.release()
		return nil, err
	}
	// Now, under the lock, no Chromium of this folder is alive, so its own locks (links that name a host and a process
	// id, wrong after a container's restart) bind nobody.
	stale, _ := filepath.Glob(filepath.Join(dir, "Singleton*")) // the pattern is fixed and valid
	for _, path := range append(stale, filepath.Join(dir, tempFolder)) {
		if err := os.RemoveAll(path); err != nil {
			p.release()
			return nil, fmt.Errorf("clean the profile folder: %w", err)
		}
	}
	return p, nil
}

// take locks the folder and writes who holds it.
func (p *profile) take() error {
	err := unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder := make([]byte, 32)
		n, _ := p.lock.ReadAt(holder, 0) // a name for the message only
		return fmt.Errorf("the profile folder %s is in use by another kurir (process %s): stop that one, or give this one its own data folder",
			p.dir, strings.TrimSpace(string(holder[:n])))
	}
	if err != nil {
		return fmt.Errorf("lock the profile folder: %w", err)
	}
	if err := p.lock.Truncate(0); err != nil {
		return fmt.Errorf("write the profile's lock: %w", err)
	}
	if _, err := p.lock.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return fmt.Errorf("write the profile's lock: %w", err)
	}
	return nil
}

// release gives the folder up. No Chromium of it may be alive.
func (p *profile) release() {
	if err := p.lock.Close(); err != nil {
		p.log.Warn("release the profile's lock", "err", err)
	}
}
