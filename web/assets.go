package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var distFS embed.FS

//go:embed static
var staticFS embed.FS

//go:embed templates
var templateFS embed.FS

// built are the files in dist. Swagger UI is large, so it is kept, and sent, as gzip made it.
func built() []string {
	return []string{"console.js", "console.css", "docs.js", "docs.css", "swagger-ui.js.gz", "swagger-ui.css.gz"}
}

// CheckAssets returns an error that says what to do when the console's script or style has not been built into this
// binary.
func CheckAssets() error {
	for _, name := range built() {
		if _, err := distFS.ReadFile(path.Join("dist", name)); err != nil {
			return fmt.Errorf("web/dist/%s is missing in this binary: run make build", name)
		}
	}
	return nil
}

func parseTemplates() *template.Template {
	return template.Must(template.New("").ParseFS(templateFS, "templates/*.html"))
}

type asset struct {
	body    []byte
	zipped  bool   // body is gzip
	version string // of the content: part of its address, so that it can be cached for ever
}

type assets map[string]asset

// loadAssets reads what is embedded. What has not been built is left out: CheckAssets reports it.
func loadAssets() assets {
	all := assets{}
	for _, source := range []struct {
		fs    embed.FS
		dir   string
		names []string
	}{
		{distFS, "dist", built()},
		{staticFS, "static", []string{"icon.svg"}},
	} {
		for _, name := range source.names {
			body, err := source.fs.ReadFile(path.Join(source.dir, name))
			if err != nil {
				continue
			}
			sum := sha256.Sum256(body)
			name, zipped := strings.CutSuffix(name, ".gz")
			all[name] = asset{body, zipped, hex.EncodeToString(sum[:8])}
		}
	}
	return all
}

// url returns the address of an asset, which changes with its content.
func (a assets) url(name string) string {
	return "/console/assets/" + name + "?v=" + a[name].version
}

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	file, ok := a[name]
	if !ok {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	if r.URL.Query().Get("v") == file.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache")
	}
	w.Header().Set("ETag", `"`+file.version+`"`)
	body := file.body
	if file.zipped {
		w.Header().Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
		} else if body = unzip(body); body == nil {
			http.Error(w, "this file is damaged", http.StatusInternalServerError)
			return
		}
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
}

// unzip is for callers that take no gzip; nil when it is none. What it reads was embedded when kurir was built.
func unzip(zipped []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return nil
	}
	return body
}
