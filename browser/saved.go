package browser

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/go-rod/rod/lib/proto"
)

// saveCheck proves that a fresh link is on disk.
//
// WhatsApp Web keeps a link in IndexedDB and in localStorage. Chromium writes an IndexedDB transaction to its
// file before the page hears of its end, but localStorage only after a delay (a second with our flag, else
// five), in batches per origin: a Chromium that is killed before loses the link while the phone shows it. So the
// check takes the entries that changed since before the link and looks for each of them in the log of the
// LevelDB under "Local Storage". What is in that file survives the death of Chromium; it is fsynced too, so that
// it survives the machine's.
type saveCheck struct {
	profile string
	origin  string

	mu      sync.Mutex
	before  map[string]string // entries before the link
	settled map[string]bool   // keys of which a value from after the link was seen on disk
}

func newSaveCheck(cfg Config) *saveCheck {
	s := &saveCheck{profile: cfg.ProfileDir}
	if u, err := url.Parse(cfg.URL); err == nil {
		s.origin = u.Scheme + "://" + u.Host
	}
	return s
}

// start notes the page's entries before a link.
func (s *saveCheck) start(ctx context.Context, page target) error {
	items, err := s.entries(ctx, page)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.settled = items, map[string]bool{}
	return nil
}

// missing returns how many entries that changed since start are not on disk yet. A key counts as settled once a
// value of it was found: one that the page keeps changing would never be caught up with. At 0 everything was
// handed to the disk (fsync).
func (s *saveCheck) missing(ctx context.Context, page target) (int, error) {
	now, err := s.entries(ctx, page)
	if err != nil {
		return 0, err
	}
	records, err := logRecords(filepath.Join(s.profile, "Default", "Local Storage", "leveldb"))
	if err != nil {
		return 0, fmt.Errorf("read the storage on disk: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left := 0
	for key, value := range now {
		if old, had := s.before[key]; (had && old == value) || s.settled[key] {
			continue
		}
		if !holds(records, s.origin, key, value) {
			left++
			continue
		}
		if s.settled == nil {
			s.settled = map[string]bool{}
		}
		s.settled[key] = true
	}
	if left > 0 {
		return left, nil
	}
	return 0, syncTree(filepath.Join(s.profile, "Default", "Local Storage"), filepath.Join(s.profile, "Default", "IndexedDB"))
}

// entries returns the page's localStorage, without touching it from inside the page.
func (s *saveCheck) entries(ctx context.Context, page target) (map[string]string, error) {
	page.ctx = ctx
	res, err := proto.DOMStorageGetDOMStorageItems{
		StorageID: &proto.DOMStorageStorageID{SecurityOrigin: s.origin, IsLocalStorage: true},
	}.Call(page)
	if err != nil {
		return nil, fmt.Errorf("read the page's storage: %w", pageError(err))
	}
	items := make(map[string]string, len(res.Entries))
	for _, e := range res.Entries {
		if len(e) == 2 {
			items[e[0]] = e[1]
		}
	}
	return items, nil
}

// holds says whether one of the records sets key to value, as LevelDB and Chromium encode it:
// length, "_" origin NUL key, length, value.
func holds(records []string, origin, key, value string) bool {
	put := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	want := put(put([]byte{1}, "_"+origin+"\x00"+domString(key)), domString(value)) // 1: a value, not a deletion
	for _, r := range records {
		if strings.Contains(r, string(want)) {
			return true
		}
	}
	return false
}

// domString encodes as Chromium stores it: 1 and Latin-1 where that is enough, else 0 and UTF-16.
func domString(s string) string {
	latin := []byte{1}
	for _, r := range s {
		if r > 0xff {
			wide := []byte{0}
			for _, u := range utf16.Encode([]rune(s)) {
				wide = binary.LittleEndian.AppendUint16(wide, u)
			}
			return string(wide)
		}
		latin = append(latin, byte(r)) //nolint:gosec // at most 0xff
	}
	return string(latin)
}

// logRecords returns the complete records of the LevelDB logs in dir: batches of writes. A log is a row of 32 KB
// blocks; a record is cut into fragments with a header each, so a value need not lie in the file in one piece.
func logRecords(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	var records []string
	for _, path := range paths {
		data, err := os.ReadFile(path) //nolint:gosec // in the profile
		if errors.Is(err, fs.ErrNotExist) {
			continue // replaced meanwhile
		}
		if err != nil {
			return nil, err
		}
		records = append(records, splitLog(data)...)
	}
	return records, nil
}

func splitLog(data []byte) []string {
	const block, header = 32 << 10, 7 // header: checksum 4, length 2, type 1
	const full, first, last = 1, 2, 4 // 3 is a middle fragment
	var records []string
	var part []byte
	for at := 0; at+header <= len(data); {
		if block-at%block < header { // too little room for a header: filled with zeros
			at += block - at%block
			continue
		}
		size, kind := int(binary.LittleEndian.Uint16(data[at+4:])), data[at+6]
		end := at + header + size
		if kind == 0 || end > len(data) {
			break // what comes after was not written yet
		}
		if kind == full || kind == first {
			part = nil
		}
		part = append(part, data[at+header:end]...)
		if kind == full || kind == last {
			records = append(records, string(part))
			part = nil
		}
		at = end
	}
	return records
}

// syncTree flushes what the system has of the files under the folders to the disk.
func syncTree(dirs ...string) error {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || (err == nil && !d.IsDir() && !d.Type().IsRegular()) {
				return nil
			}
			if err != nil {
				return err
			}
			f, err := os.Open(path) //nolint:gosec // in the profile
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			return errors.Join(f.Sync(), f.Close())
		})
		if err != nil {
			return fmt.Errorf("flush the profile: %w", err)
		}
	}
	return nil
}
