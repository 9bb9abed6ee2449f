package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"kurir/problem"
)

// Classes of characters in base64, besides the values 0 to 63.
const (
	b64Invalid = 0xff
	b64Space   = 0xfe
	b64Pad     = 0xfd
)

// base64Table has both alphabets: + and / of the usual one, - and _ of the urlsafe one.
var base64Table = func() (t [256]byte) {
	for i := range t {
		t[i] = b64Invalid
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = byte(i) // #nosec G115 -- 0 to 63
	}
	t['-'], t['_'] = 62, 63
	t[' '], t['\n'], t['\r'], t['\t'] = b64Space, b64Space, b64Space, b64Space
	t['='] = b64Pad
	return t
}()

// maxDataURL bounds what may stand before the comma of a data URL.
const maxDataURL = 512

// base64Reader decodes base64 as people send it: with or without a data URL in front, with line ends, in either
// alphabet, with or without padding. Anything else is BAD_BASE64.
type base64Reader struct {
	src       *bufio.Reader
	plusSpace bool // a space was a plus before a form was decoded
	started   bool
	padded    bool   // after the padding only white space may come
	acc       uint32 // bits of the group of four that is being read
	have      int    // its characters
	out       []byte // decoded, not yet given out
	buf       []byte
	err       error
}

func newBase64Reader(r io.Reader, plusSpace bool) *base64Reader {
	return &base64Reader{src: bufio.NewReaderSize(r, 32<<10), plusSpace: plusSpace, buf: make([]byte, 0, 24<<10+8)}
}

// Read implements io.Reader.
func (r *base64Reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.err = r.fill()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// fill decodes the next piece of the source into out.
func (r *base64Reader) fill() error {
	if !r.started {
		r.started = true
		if err := r.dataURL(); err != nil {
			return err
		}
	}
	if _, err := r.src.Peek(1); errors.Is(err, io.EOF) {
		return r.finish()
	} else if err != nil {
		return err
	}
	in, _ := r.src.Peek(r.src.Buffered())
	out, err := r.decode(in)
	r.out = out
	_, _ = r.src.Discard(len(in))
	return err
}

// dataURL skips data:image/png;base64, in front.
func (r *base64Reader) dataURL() error {
	// An error here is met again by fill.
	if !r.plusSpace { // with it a blank in front is a plus, too
		_, _ = peekVisible(r.src)
	}
	if head, _ := r.src.Peek(5); !bytes.EqualFold(head, []byte("data:")) {
		return nil
	}
	head, _ := r.src.Peek(maxDataURL)
	before, _, ok := bytes.Cut(head, []byte(","))
	if !ok || !bytes.HasSuffix(bytes.ToLower(bytes.TrimSpace(before)), []byte(";base64")) {
		return problem.New(problem.BadBase64, "a data URL must have ;base64, before the data")
	}
	_, _ = r.src.Discard(len(before) + 1)
	return nil
}

func (r *base64Reader) decode(in []byte) ([]byte, error) {
	out := r.buf[:0]
	for i := 0; i < len(in); i++ {
		if r.have == 0 && !r.padded {
			for i+4 <= len(in) { // groups of four without anything between them, which is nearly all of a file
				a, b, c, d := base64Table[in[i]], base64Table[in[i+1]], base64Table[in[i+2]], base64Table[in[i+3]]
				if a|b|c|d > 63 {
					break
				}
				out = append(out, a<<2|b>>4, b<<4|c>>2, c<<6|d)
				i += 4
			}
			if i == len(in) {
				break
			}
		}
		v := base64Table[in[i]]
		if in[i] == ' ' && r.plusSpace {
			v = 62
		}
		switch {
		case v == b64Space:
		case v == b64Pad && r.have >= 2:
			r.padded = true
		case v > 63 || r.padded:
			return nil, errBase64
		default:
			r.acc = r.acc<<6 | uint32(v)
			if r.have++; r.have == 4 {
				out = append(out, byte(r.acc>>16), byte(r.acc>>8), byte(r.acc)) // #nosec G115 -- the low bits are meant
				r.acc, r.have = 0, 0
			}
		}
	}
	return out, nil
}

// finish gives out the last group, which may be short.
func (r *base64Reader) finish() error {
	switch r.have {
	case 1:
		return errBase64
	case 2:
		r.out = append(r.buf[:0], byte(r.acc>>4)) // #nosec G115 -- the low bits are meant
	case 3:
		r.out = append(r.buf[:0], byte(r.acc>>10), byte(r.acc>>2)) // #nosec G115 -- the low bits are meant
	}
	r.have = 0
	return io.EOF
}

var errBase64 = problem.New(problem.BadBase64, "")
