package fetch

import (
	"crypto/sha256"
	"hash"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

// maxName is the longest name given to a file, in bytes.
const maxName = 200

func newHash() hash.Hash { return sha256.New() }

// name chooses what to call the file: what the server calls it (RFC 6266), else the last part of the path,
// else "file"; with the extension of its content when it has none.
func name(resp *http.Response, mimeType string) string {
	n := cleanName(dispositionName(resp.Header.Get("Content-Disposition")))
	if n == "" {
		n = cleanName(path.Base(resp.Request.URL.Path)) // of the last redirect
	}
	if n == "" {
		n = "file"
	}
	if path.Ext(n) == "" {
		if mt := mimetype.Lookup(mimeType); mt != nil {
			n += mt.Extension()
		}
	}
	return n
}

// dispositionName returns the file name of a Content-Disposition. filename*= (RFC 5987) wins over filename=.
func dispositionName(header string) string {
	if header == "" {
		return ""
	}
	_, params, err := mime.ParseMediaType(header)
	if err != nil {
		return looseName(header)
	}
	n := params["filename"]
	if !utf8.ValidString(n) {
		n = strings.ToValidUTF8(n, "_")
	}
	// Not in the RFC, but servers do it and browsers undo it: filename="a%20b.pdf"
	if un, err := url.PathUnescape(n); err == nil && utf8.ValidString(un) {
		n = un
	}
	return n
}

// looseName reads the name of headers that are not quite right, such as filename=my file.pdf or one with
// letters beyond ASCII.
func looseName(header string) string {
	i := strings.Index(strings.ToLower(header), "filename=")
	if i < 0 || i+9 > len(header) {
		return ""
	}
	n := strings.TrimSpace(header[i+9:])
	if strings.HasPrefix(n, `"`) {
		n, _, _ = strings.Cut(n[1:], `"`)
	} else {
		n, _, _ = strings.Cut(n, ";")
	}
	return strings.ToValidUTF8(n, "_")
}

// cleanName makes a plain file name of what a server sent: no path, no control or direction characters, no
// leading dots, not too long. It keeps the extension.
func cleanName(n string) string {
	n = strings.ReplaceAll(strings.ToValidUTF8(n, "_"), `\`, "/")
	n = n[strings.LastIndexByte(n, '/')+1:]
	n = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return -1
		}
		return r
	}, n)
	n = strings.TrimLeft(strings.TrimSpace(n), ". ")
	n = strings.TrimRight(n, ". ")
	if len(n) <= maxName {
		return n
	}
	ext := path.Ext(n)
	if len(ext) > 16 {
		ext = ""
	}
	stem := n[:maxName-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return stem + ext
}
