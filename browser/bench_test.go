package browser

import (
	"context"
	"slices"
	"testing"
	"time"
)

// report adds median and 99th percentile of a series to a benchmark's line.
func report(b *testing.B, unit time.Duration, name string, series []time.Duration) {
	b.Helper()
	slices.Sort(series)
	b.ReportMetric(float64(series[len(series)/2])/float64(unit), "median-"+name)
	b.ReportMetric(float64(series[len(series)*99/100])/float64(unit), "p99-"+name)
}

// benchSession returns a session of the fake page that works.
func benchSession(b *testing.B) *Session {
	b.Helper()
	s := New(testConfig(b, fakeWeb(b)))
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop(context.Background()) })
	await(b, s, StateScanQR)
	js(b, s, `fake.link("62812:3@c.us")`)
	await(b, s, StateWorking)
	return s
}

// From Start to the first news of a document, on a profile that exists.
func BenchmarkStart(b *testing.B) {
	s := benchSession(b)
	var series []time.Duration
	for b.Loop() {
		if err := s.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if err := s.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		await(b, s, StateWorking)
		series = append(series, time.Since(begin))
	}
	report(b, time.Millisecond, "ms", series)
}

// One kurir.call there and back.
func BenchmarkCall(b *testing.B) {
	s := benchSession(b)
	var series []time.Duration
	for b.Loop() {
		begin := time.Now()
		if _, err := s.Send(b.Context(), Outgoing{ID: "3EB0", Chat: "1@c.us", Kind: KindText, Body: "hello"}); err != nil {
			b.Fatal(err)
		}
		series = append(series, time.Since(begin))
	}
	report(b, time.Microsecond, "µs", series)
}

// Memory of one and of four idle Chromiums, from /proc/*/smaps_rollup.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var groups []int
		for n := 1; n <= 4; n++ {
			groups = append(groups, chromiumOf(b, benchSession(b)).pid)
			if n == 1 || n == 4 {
				time.Sleep(3 * time.Second) // idle: what the start has left is collected
				b.ReportMetric(float64(pss(b, groups...))/1024, map[int]string{1: "MB-1", 4: "MB-4"}[n])
			}
		}
	}
}
