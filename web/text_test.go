package web

import (
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/google/go-cmp/cmp"
)

// verbs are the places that a text fills in. Both languages must have the same, in the same order.
var verbs = regexp.MustCompile(`%[a-z]`)

func TestBothLanguagesAreComplete(t *testing.T) {
	t.Parallel()
	all := loadCatalogue()
	for key, english := range all["en"] {
		indonesian, ok := all["id"][key]
		switch {
		case !ok:
			t.Errorf("%s has no Indonesian text", key)
		case strings.TrimSpace(indonesian) == "" || strings.TrimSpace(english) == "":
			t.Errorf("%s is empty", key)
		case cmp.Diff(verbs.FindAllString(english, -1), verbs.FindAllString(indonesian, -1)) != "":
			t.Errorf("%s fills in other things in Indonesian", key)
		case strings.Count(english, "*")%2 != 0 || strings.Count(indonesian, "*")%2 != 0:
			t.Errorf("%s has a star without its pair", key)
		}
	}
	for key := range all["id"] {
		if _, ok := all["en"][key]; !ok {
			t.Errorf("%s has no English text", key)
		}
	}
}

// TestTextsAreUsed holds that every key in the templates exists, and that every text is used somewhere.
func TestTextsAreUsed(t *testing.T) {
	t.Parallel()
	texts, used := loadCatalogue()["en"], map[string]bool{}
	for _, tmpl := range parseTemplates().Templates() {
		if tmpl.Tree != nil {
			keysIn(t, tmpl.Name(), tmpl.Tree.Root, used)
		}
	}
	for _, state := range allStates() {
		used["state."+string(state)], used["todo."+string(state)] = true, true
	}
	for _, group := range FaultGroups() {
		used["faults."+group.Name] = true
		for _, kind := range group.Kinds {
			used["fault."+string(kind)], used["fault_text."+string(kind)] = true, true
		}
	}
	goKeys := regexp.MustCompile(`(?:\.T|c\.page|c\.accountForm)\((?:r, )?"([^"]+)"`)
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file) //nolint:gosec // a file whose name the test itself made or knows
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range goKeys.FindAllSubmatch(source, -1) {
			if key := string(match[1]); !strings.HasSuffix(key, ".") { // the prefixes of states
				used[key] = true
			}
		}
	}
	for key := range used {
		if _, ok := texts[key]; !ok {
			t.Errorf("%s is used but has no text", key)
		}
	}
	for key := range texts {
		if !used[key] {
			t.Errorf("%s is not used", key)
		}
	}
}

// keysIn collects the keys of all calls of T and R in a template. The key must be a constant, or this test is blind.
func keysIn(t *testing.T, name string, node parse.Node, used map[string]bool) {
	t.Helper()
	list := func(l *parse.ListNode) {
		if l != nil {
			for _, n := range l.Nodes {
				keysIn(t, name, n, used)
			}
		}
	}
	branch := func(b *parse.BranchNode) {
		keysIn(t, name, b.Pipe, used)
		list(b.List)
		list(b.ElseList)
	}
	switch n := node.(type) {
	case *parse.ListNode:
		list(n)
	case *parse.ActionNode:
		keysIn(t, name, n.Pipe, used)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			keysIn(t, name, n.Pipe, used)
		}
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			keysIn(t, name, command, used)
		}
	case *parse.CommandNode:
		for _, arg := range n.Args {
			if pipe, ok := arg.(*parse.PipeNode); ok {
				keysIn(t, name, pipe, used)
			}
		}
		if last := lastName(n.Args[0]); last == "T" || last == "R" {
			if len(n.Args) < 2 || n.Args[1].Type() != parse.NodeString {
				t.Errorf("template %s: %s needs a constant key", name, n)
				return
			}
			used[n.Args[1].(*parse.StringNode).Text] = true
		}
	}
}

// lastName is T for .T, $.T and $x.T.
func lastName(n parse.Node) string {
	var names []string
	switch n := n.(type) {
	case *parse.FieldNode:
		names = n.Ident
	case *parse.VariableNode:
		names = n.Ident
	case *parse.ChainNode:
		names = n.Field
	}
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

func TestAcceptedLanguage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "en", "id": "id", "id-ID,id;q=0.9,en;q=0.8": "id", "en-US,en;q=0.9,id;q=0.8": "en", "fr,id;q=0.5": "id",
		"in-ID": "id", "ms-MY,en;q=0.5": "id", "en;q=0.1, id;q=0.9": "id", "id;q=0": "en", "id;q=x,en": "en", "*": "en", ",;,": "en",
	} {
		if got := acceptedLanguage(header); got != want {
			t.Errorf("Accept-Language %q: %s, want %s", header, got, want)
		}
	}
}

func TestLanguageSwitch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if a := d.get("/", "Accept-Language", "id"); !strings.Contains(a.text, `<html lang="id">`) || !strings.Contains(a.text, "Masuk") {
		t.Errorf("Accept-Language: id is answered with %s", a.text)
	}
	a := d.post("/language", url.Values{"language": {"id"}, "back": {"//evil.example"}})
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" || cookieOf(t, a, languageCookie).Value != "id" {
		t.Errorf("switch: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if a := d.get("/", "Accept-Language", "en"); !strings.Contains(a.text, `<html lang="id">`) {
		t.Error("the visitor's choice does not outweigh the browser's language")
	}
	if a := d.post("/language", url.Values{"language": {"xx"}, "back": {"/"}}); slices.ContainsFunc(a.Cookies(), func(c *http.Cookie) bool { return c.Name == languageCookie }) {
		t.Error("a language without texts was accepted")
	}
}

func TestStressedWordsStayEscaped(t *testing.T) {
	t.Parallel()
	got := text{"en", false, map[string]string{"k": "a <b> & *c <d>* e"}}.R("k")
	if want := "a &lt;b&gt; &amp; <strong>c &lt;d&gt;</strong> e"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
