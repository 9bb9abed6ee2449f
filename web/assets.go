package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"time"
)

//go:embed all:dist
var distFS embed.FS

//go:embed static
var staticFS embed.FS

//go:embed templates
var templateFS embed.FS

// CheckAssets returns an error that says what to do when the console's script or style has not been built into this
// binary.
func CheckAssets() error {
	for _, name := range []string{"console.js", "console.css"} {
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
		{distFS, "dist", []string{"console.js", "console.css"}},
		{staticFS, "static", []string{"icon.svg"}},
	} {
		for _, name := range source.names {
			body, err := source.fs.ReadFile(path.Join(source.dir, name))
			if err != nil {
				continue
			}
			sum := sha256.Sum256(body)
			all[name] = asset{body, hex.EncodeToString(sum[:8])}
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
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(file.body))
}
