package sandbox_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kurir/sandbox"
)

// contract is the part of the real build's module list that the page uses, written by page/contract.mjs.
type contract struct {
	Modules map[string]map[string]string // module → export → kind
	Seen    map[string]map[string]string // exports seen on the real page that the derived list misses
	Absent  struct {
		Exports []string
		Members map[string]map[string][]string
	}
}

// export is what the page's own exports look like from outside.
type export struct {
	Type   string   `json:"type"`
	Class  bool     `json:"class"`
	Length int      `json:"length"`
	Keys   []string `json:"keys"`
}

const describeModules = `
	const out = {};
	for (const id of Object.keys(require("__debug").modulesMap)) {
		out[id] = {};
		for (const [name, value] of Object.entries(importNamespace(id))) {
			out[id][name] = {
				type: value === null ? "null" : typeof value,
				class: typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value)),
				length: typeof value === "function" ? value.length : 0,
				keys: typeof value === "object" && value ? Object.keys(value) : [],
			};
		}
	}
	return out;`

func TestThePageObeysTheContract(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.json")
	if err != nil {
		t.Fatal(err)
	}
	var law contract
	if err := json.Unmarshal(data, &law); err != nil {
		t.Fatal(err)
	}
	tb := openTab(t, openServer(t, sandbox.Config{}), t.TempDir())
	tb.until(`window.__d && require("__debug")`)
	var page map[string]map[string]export
	tb.eval(describeModules, &page)
	if len(page) < 50 {
		t.Fatalf("the page defines %d modules: is it the right page?", len(page))
	}
	for module, exports := range page {
		allowed, ok := law.Modules[module]
		if !ok {
			t.Errorf("%s is not in the contract (new? run node sandbox/page/contract.mjs)", module)
			continue
		}
		for name, e := range exports {
			kind, ok := allowed[name]
			if !ok {
				kind, ok = law.Seen[module][name], law.Seen[module][name] != ""
			}
			switch {
			case slices.Contains(law.Absent.Exports, name):
				t.Errorf("%s exports %s, which the real build lacks", module, name)
			case !ok:
				t.Errorf("%s exports %s, which the contract has not", module, name)
			default:
				if problem := e.differsFrom(kind); problem != "" {
					t.Errorf("%s.%s: %s, the contract says %s", module, name, problem, kind)
				}
			}
		}
	}
	for module, objects := range law.Absent.Members {
		for object, members := range objects {
			for _, member := range members {
				var has bool
				tb.eval("return "+strconv.Quote(member)+" in importNamespace("+strconv.Quote(module)+")["+strconv.Quote(object)+"]", &has)
				if has {
					t.Errorf("%s.%s has %s, which the real build lacks", module, object, member)
				}
			}
		}
	}
}

// differsFrom says how an export is not of the kind, or "".
func (e export) differsFrom(kind string) string {
	is := e.Type
	switch {
	case e.Class:
		is = "class"
	case e.Type == "function":
		is = "fn/" + strconv.Itoa(e.Length)
	}
	want, fields, shaped := strings.Cut(kind, "{")
	switch want {
	case "value", "reexport": // built at run time: could be anything
		return ""
	case "bool":
		want = "boolean"
	}
	if is != want {
		return "is " + is
	}
	if shaped {
		known := strings.Split(strings.TrimSuffix(fields, "}"), ",")
		if len(known) >= 60 { // the contract stops listing there
			return ""
		}
		for _, key := range e.Keys {
			if !slices.Contains(known, key) {
				return "has the key " + key
			}
		}
	}
	return ""
}
