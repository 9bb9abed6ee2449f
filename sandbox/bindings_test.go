package sandbox_test

import (
	"encoding/json"
	"os"
	"testing"
)

// elsewhere are bindings that two modules of the contract fit. The contract is in alphabetical order and the real page
// is not; the page has the one that WhatsApp's own code works with.
var elsewhere = map[string]string{
	"enums.MSG_TYPE":             "WAWebMsgType", // before WAMsgType, which has other names in it and no CALL_LOG
	"enums.SYSTEM_MESSAGE_TYPES": "WAWebMsgType", // neither has it
	"functions.setArchive":       "WAWebSetArchiveChatAction",
}

// TestEachBindingFindsTheRealModule evaluates wa-js, unmodified, in the page and asks each of its bindings where it
// found its module. That must be the module that it finds when it looks through the whole contract
// (testdata/bindings.json, by page/bindings.mjs), or none: never one that fits only because the simulator is made so.
func TestEachBindingFindsTheRealModule(t *testing.T) {
	var real struct{ Bindings map[string]*string }
	readJSON(t, "testdata/bindings.json", &real)
	walk, err := os.ReadFile("page/bindings-walk.js")
	if err != nil {
		t.Fatal(err)
	}
	tb := openTab(t, openServer(t), t.TempDir())
	tb.until(`window.__d && require("__debug")`)
	var page map[string]*string
	tb.eval("(0, eval)("+quoteJS(waScript(t))+"); return ("+string(walk)+")(window)", &page)
	found := 0
	for name, module := range page {
		want, known := real.Bindings[name]
		switch {
		case module == nil:
		case !known:
			t.Errorf("%s is new: run node sandbox/page/bindings.mjs", name)
		case want == nil:
			t.Errorf("%s finds %s, and in the real build nothing", name, *module)
		case elsewhere[name] == *module:
			found++
		case *want != *module:
			t.Errorf("%s finds %s, in the real build %s", name, *module, *want)
		default:
			found++
		}
	}
	if found < 150 {
		t.Errorf("only %d bindings of wa-js find their module", found)
	}
}

func quoteJS(s string) string {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return string(b)
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name) //nolint:gosec // a file whose name the test itself made or knows
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
