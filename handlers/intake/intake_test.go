package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"kurir/problem"
)

const formType = "application/x-www-form-urlencoded"

var smallText = Options{MaxText: 1 << 20}

// texts lists the fields that say something.
func texts(f Form) map[string]string {
	out := map[string]string{}
	for i, name := range fieldNames {
		if v := f.Get(Field(i)); v.Kind != Absent {
			out[name] = v.Text
		}
	}
	return out
}

func multipartBody(t *testing.T, fields ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil { //nolint:gosec // pairs: there is always one more
			t.Fatal(err)
		}
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

func TestShapes(t *testing.T) {
	t.Parallel()
	want := map[string]string{"key": "k", "phone": "62812", "body": "Halo, \"apa\" kabar? é 😀\n100%+1"}
	flat := `{"key":"k","phone":"62812","body":"Halo, \"apa\" kabar? \u00e9 \ud83d\ude00\n100%+1"}`
	params := `{"method": "POST", "params": ` + flat + `}`
	form := url.Values{"key": {"k"}, "phone": {"62812"}, "body": {want["body"]}}.Encode()
	data := func(j string) string { return url.Values{"data": {j}}.Encode() }
	mpFields, mpFieldsType := multipartBody(t, "key", "k", "phone", "62812", "body", want["body"])
	mpData, mpDataType := multipartBody(t, "data", params)

	tests := []struct{ name, contentType, body string }{
		{"flat JSON", "application/json", flat},
		{"flat JSON, charset", "application/json; charset=utf-8", flat},
		{"JSON sent as a form (PHP without header, curl -d)", formType, flat},
		{"JSON without type", "", flat},
		{"JSON as text", "text/plain", flat},
		{"JSON after a byte order mark and blanks", "application/json", "\xef\xbb\xbf \r\n\t" + flat + "\n"},
		{"JSON with params", "application/json", params},
		{"params before and flat after: params win", "", `{"params":` + flat + `,"key":"other","extra":{"a":[1,2,{"b":null}]}}`},
		{"form", formType, form},
		{"form sent as JSON", "application/json", form},
		{"form, params[…]", formType, "params[key]=k&params%5Bphone%5D=62812&params[body]=" + url.QueryEscape(want["body"])},
		{"data = JSON", formType, data(flat)},
		{"data = JSON with params (Python)", formType, data(params)},
		{"data = JSON, padded", formType, data("\n " + params + " \n")},
		{"params = JSON", formType, url.Values{"method": {"POST"}, "params": {flat}}.Encode()},
		{"data = something else", formType, "data=1&" + form},
		{"multipart fields", mpFieldsType, mpFields},
		{"multipart data", mpDataType, mpData},
		{"multipart, boundary forgotten", "multipart/form-data", mpFields},
		{"JSON sent as multipart", "multipart/form-data; boundary=x", flat},
		{"last one wins", "", `{"key":"x","key":"k","phone":"62812","body":"y","body":` + mustJSON(want["body"]) + `}`},
	}
	for _, tt := range tests {
		for mode, r := range map[string]io.Reader{"whole": strings.NewReader(tt.body), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.body))} {
			t.Run(tt.name+"/"+mode, func(t *testing.T) {
				got, err := Read(r, Options{ContentType: tt.contentType, MaxText: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, texts(got)); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

func mustJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestKinds(t *testing.T) {
	t.Parallel()
	f, err := Read(strings.NewReader(`{"phone":6281234567890,"wait":true,"limit":"50","body":null,"url":["a"],"caption":{"a":1},"id":-1.5e+3,"key":false,"send_at":{},"priority":null}`), smallText)
	if err != nil {
		t.Fatal(err)
	}
	want := [fieldCount]Value{Phone: {Number, "6281234567890"}, Wait: {Bool, "true"}, Limit: {String, "50"}, ID: {Number, "-1.5e+3"}, Key: {Bool, "false"}, URL: {Kind: Other}, Caption: {Kind: Other}, SendAt: {Kind: Other}}
	if d := cmp.Diff(want, f.values); d != "" {
		t.Error(d)
	}
	if f.Text(Phone) != "6281234567890" || f.Text(Key) != "" || f.Text(Body) != "" {
		t.Error("Text")
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	opt := Options{MaxText: 200, MaxItems: 3, MaxBulk: 2000}
	number := func(s string) Value { return Value{Number, s} }
	text := func(s string) Value { return Value{String, s} }
	item := func(phone, body string) Form {
		return Form{values: [fieldCount]Value{Phone: text(phone), Body: text(body)}}
	}
	list, items := Value{Kind: List}, []Form{item("1", "a"), item("2", "b")}
	long := strings.Repeat("a", 300)
	for _, tt := range []struct {
		name, body string
		want       Form
		code       problem.Code
	}{
		{name: "phones", body: `{"phone":["1",2,null],"key":"k"}`, want: Form{values: [fieldCount]Value{Key: text("k"), Phone: list}, phones: []Value{text("1"), number("2"), {}}}},
		{name: "none", body: `{"phone":[],"messages":[ ]}`, want: Form{values: [fieldCount]Value{Phone: list, Messages: list}}},
		{name: "messages", body: `{"messages":[{"phone":"1","body":"a"},{"body":"b","x":[1],"phone":"2"}]}`, want: Form{values: [fieldCount]Value{Messages: list}, items: items}},
		{name: "messages in params", body: `{"params":{"messages":[{"phone":"1","body":"a"},{"body":"b","phone":"2"}]},"messages":[{}]}`, want: Form{values: [fieldCount]Value{Messages: list}, items: items}},
		{name: "messages in a form", body: url.Values{"data": {`{"messages":[{"phone":"1","body":"a"},{"body":"b","phone":"2"}]}`}}.Encode(), want: Form{values: [fieldCount]Value{Messages: list}, items: items}},
		{name: "PHP's http_build_query", body: "messages%5B0%5D%5Bphone%5D=1&messages%5B0%5D%5Bbody%5D=a&messages%5B1%5D%5Bphone%5D=2&messages%5B1%5D%5Bbody%5D=b", want: Form{values: [fieldCount]Value{Messages: list}, items: items}},
		{name: "phones in a form", body: "phone[]=1&phone[]=2&key=k", want: Form{values: [fieldCount]Value{Key: text("k"), Phone: list}, phones: []Value{text("1"), text("2")}}},
		{name: "PHP's phones", body: "params%5Bphone%5D%5B0%5D=1&params%5Bphone%5D%5B1%5D=2", want: Form{values: [fieldCount]Value{Phone: list}, phones: []Value{text("1"), text("2")}}},
		{name: "one after a list", body: `{"phone":["1"],"phone":"2"}`, want: Form{values: [fieldCount]Value{Phone: text("2")}}},
		{name: "no objects", body: `{"messages":[1,[{}]]}`, want: Form{values: [fieldCount]Value{Messages: list}, items: []Form{{}, {}}}},
		{name: "four", body: `{"phone":[1,2,3,4]}`, code: problem.BulkInvalid},
		{name: "four objects", body: `{"messages":[{},{},{},{}]}`, code: problem.BulkInvalid},
		{name: "four in a form", body: "phone[]=1&phone[]=2&phone[]=3&phone[]=4", code: problem.BulkInvalid},
		{name: "a hole", body: "messages[1][phone]=1", code: problem.BadRequest},
		{name: "a lot for one", body: `{"body":"` + long + `"}`, code: problem.BodyTooLarge},
		{name: "more room with a list", body: `{"messages":[{"body":"` + long + `"}]}`, want: Form{values: [fieldCount]Value{Messages: list}, items: []Form{{values: [fieldCount]Value{Body: text(long)}}}}},
		{name: "a lot for all", body: `{"messages":[{"body":"` + strings.Repeat(long, 7) + `"}]}`, code: problem.BodyTooLarge},
		{name: "cut off", body: `{"messages":[{"body":"a"},`, code: problem.BadRequest},
	} {
		got, err := Read(iotest.OneByteReader(strings.NewReader(tt.body)), opt)
		if tt.code != "" && problem.CodeOf(err) != tt.code || tt.code == "" && err != nil {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
		if d := cmp.Diff(tt.want, got, formsCompared); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
	f, err := Read(strings.NewReader("phone[]=1&messages[0][phone]=2&key=k"), smallText)
	if d := cmp.Diff(Form{values: [fieldCount]Value{Key: text("k"), Phone: {Kind: Other}, Messages: {Kind: Other}}}, f, formsCompared); err != nil || d != "" {
		t.Errorf("where no list is taken: %v, %s", err, d)
	}
	outer := Form{values: [fieldCount]Value{Body: text("same"), Phone: list, Key: text("k")}, phones: []Value{text("1")}}
	with := outer.With(Form{values: [fieldCount]Value{Phone: text("3"), Priority: text("high")}})
	if d := cmp.Diff(Form{values: [fieldCount]Value{Body: text("same"), Phone: text("3"), Key: text("k"), Priority: text("high")}}, with, formsCompared); d != "" {
		t.Error(d)
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	mp, mpType := multipartBody(t, "key", "k")
	tests := []struct {
		name, contentType, body string
		code                    problem.Code
	}{
		{"array", "", `[{"key":"k"}]`, problem.BadRequest},
		{"text in quotes", "", `"key"`, problem.BadRequest},
		{"word", "", `hello`, problem.BadRequest},
		{"xml", "text/xml", `<a><b>c</b></a>`, problem.BadRequest},
		{"ends early", "", `{"key":"k"`, problem.BadRequest},
		{"ends within a text", "", `{"key":"k`, problem.BadRequest},
		{"ends within an escape", "", `{"key":"k\`, problem.BadRequest},
		{"ends within \\u", "", `{"key":"k\u00`, problem.BadRequest},
		{"two objects", "", `{"key":"k"}{"key":"l"}`, problem.BadRequest},
		{"trailing comma", "", `{"key":"k",}`, problem.BadRequest},
		{"no comma", "", `{"key":"k" "phone":"1"}`, problem.BadRequest},
		{"no colon", "", `{"key" "k"}`, problem.BadRequest},
		{"single quotes", "", `{'key':'k'}`, problem.BadRequest},
		{"bare name", "", `{key:"k"}`, problem.BadRequest},
		{"leading zero", "", `{"phone":0812345678}`, problem.BadRequest},
		{"plus", "", `{"phone":+62812}`, problem.BadRequest},
		{"bare word", "", `{"phone":abc}`, problem.BadRequest},
		{"raw line end in a text", "", "{\"body\":\"a\nb\"}", problem.BadRequest},
		{"bad escape", "", `{"body":"C:\dir"}`, problem.BadRequest},
		{"bad hex", "", `{"body":"\u12g4"}`, problem.BadRequest},
		{"deep", "", deep, problem.BadRequest},
		{"deep arrays", "", `{"a":` + strings.Repeat("[", 1000000), problem.BadRequest},
		{"long number", "", `{"phone":` + strings.Repeat("1", 1000) + `}`, problem.BadRequest},
		{"too large", "", `{"body":"` + strings.Repeat("a", 2<<20) + `"}`, problem.BodyTooLarge},
		{"too large, form", formType, "body=" + strings.Repeat("a", 2<<20), problem.BodyTooLarge},
		{"too large in a field nobody reads", "", `{"x":"` + strings.Repeat("a", 2<<20) + `"}`, problem.BodyTooLarge},
		{"long form name", formType, strings.Repeat("a", 1000) + "=1", problem.BadRequest},
		{"bad data", formType, "data=" + url.QueryEscape(`{"key":`), problem.BadRequest},
		{"multipart without boundary", "multipart/form-data", "key=k", problem.BadRequest},
		{"multipart without boundary, one line", "multipart/form-data", "--", problem.BadRequest},
		{"multipart ends early", mpType, mp[:len(mp)-10], problem.BadRequest},
		{"multipart of another boundary", "multipart/form-data; boundary=x", mp, problem.BadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Read(strings.NewReader(tt.body), Options{ContentType: tt.contentType, MaxText: 1 << 20})
			var p *problem.Error
			if !errors.As(err, &p) || p.Code != tt.code {
				t.Errorf("%v, %v; want %s", texts(got), err, tt.code)
			}
		})
	}
	for _, empty := range []string{"", " \n", "\xef\xbb\xbf"} {
		if f, err := Read(strings.NewReader(empty), smallText); err != nil || len(texts(f)) > 0 {
			t.Errorf("empty body %q: %v, %v", empty, texts(f), err)
		}
	}
	if _, err := Read(iotest.ErrReader(errors.New("reset")), smallText); problem.CodeOf(err) != problem.BadRequest {
		t.Errorf("broken connection: %v", err)
	}
	if f, err := Read(strings.NewReader("body=diskon 50% hari ini %zz&key=a%"), smallText); err != nil || f.Text(Body) != "diskon 50% hari ini %zz" || f.Text(Key) != "a%" {
		t.Errorf("bare percent sign: %v %v", texts(f), err)
	}
}
