package media

import (
	"testing"
	"time"

	"kurir/models"
	"kurir/problem"
)

// A file that two messages share goes with the last of them.
func TestASharedFileGoesWithTheLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1e6)
	w.start()
	first := w.becomes(w.message(10), models.MediaStored)
	second := w.becomes(w.message(10), models.MediaStored)
	w.mu.Lock()
	w.ready = false
	w.mu.Unlock()
	pending := w.message(11)
	if n, size := w.store.Usage(); n != 1 || size != 10 {
		t.Fatalf("%d files, %d bytes", n, size)
	}
	sweep := func(before time.Time) {
		t.Helper()
		hashes, _, _, err := w.db.ExpireMedia(t.Context(), before, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, sum := range hashes {
			if err := w.store.Remove(sum, func() (bool, error) { return w.db.MediaUsed(t.Context(), sum) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	there := func(want ...bool) {
		t.Helper()
		for i, m := range []models.Media{first, second} {
			_, err := w.db.Media(t.Context(), m.ID)
			if (err == nil) != want[i] || err != nil && problem.CodeOf(err) != problem.NotFound {
				t.Errorf("file %d: %v", i, err)
			}
		}
		if n, _ := w.store.Usage(); (n == 1) != want[2] {
			t.Errorf("%d files on disk", n)
		}
	}
	release := func(n int) time.Time {
		t.Helper()
		if _, _, _, err := w.db.ReleaseMedia(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // times are in microseconds
		return time.Now()
	}
	sweep(time.Now()) // nothing is released yet
	there(true, true, true)
	between := release(1)
	release(100)
	sweep(between)
	there(false, true, true)
	sweep(time.Now())
	there(false, false, false)
	if m, err := w.db.Media(t.Context(), pending); err != nil || m.FreeSince != nil {
		t.Errorf("a file that is still to be fetched: %+v %v", m, err)
	}
}
