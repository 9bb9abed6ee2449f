package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurir/browser"
	"kurir/events"
	"kurir/models"
	"kurir/models/modelstest"
	"kurir/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a database with an instance, a store, and a source whose answers the test gives.
type world struct {
	t        *testing.T
	dir      string
	db       *models.DB
	store    *Store
	instance string
	n        int // of messages

	mu      sync.Mutex
	ready   bool
	answers map[int64][]error // of the next downloads, by the file's size; nil or none: the file
	asked   []browser.Wanted
}

func newWorld(t *testing.T, maxBytes int64) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), ready: true}
	w.db, w.instance = modelstest.OpenInstance(t, models.Config{URL: filepath.Join(w.dir, "kurir.db")})
	w.store = w.openStore(maxBytes)
	return w
}

func (w *world) openStore(maxBytes int64) *Store {
	w.t.Helper()
	needed, err := w.db.MediaHashes(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := OpenStore(filepath.Join(w.dir, "media"), maxBytes, needed)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// start starts a Fetcher; the test's end closes it, before the database.
func (w *world) start(change ...func(*Config)) *Fetcher {
	w.t.Helper()
	cfg := Config{
		DB: w.db, Store: w.store, MaxBytes: 1000, Log: slog.New(slog.DiscardHandler),
		Schedule: []time.Duration{time.Millisecond, time.Millisecond}, Rest: 20 * time.Millisecond,
		Source: func(string) (Source, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w, w.ready
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	f := Start(cfg)
	w.t.Cleanup(f.Close)
	return f
}

// Download writes as many bytes as the message's id says, all of one letter.
func (w *world) Download(_ context.Context, want browser.Wanted) (browser.File, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, want)
	if next := w.answers[want.Size]; len(next) > 0 {
		err := next[0]
		w.answers[want.Size] = next[1:]
		if err != nil {
			return browser.File{}, err
		}
	}
	path := filepath.Join(w.dir, fmt.Sprintf("download-%d", len(w.asked)))
	if err := os.WriteFile(path, content(want.Size), 0o600); err != nil {
		return browser.File{}, err
	}
	return browser.File{Path: path, Size: want.Size, Kind: "document", MimeType: "text/plain"}, nil
}

func content(n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a'
	}
	return b
}

// message writes down a message with a file and returns the file's id.
func (w *world) message(size int64) string {
	w.t.Helper()
	w.n++
	m := &events.Message{Content: events.Content{
		ID: fmt.Sprintf("3EB0%04d", w.n), Chat: "62812@c.us", Phone: "62812", Kind: "document", Time: time.Now(),
		Media: &events.Media{MimeType: "text/plain", FileName: "a.txt", Size: size},
	}}
	m.Describe(models.MediaSettings{Auto: true}.Decide(m.Kind, size, false, 1000))
	if added, err := events.NewLog(w.db, 0).Append(context.Background(), w.instance, m); err != nil || len(added) != 1 {
		w.t.Fatal(added, err)
	}
	return m.Media.ID
}

// becomes waits until a file has a state, for less than the fetcher would take to look of its own accord.
func (w *world) becomes(id string, want models.MediaState) models.Media {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		m, err := w.db.Media(context.Background(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		if m.State == want {
			return m
		}
		if time.Now().After(end) {
			w.t.Fatalf("%+v, want %s", m, want)
		}
	}
}

// told lists the states of message.media events.
func (w *world) told() (list []string) {
	w.t.Helper()
	all, err := w.db.Events(context.Background(), w.instance, 0, []string{events.TypeMessageMedia}, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range all {
		var m events.MessageMedia
		if err := json.Unmarshal(e.Payload, &m); err != nil {
			w.t.Fatal(err)
		}
		if e.Chat != "62812@c.us" {
			w.t.Errorf("it is told in the lane %s", e.Chat)
		}
		list = append(list, m.Media.State)
	}
	return list
}

func TestFetcherTriesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1e6)
	lost := problem.New(problem.SessionLost, "")
	w.answers = map[int64][]error{10: {lost, problem.New(problem.PageTimeout, ""), lost, problem.New(problem.MediaFailed, "x"), nil}}
	id := w.message(10)
	w.start()
	m := w.becomes(id, models.MediaStored)
	sum := sha256.Sum256(content(10))
	if m.Attempts != 3 || m.Size != 10 || m.SHA256 != hex.EncodeToString(sum[:]) || m.StoredAt == nil || m.Error != "" {
		t.Errorf("%+v", m)
	}
	f, err := w.store.Open(m.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if b, err := io.ReadAll(f); err != nil || string(b) != string(content(10)) {
		t.Errorf("%q %v", b, err)
	}
	if got := fmt.Sprint(w.told()); got != "[stored]" {
		t.Error(got)
	}
}

func TestFetcherGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1e6)
	timeout := problem.New(problem.PageTimeout, "")
	w.answers = map[int64][]error{
		10: {timeout, timeout, errors.New("a secret path")}, 11: {problem.New(problem.MediaGone, "")}, 12: {problem.New(problem.MediaTooLarge, "")},
	}
	failed, gone, large := w.message(10), w.message(11), w.message(12)
	w.start()
	if m := w.becomes(failed, models.MediaFailed); m.Attempts != 3 || m.Error != "the file could not be written; kurir's log says why" {
		t.Errorf("%+v", m)
	}
	w.becomes(gone, models.MediaGone)
	w.becomes(large, models.MediaTooLarge)
	skipped := w.message(1001)
	w.becomes(skipped, models.MediaTooLarge) // and was never asked for
	if got := len(w.told()); got != 3 {
		t.Errorf("%d are told of, want 3", got)
	}
	m, err := w.db.Media(context.Background(), gone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.AskMedia(context.Background(), models.Media{InstanceID: w.instance, MessageID: m.MessageID}); err != nil {
		t.Fatal(err)
	}
	w.becomes(gone, models.MediaStored)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.asked {
		if a.Size == 1001 {
			t.Error("a file over the limit was asked for")
		}
	}
}

// A file that becomes due while the fetcher looks is not left until the next look of its own accord, a minute later.
func TestNoFileIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1e6)
	timeout := problem.New(problem.PageTimeout, "")
	w.answers = map[int64][]error{}
	w.start(func(c *Config) {
		c.Schedule = nil
		for i := range 8 { // about as long as it takes to write an attempt down
			c.Schedule = append(c.Schedule, time.Duration(100+100*i)*time.Microsecond)
		}
	})
	for size := range int64(60) {
		w.mu.Lock()
		w.answers[size] = slices.Repeat([]error{timeout}, 8)
		w.mu.Unlock()
		w.becomes(w.message(size), models.MediaStored)
	}
}

func TestFetcherWaitsForItsInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1e6)
	w.ready = false
	id := w.message(10)
	f := w.start(func(c *Config) { c.Rest = time.Hour })
	f.Wake(w.instance)
	w.mu.Lock()
	w.ready = true
	w.mu.Unlock()
	f.Wake(w.instance)
	if m := w.becomes(id, models.MediaStored); m.Attempts != 1 {
		t.Errorf("%+v", m)
	}
}

// A file whose instance went away during an attempt is fetched when the instance is back, after those that wait as well:
// it may be what ends the page.
func TestFetcherGoesOnWhenItsInstanceIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1e6)
	w.answers = map[int64][]error{10: {problem.New(problem.SessionLost, "")}}
	first, second := w.message(10), w.message(11)
	f := w.start(func(c *Config) { c.Rest = time.Hour })
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		m, err := w.db.Media(t.Context(), first)
		if err != nil || time.Now().After(end) {
			t.Fatalf("%+v, %v", m, err)
		}
		if m.Error != "" {
			break
		}
	}
	f.Wake(w.instance)
	w.becomes(second, models.MediaStored)
	if m := w.becomes(first, models.MediaStored); m.Attempts != 1 {
		t.Errorf("%+v", m)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.asked) != 3 || w.asked[1].Size != 11 || w.asked[2].Size != 10 {
		t.Errorf("asked for %+v", w.asked)
	}
}

func TestFetcherGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1e6)
	w.ready = false
	id := w.message(10)
	w.start().Close()
	w.ready = true
	w.start()
	w.becomes(id, models.MediaStored)
}

// A full folder holds files up until there is room; nothing is cut.
func TestFullFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	w.start()
	w.becomes(w.message(10), models.MediaStored)
	w.becomes(w.message(15), models.MediaStored)
	w.becomes(w.message(15), models.MediaFailed) // also one that would need no room: nobody knows before
	if n, size := w.store.Usage(); n != 2 || size != 25 {
		t.Errorf("%d files, %d bytes", n, size)
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "download-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Every step between a download and its row can be the last: the next start leaves what rows need and nothing else.
func TestStoreAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1e6)
	w.start()
	m := w.becomes(w.message(10), models.MediaStored)
	orphan := filepath.Join(w.dir, "orphan")
	if err := os.WriteFile(orphan, []byte("nobody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails := errors.New("the database is locked")
	if err := w.store.Take(t.Context(), orphan, func(string, int64) error { return fails }); !errors.Is(err, fails) {
		t.Error(err)
	}
	if n, _ := w.store.Usage(); n != 1 {
		t.Errorf("%d files after a row that was not written", n)
	}
	for _, name := range []string{"aa/" + m.SHA256, "zz", m.SHA256[:2] + "/x"} {
		path := filepath.Join(w.dir, "media", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("nobody's"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, size := w.openStore(1e6).Usage(); n != 1 || size != 10 {
		t.Errorf("%d files, %d bytes", n, size)
	}
	if _, err := w.store.Open("../kurir.db"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a path was opened", err)
	}
}
