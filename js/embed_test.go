package js

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func TestScriptsOrder(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"dist/wa.js": {Data: []byte("wa")}, "dist/bridge.js": {Data: []byte("bridge")}}
	got, err := scripts(files)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || !strings.Contains(got[0], "disableGoogleAnalytics: true") || got[1] != "wa" || got[2] != "bridge" {
		t.Errorf("scripts = %q, want the configuration, wa-js and the bridge", got)
	}
}

func TestScriptsNotBuilt(t *testing.T) {
	t.Parallel()
	_, err := scripts(fstest.MapFS{"dist/.gitkeep": {}})
	if !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("err = %v, want one that says to run make build", err)
	}
}
