package sandbox_test

import (
	"testing"

	"kurir/sandbox"
)

// TestAMissedCallIsInItsChat rings, and finds the call in the page by WhatsApp's own function for the log of calls, under
// the id that it rang with.
func TestAMissedCallIsInItsChat(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := linked(t, s)
	id, err := s.Call(otherNumber, ownNumber, true)
	if err != nil {
		t.Fatal(err)
	}
	tb.until(`importNamespace("WAWebCallCollection").default.get(` + quoteJS(id) + `)`)
	tb.until(`(await importNamespace("WAWebDBMessageFindLocal").msgFindCallLog({count: 5})).length === 1`)
	var got []any
	tb.eval(`const [row] = await importNamespace("WAWebDBMessageFindLocal").msgFindCallLog({count: 5}), G = importNamespace("WAWebMsgGetters");
		const before = await importNamespace("WAWebDBMessageFindLocal").msgFindCallLog({count: 5, anchor: row.id});
		return [row.type, String(row.id.remote), G.getCallId(row), G.getIsVideoCall(row), G.getIsGroupCall(row), before.length]`, &got)
	want := []any{"call_log", otherNumber + "@c.us", id, true, false, 0.0}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("got %v, want %v", got, want)
			break
		}
	}
}

// TestADownloadThatFailedCanBeTriedAgain: a network that fails and a server that is ill leave a file to be fetched; only one
// that the server has not is missing.
func TestADownloadThatFailedCanBeTriedAgain(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := linked(t, s)
	m := sandbox.Message{ID: sandbox.NewMessageID(), Mimetype: "application/pdf", Data: []byte("isi"), Filename: "a.pdf"}
	if err := s.SendFrom(otherNumber, ownNumber, m); err != nil {
		t.Fatal(err)
	}
	get := `importNamespace("WAWebMsgCollection").MsgCollection.get(` + quoteJS("false_"+otherNumber+"@c.us_"+m.ID) + `)`
	tb.until(get)
	for _, tt := range []struct {
		fault *sandbox.Fault
		stage string
	}{
		{&sandbox.Fault{Name: sandbox.FaultDownloadFail}, "NEED_POKE"},
		{&sandbox.Fault{Name: sandbox.FaultDownloadFail, Code: 503}, "NEED_POKE"},
		{&sandbox.Fault{Name: sandbox.FaultDownloadGone}, "ERROR_MISSING"},
		{nil, "RESOLVED"},
	} {
		if tt.fault != nil {
			if _, err := s.SetFault(*tt.fault); err != nil {
				t.Fatal(err)
			}
		}
		var stage string
		tb.eval("const m = "+get+"; await m.downloadMedia(); return m.mediaData.mediaStage", &stage)
		if stage != tt.stage {
			t.Errorf("%+v: %s, want %s", tt.fault, stage, tt.stage)
		}
		s.ClearFaults()
	}
}
