package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"kurir/models"
	"kurir/models/modelstest"
	"kurir/outbox"
	"kurir/problem"
)

// pattern gives n bytes that are not all the same, without holding them.
type pattern struct{ at, n int64 }

func (p *pattern) Read(b []byte) (int, error) {
	if p.at >= p.n {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.n-p.at)]
	for i := range b {
		b[i] = byte((p.at + int64(i)) * 31 >> 2) //nolint:gosec // a small number of the test, which fits
	}
	p.at += int64(len(b))
	return len(b), nil
}

// largeBody is a JSON body with a file of n bytes, made while it is read.
func largeBody(n int64) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, _ = fmt.Fprintf(w, `{"body":"data:application\/octet-stream;base64,`)
		enc := base64.NewEncoder(base64.StdEncoding, w)
		_, _ = io.CopyBuffer(enc, &pattern{n: n}, make([]byte, 48<<10))
		_ = enc.Close()
		_, err := fmt.Fprintf(w, `","key":"%s","phone":"0812345678","filename":"a.bin"}`, goodKey)
		_ = w.CloseWithError(err)
	}()
	return r
}

// A file passes through; it is never in memory as a whole, nor is its base64.
func TestLargeFileIsNotInMemory(t *testing.T) { // not parallel: it counts what the process allocates
	const size = 16 << 20
	w := newWorld(t, func(w *world) { w.deps.MaxFileBytes = size })
	w.serve(t, "", "/wa/sendfile", nil, largeBody(1)) // what is made once and for all is made now
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rec := w.serve(t, "", "/wa/sendfile", nil, largeBody(size))
	runtime.ReadMemStats(&after)
	if rec.Code != http.StatusOK || w.db.last(t).FileSize != size {
		t.Fatalf("%s", rec.Body)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > size/2 {
		t.Errorf("%d bytes were allocated for a file of %d", got, size)
	}
	f, err := os.Open(filepath.Join(w.dir, w.db.last(t).FilePath))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	want, a, b := &pattern{n: size}, make([]byte, 64<<10), make([]byte, 64<<10)
	for at := 0; at < size; at += len(a) {
		_, errA := io.ReadFull(want, a)
		_, errB := io.ReadFull(f, b)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Fatalf("the file differs after byte %d: %v %v", at, errA, errB)
		}
	}
}

// Who does not say who he is waits while others fill the slots; who has a key does not.
func TestUnknownSendersWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := &server{Deps: w.deps, unknown: make(chan struct{}, 1)}
	s.unknown <- struct{}{}
	handler := held(t, s.Deps, s.router())
	post := func(ctx context.Context, body string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, "/wa/sendfile", strings.NewReader(body)))
		return rec
	}
	if rec := post(t.Context(), `{"key":"`+goodKey+`","phone":"0812345678","filename":"a","body":"QUJD"}`); rec.Code != http.StatusOK {
		t.Errorf("with the key first: %s", rec.Body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	keyLast := `{"body":"QUJD","key":"` + goodKey + `","phone":"0812345678","filename":"a"}`
	if rec := post(ctx, keyLast); rec.Code == http.StatusOK {
		t.Error("with the key last, it did not wait")
	}
	<-s.unknown
	if rec := post(t.Context(), keyLast); rec.Code != http.StatusOK {
		t.Errorf("with a slot free: %s", rec.Body)
	}
	if len(s.unknown) != 0 {
		t.Error("the slot is still taken")
	}
}

func TestDiskError(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]problem.Code{
		&os.PathError{Op: "write", Err: syscall.ENOSPC}: problem.StorageFull,
		&os.PathError{Op: "write", Err: syscall.EDQUOT}: problem.StorageFull,
		errors.New("other"):                             problem.Internal,
	} {
		if got := problem.CodeOf(diskError("write file", err)); got != want {
			t.Errorf("%v: %s", err, got)
		}
	}
}

// realDB is a database as in production, with an instance and its key.
func realDB(t testing.TB) (*models.DB, models.Instance, string) {
	t.Helper()
	db := modelstest.Open(t, models.Config{})
	in := models.Instance{Name: "toko", Region: "ID"}
	_, key, err := db.CreateInstanceWithKey(t.Context(), &in, models.NewKey{})
	if err != nil {
		t.Fatal(err)
	}
	return db, in, key
}

// The handlers with the real database: a message and its audit line are there, once.
func TestWithDatabase(t *testing.T) {
	t.Parallel()
	db, in, key := realDB(t)
	w := newWorld(t, func(w *world) {
		w.deps.DB = db
		w.instances.all = []models.Instance{in}
	})
	body := strings.ReplaceAll(phpSend, goodKey, key)
	for range 2 {
		rec := w.serve(t, "", "/wa/send", map[string]string{"Idempotency-Key": "a"}, strings.NewReader(body))
		if rec.Code != http.StatusOK {
			t.Fatal(rec.Body)
		}
	}
	if rec := w.serve(t, "", "/wa/send", nil, strings.NewReader(goodKey)); rec.Code != http.StatusBadRequest {
		t.Error(rec.Body)
	}
	if rec := w.serve(t, "", "/wa/send", nil, strings.NewReader(phpSend)); rec.Code != http.StatusUnauthorized {
		t.Error(rec.Body)
	}
	rec := w.serve(t, "GET", "/v1/audit", admin(), nil)
	for _, want := range []string{`"action":"wa.send"`, `"code":"QUEUED"`, `"code":"REPEATED"`, `"instance":"` + in.ID, `"target":"msg_`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("audit log lacks %s: %s", want, rec.Body)
		}
	}
	if n, err := db.Queued(t.Context(), in.ID); err != nil || n != 1 {
		t.Errorf("%d queued, %v", n, err)
	}
}

// BenchmarkAccept is POST /wa/send over HTTP into the real database, with 1 and with 16 clients.
func BenchmarkAccept(b *testing.B) {
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			db, in, key := realDB(b)
			w := newWorld(b, func(w *world) {
				w.deps.DB, w.outbox.db = db, nil
				w.instances.all = []models.Instance{in}
				w.deps.Outbox = sleepingOutbox{}
			})
			srv := httptest.NewServer(w.handler)
			defer srv.Close()
			body := strings.ReplaceAll(phpSend, goodKey, key)
			transport := &http.Transport{MaxIdleConnsPerHost: clients}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			jobs := make(chan struct{})
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for range jobs {
						req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, srv.URL+"/wa/send", strings.NewReader(body))
						req.Header.Set("Content-Type", "application/json")
						resp, err := client.Do(req)
						if err != nil {
							b.Error(err)
							continue
						}
						_, _ = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
						if resp.StatusCode != http.StatusOK {
							b.Error(resp.Status)
						}
					}
				})
			}
			b.ResetTimer()
			for range b.N {
				jobs <- struct{}{}
			}
			close(jobs)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepted/s")
		})
	}
}

// sleepingOutbox never sends.
type sleepingOutbox struct{}

func (sleepingOutbox) Accepted(context.Context, models.Message) outbox.Place { return outbox.Place{} }
func (sleepingOutbox) AcceptedAll(context.Context, []models.Message)         {}
func (sleepingOutbox) Ended(models.Message, string)                          {}
func (sleepingOutbox) PaceState(string) (outbox.PaceState, bool)             { return outbox.PaceState{}, false }
func (sleepingOutbox) Wait(context.Context, string) (models.Message, error) {
	return models.Message{}, context.DeadlineExceeded
}
