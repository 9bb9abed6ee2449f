package intake

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"kurir/problem"
)

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
