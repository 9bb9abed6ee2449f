package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"

	"kurir/problem"
)

const (
	maxName  = 256      // bytes of a form field's name
	maxParts = 1000     // parts of a multipart body, without those of a list
	maxHead  = 16 << 10 // bytes of a part's header, and what is read ahead with it
)

// urlencoded reads application/x-www-form-urlencoded.
func (p *parser) urlencoded(br *bufio.Reader) error {
	found := false
	p.inForm = true
	for {
		name, hasValue, err := formName(br)
		if err != nil {
			return err
		}
		v := &formValue{br: br, done: !hasValue}
		if err := p.formField(name, v, func() { v.plus = true }); err != nil {
			return err
		}
		if err := drain(v); err != nil {
			return err
		}
		found = found || hasValue
		if _, err := br.Peek(1); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	if !found {
		return syntaxError("it is neither JSON nor a form")
	}
	return nil
}

// formField reads one field of a form. rawPlus is called before a value in which a plus means a plus.
func (p *parser) formField(name string, r io.Reader, rawPlus func()) error {
	path, into := segments(name), &p.flat
	if path[0] == "params" && len(path) > 1 {
		path, into = path[1:], &p.nested
	}
	if len(path) == 1 && (path[0] == "data" || path[0] == "params") {
		return p.jsonField(path[0] == "params", r)
	}
	put, err := p.slot(into, path)
	if err != nil || put == nil {
		return err
	}
	if path[0] == fieldNames[Body] && p.file != nil {
		rawPlus()
		if err := p.takeFile("", newBase64Reader(r, false)); err != nil {
			return err
		}
		put(Value{Kind: String})
		return nil
	}
	text, err := p.keep(r)
	put(Value{Kind: String, Text: strings.ToValidUTF8(text, "\uFFFD")})
	return err
}

// segments splits a name as PHP writes it: messages[0][phone] → messages, 0, phone.
func segments(name string) []string {
	first, rest, ok := strings.Cut(name, "[")
	if !ok || !strings.HasSuffix(rest, "]") {
		return []string{name}
	}
	return append([]string{first}, strings.Split(rest[:len(rest)-1], "][")...)
}

// slot finds where the value of a field goes; nil: it is none of ours.
func (p *parser) slot(into *Form, path []string) (put func(Value), err error) {
	field := fieldOf(path[0])
	switch {
	case field == unknown:
		return nil, nil
	case len(path) == 1:
		return func(v Value) { into.set(field, v) }, nil
	case p.maxItems == 0:
		if field == Phone || field == Messages {
			return func(Value) { into.set(field, Value{Kind: Other}) }, nil
		}
		return nil, nil
	case len(path) == 2 && field == Phone && isIndex(path[1]):
		into.values[Phone] = Value{Kind: List}
		return func(v Value) { into.phones = append(into.phones, v) }, p.room(len(into.phones))
	case len(path) == 3 && field == Messages && fieldOf(path[2]) != unknown:
		i, err := strconv.Atoi(path[1])
		if err != nil || i < 0 || i > len(into.items) {
			return nil, syntaxError("the indexes of `messages` must count from 0")
		}
		into.values[Messages] = Value{Kind: List}
		if i == len(into.items) {
			if err := p.room(i); err != nil {
				return nil, err
			}
			into.items = append(into.items, Form{})
		}
		return func(v Value) { into.items[i].set(fieldOf(path[2]), v) }, nil
	}
	return nil, nil
}

// isIndex says whether brackets hold an index, or nothing.
func isIndex(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// jsonField reads a form field that holds JSON; one that holds something else is not for us.
func (p *parser) jsonField(nested bool, r io.Reader) error {
	size := 4 << 10
	if p.file != nil {
		size = 64 << 10
	}
	br := bufio.NewReaderSize(r, size)
	if c, err := peekVisible(br); err != nil || c != '{' {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return err
	}
	if !nested {
		return p.json(br)
	}
	p.nested = Form{}
	if err := p.fields(&scanner{br}, &p.nested, params); err != nil {
		return noEOF(err)
	}
	return nil
}

// formName reads a name up to = (true) or & or the end (false).
func formName(br *bufio.Reader) (string, bool, error) {
	var raw []byte
	for {
		c, err := br.ReadByte()
		if errors.Is(err, io.EOF) || err == nil && (c == '=' || c == '&') {
			return formDecode(raw), c == '=', nil
		}
		if err != nil {
			return "", false, err
		}
		if raw = append(raw, c); len(raw) > maxName {
			return "", false, syntaxError("it is neither JSON nor a form")
		}
	}
}

// formDecode is formValue for a name that is in memory already.
func formDecode(raw []byte) string {
	out := raw[:0]
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]):
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
		}
		out = append(out, c)
	}
	return strings.TrimSpace(string(out))
}

// formValue reads a percent-encoded value up to the next & and takes that too. A % that encodes nothing stays: a
// text like "diskon 50% hari ini" from a shell is clear enough.
type formValue struct {
	br   *bufio.Reader
	plus bool // a plus is a plus, not a space
	done bool
}

// Read implements io.Reader.
func (r *formValue) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && !r.done {
		if n > 0 && r.br.Buffered() == 0 {
			return n, nil
		}
		if _, err := r.br.Peek(1); errors.Is(err, io.EOF) {
			r.done = true
			break
		} else if err != nil {
			return n, err
		}
		buf, _ := r.br.Peek(r.br.Buffered())
		plain := 0
		for limit := min(len(buf), len(p)-n); plain < limit && buf[plain] != '%' && buf[plain] != '&' && buf[plain] != '+'; {
			plain++
		}
		copy(p[n:], buf[:plain])
		n += plain
		_, _ = r.br.Discard(plain)
		if plain == len(buf) || n == len(p) {
			continue
		}
		c, take := buf[plain], 1
		switch {
		case c == '&':
			r.done = true
			_, _ = r.br.Discard(1)
			continue
		case c == '+' && !r.plus:
			c = ' '
		case c == '%':
			if esc, _ := r.br.Peek(3); len(esc) == 3 && isHex(esc[1]) && isHex(esc[2]) {
				c, take = unhex(esc[1])<<4|unhex(esc[2]), 3
			}
		}
		_, _ = r.br.Discard(take)
		p[n] = c
		n++
	}
	if n == 0 && r.done && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// multipart reads multipart/form-data. A part with a file name is the file, whatever its field is called.
func (p *parser) multipart(br *bufio.Reader, boundary string) error {
	if boundary == "" { // the header was written by hand; the body begins with it
		head, _ := br.Peek(maxName)
		line, _, ok := bytes.Cut(head, []byte("\r\n"))
		if !ok || len(line) < 3 || !bytes.HasPrefix(line, []byte("--")) {
			return syntaxError("the Content-Type has no boundary")
		}
		boundary = string(line[2:])
	}
	head := &limited{r: br, code: problem.BadRequest}
	mr := multipart.NewReader(head, boundary)
	for range maxParts + int(fieldCount)*p.maxItems {
		// The reader of multipart takes 10 MB of header for each part.
		head.left = maxHead
		part, err := mr.NextPart()
		tooLong := head.left < 0
		head.left = 1 << 62
		switch {
		case err == io.EOF: //nolint:errorlint // a wrapped io.EOF is an early end, the bare one is the end
			return nil
		case tooLong || err == nil && len(part.FormName()) > maxName:
			return syntaxError("the header of a part is too long")
		case err == nil:
			err = p.part(part)
		}
		if err != nil {
			return multipartError(err)
		}
	}
	return syntaxError("the form has too many parts")
}

// part reads one part to its end.
func (p *parser) part(part *multipart.Part) (err error) {
	// Part.FileName would cut path parts off; they are to be refused.
	_, params, _ := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	name, isFile := params["filename"]
	switch {
	case isFile && p.file != nil:
		err = p.takeFile(name, part)
	case !isFile:
		err = p.formField(part.FormName(), part, func() {})
	}
	if err != nil {
		return err
	}
	return drain(part) // what is none of ours; the next header is counted from its beginning
}

// multipartError: the reader of multipart has no error types for what is wrong with the body.
func multipartError(err error) error {
	if errors.Is(err, io.EOF) {
		return syntaxError("the multipart body ends early")
	}
	return err
}
