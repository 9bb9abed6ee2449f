package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	uploadPath   = "/mms/upload"
	downloadPath = "/mms/d"
	maxUpload    = 2 << 30 // bytes
	// stallTimeout is how long an upload may bring nothing.
	stallTimeout = time.Minute
)

// mediaStore keeps uploaded (encrypted) files under the SHA-256 of their bytes.
type mediaStore struct {
	dir string // empty: files without a name, gone with the process

	mu      sync.Mutex
	unnamed map[string]*os.File
}

func openMedia(dir string) (*mediaStore, error) {
	if dir == "" {
		return &mediaStore{unnamed: map[string]*os.File{}}, nil
	}
	m := &mediaStore{dir: filepath.Join(dir, "media")}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return nil, fmt.Errorf("sandbox media: %w", err)
	}
	// What a crash left half uploaded is of no use to anybody.
	left, err := filepath.Glob(filepath.Join(m.dir, "upload-*"))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return m, err
}

// put stores what r brings and returns its name.
func (m *mediaStore) put(r io.Reader) (name string, err error) {
	f, err := os.CreateTemp(m.dir, "upload-*")
	if err != nil {
		return "", fmt.Errorf("store file: %w", err)
	}
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, f.Close())
		}
	}()
	if m.dir == "" {
		if err := os.Remove(f.Name()); err != nil {
			return "", fmt.Errorf("store file: %w", err)
		}
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, sum), r); err != nil {
		if m.dir != "" {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return "", fmt.Errorf("store file: %w", err)
	}
	name = hex.EncodeToString(sum.Sum(nil))
	if m.dir != "" {
		if err := os.Rename(f.Name(), filepath.Join(m.dir, name)); err != nil {
			return "", fmt.Errorf("store file: %w", err)
		}
		return name, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unnamed[name] == nil {
		m.unnamed[name], keep = f, true
	}
	return name, nil
}

// stored is a file of the store, open for reading.
type stored struct {
	*io.SectionReader
	close func() error
}

func (m *mediaStore) open(name string) (*stored, error) {
	if !isHash(name) {
		return nil, fs.ErrNotExist
	}
	m.mu.Lock()
	f := m.unnamed[name]
	m.mu.Unlock()
	closer := func() error { return nil }
	if f == nil {
		if m.dir == "" {
			return nil, fs.ErrNotExist
		}
		var err error
		if f, err = os.Open(filepath.Join(m.dir, name)); err != nil { // #nosec G304 G703 -- the name is a hash
			return nil, err
		}
		closer = f.Close
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, closer())
	}
	return &stored{io.NewSectionReader(f, 0, info.Size()), closer}, nil
}

func (m *mediaStore) close() error {
	var errs []error
	for _, f := range m.unnamed {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

func directPath(kind, name string) string { return downloadPath + "/" + kind + "/" + name }

// serveUpload takes an encrypted file.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	number, ok := s.uploader(r.URL.Query().Get("auth"))
	if !ok {
		http.Error(w, "unknown auth: ask for media_conn again", http.StatusUnauthorized)
		return
	}
	o := occasion{account: number}
	s.mu.Lock()
	hang, fail := s.faults.take(FaultUploadHang, o), s.faults.take(FaultUploadFail, o)
	s.mu.Unlock()
	if hang != nil {
		s.untilCleared(r, hang)
		return
	}
	if fail != nil {
		http.Error(w, fail.error().Text, fail.error().Code)
		return
	}
	body := &stallReader{r: http.MaxBytesReader(w, r.Body, maxUpload), control: http.NewResponseController(w)}
	name, err := s.media.put(body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "a file may have 2 GB", http.StatusRequestEntityTooLarge)
	case err != nil:
		s.log.Warn("sandbox upload", "err", err)
		http.Error(w, "upload failed", http.StatusInternalServerError)
	default:
		writeJSON(w, http.StatusOK, map[string]string{"direct_path": directPath(r.PathValue("type"), name)})
	}
}

// untilCleared keeps a request without an answer until the client leaves or its fault is cleared; then the connection
// is broken off.
func (s *Server) untilCleared(r *http.Request, f *Fault) {
	// A request whose body is not read does not tell that its client has left.
	s.spawn(func() { _, _ = io.Copy(io.Discard, http.MaxBytesReader(nil, r.Body, maxUpload)) })
	_ = s.await(r.Context(), func() bool { return !slices.Contains(s.faults.list, f) })
	panic(http.ErrAbortHandler)
}

// stallReader fails when a read brings nothing for stallTimeout.
type stallReader struct {
	r       io.Reader
	control *http.ResponseController
}

func (s *stallReader) Read(b []byte) (int, error) {
	if err := s.control.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

// serveDownload gives an encrypted file to whoever knows its path, as WhatsApp does.
func (s *Server) serveDownload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	gone, fail := s.faults.take(FaultDownloadGone, occasion{}), s.faults.take(FaultDownloadFail, occasion{})
	s.mu.Unlock()
	if fail != nil && fail.Code == 0 {
		panic(http.ErrAbortHandler)
	}
	if fail != nil {
		http.Error(w, fail.error().Text, fail.Code)
		return
	}
	f, err := s.media.open(r.PathValue("name"))
	if err != nil || gone != nil {
		http.NotFound(w, r)
		return
	}
	defer func() { _ = f.close() }()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f)
}

// mediaResult is what became of the file in a message.
type mediaResult struct {
	ID     string `json:"id"` // of the message
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex, of the decrypted file
	Error  string `json:"error,omitempty"`
}

// fetch lets the receiving phones download and decrypt the file of a message, in the background.
func (s *Server) fetch(p parcel) {
	m := p.message
	if m.Media == nil || p.repeated {
		return
	}
	s.fetchMedia(p.sender.Phone.Number, m.ID, m.Type, *m.Media)
}

func (s *Server) fetchMedia(sender, id, kind string, m WireMedia) {
	s.spawn(func() {
		result := mediaResult{ID: id}
		size, err := s.decryptTo(io.Discard, kind, m)
		if err != nil {
			result.Error = err.Error()
		} else if sum, err := base64.StdEncoding.DecodeString(m.FileSHA256); err == nil {
			result.Size, result.SHA256 = size, hex.EncodeToString(sum) // decryptTo has found it to be the file's
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.commit(&event{Op: "media", Account: sender, Media: &result}); err != nil {
			s.log.Error("sandbox media", "err", err)
		}
	})
}

// decryptTo writes the plain bytes of a message's file to w and checks everything that WhatsApp checks.
func (s *Server) decryptTo(w io.Writer, kind string, m WireMedia) (int64, error) {
	prefix, name, _ := strings.Cut(m.DirectPath, downloadPath+"/")
	if _, after, ok := strings.Cut(name, "/"); ok {
		name = after
	}
	if prefix != "" {
		return 0, fmt.Errorf("direct_path %q is not one of this server's", m.DirectPath)
	}
	f, err := s.media.open(name)
	if err != nil {
		return 0, fmt.Errorf("there is no file at %q", m.DirectPath)
	}
	defer func() { _ = f.close() }()
	if want, err := base64.StdEncoding.DecodeString(m.FileEncSHA256); err != nil || hex.EncodeToString(want) != name {
		return 0, errors.New("file_enc_sha256 is not that of the uploaded bytes")
	}
	size, err := decryptFile(w, f, f.Size(), kind, m)
	if err == nil && size != m.Size {
		err = fmt.Errorf("size says %d, the file has %d bytes", m.Size, size)
	}
	return size, err
}

// resume goes on with what a crash interrupted: files that phones were fetching, delivery receipts that were due.
func (s *Server) resume() {
	s.mu.Lock()
	var fetching []*Received
	var due []parcel
	for _, a := range s.world.accounts {
		for _, r := range slices.Concat(a.Inbox, a.Waiting) {
			if r.Fetching && r.Media != nil {
				fetching = append(fetching, r)
			}
		}
		for _, m := range a.Log {
			if m.FromMe && m.Ack == 1 && !m.Silent && !isShared(m.Chat) {
				o := occasion{account: a.Phone.Number, number: strings.TrimSuffix(m.Chat, userServer)}
				due = append(due, parcel{sender: a, message: m.WireMessage, occasion: o})
			}
		}
	}
	s.mu.Unlock()
	for _, r := range fetching {
		s.fetchMedia(strings.TrimSuffix(r.From, userServer), r.ID, r.Type, *r.Media)
	}
	for _, p := range due {
		s.mu.Lock()
		start := s.deliver(p)
		s.mu.Unlock()
		start()
	}
}
