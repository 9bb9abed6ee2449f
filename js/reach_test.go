package js_test

import (
	"strings"
	"testing"

	"kurir/sandbox"
)

type reached struct {
	Stream   string `json:"stream"`
	Answered bool   `json:"answered"`
	Detail   string `json:"detail"`
}

// reach asks the server each time: an answer from before is not one.
func reach(t *testing.T, s *sandbox.Server, p *page) {
	for range 2 {
		if r := must[reached](p, "reach", nil); !r.Answered || r.Stream != "CONNECTED" {
			t.Errorf("reach %+v", r)
		}
	}
	f, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultOpHang, Op: "usync", Account: owner})
	check(t, err)
	if r := must[reached](p, "reach", m{"timeout_ms": 200}); r.Answered || !strings.Contains(r.Detail, "200 ms") {
		t.Errorf("reach of a server that does not answer: %+v", r)
	}
	s.ClearFault(f)
	if r := must[reached](p, "reach", nil); !r.Answered {
		t.Errorf("reach %+v", r)
	}
}
