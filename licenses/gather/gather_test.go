package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kurir/licenses"
)

// TestLicencesAreWhatIsInTheBinary: the embedded file is what this tree makes, and everything in it may go along.
func TestLicencesAreWhatIsInTheBinary(t *testing.T) {
	t.Parallel()
	text, err := gather(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(licenses.Text(), "\n"), strings.Split(text, "\n")); diff != "" {
		t.Errorf("make licenses, and look at what is new:\n%s", diff)
	}
	// Some of all kinds, by words of their own: a list that misses a whole kind is the same twice.
	for _, want := range []string{
		"htmx.org 4.", "@wppconnect/wa-js 4.", "swagger-ui-dist 5.", "github.com/gin-gonic/gin v1.", "modernc.org/sqlite v1.", "The Go standard library and runtime: BSD-3-Clause",
		"Zero-Clause BSD", "Copyright 2009 The Go Authors", "SQLite Is Public Domain", "react-dom", "Permission is hereby granted, free of charge",
		"Licensed under the Apache License, Version 2.0", "SmartBear Software",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	for _, tool := range []string{"esbuild", "typescript", "github.com/google/licensecheck", "github.com/getkin/kin-openapi"} {
		if strings.Contains(text, "\n"+tool+" ") {
			t.Errorf("%s is a tool, and not in the binary", tool)
		}
	}
}

const (
	mit = `MIT License

Copyright (c) 2026 Budi

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`
	gpl = `This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License
as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty
of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public License for more details.

You should have received a copy of the GNU General Public License along with this program. If not, see
<https://www.gnu.org/licenses/>.`
)

// TestWhatMayNotGoAlong: what asks for more than its text, what has none and what nobody can read are refused.
func TestWhatMayNotGoAlong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		texts []licence
		want  string // in the error; "" for none
	}{
		{"mit", []licence{{"LICENSE", mit}}, ""},
		{"none", nil, "none of its texts is a licence ()"},
		{"gpl", []licence{{"LICENSE", gpl}}, "gpl: LICENSE has GPL-3.0-or-later in it"},
		{"both", []licence{{"LICENSE", mit}, {"COPYING", gpl}}, "both: COPYING has GPL-3.0-or-later in it"},
		{"one file", []licence{{"LICENSE", mit + "\n\n" + gpl}}, "GPL-3.0-or-later"},
		{"words", []licence{{"LICENSE", "Ask me first."}}, "no licence is recognised in LICENSE"},
		{"notice alone", []licence{{"NOTICE", "Copyright 2026 Budi"}}, "no licence is recognised in NOTICE"},
		{"a name", []licence{{"LICENSE", "Some code is under the MIT license.\n" + strings.Repeat("The rest is mine, and you may look at it. ", 30)}}, "none of its texts is a licence"},
		// An exception is for one file of one component, and for what was read in it.
		{"swagger-ui-dist", []licence{{"LICENSE", mit}, {"NOTICE", "swagger-ui\nCopyright 2020-2021 SmartBear Software Inc."}}, ""},
		{"swagger-ui-dist", []licence{{"LICENSE", mit}, {"NOTICE", gpl}}, "swagger-ui-dist: NOTICE has GPL-3.0-or-later in it"},
	} {
		c := component{Name: test.name, Texts: test.texts}
		err := c.judge()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestEachTextOnce: two components with one text share it.
func TestEachTextOnce(t *testing.T) {
	t.Parallel()
	got := render([]component{
		{Name: "a", Version: "v1", Licences: []string{"MIT"}, Texts: []licence{{"LICENSE", mit}}},
		{Name: "b", Version: "v2", Licences: []string{"MIT"}, Texts: []licence{{"License", mit}}, Inside: []string{"c", "d"}},
	})
	if strings.Count(got, "Permission is hereby") != 1 || !strings.Contains(got, "\na v1 (LICENSE)\nb v2 (License)\n") ||
		!strings.Contains(got, "b v2: MIT\n  has in it, bundled by its makers: c, d\n") {
		t.Error(got)
	}
}
