package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"
)

// UnneededFiles lists the files below dir that no message needs any more, as absolute paths. dir is the folder that
// Message.FilePath is relative to. Files younger than age are left out: they may belong to a request whose row is not
// written yet. It removes nothing.
func (db *DB) UnneededFiles(ctx context.Context, dir string, age time.Duration) ([]string, error) {
	// First the files, then the rows: a row that comes between is seen.
	found, err := oldFiles(dir, time.Now().Add(-age))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var needed []string
	if err := db.reader(ctx).Raw("SELECT file_path FROM messages WHERE file_path <> ''").Scan(&needed).Error; err != nil {
		return nil, StorageError(fmt.Errorf("list the files in use: %w", err))
	}
	for _, rel := range needed {
		delete(found, path.Clean(filepath.ToSlash(rel)))
	}
	out := make([]string, 0, len(found))
	for _, name := range found {
		out = append(out, name)
	}
	return out, nil
}

// oldFiles returns the regular files last written before the given time: path relative to dir → absolute path.
func oldFiles(dir string, before time.Time) (map[string]string, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	found := make(map[string]string)
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went while we looked
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || !info.ModTime().Before(before) {
			return nil //nolint:nilerr // gone, or too young
		}
		rel, err := filepath.Rel(root, name)
		if err == nil {
			found[path.Clean(filepath.ToSlash(rel))] = name
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	return found, nil
}
