package acmetest

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Log is what somebody says while a test reads it. The zero value is ready.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Await waits a minute at most until the log says words, and returns all of it.
func (l *Log) Await(t *testing.T, words string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(l.String(), words); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not say %q:\n%s", words, l)
		}
	}
	return l.String()
}
