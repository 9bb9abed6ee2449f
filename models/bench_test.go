package models

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gorm.io/gorm"
)

// BenchmarkEnqueue1 is one client: message row and audit row, on disk (synchronous=FULL) before the next begins.
func BenchmarkEnqueue1(b *testing.B) { benchmarkEnqueue(b, 1) }

// BenchmarkEnqueue16 is 16 clients at once: group commit shares the fsync.
func BenchmarkEnqueue16(b *testing.B) { benchmarkEnqueue(b, 16) }

func benchmarkEnqueue(b *testing.B, clients int) {
	db := openTest(b)
	id := instance(b, db, "bench")
	enqueue(b, db, textTo(id, "warm"))
	b.ResetTimer()
	used := cpuTime(b)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := c; i < b.N; i += clients {
				m := textTo(id, "hello")
				if _, _, err := db.Enqueue(context.Background(), m, AuditEntry{Action: "wa.send", Code: "QUEUED"}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepts/s")
	b.ReportMetric(float64(cpuTime(b)-used)/float64(b.N), "cpu-ns/op")
}

// cpuTime is what the process has used so far, kernel included: the figure to compare by on a machine that others use.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWrite is an empty GORM write and what its fsync costs.
func BenchmarkWrite(b *testing.B) {
	db := openTest(b)
	i := 0
	for b.Loop() {
		i++
		err := db.Write(context.Background(), func(tx *gorm.DB) error {
			return tx.Exec("INSERT INTO settings (name, value) VALUES (?, ?)", fmt.Sprint("s", i), "v").Error
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeyByPlain(b *testing.B) {
	db := openTest(b)
	_, plain, err := db.CreateKey(context.Background(), NewKey{InstanceID: instance(b, db, "a")})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := db.KeyByPlain(context.Background(), plain); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendEvents16 is 16 sources at once, each event on disk before the source's next, with two webhooks that
// want it: three rows each.
func BenchmarkAppendEvents16(b *testing.B) { benchmarkAppend(b, 16, 1) }

// BenchmarkAppendEvents1 is one source.
func BenchmarkAppendEvents1(b *testing.B) { benchmarkAppend(b, 1, 1) }

// BenchmarkAppendEventsInTens is one source that brings ten at once, as a catch-up does.
func BenchmarkAppendEventsInTens(b *testing.B) { benchmarkAppend(b, 1, 10) }

func benchmarkAppend(b *testing.B, sources, together int) {
	db := openTest(b)
	id := instance(b, db, "bench")
	for range 2 {
		if err := db.CreateWebhook(context.Background(), &Webhook{InstanceID: id, URL: "http://x/", Events: AllEvents}); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for c := range sources {
		wg.Go(func() {
			for i := c; i < b.N; i += sources * together {
				var list []NewEvent
				for n := range together {
					list = append(list, NewEvent{
						InstanceID: id, Type: "message", Chat: fmt.Sprint(i%20, "@c.us"), Key: fmt.Sprint("message:", i, ":", n, "-", c),
						Payload: []byte(`{"id":"3EB0123456789ABCDEF012","chat":"6281234567890@c.us","phone":"6281234567890","from_me":false,"kind":"chat","body":"Halo, apakah barang ini masih ada? Terima kasih.","time":"2026-11-23T01:02:03Z","replayed":false}`),
					})
				}
				if _, err := db.AppendEvents(context.Background(), list...); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
