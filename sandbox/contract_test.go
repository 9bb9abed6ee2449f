package sandbox_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// contract is the part of the real build's module list that the page uses, written by page/contract.mjs.
type contract struct {
	Modules     map[string]map[string]string // module → export → kind
	Methods     map[string][]string          // module → the methods of its classes, static ones not included
	Seen        map[string]map[string]string // exports seen on the real page that the derived list misses
	SeenMethods map[string][]string          // the same for methods
	Absent      struct {
		Exports []string
		Members map[string]map[string][]string
	}
}

func theContract(t *testing.T) (law contract) {
	t.Helper()
	readJSON(t, "testdata/contract.json", &law)
	return law
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
	law := theContract(t)
	tb := openTab(t, openServer(t), t.TempDir())
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

// class is a class that the page exports, has an exported instance of, or derives such a one from.
type class struct {
	Name    string   `json:"name"`
	Modules []string `json:"modules"` // those that export it or an instance of it
	Methods []string `json:"methods"` // its own, and those that an exported instance was given
	Base    int      `json:"base"`    // index in the list, -1: none
}

const describeClasses = `
	const list = [], at = new Map([[null, -1]]);
	for (const c of [Object, Function, Map, Set, Array, Promise, Error, RegExp, Date]) at.set(c.prototype, -1);
	const functions = (o) => Object.getOwnPropertyNames(o).filter((k) => k !== "constructor" && typeof Object.getOwnPropertyDescriptor(o, k).value === "function");
	function classOf(proto) {
		if (at.has(proto)) return at.get(proto);
		const base = classOf(Object.getPrototypeOf(proto));
		at.set(proto, list.push({name: proto.constructor.name, modules: [], methods: functions(proto), base}) - 1);
		return at.get(proto);
	}
	function note(proto, module, instance) {
		const c = list[classOf(proto)];
		if (!c) return;
		c.modules.push(module);
		if (instance) c.methods.push(...functions(instance).filter((k) => !/^class\b/.test(instance[k])));
	}
	for (const id of Object.keys(require("__debug").modulesMap)) {
		for (const value of Object.values(importNamespace(id))) {
			if (typeof value === "function" && value.prototype) note(value.prototype, id);
			if (typeof value === "object" && value) note(Object.getPrototypeOf(value), id, value);
			const model = value && (value.modelClass ?? value.model);
			if (typeof model === "function") classOf(model.prototype);
		}
	}
	return list;`

// TestThePagesClassesHaveNoMethodsOfTheirOwn: a method is in the contract's list for a module of its class, or it
// overrides one that is in the list of a class below. Another one a client could find by its name, and nothing on the
// real page would answer to it.
func TestThePagesClassesHaveNoMethodsOfTheirOwn(t *testing.T) {
	law := theContract(t)
	tb := openTab(t, openServer(t), t.TempDir())
	tb.until(`window.__d && require("__debug")`)
	var classes []class
	tb.eval(describeClasses, &classes)
	methods := 0
	for _, c := range classes {
		var known []string
		for b := c; ; b = classes[b.Base] {
			for _, module := range b.Modules {
				known = append(append(known, law.Methods[module]...), law.SeenMethods[module]...)
			}
			if b.Base < 0 {
				break
			}
		}
		for _, name := range c.Methods {
			if methods++; !slices.Contains(known, name) {
				t.Errorf("%s (%s) has the method %s, which the contract has not", c.Name, strings.Join(c.Modules, ", "), name)
			}
		}
	}
	if len(classes) < 40 || methods < 250 {
		t.Errorf("looked at %d methods of %d classes: is it the right page?", methods, len(classes))
	}
	t.Logf("%d methods of %d classes", methods, len(classes))
}
