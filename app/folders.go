package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// secureData makes the folders of the data folder, each a real folder that only kurir's user may look into: profiles are
// linked phones, the database has what people wrote. One that was made with wider rights is narrowed. A link in the place
// of a folder is refused: somebody would have kurir write elsewhere. (The data folder itself may be a link of the operator.)
func secureData(cfg Config, log *slog.Logger) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	for _, dir := range cfg.folders() {
		if err := ownFolder(dir); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	for _, path := range cfg.private() {
		if err := narrow(path); err != nil {
			// A volume of Kubernetes belongs to root and is shared by group: not ours to change, and only its own pod has it.
			log.Warn("others on this machine may read kurir's data: run chmod", "path", path, "err", err)
		}
	}
	return nil
}

// folders are those below the data folder.
func (c *Config) folders() []string {
	downloads := filepath.Join(c.Data, "downloads")
	return []string{c.filesDir(), c.profileDir(""), c.mediaDir(), downloads, c.certificateDir(), c.sandboxDir()}
}

// private is what only kurir's user may read.
func (c *Config) private() []string {
	db := filepath.Join(c.Data, "kurir.db")
	return append([]string{c.Data, db, db + "-wal", db + "-shm"}, c.folders()...)
}

// ownFolder makes a folder unless it is there.
func ownFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s must be a folder, and it is not one (a link is none): remove it", dir)
	}
	return err
}

// wide says whether others than its owner have rights on path. One that is not there is not wide.
func wide(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Mode().Perm()&0o077 != 0, err
}

// narrow takes the rights of others away.
func narrow(path string) error {
	isWide, err := wide(path)
	if err != nil || !isWide {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()&0o700)
}
