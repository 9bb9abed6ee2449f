package media

import (
	"mime"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 150 // bytes

// Disposition is the header Content-Disposition for a file of that name: attachment, with the name in ASCII for old
// clients and in UTF-8 for the others (RFC 6266, RFC 5987). The name comes from a stranger: what is a path, a control
// character, a line break or a sign that turns the direction of writing round ("gpj.exe" shown as "exe.jpg") is taken
// out of it. A name that has nothing left is called after what it is.
func Disposition(name, mimeType string) string {
	name = CleanName(name)
	if name == "" {
		name = "file" + extension(mimeType)
	}
	ascii := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	header := `attachment; filename="` + ascii + `"`
	if ascii != name {
		header += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return header
}

// CleanName returns a name that is harmless to show and to save under; empty when nothing is left.
func CleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r), unicode.Is(unicode.Co, r):
			return -1
		case strings.ContainsRune(`<>:|?*"`, r): // what Windows has no names with
			return '_'
		}
		return r
	}, name)
	name = strings.Trim(name, " .")
	return shorten(name)
}

// shorten keeps a name's ending.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	ending := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 20 {
		name, ending = name[:i], name[i:]
	}
	cut := min(len(name), maxName-len(ending))
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return strings.TrimRight(name[:cut], " .") + ending
}

// ContentType is a type as a header may have it; what is not one is bytes.
func ContentType(told string) string {
	t, params, err := mime.ParseMediaType(told)
	if err != nil || !strings.Contains(t, "/") {
		return "application/octet-stream"
	}
	if out := mime.FormatMediaType(t, params); out != "" {
		return out
	}
	return "application/octet-stream"
}

func extension(mimeType string) string {
	t, _, _ := mime.ParseMediaType(mimeType)
	switch t {
	case "image/jpeg":
		return ".jpg"
	case "image/png":
		return ".png"
	case "image/webp":
		return ".webp"
	case "video/mp4":
		return ".mp4"
	case "audio/ogg":
		return ".ogg"
	case "audio/mpeg":
		return ".mp3"
	case "audio/mp4":
		return ".m4a"
	case "application/pdf":
		return ".pdf"
	}
	return ""
}
