package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kurir/problem"
)

// What the page holds comes to disk whole, or not at all.
func TestDownloadInChromium(t *testing.T) {
	cfg := testConfig(t, fakeWeb(t))
	cfg.DownloadDir = filepath.Join(t.TempDir(), "downloads")
	s := started(t, cfg)
	await(t, s, StateScanQR)
	js(t, s, `fake.link("62812:3@c.us")`)
	await(t, s, StateWorking)
	for _, size := range []int64{0, 1, 64 << 20} {
		begin := time.Now()
		f, err := s.Download(t.Context(), Wanted{ID: fmt.Sprint(size), Chat: "1@c.us", MaxBytes: 64 << 20, Size: size})
		if err != nil {
			t.Fatal(size, err)
		}
		t.Logf("%d bytes: %s", size, time.Since(begin))
		b, err := os.ReadFile(f.Path)
		if err != nil || int64(len(b)) != size || f.Size != size || size > 0 && b[size-1] != 7 {
			t.Errorf("%d bytes: got %d, told %d, %v", size, len(b), f.Size, err)
		}
		if filepath.Dir(f.Path) != cfg.DownloadDir || f.Name != "../a" || f.MimeType != "text/plain" {
			t.Errorf("%+v", f)
		}
		if err := os.Remove(f.Path); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name string
		w    Wanted
		want problem.Code
	}{
		{"too large", Wanted{ID: "11", Chat: "1@c.us", MaxBytes: 10}, problem.MediaTooLarge},
		{"gone", Wanted{ID: "gone", Chat: "1@c.us"}, problem.MediaGone},
		{"not what was told", Wanted{ID: "11", Chat: "short"}, problem.MediaFailed},
	} {
		if _, err := s.Download(t.Context(), tt.w); problem.CodeOf(err) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Download(ctx, Wanted{ID: "5", Chat: "lost"}); problem.CodeOf(err) != problem.PageTimeout {
		t.Errorf("a download that is not ours, and ours that never comes: %v", err)
	}
	eventually(t, func() error {
		left, err := os.ReadDir(cfg.DownloadDir)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%d files are left: %v", len(left), left[0].Name())
		}
		return err
	})
}

// Many small files in a moment, as an album is, all come; Blink drops the eleventh of a second without a word.
func TestManyDownloadsInAMoment(t *testing.T) {
	cfg := testConfig(t, fakeWeb(t))
	cfg.DownloadDir = filepath.Join(t.TempDir(), "downloads")
	s := started(t, cfg)
	await(t, s, StateScanQR)
	js(t, s, `fake.link("62812:3@c.us")`)
	await(t, s, StateWorking)
	for i := range 25 {
		f, err := s.Download(t.Context(), Wanted{ID: "1", Chat: "1@c.us", Size: 1})
		if err != nil || f.Size != 1 {
			t.Fatalf("file %d: %+v, %v", i, f, err)
		}
		if err := os.Remove(f.Path); err != nil {
			t.Fatal(err)
		}
	}
}
