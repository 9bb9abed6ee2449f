package intake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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

// fileCase is a way to send a file.
type fileCase struct{ name, contentType, body, partName string }

func fileCases(t *testing.T, content []byte) []fileCase {
	t.Helper()
	std := base64.StdEncoding.EncodeToString(content)
	php := strings.ReplaceAll(std, "/", `\/`) // as json_encode does
	lines := wrap(std, 76)
	before := fmt.Sprintf(`{"body":"%s","filename":"a.bin","key":"k"}`, php)
	after := fmt.Sprintf(`{"key":"k","filename":"a.bin","params":null,"body":"%s"}`, std)
	dataURL := fmt.Sprintf(`{"key":"k","filename":"a.bin","body":"data:application\/octet-stream;base64,%s"}`, php)
	params := fmt.Sprintf(`{"method":"POST","params":{"key":"k","body":"%s","filename":"a.bin"}}`, std)
	mpFields, mpFieldsType := multipartBody(t, "body", lines, "key", "k", "filename", "a.bin")
	mpData, mpDataType := multipartBody(t, "data", params)
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("key", "k")
	part, _ := w.CreateFormFile("file", "a.bin")
	_, _ = part.Write(content)
	_ = w.WriteField("filename", "a.bin")
	_ = w.Close()

	form := url.Values{"key": {"k"}, "filename": {"a.bin"}}.Encode()
	return []fileCase{
		{"JSON, body first", "application/json", before, ""},
		{"JSON, body last", "application/json", after, ""},
		{"JSON, data URL", "", dataURL, ""},
		{"JSON, params", "", params, ""},
		{"JSON, escaped line ends", "", strings.ReplaceAll(fmt.Sprintf(`{"key":"k","filename":"a.bin","body":"%s"}`, lines), "\r\n", `\r\n`), ""},
		{"JSON, raw line ends", "", fmt.Sprintf(`{"key":"k","filename":"a.bin","body":"%s"}`, lines), ""},
		{"JSON, urlsafe without padding", "", fmt.Sprintf(`{"key":"k","filename":"a.bin","body":"%s"}`, base64.RawURLEncoding.EncodeToString(content)), ""},
		{"JSON, blanks around", "", fmt.Sprintf(`{"key":"k","filename":"a.bin","body":"  %s  "}`, std), ""},
		{"JSON, all escaped", "", fmt.Sprintf(`{"key":"k","filename":"a.bin","body":"%s"}`, escapeAll(std)), ""},
		{"form", formType, form + "&" + url.Values{"body": {std}}.Encode(), ""},
		{"form, body first, line ends", formType, url.Values{"body": {lines}}.Encode() + "&" + form, ""},
		{"form, plus not encoded (curl -d)", formType, form + "&body=" + std, ""},
		{"form, data URL", formType, form + "&body=" + url.QueryEscape("data:image/png;base64,"+std), ""},
		{"data = JSON (Python)", formType, url.Values{"data": {params}}.Encode(), ""},
		{"data = JSON, plus not encoded", formType, "data=" + params, ""},
		{"multipart, base64 field", mpFieldsType, mpFields, ""},
		{"multipart, data", mpDataType, mpData, ""},
		{"multipart, a real file", w.FormDataContentType(), b.String(), "a.bin"},
	}
}

func wrap(s string, n int) string {
	var b strings.Builder
	for len(s) > n {
		b.WriteString(s[:n] + "\r\n")
		s = s[n:]
	}
	return b.String() + s
}

func escapeAll(s string) string {
	var b strings.Builder
	for _, c := range s {
		fmt.Fprintf(&b, `\u%04X`, c)
	}
	return b.String()
}

func TestFiles(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 4, 100, 70001} {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i*i>>3 + i*7 + 251) //nolint:gosec // a small number of the test, which fits
		}
		for _, tt := range fileCases(t, content) {
			for mode, r := range map[string]io.Reader{"whole": strings.NewReader(tt.body), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.body))} {
				t.Run(fmt.Sprintf("%s/%d/%s", tt.name, size, mode), func(t *testing.T) {
					var got []byte
					calls := 0
					form, err := Read(r, Options{ContentType: tt.contentType, MaxText: 1 << 20, MaxTotal: 10 << 20, File: func(_ Form, name string, r io.Reader) (err error) {
						calls++
						if name != tt.partName {
							t.Errorf("name of the part: %q", name)
						}
						got, err = io.ReadAll(r)
						return err
					}})
					if err != nil {
						t.Fatal(err)
					}
					if calls != 1 || !bytes.Equal(got, content) {
						t.Errorf("%d calls, %d bytes of %d", calls, len(got), len(content))
					}
					if form.Text(Key) != "k" || form.Text(Filename) != "a.bin" || form.Text(Body) != "" {
						t.Errorf("fields: %v", texts(form))
					}
				})
			}
		}
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	var two bytes.Buffer
	w := multipart.NewWriter(&two)
	for range 2 {
		part, _ := w.CreateFormFile("file", "a")
		_, _ = part.Write([]byte("x"))
	}
	_ = w.Close()
	refused := errors.New("refused")
	tests := []struct {
		name, contentType, body string
		want                    problem.Code
	}{
		{"letters", "", `{"body":"not base64!"}`, problem.BadBase64},
		{"one character too many", "", `{"body":"QUJDR"}`, problem.BadBase64},
		{"data after padding", "", `{"body":"QQ==QUJD"}`, problem.BadBase64},
		{"padding first", "", `{"body":"=QQ="}`, problem.BadBase64},
		{"only padding", "", `{"body":"===="}`, problem.BadBase64},
		{"data URL, not base64", "", `{"body":"data:text/plain,hello"}`, problem.BadBase64},
		{"data URL, no comma", "", `{"body":"data:text/plain;base64"}`, problem.BadBase64},
		{"sample's dots", "", `{"body":"iVBORw0KGgoAAAANSUhEUgAAAV4....."}`, problem.BadBase64},
		{"beyond ASCII", "", `{"body":"QUJ\u00c4"}`, problem.BadBase64},
		{"form", formType, "body=%00%01", problem.BadBase64},
		{"twice", "", `{"body":"QUJD","body":"QUJD"}`, problem.BadRequest},
		{"flat and in params", "", `{"body":"QUJD","params":{"body":"QUJD"}}`, problem.BadRequest},
		{"two parts", w.FormDataContentType(), two.String(), problem.BadRequest},
		{"ends early", "", `{"body":"QUJD`, problem.BadRequest},
		{"escape within", "", `{"body":"QU\qJD"}`, problem.BadRequest},
		{"control character", "", "{\"body\":\"QU\x01JD\"}", problem.BadRequest},
		{"more than all", "", `{"body":"` + strings.Repeat("QUJD", 5000) + `"}`, problem.FileTooLarge},
		{"more text than allowed", "", `{"body":"QUJD","caption":"` + strings.Repeat("a", 2000) + `"}`, problem.BodyTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(strings.NewReader(tt.body), Options{ContentType: tt.contentType, MaxText: 1000, MaxTotal: 10000, File: func(_ Form, _ string, r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			}})
			if problem.CodeOf(err) != tt.want {
				t.Errorf("%v; want %s", err, tt.want)
			}
		})
	}
	_, err := Read(strings.NewReader(`{"body":"QUJD"}`), Options{MaxText: 1000, MaxTotal: 1000, File: func(Form, string, io.Reader) error {
		return problem.Wrap(problem.StorageFull, "", refused)
	}})
	if problem.CodeOf(err) != problem.StorageFull || !errors.Is(err, refused) {
		t.Errorf("what File returned became %v", err)
	}
	if f, err := Read(strings.NewReader(`{"body":""}`), Options{MaxText: 10, MaxTotal: 20, File: func(_ Form, _ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if len(b) > 0 {
			t.Errorf("%q of nothing", b)
		}
		return err
	}}); err != nil {
		t.Errorf("empty file: %v %v", texts(f), err)
	}
}

// What was read before the file is known when the file comes, so that the key can be checked before the disk is used.
func TestFormKnownAtTheFile(t *testing.T) {
	t.Parallel()
	_, err := Read(strings.NewReader(`{"params":{"key":"k","phone":1,"body":"QUJD","filename":"late"}}`), Options{MaxText: 1000, MaxTotal: 1000, File: func(f Form, _ string, r io.Reader) error {
		if f.Text(Key) != "k" || f.Text(Phone) != "1" || f.Text(Filename) != "" {
			t.Errorf("known at the file: %v", texts(f))
		}
		_, err := io.Copy(io.Discard, r)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
}
