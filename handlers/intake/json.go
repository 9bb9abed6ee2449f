package intake

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nested values. Nothing that callers send has more than three levels.
const maxDepth = 32

// maxNumber bounds the characters of a number.
const maxNumber = 400

// TooDeep says whether JSON is nested deeper than maxDepth, before anybody takes it apart. Of what is no JSON it says
// anything.
func TooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// scanner reads JSON from a stream. It takes what encoding/json takes (within maxDepth and maxNumber).
type scanner struct{ br *bufio.Reader }

// json reads an object with the fields, flat or in "params", and nothing after it.
func (p *parser) json(br *bufio.Reader) error {
	s := &scanner{br}
	if err := p.fields(s, &p.flat, top); err != nil {
		return noEOF(err)
	}
	if _, err := peekVisible(br); !errors.Is(err, io.EOF) {
		if err == nil {
			err = syntaxError("there is something after the JSON")
		}
		return err
	}
	return nil
}

// noEOF turns an end within a value into an error that says so.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return syntaxError("the JSON ends early")
	}
	return err
}

// place is where an object with fields stands.
type place int

const (
	top    place = iota
	params       // in "params"
	item         // in "messages"
)

// fields reads one object's fields into a form.
func (p *parser) fields(s *scanner, into *Form, at place) error {
	return s.object(func(name string) error {
		c, err := peekVisible(s.br)
		if err != nil {
			return err
		}
		if name == "params" && at == top {
			p.nested = Form{}
			if c == '{' {
				return p.fields(s, &p.nested, params)
			}
			return s.skip(2)
		}
		field := fieldOf(name)
		switch {
		case field == unknown:
			return s.skip(2)
		case c == '[' && p.maxItems > 0 && at != item && field == Phone:
			into.set(field, Value{Kind: List})
			return s.array(func() error { return p.phoneElement(s, into) })
		case c == '[' && p.maxItems > 0 && at != item && field == Messages:
			into.set(field, Value{Kind: List})
			return s.array(func() error { return p.itemElement(s, into) })
		}
		v, err := p.value(s, field, c)
		into.set(field, v)
		return err
	}, p.keep)
}

func (p *parser) phoneElement(s *scanner, into *Form) error {
	if err := p.room(len(into.phones)); err != nil {
		return err
	}
	c, err := peekVisible(s.br)
	if err != nil {
		return err
	}
	v, err := p.value(s, Phone, c)
	into.phones = append(into.phones, v)
	return err
}

// itemElement reads one of `messages`. What is no object says nothing, and is missed when it is looked at.
func (p *parser) itemElement(s *scanner, into *Form) error {
	if err := p.room(len(into.items)); err != nil {
		return err
	}
	c, err := peekVisible(s.br)
	if err != nil {
		return err
	}
	into.items = append(into.items, Form{})
	if c != '{' {
		return s.skip(3)
	}
	return p.fields(s, &into.items[len(into.items)-1], item)
}

// value reads the value of a field that begins with c. A file is handed over and leaves an empty string.
func (p *parser) value(s *scanner, field Field, c byte) (v Value, err error) {
	switch {
	case c == '"' && field == Body && p.file != nil:
		r := &stringReader{s: s, loose: true}
		if err := r.open(); err != nil {
			return v, err
		}
		if err := p.takeFile("", newBase64Reader(r, p.inForm)); err != nil {
			return v, err
		}
		return Value{Kind: String}, drain(r) // up to the quote that ends it
	case c == '"':
		v.Kind = String
		v.Text, err = s.str(p.keep)
	case c == '-' || c >= '0' && c <= '9':
		v.Kind = Number
		v.Text, err = s.number()
	case c == 't' || c == 'f':
		v.Kind = Bool
		v.Text, err = s.literal()
	case c == '{' || c == '[':
		v.Kind = Other
		err = s.skip(2)
	default:
		err = s.skip(2)
	}
	return v, err
}

// object reads an object; visit is called at each value and must read it.
func (s *scanner) object(visit func(name string) error, keep func(io.Reader) (string, error)) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if c, err := peekVisible(s.br); err != nil || c == '}' {
		_, _ = s.br.Discard(1)
		return err
	}
	for {
		if _, err := peekVisible(s.br); err != nil {
			return err
		}
		name, err := s.str(keep)
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := visit(name); err != nil {
			return err
		}
		if more, err := s.comma('}'); err != nil || !more {
			return err
		}
	}
}

// comma reads what stands between two values: true for a comma, false for the end.
func (s *scanner) comma(end byte) (bool, error) {
	c, err := peekVisible(s.br)
	if err != nil {
		return false, err
	}
	if c != ',' && c != end {
		return false, syntaxError("the JSON is not well formed: a comma is missing, or a quote too many")
	}
	_, _ = s.br.Discard(1)
	return c == ',', nil
}

func (s *scanner) expect(want byte) error {
	c, err := peekVisible(s.br)
	if err != nil {
		return err
	}
	if c != want {
		return syntaxError("the JSON is not well formed: " + string(want) + " is missing")
	}
	_, _ = s.br.Discard(1)
	return nil
}

// skip reads a value of any kind and forgets it. depth is how deep it stands.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	c, err := peekVisible(s.br)
	if err != nil {
		return err
	}
	switch {
	case c == '{':
		return s.object(func(string) error { return s.skip(depth + 1) }, discard)
	case c == '[':
		return s.array(func() error { return s.skip(depth + 1) })
	case c == '"':
		_, err = s.str(discard)
	case c == '-' || c >= '0' && c <= '9':
		_, err = s.number()
	default:
		_, err = s.literal()
	}
	return err
}

// array reads an array; visit is called at each element and must read it.
func (s *scanner) array(visit func() error) error {
	_, _ = s.br.Discard(1)
	if c, err := peekVisible(s.br); err != nil || c == ']' {
		_, _ = s.br.Discard(1)
		return err
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		if more, err := s.comma(']'); err != nil || !more {
			return err
		}
	}
}

const errDepth = syntaxError("the JSON is nested too deeply")

func discard(r io.Reader) (string, error) { return "", drain(r) }

// drain reads to the end without the large buffer of io.Copy.
func drain(r io.Reader) error {
	var b [512]byte
	for {
		if _, err := r.Read(b[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// str reads a string. Bytes that are not UTF-8 become U+FFFD, each.
func (s *scanner) str(keep func(io.Reader) (string, error)) (string, error) {
	r := &stringReader{s: s}
	if err := r.open(); err != nil {
		return "", err
	}
	text, err := keep(r)
	if err != nil || utf8.ValidString(text) {
		return text, err
	}
	fixed := make([]byte, 0, len(text)+8)
	for _, c := range text {
		fixed = utf8.AppendRune(fixed, c)
	}
	return string(fixed), nil
}

func (s *scanner) literal() (string, error) {
	for _, word := range []string{"true", "false", "null"} {
		b, err := s.br.Peek(len(word))
		if string(b) == word {
			_, _ = s.br.Discard(len(word))
			return word, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
	}
	return "", syntaxError("the JSON is not well formed: a value is missing or not quoted")
}

func (s *scanner) number() (string, error) {
	var lit []byte
	for {
		b, err := s.br.Peek(1)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if err != nil || !isNumberByte(b[0]) {
			break
		}
		if lit = append(lit, b[0]); len(lit) > maxNumber {
			return "", errNumber
		}
		_, _ = s.br.Discard(1)
	}
	if !validNumber(string(lit)) {
		return "", syntaxError("the JSON is not well formed: a number is not one; quote texts and numbers that begin with 0")
	}
	return string(lit), nil
}

const errNumber = syntaxError("the JSON holds a number of too many digits")

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// validNumber follows RFC 8259: no leading zeros, digits around the point and in the exponent.
func validNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, s := cutDigits(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	if strings.HasPrefix(s, ".") {
		var fraction string
		if fraction, s = cutDigits(s[1:]); fraction == "" {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		var exponent string
		if exponent, s = cutDigits(s); exponent == "" {
			return false
		}
	}
	return s == ""
}

func cutDigits(s string) (digits, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}
