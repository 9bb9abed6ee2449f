package intake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kurir/problem"
)

// FuzzJSON compares the scanner with encoding/json: the same bodies are refused, and the fields are the same.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"key":"k","phone":62812,"body":"a\nb"}`, `{"params":{"key":"k"},"key":"l"}`, `{"body":"\ud83d\ude00\ud83d x \ude00"}`,
		`{"a":[1,2.5e-3,{"b":[]},null,true,false,"x"]}`, `{"key":"k",}`, `{"phone":01}`, `{"phone":-0.0e+1}`, "{\"body\":\"\xff\xc3\"}",
		`{"body":"\u0000\u001f\"\\\/\b\f\n\r\t"}`, ` { "key" : "k" } `, `{"key":"k"} x`, `{"params":1,"params":{"id":"a"},"limit":"5"}`,
		`{"params":{"params":{"key":"deep"}}}`, `{"phone":["1",2,null,{"a":[]}],"send_at":{},"priority":[1]}`,
		`{"messages":[{"phone":"1","body":"a","messages":[{"id":1}]},{},null,7,[]],"params":{"phone":[]}}`, `{"phone":[1],"phone":2,"messages":[{}],"messages":0}`, `{"body":"\uD800\uDBFF"}`, `{"":""}`, `{"body":nul}`, "{\"body\":\"a\x7fb\"}", `{"wait":tru`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !strings.HasPrefix(strings.TrimLeft(string(in), " \t\r\n"), "{") {
			return
		}
		opt := Options{MaxText: 1 << 20, MaxItems: 5, MaxBulk: 1 << 21}
		got, err := Read(bytes.NewReader(in), opt)
		var top map[string]json.RawMessage
		wantErr := json.Unmarshal(in, &top)
		if err != nil && (strings.Contains(err.Error(), string(errDepth)) || strings.Contains(err.Error(), string(errNumber)) || problem.CodeOf(err) == problem.BulkInvalid) {
			return // our bounds
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, but encoding/json says %v", in, err, wantErr)
		}
		if err != nil {
			return
		}
		p := parser{flat: expected(top, true)}
		var params map[string]json.RawMessage
		if json.Unmarshal(top["params"], &params) == nil {
			p.nested = expected(params, true)
		}
		want := p.merged()
		if d := cmp.Diff(want, got, formsCompared); d != "" {
			t.Fatalf("%q: %s", in, d)
		}
		slow, err := Read(iotest.OneByteReader(bytes.NewReader(in)), opt)
		if err != nil || !cmp.Equal(slow, got, formsCompared) {
			t.Fatalf("%q byte by byte: %v, %v", in, texts(slow), err)
		}
	})
}

var formsCompared = cmp.Options{cmp.AllowUnexported(Form{}), cmpopts.EquateEmpty()}

// expected reads fields the way the scanner should, with encoding/json.
func expected(object map[string]json.RawMessage, lists bool) (f Form) {
	for name, raw := range object {
		field := fieldOf(name)
		if field == unknown {
			continue
		}
		v := expectedValue(raw)
		var elements []json.RawMessage
		if lists && v.Kind == Other && json.Unmarshal(raw, &elements) == nil {
			switch field {
			case Phone:
				v.Kind = List
				for _, e := range elements {
					f.phones = append(f.phones, expectedValue(e))
				}
			case Messages:
				v.Kind = List
				for _, e := range elements {
					var o map[string]json.RawMessage
					_ = json.Unmarshal(e, &o)
					f.items = append(f.items, expected(o, false))
				}
			}
		}
		f.values[field] = v
	}
	return f
}

func expectedValue(raw json.RawMessage) Value {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return Value{}
	}
	switch v := v.(type) {
	case string:
		return Value{String, v}
	case json.Number:
		return Value{Number, v.String()}
	case bool:
		return Value{Bool, strings.TrimSpace(string(raw))}
	case nil:
		return Value{}
	}
	return Value{Kind: Other}
}

// FuzzBase64 compares the decoder with encoding/base64 on what that one takes, and finds that it never hangs or
// gives more bytes than there can be.
func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "QQ==", "QUI=", "QUJD", "QUJDRA", "-_-_", "Q Q\r\n==", "data:;base64,QUJD", "Q", "====", "QUJD=", "\xff", strings.Repeat("QUJD", 9000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := io.ReadAll(newBase64Reader(strings.NewReader(in), false))
		slow, slowErr := io.ReadAll(newBase64Reader(iotest.OneByteReader(strings.NewReader(in)), false))
		if (err == nil) != (slowErr == nil) || err == nil && !bytes.Equal(got, slow) {
			t.Fatalf("%q: %v, byte by byte %v", in, err, slowErr)
		}
		if err != nil && !errors.Is(err, errBase64) && !strings.Contains(err.Error(), "data URL") {
			t.Fatalf("%q: %v", in, err)
		}
		if len(got) > len(in)/4*3+3 {
			t.Fatalf("%d bytes of %d characters", len(got), len(in))
		}
		if want, wantErr := base64.StdEncoding.DecodeString(in); wantErr == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%q: %q, %v; encoding/base64 says %q", in, got, err, want)
		}
	})
}

// FuzzForm: whatever comes, reading ends and says so.
func FuzzForm(f *testing.F) {
	f.Add([]byte("key=k&body=a+b%20c&data=%7B%22phone%22%3A1%7D"), formType)
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x--\r\n"), "multipart/form-data; boundary=x")
	f.Add([]byte("params[key]=%&%%%=&data={"), "")
	f.Add([]byte("phone[]=1&phone%5B1%5D=2&messages[0][phone]=3&messages[0][body]=a&messages[2][body]=b&params[phone][]=4&[]=5&phone[=6"), formType)
	f.Fuzz(func(t *testing.T, in []byte, contentType string) {
		opt := Options{ContentType: contentType, MaxText: 1 << 12, MaxTotal: 1 << 14, MaxItems: 3, MaxBulk: 1 << 13}
		got, err := Read(bytes.NewReader(in), opt)
		slow, slowErr := Read(iotest.OneByteReader(bytes.NewReader(in)), opt)
		if (err == nil) != (slowErr == nil) || !cmp.Equal(slow, got, formsCompared) {
			t.Fatalf("%q: %v %v, byte by byte %v %v", in, texts(got), err, texts(slow), slowErr)
		}
		opt.File = func(_ Form, _ string, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		_, _ = Read(bytes.NewReader(in), opt)
	})
}

func BenchmarkText(b *testing.B) {
	body := []byte(`{"key":"kurir_live_0123456789","phone":"62812345678","body":"Isi pesan whatsapp yang akan dikirimkan"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(body), smallText); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFile16MB(b *testing.B) {
	content := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("kurir!?~"), 2<<20))
	for name, body := range map[string]string{
		"json": `{"key":"k","body":"` + content + `"}`,
		"php":  `{"key":"k","body":"` + strings.ReplaceAll(content, "/", `\/`) + `"}`,
		"form": "key=k&data=" + strings.NewReplacer("+", "%2B", "/", "%2F").Replace(`{"key":"k","body":"`+content+`"}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(16 << 20)
			b.ReportAllocs()
			for b.Loop() {
				_, err := Read(strings.NewReader(body), Options{MaxText: 1 << 20, MaxTotal: 1 << 30, File: func(_ Form, _ string, r io.Reader) error {
					_, err := io.Copy(io.Discard, r)
					return err
				}})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
