package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"

	"kurir/handlers/intake"
	"kurir/problem"
)

// adapter answers at the address of another gateway, so that its programs change a base URL and a token and nothing
// else. It puts a request into the words of /wa/send and the answer into the other's; what is between is the same for
// all. A field that would change what is sent, and that kurir has nothing for, is refused. HTTP statuses are kurir's.
type adapter struct {
	name, path string
	send       func(*call) (reply, error)
	say        func(envelope) any
}

// adapters are those that the settings name.
func (s *server) adapters() []adapter {
	return slices.DeleteFunc([]adapter{
		{"fonnte", "/send", s.fonnteSend, fonnteSay},
		{"wablas", "/api/v2/send-message", s.wablasSend, wablasSay},
	}, func(a adapter) bool { return !slices.Contains(s.Adapters, a.name) })
}

// CheckAdapters says whether there are adapters with these names.
func CheckAdapters(names []string) error {
	for _, name := range names {
		if s := (&server{Deps: Deps{Adapters: []string{name}}}); len(s.adapters()) == 0 {
			return fmt.Errorf("there is no %q, only fonnte and wablas", name)
		}
	}
	return nil
}

// foreign is what a request says, by the names of the other gateway.
type foreign map[string]intake.Value

// foreign finds out who calls by another gateway's words, and reads what they sent.
func (s *server) foreign(c *call) (t tenant, body []byte, err error) {
	if t, err = s.tenant(c, &intake.Form{}); err == nil {
		body, err = c.foreignBody()
	}
	return t, body, err
}

// foreignBody reads a whole body. The caller is known already: what is kept in memory is for who has a key.
func (c *call) foreignBody() ([]byte, error) {
	defer c.readWithin(readTimeout)()
	body, err := io.ReadAll(io.LimitReader(c.Request.Body, maxBulk+1))
	switch {
	case err != nil:
		return nil, problem.Wrap(problem.BadRequest, "it could not be read", err)
	case len(body) > maxBulk:
		return nil, problem.New(problem.BodyTooLarge, "")
	}
	return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), nil
}

// foreignFields takes a body apart: a JSON object or a form.
func foreignFields(body []byte, contentType string) (foreign, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return foreignObject(body)
	}
	if kind, params, err := mime.ParseMediaType(contentType); err == nil && kind == "multipart/form-data" {
		return foreignParts(body, params["boundary"])
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, problem.Wrap(problem.BadRequest, "it is neither JSON nor a form", err)
	}
	return foreignForm(values), nil
}

func foreignParts(body []byte, boundary string) (foreign, error) {
	form, err := multipart.NewReader(bytes.NewReader(body), boundary).ReadForm(maxBulk) // no file goes to the disk: all fit in
	if err != nil {
		return nil, problem.Wrap(problem.BadRequest, "the multipart form is broken", err)
	}
	f := foreignForm(form.Value)
	for name := range form.File {
		f[name] = intake.Value{Kind: intake.Other}
	}
	return f, nil
}

// foreignForm takes the last of several values, as PHP does.
func foreignForm(values map[string][]string) foreign {
	f := foreign{}
	for name, list := range values {
		f[name] = intake.Value{Kind: intake.String, Text: list[len(list)-1]}
	}
	return f
}

func foreignObject(body []byte) (foreign, error) {
	var object map[string]json.RawMessage
	if err := foreignJSON(body, &object); err != nil {
		return nil, err
	}
	f := foreign{}
	for name, raw := range object {
		v, err := foreignValue(raw)
		if err != nil {
			return nil, err
		}
		f[name] = v
	}
	return f, nil
}

func foreignJSON(body []byte, into any) error {
	if intake.TooDeep(body) {
		return problem.New(problem.BadRequest, "the JSON is nested too deeply")
	}
	var wrong *json.UnmarshalTypeError
	switch err := json.Unmarshal(body, into); {
	case errors.As(err, &wrong):
		return problem.New(problem.BadRequest, "the JSON has a "+wrong.Value+" where something else belongs")
	case err != nil:
		return problem.Wrap(problem.BadRequest, "the JSON is broken", err)
	}
	return nil
}

func foreignValue(raw json.RawMessage) (v intake.Value, err error) {
	switch raw[0] {
	case '"':
		v.Kind = intake.String
		err = json.Unmarshal(raw, &v.Text)
	case '{', '[':
		v.Kind = intake.Other
	case 'n':
	case 't', 'f':
		v = intake.Value{Kind: intake.Bool, Text: string(raw)}
	default:
		v = intake.Value{Kind: intake.Number, Text: string(raw)}
	}
	return v, err
}

// text is a string, or a number as it was written; "" for anything else.
func (f foreign) text(name string) string {
	if v := f[name]; v.Kind == intake.String || v.Kind == intake.Number {
		return v.Text
	}
	return ""
}

// on says whether a field asks for something: callers send what they do not need as "", 0 or false.
func (f foreign) on(name string) bool {
	v := f[name]
	switch strings.ToLower(strings.TrimSpace(v.Text)) {
	case "", "0", "false", "null":
		return v.Kind == intake.Other
	}
	return true
}

// only refuses what is neither translated nor without effect on what is sent. A field that nobody here has heard of may
// be one that has: it is refused, too. where stands before the names in the error.
func (f foreign) only(where string, translated, ignored []string) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		v := f[name]
		switch {
		case slices.Contains(ignored, name):
		case slices.Contains(translated, name):
			if v.Kind == intake.Other {
				return problem.New(problem.FieldUnsupported, "`"+where+name+"` must be a text")
			}
		case f.on(name):
			return problem.New(problem.FieldUnsupported, "`"+where+clip(name)+"`")
		}
	}
	return nil
}

// form writes what was translated in the words of /wa/send, and reads it as that does.
func form(fields map[string]any) (intake.Form, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return intake.Form{}, err
	}
	return intake.Read(bytes.NewReader(body), intake.Options{MaxText: maxText, MaxBulk: maxBulk, MaxItems: maxItems})
}

// accepted lists the messages of an answer to a send, be it of one or of many.
func accepted(r reply) []itemView {
	switch d := r.data.(type) {
	case bulkView:
		return d.Items
	case sendView:
		return []itemView{{ID: d.ID, Phone: d.Phone, Chat: d.Chat, State: d.State}}
	}
	return nil
}

// to is whom a message is for: digits, or the id of a group.
func (v itemView) to() string {
	if v.Phone != "" {
		return v.Phone
	}
	return v.Chat
}

// maxReasons bounds how many problems of a list go into one sentence.
const maxReasons = 5

// reason is an error as one sentence, for gateways that have no room for a list of what is wrong.
func reason(e envelope) string {
	var b strings.Builder
	b.WriteString(e.Message)
	if list, ok := e.Data.(bulkProblems); ok {
		for i, p := range list.Items {
			if i == maxReasons {
				_, _ = fmt.Fprintf(&b, " (+%d)", len(list.Items)-i)
				break
			}
			_, _ = fmt.Fprintf(&b, " [%d] %s: %s", p.Index, p.Phone, p.Message)
		}
	}
	return b.String()
}
