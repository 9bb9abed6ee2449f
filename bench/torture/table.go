package main

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the figures of a run.
type report struct {
	steps *stepsReport
	chaos *chaosReport
}

func (r report) print(o options, h *house, f *findings) {
	fmt.Printf("\nkurir torture, %s, seed %d, %d cores, %s, in all %s, kurir started %d times\n", time.Now().Format(time.DateOnly), o.seed, runtime.NumCPU(),
		runtime.Version(), time.Since(f.started).Round(time.Second), h.starts)
	w := tabwriter.NewWriter(os.Stdout, 2, 4, 2, ' ', 0)
	if r.steps != nil {
		r.steps.print(w)
	}
	if r.chaos != nil {
		r.chaos.print(w)
	}
	_, _ = fmt.Fprintf(w, "\nkurir's log has errors\t%s\n", list(h.logErrors()))
	_, _ = fmt.Fprint(w, "\nbroken promises\tgoal\tseen\n")
	for _, k := range kinds() {
		_, _ = fmt.Fprintf(w, "%s\t0\t%d\n", k, f.count(k))
	}
	_ = w.Flush()
}

func (r *stepsReport) print(w *tabwriter.Writer) {
	note := ""
	if r.ended {
		note = ": the time was over"
	}
	for _, v := range victims() {
		_, _ = fmt.Fprintf(w, "\n%s ended at\truns\treceived once\ttwice\tnever\tunknown\tsame id again on the wire\n", v.name)
		for _, at := range stepsOfSend() {
			if c := r.counts[v.name][at]; c != nil {
				_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", at, c.runs, c.once, c.twice, c.never, c.unknown, c.again)
			}
		}
	}
	_, _ = fmt.Fprintf(w, "%d rounds in %s, %d messages not held in time%s\n", r.kills, r.took.Round(time.Second), r.missed, note)
}

func (r *chaosReport) print(w *tabwriter.Writer) {
	_, _ = fmt.Fprintf(w, "\nchaos\t%s, then %s until the queue was empty\n", r.took, r.settled.Round(time.Second))
	_, _ = fmt.Fprintf(w, "deeds\t%s\n", list(r.counts))
	_, _ = fmt.Fprintf(w, "letters\t%d, of which %d files; %d requests, of which %d asked again after the answer\n", r.written, r.files, r.tries+r.repeats, r.repeats)
	_, _ = fmt.Fprintf(w, "accepted\t%d (%.1f/s); %d were not answered to the end, %d of those received\n", r.accepted, float64(r.accepted)/r.took.Seconds(), r.unanswered, r.unansweredAndHad)
	_, _ = fmt.Fprintf(w, "received\t%d; the same id again on the wire, shown once: %d\n", r.received, r.again)
	_, _ = fmt.Fprintf(w, "states\t%s; behind their own ack: %d\n", list(r.states), r.behind)
	_, _ = fmt.Fprintf(w, "not sent\t%s\n", list(r.failed))
	_, _ = fmt.Fprintf(w, "unknown at the end\t%s\n", list(r.unknown))
	_, _ = fmt.Fprintf(w, "unknown for a while\t%d\n", r.unknownWhile)
	_, _ = fmt.Fprintf(w, "compared for order\t%d\n", r.ordered)
}

// list prints counts, by name.
func list(counts map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, counts[k]))
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}
