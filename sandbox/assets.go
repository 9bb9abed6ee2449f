package sandbox

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// CheckAssets says whether the page was built before the binary. The error says what to do.
func CheckAssets() error {
	for _, name := range []string{"dist/index.html", "dist/page.js"} {
		if _, err := fs.Stat(dist, name); err != nil {
			return errors.New("the sandbox's page is not in this binary: run 'make build'")
		}
	}
	return nil
}

// servePage serves the page's files. Every path without an extension is the page itself, as on the real site
// (/?post_logout=1&…, /send?…).
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if path.Ext(name) == "" {
		name = "index.html"
	}
	data, err := fs.ReadFile(dist, "dist/"+name)
	switch {
	case err == nil:
	case name == "index.html" || name == "page.js":
		http.Error(w, CheckAssets().Error(), http.StatusServiceUnavailable)
		return
	default:
		http.NotFound(w, r)
		return
	}
	// The tag lets Chromium keep the script's compiled form over restarts, as it does for the real site.
	w.Header().Set("ETag", s.assetTag)
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}
