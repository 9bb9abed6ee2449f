package sandbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"kurir/sandbox"
)

// waitHeld waits until a message is held at a step and returns its id.
func waitHeld(t *testing.T, s *sandbox.Server, at string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	h, err := s.WaitHeld(ctx)
	if err != nil || h.At != at || h.Chat != otherNumber+"@c.us" {
		t.Fatalf("held %+v %v, want %s", h, err, at)
	}
	return h.MessageID
}

// TestAMessageIsHeldAtEachStep looks at what the page has of a message at each step of a send, a text's and a file's.
func TestAMessageIsHeldAtEachStep(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := linked(t, s)
	tb.eval(fmt.Sprintf(`
		window.text = () => WPP.chat.sendTextMessage("%[1]s@c.us", "langkah", {createChat: true});
		window.file = () => WPP.chat.sendFileMessage("%[1]s@c.us", new File([new Uint8Array(2e4)], "a.bin"), {type: "document", createChat: true});
		const ask = (r) => new Promise((ok, no) => { r.onsuccess = () => ok(r.result); r.onerror = no });
		const db = await ask(indexedDB.open("model-storage"));
		window.stored = async (id) => (await ask(db.transaction("message").objectStore("message").getAllKeys())).some((k) => k.endsWith("_" + id));
		window.shown = (id) => importNamespace("WAWebMsgCollection").MsgCollection.some((m) => m.id.id === id);
		window.done = 0;
		await WPP.chat.find("%[1]s@c.us")`, otherNumber), nil)
	n := 0
	for _, kind := range []string{"text", "file"} {
		for _, step := range []struct {
			at                 string
			shown, stored, got bool
		}{
			{sandbox.BeforeAdd, false, false, false},
			{sandbox.AfterAdd, true, false, false},
			{sandbox.AfterStorage, true, true, false},
			{sandbox.AfterWire, true, true, false},
			{sandbox.BeforeAck, true, true, true},
		} {
			if _, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultHoldMessage, At: step.at, Number: otherNumber, Count: 1}); err != nil {
				t.Fatal(err)
			}
			tb.eval(kind+"().then(() => done++); return 1", nil)
			id := waitHeld(t, s, step.at)
			var shown, stored bool
			tb.eval("return shown('"+id+"')", &shown)
			tb.eval("return stored('"+id+"')", &stored)
			inbox, err := s.Inbox(otherNumber)
			if got := len(inbox) == n+1; err != nil || shown != step.shown || stored != step.stored || got != step.got {
				t.Errorf("%s at %s: shown %v, stored %v, received %v, %v", kind, step.at, shown, stored, got, err)
			}
			s.Release(id)
			n++
			tb.until(fmt.Sprintf("done === %d", n))
			if last := arrived(t, s, n)[n-1]; last.ID != id || last.Copies != 1 {
				t.Errorf("%s at %s: the phone received %+v", kind, step.at, last)
			}
		}
	}
	tb.quiet()
}

// TestAHeldStepEndsWithItsStream is a page that loses its stream while a message waits at a step: it goes on by itself.
func TestAHeldStepEndsWithItsStream(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := linked(t, s)
	for i, at := range []string{sandbox.BeforeAdd, sandbox.AfterAdd, sandbox.AfterStorage} {
		if _, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultHoldMessage, At: at, Count: 1}); err != nil {
			t.Fatal(err)
		}
		tb.eval(fmt.Sprintf(`WPP.chat.sendTextMessage("%s@c.us", "putus", {createChat: true}); return 1`, otherNumber), nil)
		waitHeld(t, s, at)
		if _, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultDropSocket}); err != nil {
			t.Fatal(err)
		}
		if inbox := arrived(t, s, i+1); len(inbox) != i+1 || inbox[i].Copies != 1 {
			t.Errorf("%s: the phone received %+v", at, inbox)
		}
	}
}
