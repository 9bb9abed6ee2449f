package browser

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
)

const (
	stderrLine  = 500   // bytes of one line that are kept
	stderrLines = 2_000 // lines of one process that are logged: a looping Chromium must not fill the disk
	stderrTail  = 5     // last lines, for the error of a failed start
)

// stderrLog takes what Chromium writes to stderr: to the debug log, in bounds, and the last lines for errors.
type stderrLog struct {
	log *slog.Logger

	mu    sync.Mutex
	part  []byte
	lines int
	last  []string
	jail  bool // it has said that it cannot have its sandbox
}

// Write never fails: a log must not stop Chromium.
func (s *stderrLog) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := data; len(rest) > 0; {
		line, after, complete := bytes.Cut(rest, []byte("\n"))
		if room := stderrLine - len(s.part); room > 0 {
			s.part = append(s.part, line[:min(len(line), room)]...)
		}
		if rest = after; complete {
			s.flush()
		}
	}
	return len(data), nil
}

// flush logs the collected line.
func (s *stderrLog) flush() {
	line := strings.TrimSpace(string(s.part))
	s.part = s.part[:0]
	if line == "" {
		return
	}
	s.jail = s.jail || saysNoJail(line)
	if s.last = append(s.last, line); len(s.last) > stderrTail {
		s.last = s.last[1:]
	}
	if s.lines++; s.lines < stderrLines {
		s.log.LogAttrs(context.Background(), slog.LevelDebug, "Chromium says", slog.String("line", line))
	} else if s.lines == stderrLines {
		s.log.Debug("Chromium says more than is logged")
	}
}

// tail returns the last lines.
func (s *stderrLog) tail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.last, " | ")
}

// noJail says whether Chromium has ended for want of its sandbox. A trace of many lines may have come behind the word.
func (s *stderrLog) noJail() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jail
}
