package intake

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// Bodies that are read at the same time, one byte at a time and by buffers that others had before, do not mix, nor does
// a text change when the buffer it came through is used again.
func TestBodiesDoNotMix(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			var forms []Form
			text := func(i int) string { return strings.Repeat(fmt.Sprint("pesan ", k, " ", i, ", "), 1+i%90) }
			for i := range 100 {
				body := fmt.Sprintf(`{"key":"key-%d-%d","body":%q,"phone":"62812%d"}`, k, i, text(i), i)
				f, err := Read(iotest.OneByteReader(strings.NewReader(body)), Options{MaxText: 1 << 20})
				if err != nil {
					t.Error(err)
					return
				}
				forms = append(forms, f)
			}
			for i, f := range forms {
				if f.Text(Key) != fmt.Sprintf("key-%d-%d", k, i) || f.Text(Body) != text(i) || f.Text(Phone) != fmt.Sprint("62812", i) {
					t.Errorf("%d of %d: %q, %q", i, k, f.Text(Key), f.Text(Phone))
				}
			}
		})
	}
	wg.Wait()
}
