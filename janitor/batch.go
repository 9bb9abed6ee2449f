package janitor

import "time"

const (
	batchFirst, batchLeast, batchMost = 20, 5, 2000

	// holdAim is where batches stop to grow, on a disk whose COMMIT takes most of it. Elsewhere the time that a batch may
	// take ends it before. There is room up to Hold for the fsync that takes longer for once.
	holdAim = 20 * time.Millisecond
)

// batch is how many rows, or pages, are dealt with at once.
type batch int

// after is the size that follows one that kept the writer for that long: a little more while there is much room, the
// share that would have done at once when it was too long.
func (b batch) after(held time.Duration) batch {
	switch {
	case held > holdAim:
		// Half of the aim: what made it long, cold pages or a busy disk, is rarely over with the next.
		return max(batchLeast, min(b/2, batch(int64(b)*int64(holdAim/2)/int64(held))))
	case held < holdAim/2:
		return min(batchMost, b+max(b/2, 1))
	}
	return b
}
