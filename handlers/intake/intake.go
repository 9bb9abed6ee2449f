// Package intake turns the body of a request to /wa/* into one set of fields, whichever of the accepted shapes
// it came in: flat JSON, JSON with "params", urlencoded or multipart fields, or a form field "data" that holds
// the JSON.
//
// Invariant: the body is read once, as a stream, and what is kept in memory is bounded by Options.MaxText (MaxBulk and
// MaxItems, where several messages may come in one request). The one value that can be large, a file, passes through as
// an io.Reader, from wherever it stands in the body.
package intake

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
	"sync"

	"kurir/problem"
)

// Field names a field that callers send.
type Field int

// The fields. Others are ignored.
const (
	Key Field = iota
	Phone
	Body
	Filename
	Caption
	URL
	Limit
	Wait
	IdempotencyKey
	ID
	Instance
	Priority
	SendAt
	ExpiresIn
	ExpiresAt
	Chat
	Before
	After
	Since
	Messages // a list of objects with these fields; see Form.Items
	fieldCount

	unknown Field = -1
)

// fieldNames are the names that callers use.
var fieldNames = [fieldCount]string{
	Key: "key", Phone: "phone", Body: "body", Filename: "filename", Caption: "caption", URL: "url", Limit: "limit", Wait: "wait",
	IdempotencyKey: "idempotency_key", ID: "id", Instance: "instance", Priority: "priority", SendAt: "send_at",
	ExpiresIn: "expires_in", ExpiresAt: "expires_at", Chat: "chat", Before: "before", After: "after", Since: "since", Messages: "messages",
}

func fieldOf(name string) Field {
	return Field(slices.Index(fieldNames[:], name))
}

// Kind is the JSON type a value came as. Values of forms are strings.
type Kind uint8

// The kinds of value. Null counts as Absent.
const (
	Absent Kind = iota
	String
	Number // Text is the literal as it was written
	Bool   // Text is true or false
	Other  // an object or an array, which is not kept
	List   // kept beside the values: Form.Phones, Form.Items
)

// Value is the value of a field.
type Value struct {
	Kind Kind
	Text string
}

// Form is what a request says. The zero value says nothing.
type Form struct {
	values [fieldCount]Value
	phones []Value
	items  []Form
}

// Phones returns the elements of `phone` when it is a List, in their order; an element that is no number or text is
// Absent or Other.
func (f *Form) Phones() []Value { return f.phones }

// Items returns the elements of `messages` when it is a List, in their order. Each says what it says itself.
func (f *Form) Items() []Form { return f.items }

// With returns f with what item says in place of what f says; neither's lists are in it.
func (f *Form) With(item Form) Form {
	out := Form{values: f.values}
	out.values[Messages] = Value{}
	if out.values[Phone].Kind == List {
		out.values[Phone] = Value{}
	}
	for i, v := range item.values {
		if v.Kind != Absent {
			out.values[i] = v
		}
	}
	return out
}

// WithPhone returns f with this phone; its lists are not in it.
func (f *Form) WithPhone(phone Value) Form {
	out := Form{values: f.values}
	out.values[Phone], out.values[Messages] = phone, Value{}
	return out
}

// Get returns a field as it came.
func (f *Form) Get(name Field) Value { return f.values[name] }

// Text returns a string, or a number as it was written; "" for anything else.
func (f *Form) Text(name Field) string {
	if v := f.values[name]; v.Kind == String || v.Kind == Number {
		return v.Text
	}
	return ""
}

// Options say how to read.
type Options struct {
	ContentType string // of the request; a hint, the body itself decides between JSON and form
	MaxText     int64  // bytes of all fields that are kept; and of the whole body unless File is set
	MaxTotal    int64  // bytes of the whole body when File is set
	MaxItems    int    // elements of a list; 0: `phone` and `messages` may not be lists
	MaxBulk     int64  // bytes in place of MaxText once a list has begun
	// File, when set, receives the file: the decoded `body`, or the file part of a multipart body. form is
	// what was read before it. It is called at most once and must read r to its end or return an error. name
	// is the name of a file part, as it came.
	File func(form Form, name string, r io.Reader) error
}

// Read reads a request. The errors are *problem.Error: BAD_REQUEST, BODY_TOO_LARGE (FILE_TOO_LARGE when a file
// is expected), BULK_INVALID (too many elements), BAD_BASE64, and what File returned.
func Read(body io.Reader, opt Options) (Form, error) {
	limit, code, pool := opt.MaxText, problem.BodyTooLarge, &smallReaders
	if opt.File != nil {
		limit, code, pool = opt.MaxTotal, problem.FileTooLarge, &largeReaders
	}
	whole := &limited{r: body, left: limit, code: code}
	p := &parser{file: opt.File, text: opt.MaxText, whole: whole, maxItems: opt.MaxItems, extra: max(0, opt.MaxBulk-opt.MaxText)}
	br := pool.Get().(*bufio.Reader) //nolint:forcetypeassert // nothing else is in it
	br.Reset(whole)
	defer func() {
		br.Reset(nil)
		pool.Put(br)
	}()
	if err := p.read(br, opt.ContentType); err != nil {
		return Form{}, asProblem(err)
	}
	return p.merged(), nil
}

// The buffers through which bodies are read: they would be a fifth of what an accepted message allocates. Nothing of them
// is kept after Read; texts are copies.
var (
	smallReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}
	largeReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}
)

// parser holds what one request has said so far.
type parser struct {
	file    func(Form, string, io.Reader) error
	hasFile bool
	text    int64    // bytes of text that may still be kept
	whole   *limited // the body
	extra   int64    // what a list adds to both; 0 when it was added
	flat    Form
	nested  Form // of "params"; it wins over flat
	inForm  bool // the JSON stands in an urlencoded form

	maxItems int
	scratch  []byte // of keep
}

func (p *parser) read(br *bufio.Reader, contentType string) error {
	if bom, _ := br.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = br.Discard(3)
	}
	c, err := peekVisible(br)
	switch {
	case errors.Is(err, io.EOF):
		return nil // no fields; the key may be in a header
	case err != nil:
		return err
	case c == '{':
		return p.json(br)
	case strings.HasPrefix(strings.ToLower(contentType), "multipart/form-data"):
		_, params, _ := mime.ParseMediaType(contentType)
		return p.multipart(br, params["boundary"])
	case c == '[' || c == '"':
		return syntaxError("the JSON must be an object")
	}
	return p.urlencoded(br)
}

// merged returns everything that was said until now.
func (p *parser) merged() Form {
	f := p.flat
	for i, v := range p.nested.values {
		if v.Kind == Absent {
			continue
		}
		f.values[i] = v
		switch Field(i) {
		case Phone:
			f.phones = p.nested.phones
		case Messages:
			f.items = p.nested.items
		}
	}
	return f
}

// set writes a field. A list that stood there before is gone.
func (f *Form) set(field Field, v Value) {
	f.values[field] = v
	switch field {
	case Phone:
		f.phones = nil
	case Messages:
		f.items = nil
	}
}

// room says whether a list of n elements may have another, and makes room for the texts of one.
func (p *parser) room(n int) error {
	if n >= p.maxItems {
		return problem.New(problem.BulkInvalid, fmt.Sprintf("at most %d in one request", p.maxItems))
	}
	p.text += p.extra
	p.whole.left += p.extra
	p.extra = 0
	return nil
}

// keep reads a text of limited length into memory.
func (p *parser) keep(r io.Reader) (string, error) {
	if p.scratch == nil {
		p.scratch = make([]byte, 0, 512) // most texts are short; io.ReadAll and io.Copy take far more
	}
	text := p.scratch[:0]
	for {
		n, err := r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if p.text -= int64(n); p.text < 0 {
			return "", problem.New(problem.BodyTooLarge, "")
		}
		if errors.Is(err, io.EOF) {
			return string(text), nil
		}
		if err != nil {
			return "", err
		}
		if len(text) == cap(text) {
			text = slices.Grow(text, len(text))
			p.scratch = text
		}
	}
}

// takeFile hands a file over.
func (p *parser) takeFile(name string, r io.Reader) error {
	if p.hasFile {
		return syntaxError("it holds two files")
	}
	p.hasFile = true
	return p.file(p.merged(), name, r)
}

// peekVisible skips white space and returns the next byte without taking it.
func peekVisible(br *bufio.Reader) (byte, error) {
	for {
		b, err := br.Peek(1)
		if err != nil {
			return 0, err
		}
		if b[0] != ' ' && b[0] != '\n' && b[0] != '\r' && b[0] != '\t' {
			return b[0], nil
		}
		_, _ = br.Discard(1)
	}
}

// syntaxError says what is wrong with a body.
type syntaxError string

func (e syntaxError) Error() string { return string(e) }

// asProblem gives every error a code. An error without one comes from reading the connection.
func asProblem(err error) error {
	var p *problem.Error
	var syntax syntaxError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &syntax):
		return problem.New(problem.BadRequest, string(syntax))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return problem.Wrap(problem.BadRequest, "it ends early", err)
	}
	return problem.Wrap(problem.BadRequest, "it could not be read", err)
}

// limited fails when more than left bytes come; it never just stops, as io.LimitReader does.
type limited struct {
	r    io.Reader
	left int64
	code problem.Code
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, problem.New(l.code, "")
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, problem.New(l.code, "")
	}
	return n, err
}
