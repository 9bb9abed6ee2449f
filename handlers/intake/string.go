package intake

import (
	"errors"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// stringReader reads the content of a JSON string, from behind its opening quote to its closing one.
type stringReader struct {
	s       *scanner
	loose   bool // line ends and tabs may stand unescaped: base64 that a shell pasted
	done    bool
	pending [utf8.UTFMax]byte // of an escape, not yet given out
	from    int
	to      int
}

func (r *stringReader) open() error {
	b, err := r.s.br.Peek(1)
	if err != nil {
		return err
	}
	if b[0] != '"' {
		return syntaxError("the JSON is not well formed: names and texts stand in double quotes")
	}
	_, _ = r.s.br.Discard(1)
	return nil
}

// Read implements io.Reader. An end of the stream within the string is io.ErrUnexpectedEOF.
func (r *stringReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && !r.done {
		if r.from < r.to {
			c := copy(p[n:], r.pending[r.from:r.to])
			r.from += c
			n += c
			continue
		}
		if n > 0 && r.s.br.Buffered() == 0 {
			return n, nil // give what is there instead of waiting for the network
		}
		if _, err := r.s.br.Peek(1); err != nil {
			return n, unexpected(err)
		}
		buf, _ := r.s.br.Peek(r.s.br.Buffered())
		plain := plainPrefix(buf[:min(len(buf), len(p)-n)])
		copy(p[n:], buf[:plain])
		n += plain
		_, _ = r.s.br.Discard(plain)
		if plain == len(buf) || n == len(p) {
			continue
		}
		if err := r.special(buf[plain]); err != nil {
			return n, err
		}
	}
	if n == 0 && r.done && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// plainPrefix counts the bytes that mean themselves.
func plainPrefix(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(b)
}

// special reads what is not a plain byte: the end, an escape, or what may not be there.
func (r *stringReader) special(c byte) error {
	switch {
	case c == '"':
		_, _ = r.s.br.Discard(1)
		r.done = true
		return nil
	case c == '\\':
		return r.escape()
	case r.loose && (c == '\n' || c == '\r' || c == '\t'):
		_, _ = r.s.br.Discard(1)
		r.emit(rune(c))
		return nil
	}
	return syntaxError(`the JSON holds a control character within quotes; write a line end as \n`)
}

func (r *stringReader) emit(c rune) {
	r.from, r.to = 0, utf8.EncodeRune(r.pending[:], c)
}

func (r *stringReader) escape() error {
	b, err := r.s.br.Peek(2)
	if err != nil {
		return unexpected(err)
	}
	if b[1] == 'u' {
		return r.unicode()
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for i := range len(from) {
		if from[i] == b[1] {
			_, _ = r.s.br.Discard(2)
			r.emit(rune(to[i]))
			return nil
		}
	}
	return syntaxError(`the JSON holds an unknown escape; write a backslash as \\`)
}

// unicode reads \uXXXX and, for letters beyond U+FFFF, the pair of them. Half a pair is U+FFFD.
func (r *stringReader) unicode() error {
	c, err := r.hex(0)
	if err != nil {
		return err
	}
	taken := 6
	if utf16.IsSurrogate(c) {
		first := c
		c = utf8.RuneError
		if second, err := r.hex(taken); err == nil {
			if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
				c, taken = pair, 12
			}
		}
	}
	_, _ = r.s.br.Discard(taken)
	r.emit(c)
	return nil
}

// hex returns the \uXXXX that stands skip bytes ahead.
func (r *stringReader) hex(skip int) (rune, error) {
	b, err := r.s.br.Peek(skip + 6)
	if err != nil {
		return 0, unexpected(err)
	}
	b = b[skip:]
	n, err := strconv.ParseUint(string(b[2:]), 16, 16)
	if b[0] != '\\' || b[1] != 'u' || err != nil {
		return 0, syntaxError(`the JSON holds a \u without four hex digits`)
	}
	return rune(n), nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
