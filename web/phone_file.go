package web

import (
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// shownType returns the type under which a file is served for a page to show, and how it is shown: image, video or
// audio. For everything else both are "": such a file is only ever downloaded. The type in a message is what its
// sender claims, so only types that can hold no script are here, and what is returned is never the sender's string.
func shownType(claimed string) (served, shown string) {
	kind, _, err := mime.ParseMediaType(claimed)
	if err != nil {
		return "", ""
	}
	switch kind {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif":
		return kind, "image"
	case "image/jpg":
		return "image/jpeg", "image"
	case "video/mp4", "video/webm":
		return kind, "video"
	case "audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/webm", "audio/wav":
		return kind, "audio"
	}
	return "", ""
}

// filePolicy is for what came by message: even a browser that took it for a page would run nothing and load nothing.
const filePolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"

// phoneFile serves the file of a message. Its bytes, name and type are an attacker's choice.
func (c *Console) phoneFile(w http.ResponseWriter, r *http.Request) {
	file, err := c.deps.Phones.File(r.Context(), r.PathValue("number"), r.PathValue("chat"), r.PathValue("message"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	defer func() { _ = file.Close() }()
	served, _ := shownType(file.Type)
	disposition := "inline"
	if served == "" {
		served, disposition = "application/octet-stream", "attachment"
	}
	if name := cleanName(file.Name); name != "" {
		if d := mime.FormatMediaType(disposition, map[string]string{"filename": name}); d != "" {
			disposition = d
		}
	}
	h := w.Header()
	h.Set("Content-Type", served)
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", filePolicy)
	http.ServeContent(w, r, "", time.Time{}, file) // with the headers of securityHeaders: nosniff among them
}

// cleanName makes a file name harmless to read and to save: no folders, no control or direction characters.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`<>:"|?*`, r) {
			return -1
		}
		return r
	}, name)
	name = strings.TrimLeft(strings.TrimSpace(name), ".")
	if runes := []rune(name); len(runes) > 120 {
		name = string(runes[len(runes)-120:]) // the end tells the kind
	}
	return name
}
