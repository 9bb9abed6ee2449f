// Package js holds the scripts that run inside WhatsApp Web: wa-js, which acts, and kurir's bridge over it, which
// gives kurir one door (kurir.call), one stream of events (the kurirEvent binding) and a time limit on everything.
//
// Invariant: the scripts know WhatsApp Web and nothing else. They are the same for every instance, they hold no
// setting and no secret, and what leaves them is plain JSON with the tags of package browser's types, never an
// object of the page. One ability of the page that breaks takes no other with it.
package js

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// config runs before wa-js: without it wa-js reports to Google Analytics and asks other people's servers for the
// previews of links.
const config = `window.WPPConfig = {disableGoogleAnalytics: true, linkPreviewApiServers: []};`

// ErrNotBuilt says that this binary was built without the page code.
var ErrNotBuilt = errors.New("the page code is not built into this binary: run make build")

// Scripts returns what has to run in every new document of WhatsApp Web before the page's own scripts, in order.
// It returns ErrNotBuilt when the page code was missing at build time.
func Scripts() ([]string, error) {
	return scripts(dist)
}

func scripts(files fs.FS) ([]string, error) {
	out := []string{config}
	for _, name := range []string{"dist/wa.js", "dist/bridge.js"} {
		b, err := fs.ReadFile(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", name, ErrNotBuilt)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		out = append(out, string(b))
	}
	return out, nil
}
