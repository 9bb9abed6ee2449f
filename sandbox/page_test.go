package sandbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kurir/sandbox"
)

const (
	ownNumber   = "6281200000001"
	otherNumber = "6281299999999"
)

// world opens a server with the account that is linked and somebody to write to.
func world(t *testing.T, own sandbox.PhoneSpec) *sandbox.Server {
	t.Helper()
	s := openServer(t)
	own.Number, own.Name = ownNumber, "Me"
	for _, spec := range []sandbox.PhoneSpec{own, {Number: otherNumber, Name: "Other", AutoRead: true}} {
		if _, err := s.CreatePhone(spec); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// arrived waits until the other phone has n messages.
func arrived(t *testing.T, s *sandbox.Server, n int) []sandbox.Received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	inbox, err := s.WaitInbox(ctx, otherNumber, func(r []sandbox.Received) bool {
		ready := len(r) >= n
		for _, m := range r {
			ready = ready && !m.Fetching
		}
		return ready
	})
	if err != nil {
		t.Fatalf("the phone has %d of %d messages: %v", len(inbox), n, err)
	}
	return inbox
}

func TestWAJSSendsThroughThePage(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := openTab(t, s, t.TempDir(), waScript(t))
	tb.until("window.WPP && WPP.isFullReady")
	tb.link(s, ownNumber)

	var sent struct {
		ID            string
		Ack           int
		SendMsgResult struct{ MessageSendResult string }
	}
	tb.eval(fmt.Sprintf(`
		window.acks = [];
		importNamespace("WAWebMsgCollection").MsgCollection.on("change:ack", (m) => acks.push(m.ack));
		return WPP.chat.sendTextMessage("%s@c.us", "halo", {createChat: true, messageId: "true_%s@c.us_3EB0000000000000000001"})`, otherNumber, otherNumber), &sent)
	if sent.SendMsgResult.MessageSendResult != "OK" || sent.Ack < 1 {
		t.Fatalf("send resolved with %+v", sent)
	}
	inbox := arrived(t, s, 1)
	if inbox[0].Body != "halo" || inbox[0].ID != "3EB0000000000000000001" || inbox[0].Copies != 1 {
		t.Errorf("the phone received %+v", inbox[0])
	}
	tb.until(`acks.join() === "1,2,3"`)

	var hash string
	tb.eval(fmt.Sprintf(`
		const bytes = crypto.getRandomValues(new Uint8Array(5e4)).slice();
		await WPP.chat.sendFileMessage("%s@c.us", new File([bytes], "a.bin", {type: "application/octet-stream"}), {type: "document", caption: "lihat"});
		return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((b) => b.toString(16).padStart(2, "0")).join("")`, otherNumber), &hash)
	file := arrived(t, s, 2)[1]
	if file.SHA256 != hash || file.Caption != "lihat" || file.Filename != "a.bin" || file.Size != 50_000 {
		t.Errorf("the phone received %+v, sent was a.bin with sha256 %s", file, hash)
	}
	tb.quiet()
}

func TestTheLinkAndWhatWasNotAckedSurviveAReload(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	profile := t.TempDir()
	tb := openTab(t, s, profile, waScript(t))
	tb.until("window.WPP && WPP.isFullReady")
	tb.link(s, ownNumber)
	if _, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultNoAck, Number: otherNumber, Count: 1}); err != nil {
		t.Fatal(err)
	}
	tb.eval(fmt.Sprintf(`WPP.chat.sendTextMessage("%s@c.us", "sekali", {createChat: true}); return 1`, otherNumber), nil)
	arrived(t, s, 1)
	tb.close()

	tb = openTab(t, s, profile, waScript(t))
	tb.until(`window.WPP && WPP.isFullReady && importNamespace("WAWebStreamModel").Stream.mode === "MAIN"`)
	tb.until(fmt.Sprintf(`(await WPP.chat.getMessages("%s@c.us", {count: 1}))[0]?.ack >= 1`, otherNumber))
	inbox := arrived(t, s, 1)
	if len(inbox) != 1 || inbox[0].Copies < 2 {
		t.Errorf("want one message that came twice, have %+v", inbox)
	}
	tb.quiet()
}

func TestASendThatFailedResolves(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := openTab(t, s, t.TempDir(), waScript(t))
	tb.until("window.WPP && WPP.isFullReady")
	tb.link(s, ownNumber)
	if _, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultSendError, Code: 500, Number: otherNumber}); err != nil {
		t.Fatal(err)
	}
	var result string
	tb.eval(fmt.Sprintf(`const r = await WPP.chat.sendTextMessage("%s@c.us", "tidak"); return r.ack + r.sendMsgResult.messageSendResult`, otherNumber), &result)
	if result != "0ERROR_UNKNOWN" {
		t.Errorf("a refused send resolved with %q", result)
	}
}

func TestACreatedChatBringsASystemMessage(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := openTab(t, s, t.TempDir(), waScript(t))
	tb.until("window.WPP && WPP.isFullReady")
	tb.link(s, ownNumber)
	var types string
	tb.eval(fmt.Sprintf(`await WPP.chat.find("%[1]s@c.us"); return (await WPP.chat.getMessages("%[1]s@c.us")).map((m) => m.type).join()`, otherNumber), &types)
	if types != "e2e_notification" {
		t.Errorf("a new chat shows %q", types)
	}
}

func TestAMessageComesInAndIsRead(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := openTab(t, s, t.TempDir(), waScript(t))
	tb.until("window.WPP && WPP.isFullReady")
	tb.link(s, ownNumber)
	tb.eval(`window.news = []; WPP.on("chat.new_message", (m) => news.push(m.type + ":" + m.body)); return 1`, nil)
	if err := s.SendFrom(otherNumber, ownNumber, sandbox.Message{Body: "masuk"}); err != nil {
		t.Fatal(err)
	}
	tb.until(`news.includes("chat:masuk")`)
	tb.until(fmt.Sprintf(`WPP.chat.get("%s@c.us").unreadCount === 1`, otherNumber))
	tb.eval(fmt.Sprintf(`return WPP.chat.markIsRead("%s@c.us")`, otherNumber), nil)
	tb.until(fmt.Sprintf(`WPP.chat.get("%s@c.us").unreadCount === 0`, otherNumber))
	tb.quiet()
}

func TestAPhoneThatRemovesTheDeviceEndsThePage(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := openTab(t, s, t.TempDir(), waScript(t))
	tb.link(s, ownNumber)
	if err := s.Unlink(ownNumber); err != nil {
		t.Fatal(err)
	}
	tb.until(`location.search.startsWith("?post_logout=1&logout_reason=")`)
	tb.until(`document.querySelector("[data-ref]")`)
}

// slowClock lets a test run the page's long timers: they are kept in later, with their delays, until rang.
const slowClock = `
	const plain = setTimeout, clear = clearTimeout;
	window.later = [];
	window.setTimeout = (f, ms, ...args) => (ms >= 10000 ? -later.push({f, ms}) : plain(f, ms, ...args));
	window.clearTimeout = (id) => (id < 0 ? delete later[-id - 1] : clear(id));
	window.ring = () => { const i = later.findIndex((x) => x); const {f, ms} = later[i]; delete later[i]; f(); return ms };`

func TestRefsEndInIdle(t *testing.T) {
	tb := openTab(t, openServer(t), t.TempDir(), slowClock)
	seen := map[string]bool{}
	for i, want := range []int{60_000, 20_000, 20_000, 20_000, 20_000, 20_000} {
		shown := `document.querySelector("[data-ref]")?.dataset.ref`
		tb.until(`importNamespace("WAWebConnModel").Conn.ref && ` + shown + `?.startsWith(importNamespace("WAWebConnModel").Conn.ref + ",") && later.some((x) => x)`)
		var ref string
		tb.eval("return "+shown, &ref)
		if seen[ref] || len(strings.Split(ref, ",")) != 5 {
			t.Errorf("ref %d is %q: shown before, or not of five parts", i, ref)
		}
		seen[ref] = true
		var lived int
		tb.eval("return ring()", &lived)
		if lived != want {
			t.Errorf("ref %d lives %d ms, want %d", i, lived, want)
		}
	}
	tb.until(`importNamespace("WAWebSocketModel").Socket.state === "UNPAIRED_IDLE" && !document.querySelector("[data-ref]")`)
}
