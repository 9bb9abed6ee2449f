package sandbox_test

import (
	"fmt"
	"strings"
	"testing"

	"kurir/sandbox"
)

// linked is a page with wa-js, linked to ownNumber.
func linked(t *testing.T, s *sandbox.Server) *tab {
	t.Helper()
	tb := openTab(t, s, t.TempDir(), waScript(t))
	tb.until("window.WPP && WPP.isFullReady")
	tb.link(s, ownNumber)
	return tb
}

func TestAPairingCodeLinks(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := openTab(t, s, t.TempDir(), waScript(t))
	tb.until("window.WPP && WPP.isFullReady")
	var code string
	tb.eval(fmt.Sprintf(`return WPP.conn.genLinkDeviceCodeForPhoneNumber("%s")`, ownNumber), &code)
	if len(code) != 8 {
		t.Fatalf("the pairing code is %q", code)
	}
	if err := s.EnterCode(ownNumber, code); err != nil {
		t.Fatal(err)
	}
	tb.until(`importNamespace("WAWebSocketModel").Socket.hasSynced`)
}

func TestAPasskeyIsAskedForWhileLinking(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	if _, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultPasskey}); err != nil {
		t.Fatal(err)
	}
	tb := openTab(t, s, t.TempDir(), `window.asked = 0; navigator.credentials.get = () => { asked++; return new Promise(() => {}) }`)
	tb.until(`document.querySelector("[data-ref] canvas")`)
	var qr string
	tb.eval(`return document.querySelector("[data-ref]").dataset.ref`, &qr)
	if err := s.Scan(ownNumber, qr); err != nil {
		t.Fatal(err)
	}
	tb.until(`asked === 1 && importNamespace("WAWebStreamModel").Stream.mode === "QR"`)
	s.ClearFaults()
	tb.until(`importNamespace("WAWebSocketModel").Socket.hasSynced`)
}

func TestGroupsLIDsAndQuotes(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	group, err := s.CreateGroup(ownNumber, "Keluarga", []string{otherNumber})
	if err != nil {
		t.Fatal(err)
	}
	tb := linked(t, s)
	tb.until(fmt.Sprintf(`WPP.chat.get("%s")`, group))
	tb.eval(fmt.Sprintf(`return WPP.chat.sendTextMessage("%s", "ke grup")`, group), nil)
	if got := arrived(t, s, 1)[0]; got.Body != "ke grup" || got.Chat != group {
		t.Errorf("the member received %+v", got)
	}
	tb.until(fmt.Sprintf(`(await WPP.chat.getMessages("%s", {count: 1}))[0].ack === 3`, group))

	var to string
	tb.eval(fmt.Sprintf(`
		const {wid, lid} = await WPP.contact.queryExists("%s@c.us");
		const first = await WPP.chat.sendTextMessage(lid.toString(), "lewat lid", {createChat: true});
		await WPP.chat.sendTextMessage(wid.toString(), "jawab", {quotedMsg: first.id});
		return first.to`, otherNumber), &to)
	if to != otherNumber+"@c.us" {
		t.Errorf("a send to the LID went to %s", to)
	}
	if inbox := arrived(t, s, 3); inbox[2].Quoted == nil || inbox[2].Quoted.ID != inbox[1].ID {
		t.Errorf("the answer quotes %+v", inbox[2].Quoted)
	}
	if err := tb.tryEval(`return WPP.chat.sendTextMessage("999999@lid", "?")`, nil); err == nil || !strings.Contains(err.Error(), "could not find phone number for lid") {
		t.Errorf("a LID without a number: %v", err)
	}
	tb.quiet()
}

func TestAFileComesInAsItWas(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := linked(t, s)
	content := strings.Repeat("tidak benar-benar gambar ", 1000)
	if err := s.SendFrom(otherNumber, ownNumber, sandbox.Message{Type: "document", Body: "laporan", Filename: "a.txt", Mimetype: "text/plain", Data: []byte(content)}); err != nil {
		t.Fatal(err)
	}
	chat := fmt.Sprintf(`WPP.chat.get("%s@c.us")`, otherNumber)
	tb.until(chat + `?.msgs.last()?.type === "document"`)
	var got string
	tb.eval(`return (await WPP.chat.downloadMedia(`+chat+`.msgs.last().id.toString())).text()`, &got)
	if got != content {
		t.Errorf("downloaded %d bytes, sent were %d", len(got), len(content))
	}
	tb.quiet()
}

func TestCallsHangWhileTheSocketIsDown(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := linked(t, s)
	tb.eval(fmt.Sprintf(`return WPP.chat.find("%s@c.us").then(() => 1)`, otherNumber), nil)
	id, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultDropSocket, Seconds: 60})
	if err != nil {
		t.Fatal(err)
	}
	tb.until(`importNamespace("WAWebSocketModel").Socket.stream === "DISCONNECTED"`)
	tb.eval(fmt.Sprintf(`window.sent = 0; WPP.chat.sendTextMessage("%s@c.us", "nanti").then(() => sent = 1); return 1`, otherNumber), nil)
	tb.until(fmt.Sprintf(`WPP.chat.get("%s@c.us").msgs.last().body === "nanti" && sent === 0 && importNamespace("WAWebStreamModel").Stream.mode === "MAIN"`, otherNumber))
	s.ClearFault(id)
	tb.until(`sent === 1`)
	if inbox := arrived(t, s, 1); len(inbox) != 1 || inbox[0].Body != "nanti" {
		t.Errorf("the phone received %+v", inbox)
	}
}

func TestASecondTabTakesOver(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := linked(t, s)
	tb.browser.MustPage("https://web.whatsapp.com/")
	tb.until(`importNamespace("WAWebSocketModel").Socket.stream === "DISCONNECTED"`)
	var state string
	tb.eval(`const socket = importNamespace("WAWebSocketModel").Socket; return [socket.state, importNamespace("WAWebStreamModel").Stream.mode, socket.hasSynced].join()`, &state)
	if state != "CONNECTED,MAIN,true" {
		t.Errorf("the old tab says %s", state)
	}
}

func TestMessagesAreLockedUntilSuccess(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{Chats: 3, Contacts: 3, Messages: 30})
	profile := t.TempDir()
	tb := openTab(t, s, profile, waScript(t))
	tb.link(s, ownNumber)
	tb.until(`importNamespace("WAWebChatCollection").ChatCollection.length >= 3`)
	tb.close()
	if _, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultOpHang, Op: "hello"}); err != nil {
		t.Fatal(err)
	}
	tb = openTab(t, s, profile, waScript(t))
	tb.until(`window.WPP?.isInjected && importNamespace("WAWebSocketModel").Socket.state === "PAIRING"`)
	var state string
	tb.eval(`return [importNamespace("WAWebChatCollection").ChatCollection.length, importNamespace("WAWebStreamModel").Stream.mode, WPP.conn.isRegistered()].join()`, &state)
	if state != "0,SYNCING,true" {
		t.Errorf("a linked page without the server's success says %s", state)
	}
}
