package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

const (
	typeJSON  = "application/json"
	typeForm  = "application/x-www-form-urlencoded"
	typeParts = "multipart/form-data"
)

// checkRequest holds a request that was taken to the contract.
func (c *Contract) checkRequest(x exchange, in *openapi3filter.RequestValidationInput) error {
	if err := knownQuery(in); err != nil {
		return err
	}
	described := in.Route.Operation.RequestBody
	body := bytes.TrimPrefix(x.body, []byte("\xef\xbb\xbf"))
	switch {
	case described == nil || !x.whole && len(x.body) >= maxRequest:
		in.Options.ExcludeRequestBody = true
	case !x.whole:
		return errors.New("its body, which the contract describes, was not read")
	default:
		in.Request.Header.Set("Content-Type", kindOf(body, in.Request.Header.Get("Content-Type"), described.Value.Content))
	}
	if !in.Options.ExcludeRequestBody && len(body) > 0 {
		kind := in.Request.Header.Get("Content-Type")
		if err := c.checkBody(body, kind, in); err != nil {
			return err
		}
		name, _, _ := strings.Cut(kind, ";")
		in.Options.ExcludeRequestBody = !c.schemas.first(in.Route.Operation.OperationID + name)
	}
	in.Request.Body, in.Request.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		return reason(err)
	}
	return nil
}

// checkBody holds a body to the schema of its kind, and what a form says to that of JSON, which knows what must be there.
func (c *Contract) checkBody(body []byte, kind string, in *openapi3filter.RequestValidationInput) error {
	schema := func(kind string) string {
		return c.schemas.pointer("paths", in.Route.Path, strings.ToLower(in.Route.Method), "requestBody", "content", kind, "schema")
	}
	if kind == typeJSON {
		return c.schemas.check(schema(typeJSON), body)
	}
	fields, err := formFields(body, kind)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(kind, ";")
	if err := c.schemas.checkValue(schema(strings.ToLower(name)), flat(fields)); err != nil {
		return err
	}
	said, err := meaning(fields)
	if err != nil {
		return err
	}
	if err := c.schemas.checkValue(schema(typeJSON), said); err != nil {
		return fmt.Errorf("what the form says: %w", err)
	}
	return nil
}

func flat(fields []formField) map[string]any {
	all := map[string]any{}
	for _, f := range fields {
		all[f.name] = f.value
	}
	return all
}

// knownQuery refuses parameters that the contract does not have: one that does something is to be in it.
func knownQuery(in *openapi3filter.RequestValidationInput) error {
	for name := range in.GetQueryParams() {
		if in.Route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil {
			continue
		}
		known := false
		for _, scheme := range in.Route.Spec.Components.SecuritySchemes {
			known = known || scheme.Value.In == openapi3.ParameterInQuery && scheme.Value.Name == name
		}
		if !known {
			return fmt.Errorf("the contract has no parameter %q", name)
		}
	}
	return nil
}

// kindOf is the type that a body has, which is what the gateway goes by; the header may say something else.
func kindOf(body []byte, header string, content openapi3.Content) string {
	body = bytes.TrimSpace(body)
	switch {
	case len(content) == 1 || bytes.HasPrefix(body, []byte("{")):
		return typeJSON
	case strings.HasPrefix(strings.ToLower(header), typeParts):
		if _, params, _ := mime.ParseMediaType(header); params["boundary"] == "" {
			line, _, _ := bytes.Cut(body, []byte("\r\n"))
			return mime.FormatMediaType(typeParts, map[string]string{"boundary": strings.TrimPrefix(string(line), "--")})
		}
		return header
	}
	return typeForm
}

// decodeForms gives kin decoders that read forms as the gateway does. Its own know only the names that stand in a schema,
// and refuse a part that does not. They are kin's globals, which nothing else here uses.
func decodeForms() {
	for _, kind := range []string{typeForm, typeParts} {
		openapi3filter.RegisterBodyDecoder(kind, func(body io.Reader, h http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
			b, err := io.ReadAll(body)
			if err != nil {
				return nil, err
			}
			fields, err := formFields(b, h.Get("Content-Type"))
			return flat(fields), err
		})
	}
}

type formField struct{ name, value string }

// formFields takes a form apart. The file of a multipart form is the field file, whatever it is called.
func formFields(body []byte, kind string) (list []formField, err error) {
	if !strings.HasPrefix(kind, typeParts) {
		for pair := range strings.SplitSeq(string(body), "&") {
			name, value, _ := strings.Cut(pair, "=")
			list = append(list, formField{unescape(name), unescape(value)})
		}
		return list, nil
	}
	_, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return nil, err
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		name := part.FormName()
		if part.FileName() != "" {
			name = "file"
		}
		list = append(list, formField{name, string(value)})
	}
}

// unescape leaves a percent sign that encodes nothing as it is, as the gateway does.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return strings.ReplaceAll(s, "+", " ")
}

var inBrackets = regexp.MustCompile(`\[([^\]]*)\]`)

// meaning is what a form says, in the shape of JSON.
func meaning(fields []formField) (map[string]any, error) {
	said := map[string]any{}
	for _, f := range fields {
		if (f.name == "data" || f.name == "params") && strings.HasPrefix(strings.TrimSpace(f.value), "{") {
			var inner map[string]any
			if err := json.Unmarshal([]byte(f.value), &inner); err != nil {
				return nil, fmt.Errorf("the field %s: %w", f.name, err)
			}
			if f.name == "params" {
				inner = map[string]any{"params": inner}
			}
			for name, v := range inner {
				said[name] = v
			}
			continue
		}
		if f.name == "file" {
			said["body"], said["filename"] = "", ""
			continue
		}
		name, rest, _ := strings.Cut(f.name, "[")
		path := []string{name}
		for _, m := range inBrackets.FindAllStringSubmatch("["+rest, -1) {
			path = append(path, m[1])
		}
		put(said, path, f.value)
	}
	return said, nil
}

// put writes a field of a form as PHP does: phone[]=1, messages[0][phone]=1, params[phone]=1.
func put(into map[string]any, path []string, value string) {
	name := path[0]
	if len(path) == 1 {
		into[name] = value
		return
	}
	i, err := strconv.Atoi(path[1])
	if path[1] != "" && err != nil {
		inner, _ := into[name].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
		}
		into[name] = inner
		put(inner, path[1:], value)
		return
	}
	list, _ := into[name].([]any)
	if len(path) == 2 {
		into[name] = append(list, value)
		return
	}
	if i >= len(list) {
		list = append(list, map[string]any{})
		i = len(list) - 1
	}
	if inner, ok := list[i].(map[string]any); ok {
		put(inner, path[2:], value)
	}
	into[name] = list
}

// reason shortens kin's errors to what is wrong: their texts hold whole schemas. It looks at the outermost error, not
// into its chain: each layer knows something else.
func reason(err error) error {
	switch e := err.(type) { //nolint:errorlint // see above
	case nil:
		return nil
	case openapi3.MultiError:
		list := make([]error, 0, len(e))
		for _, one := range e {
			list = append(list, reason(one))
		}
		return errors.Join(list...)
	case *openapi3filter.RequestError:
		what := e.Reason
		if e.Parameter != nil {
			what = "parameter " + e.Parameter.Name
		}
		if e.Err == nil {
			return errors.New(what)
		}
		return fmt.Errorf("%s: %w", what, reason(e.Err))
	case *openapi3filter.ResponseError:
		if e.Err == nil {
			return errors.New(e.Reason)
		}
		return fmt.Errorf("%s: %w", e.Reason, reason(e.Err))
	case *openapi3.SchemaError:
		return fmt.Errorf("at /%s: %s", strings.Join(e.JSONPointer(), "/"), e.Reason)
	}
	return err
}
