package sandbox

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
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

// withFaults puts what a build has wrong from its start into the page, before its script.
func (s *Server) withFaults(page []byte) ([]byte, error) {
	list := []faultPush{}
	s.mu.Lock()
	for _, f := range s.faults.list {
		if f.Name == FaultPageStart && (f.expires.IsZero() || time.Now().Before(f.expires)) {
			list = append(list, faultPush{Name: f.Page, Args: f.Args})
		}
	}
	s.mu.Unlock()
	if len(list) == 0 {
		return page, nil
	}
	data, err := json.Marshal(list) // escapes <, so that no text ends the script
	if err != nil {
		return nil, err
	}
	return bytes.Replace(page, []byte("<script"), fmt.Appendf(nil, "<script>faultsAtStart=%s</script>\n    <script", data), 1), nil
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
	if name == "index.html" {
		if data, err = s.withFaults(data); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
		return
	}
	// The tag lets Chromium keep the script's compiled form over restarts, as it does for the real site.
	w.Header().Set("ETag", s.assetTag)
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}
