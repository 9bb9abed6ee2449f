package app_test

import (
	"testing"
	"time"

	"kurir/app"
	"kurir/sandbox"
)

// TestRestrictionSurvivesARestart: WhatsApp's restriction is the account's. kurir obeys it from the first state after a
// restart on, without writing to somebody new to find out.
func TestRestrictionSurvivesARestart(t *testing.T) {
	world, dir := openWorld(t), t.TempDir()
	elsewhere := func(c *app.Config) { c.SandboxControl = world.ControlURL() }
	g := openGateway(t, dir, impatient, elsewhere)
	w := &ward{gateway: g, in: g.newInstance("dibatasi")}
	w.in.Number = "6281100000331"
	if _, err := world.CreatePhone(sandbox.PhoneSpec{Number: w.in.Number, Name: "Toko Batas"}); err != nil {
		t.Fatal(err)
	}
	w.says("SCAN_QR_CODE", "")
	if err := world.Scan(w.in.Number, w.qrText(w.in.ID)); err != nil {
		t.Fatal(err)
	}
	w.says("WORKING", "")
	first, second := w.stranger(), w.stranger()
	if _, err := world.SetFault(sandbox.Fault{Name: sandbox.FaultSendError, Number: first, Code: 463, UntilIn: 3600, Count: 1}); err != nil {
		t.Fatal(err)
	}
	w.post(first, "pertama")
	until := w.says("RESTRICTED", "first messages wait").Until
	g.close()

	g = openGateway(t, dir, impatient, elsewhere)
	w.gateway = g
	lines := w.open()
	if s := w.says("RESTRICTED", "first messages wait"); !s.Until.Equal(until) || time.Until(s.Until) < 50*time.Minute {
		t.Errorf("restricted until %s after the restart, %s before", s.Until, until)
	}
	for _, line := range lines() {
		if line == "WORKING" {
			t.Errorf("it worked without the restriction: %q", lines())
		}
	}
	id := w.post(second, "kedua")
	if m := w.waitMessage(id, "scheduled"); m.Code != "RESTRICTED" {
		t.Errorf("%+v", m)
	}
	if list, err := world.Inbox(second); err == nil && len(list) > 0 {
		t.Errorf("the phone received %+v", list)
	}
}
