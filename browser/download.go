package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"kurir/problem"
)

// mediaRate is the slowest download from WhatsApp that is waited for.
const mediaRate = 256 << 10 // bytes per second

// Wanted names the file of a message.
type Wanted struct {
	ID     string `json:"id"` // bare WhatsApp id of the message
	Chat   string `json:"chat"`
	FromMe bool   `json:"from_me"`
	Author string `json:"author,omitempty"` // in groups
	// MaxBytes is the largest file that is taken; it is refused before a byte of it is on disk, and never cut.
	MaxBytes int64 `json:"max_bytes,omitempty"` // 0: no limit
	// Size is what the sender said, to know how long to wait.
	Size int64 `json:"-"`
}

// File is the file of a message, on disk in Config.DownloadDir. It is the caller's, who moves or removes it; what is
// left there goes when Chromium is started or the session stops.
type File struct {
	Path     string
	Size     int64
	Kind     string // WhatsApp's word for the message: image, document, …
	MimeType string // as the sender said
	Name     string // as the sender said
}

// Download fetches the file of a message: the page downloads and decrypts it, Chromium writes it to disk. Errors are
// *problem.Error: INSTANCE_NOT_READY, NOT_FOUND (the page does not have the message, or it has no file),
// MEDIA_TOO_LARGE, MEDIA_GONE (WhatsApp no longer has it), MEDIA_FAILED, PAGE_TIMEOUT, SESSION_LOST, PAGE_ERROR.
//
// The page holds the whole file in memory while it decrypts it. Call it for one file at a time.
func (s *Session) Download(ctx context.Context, w Wanted) (File, error) {
	if s.cfg.DownloadDir == "" {
		return File{}, problem.New(problem.MediaFailed, "there is no folder for downloads")
	}
	r := reading("fetchMedia", nil)
	r.limit = time.Minute + time.Duration(w.Size/mediaRate)*time.Second
	r.args = struct {
		Wanted
		TimeoutMS int64 `json:"timeout_ms"`
	}{w, (r.limit - 10*time.Second).Milliseconds()}
	var f File
	r.then = func(ctx context.Context, e engine, answer json.RawMessage) error {
		var err error
		f, err = save(ctx, e, answer, w.MaxBytes)
		return err
	}
	_, err := s.call(ctx, r)
	return f, err
}

// save has Chromium write what the page holds.
func save(ctx context.Context, e engine, answer json.RawMessage, maxBytes int64) (File, error) {
	var held struct {
		Token    string `json:"token"`
		URL      string `json:"url"`
		Size     int64  `json:"size"`
		Kind     string `json:"kind"`
		MimeType string `json:"mimetype"`
		Name     string `json:"filename"`
	}
	if err := json.Unmarshal(answer, &held); err != nil {
		return File{}, problem.Wrap(problem.PageError, "the page's answer could not be read", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
		defer cancel()
		_, _ = e.call(ctx, "dropMedia", map[string]string{"token": held.Token}) // a page that is gone holds nothing
	}()
	path, err := e.save(ctx, held.Token, held.URL)
	if err != nil {
		return File{}, err
	}
	info, err := os.Lstat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() != held.Size || maxBytes > 0 && info.Size() > maxBytes) {
		err = problem.New(problem.MediaFailed, fmt.Sprintf("%d of %d bytes are on disk", info.Size(), held.Size))
	}
	if err != nil {
		return File{}, errors.Join(err, os.Remove(path))
	}
	return File{Path: path, Size: held.Size, Kind: held.Kind, MimeType: held.MimeType, Name: held.Name}, nil
}

// downloads are those of one Chromium that somebody waits for. The zero value is ready.
type downloads struct {
	mu    sync.Mutex
	byURL map[string]*download // waited for, not begun
	byID  map[string]*download // begun; by the protocol's guid, which is the file's name too
}

type download struct {
	id    string
	begun chan struct{} // closed when Chromium says that it begins
	over  chan string   // gets the state at the end
}

// beginLimit is when a download that Chromium has not begun is asked for again. Blink drops the eleventh of a frame within a
// second and tells nobody (local_frame.cc, kBurstDownloadLimit); a phone that gets an album is as quick. One that begins twice
// after all is cancelled once, see began.
const beginLimit = 1500 * time.Millisecond

func (d *downloads) expect(url string) *download {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byURL == nil {
		d.byURL, d.byID = map[string]*download{}, map[string]*download{}
	}
	w := &download{begun: make(chan struct{}), over: make(chan string, 1)}
	d.byURL[url] = w
	return w
}

// forget ends the wait and returns the guid, "" when it never began.
func (d *downloads) forget(url string, w *download) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byURL, url)
	delete(d.byID, w.id)
	return w.id
}

// began takes Browser.downloadWillBegin; false when nobody waits for it: the page downloads by itself.
func (d *downloads) began(url, id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.byURL[url]
	if w == nil {
		return false
	}
	delete(d.byURL, url)
	w.id = id
	d.byID[id] = w
	close(w.begun)
	return true
}

// progress takes Browser.downloadProgress.
func (d *downloads) progress(id, state string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.byID[id]; w != nil && state != string(proto.BrowserDownloadProgressStateInProgress) {
		delete(d.byID, id)
		w.over <- state // once, as it is off the list
	}
}

// onDownload takes the events of downloads, which come on the browser's own session.
func (t *tab) onDownload(e frame) error {
	switch e.Method {
	case "Browser.downloadWillBegin":
		var d proto.BrowserDownloadWillBegin
		if err := json.Unmarshal(e.Params, &d); err != nil {
			return err
		}
		if !t.downloads.began(d.URL, d.GUID) {
			go t.cancelDownload(d.GUID)
		}
	case "Browser.downloadProgress":
		var d proto.BrowserDownloadProgress
		if err := json.Unmarshal(e.Params, &d); err != nil {
			return err
		}
		t.downloads.progress(d.GUID, string(d.State))
	}
	return nil
}

func (t *tab) cancelDownload(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	if err := (proto.BrowserCancelDownload{GUID: id}).Call(t.on(ctx, "")); err != nil {
		t.log.Debug("cancel a download", "err", err)
	}
}

// save starts the download of what the bridge holds under token at url and waits until the file is on disk.
func (t *tab) save(ctx context.Context, token, url string) (string, error) {
	w := t.downloads.expect(url)
	err := t.begin(ctx, token, w)
	state := ""
	if err == nil {
		select {
		case state = <-w.over:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	id := t.downloads.forget(url, w)
	path := filepath.Join(t.downloadDir, id)
	if err == nil && state != string(proto.BrowserDownloadProgressStateCompleted) {
		err = problem.New(problem.MediaFailed, "Chromium gave the download up; the disk may be full")
	}
	if err != nil && id != "" {
		go func() {
			t.cancelDownload(id)
			_ = os.Remove(path) // it need not be there
		}()
	}
	return path, err
}

// begin asks the page for the download until Chromium begins it.
func (t *tab) begin(ctx context.Context, token string, w *download) error {
	again := time.NewTicker(beginLimit)
	defer again.Stop()
	for {
		out, err := t.evaluate(ctx, proto.RuntimeEvaluate{
			Expression:   fmt.Sprintf(`kurir.call("saveMedia",{token:%q})`, token),
			AwaitPromise: true, ReturnByValue: true,
			UserGesture: true, // a page may not start several downloads by itself
		})
		if err == nil {
			err = savedAnswer(out)
		}
		if err != nil {
			return err
		}
		select {
		case <-w.begun:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
			t.log.Debug("Chromium has not begun a download; it is asked again")
		}
	}
}

func savedAnswer(out evaluated) error {
	text, err := unquote(out.Result.Value)
	if err != nil {
		return err
	}
	answer, err := parseRaw(text)
	if err == nil && answer.Error != nil {
		err = bridgeProblem(answer.Error)
	}
	return err
}
