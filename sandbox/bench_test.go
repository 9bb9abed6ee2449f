package sandbox

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// BenchmarkMessage is one message after the other from a linked page, journaled, over TLS and the websocket.
func BenchmarkMessage(b *testing.B) {
	s, err := Open(b.Context(), Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	p := benchPage(b, s, PhoneSpec{Number: owner})
	m := text("6281200000001", "Pesanan nomor 17 sudah dikirim hari ini")
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		m.ID = fmt.Sprintf("3EB0%018X", i)
		start := time.Now()
		p.do("message", m, nil)
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
}

// BenchmarkHistory is the whole history of the largest account.
func BenchmarkHistory(b *testing.B) {
	s, err := Open(b.Context(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	p := benchPage(b, s, PhoneSpec{Number: owner, Contacts: MaxContacts, Chats: MaxChats, Messages: MaxMessages})
	for b.Loop() {
		if h := p.load(0); len(h.Messages) != MaxMessages {
			b.Fatalf("%d messages", len(h.Messages))
		}
	}
}

// BenchmarkDecrypt is a phone's work for a file of 64 MB; the memory it takes must not depend on the size.
func BenchmarkDecrypt(b *testing.B) {
	s, err := Open(b.Context(), Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	media, err := s.seal("document", Message{Data: bytes.Repeat([]byte("64 MB "), 64<<20/6)})
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	b.ReportAllocs()
	b.SetBytes(media.Size)
	for b.Loop() {
		var n counter
		if _, err := s.decryptTo(&n, "document", *media); err != nil || int64(n) != media.Size {
			b.Fatal(n, err)
		}
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func benchPage(b *testing.B, s *Server, spec PhoneSpec) *page {
	if _, err := s.CreatePhone(spec); err != nil {
		b.Fatal(err)
	}
	return login(b, s, pair(b, s, spec.Number))
}
