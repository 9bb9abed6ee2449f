package sandbox_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"kurir/sandbox"
)

// The notes on the real WhatsApp Web (waweb/notes.md) and where each is held. Rows without a test name are in the
// tables of TestNotes (a linked page), TestNotesBeforeLinking and TestNotesOnStates, under the note's own words.
//
//	ids, keys, sent ids, own account            TestNotes
//	LID chats before migration                  TestNotes, TestGroupsLIDsAndQuotes
//	LID chats after migration                   TestLIDChatsAfterMigration
//	chats live in IndexedDB first               TestNotes
//	a created chat brings an e2e_notification   TestNotes, TestACreatedChatBringsASystemMessage
//	chat.name, body of an image                 TestNotes
//	acks and their order                        TestNotes, TestWAJSSendsThroughThePage; groups: TestGroupsLIDsAndQuotes
//	a failed send resolves                      TestASendThatFailedResolves
//	offline, calls hang for ever                TestCallsHangWhileTheSocketIsDown
//	types, states                               TestNotes
//	Stream.mode stays MAIN, login order         TestNotesOnStates
//	replaced, second tab                        TestASecondTabTakesOver
//	messages are locked until success           TestMessagesAreLockedUntilSuccess
//	six refs, 60 s then 20 s, UNPAIRED_IDLE     TestRefsEndInIdle
//	device_removed                              TestDeviceRemovedLeadsToPostLogout
//	absent on this build                        TestThePageObeysTheContract, TestEachBindingFindsTheRealModule
//	require and importNamespace                 TestNotesBeforeLinking
//	factories without side effects, any order   TestFactoriesRunInAnyOrder
//	namespaces are mutable, wraps take effect   TestNotes
//	models and collections are event emitters   TestNotes
//	MediaData, Conn.ref, MsgKey without "me"    TestNotes, TestNotesBeforeLinking
//	a passkey while linking                     TestAPasskeyIsAskedForWhileLinking
//	change:hasSynced is missed when late        TestNotes
//
// Not held here: the weight of the real page, and what Chromium does with a profile (browser's tests).

// note is a sentence of the notes and JavaScript that returns what shows it.
type note struct{ says, js, want string }

func check(t *testing.T, tb *tab, notes []note) {
	t.Helper()
	for _, n := range notes {
		t.Run(n.says, func(t *testing.T) {
			sub := *tb
			sub.t = t
			var got any
			sub.eval("const N = importNamespace, other = "+quoteJS(otherNumber+"@c.us")+", own = "+quoteJS(ownNumber+"@c.us")+";"+n.js, &got)
			if s := fmt.Sprint(got); s != n.want {
				t.Errorf("%s, want %s", s, n.want)
			}
		})
	}
}

func TestNotesBeforeLinking(t *testing.T) {
	tb := openTab(t, openServer(t), t.TempDir(), waScript(t))
	tb.until(`window.WPP && WPP.isFullReady && document.querySelector("[data-ref]")`)
	check(t, tb, []note{
		{"require gives a module's default, importNamespace the namespace", `return [require("WAWebMsgKey") === N("WAWebMsgKey").default, require("WAWebChatCollection") === N("WAWebChatCollection")].join()`, "true,true"},
		{"MsgKey throws when there is no me", `try { new (N("WAWebMsgKey").default)({fromMe: true, remote: other, id: "3EB0"}); return "made" } catch (e) { return e.message }`, "MsgKey error: no me user"},
		{"Stream.mode is QR when not registered, whatever the socket does", `return [N("WAWebStreamModel").Stream.mode, N("WAWebUserPrefsMultiDevice").isRegistered(), N("WAWebSocketModel").Socket.state].join()`, "QR,false,UNPAIRED"},
		{"conn.main_ready and full_ready fire at the QR page", `return WPP.isFullReady`, "true"},
		{"wa-js builds a QR of four parts, the page of five", `const four = await WPP.conn.getAuthCode(); return [four.fullCode.split(",").length, document.querySelector("[data-ref]").dataset.ref.split(",").length].join()`, "4,5"},
		{"conn.refreshQR throws: Cmd has no refreshQR", `try { await WPP.conn.refreshQR(); return "refreshed" } catch (e) { return e.name }`, "TypeError"},
		{"BackendEventBus.triggerRefreshQR refreshes", `const Conn = N("WAWebConnModel").Conn, before = Conn.ref; const changed = new Promise((r) => Conn.once("change:ref", r)); N("WAWebBackendEventBus").BackendEventBus.triggerRefreshQR(); await changed; return Conn.ref !== before`, "true"},
	})
}

func TestNotes(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{AddressBook: []sandbox.WireContact{{WID: "6281200000777@c.us", Name: "Ibu Sari"}}, Chats: 3, Contacts: 3, Messages: 9})
	tb := linked(t, s)
	check(t, tb, []note{
		{"createWid normalises to c.us", `return String(N("WAWebWidFactory").createWid("62811@s.whatsapp.net"))`, "62811@c.us"},
		{"fields of a wid", `const {user, server, device, _serialized} = N("WAWebWidFactory").createWid("62811:3@c.us"); return [user, server, device, _serialized].join()`, "62811,c.us,3,62811:3@c.us"},
		{"isUser is also true for lid", `const f = N("WAWebWidFactory").createWid; return [f("1@lid").isUser(), f("1@c.us").isUser(), f("1@g.us").isUser()].join()`, "true,true,false"},
		{"a message key prints fromMe_remote_id", `const K = N("WAWebMsgKey").default; return String(new K({fromMe: true, remote: other, id: "A"}))`, "true_" + otherNumber + "@c.us_A"},
		{"out only in the chat with oneself", `const K = N("WAWebMsgKey").default, w = N("WAWebWidFactory").createWid; return [other, own].map((to) => String(new K({from: w(own), to: w(to), id: "A", selfDir: "out"}))).join()`,
			"true_" + otherNumber + "@c.us_A,true_" + ownNumber + "@c.us_A_out"},
		{"participant in groups", `const K = N("WAWebMsgKey").default; return String(new K({fromMe: false, remote: "1@g.us", id: "A", participant: other}))`, "false_1@g.us_A_" + otherNumber + "@c.us"},
		{"sent ids are 3EB0 and 18 hex digits", `return /^3EB0[0-9A-F]{18}$/.test(N("WAWebMsgKey").default.newId())`, "true"},
		{"last-wid-md and WALid hold the own account", `return [JSON.parse(localStorage["last-wid-md"]).startsWith(own.split("@")[0]), JSON.parse(localStorage.WALid).endsWith("@lid")].join()`, "true,true"},
		{"Conn.ref is not cleared on link", `return typeof N("WAWebConnModel").Conn.ref`, "string"},
		{"a client that only listens misses change:hasSynced", `let heard = 0; N("WAWebSocketModel").Socket.on("change:hasSynced", () => heard++); await new Promise((r) => setTimeout(r)); return [heard, N("WAWebSocketModel").Socket.hasSynced].join()`, "0,true"},
		{"acks", `const {ACK} = N("WAWebAck"); return Object.values(ACK).join()`, "-6,-5,-4,-3,-2,-1,0,1,2,3,4,5"},
		{"types", `const {MSG_TYPE} = N("WAWebMsgType"); const all = Object.values(MSG_TYPE);
			return "chat image video audio ptt ptv document sticker location vcard multi_vcard album poll_creation poll_update reaction revoked ciphertext protocol e2e_notification gp2 notification_template call_log list list_response buttons_response interactive event_creation".split(" ").filter((x) => !all.includes(x)).join()`, ""},
		{"states of Socket.state", `return Object.keys(N("WAWebSocketConstants").SOCKET_STATE).sort().join(" ")`, "CONFLICT CONNECTED DEPRECATED_VERSION OPENING PAIRING PROXYBLOCK SCREEN_LOCKED SMB_TOS_BLOCK TOS_BLOCK UNLAUNCHED UNPAIRED UNPAIRED_IDLE"},
		{"states of Socket.stream", `return Object.keys(N("WAWebSocketConstants").SOCKET_STREAM).join(" ")`, "DISCONNECTED SYNCING RESUMING CONNECTED"},
		{"modes", `return Object.keys(N("WAWebStreamModel").StreamMode).join(" ")`, "QR MAIN SYNCING OFFLINE CONFLICT PROXYBLOCK TOS_BLOCK SMB_TOS_BLOCK DEPRECATED_VERSION"},
		{"infos", `return Object.keys(N("WAWebStreamModel").StreamInfo).join(" ")`, "OFFLINE OPENING PAIRING SYNCING RESUMING CONNECTING NORMAL"},
	})
	check(t, tb, notesOnChats)
	check(t, tb, notesOnModels)
	checkImageBody(t, tb)
}

var notesOnChats = []note{
	{"a chat that is only in memory cannot be sent to", `const w = N("WAWebWidFactory").createWid("6281200000999@c.us"), C = N("WAWebChatCollection").ChatCollection;
		const [chat] = C.add({id: w}, {silent: true});
		const me = N("WAWebUserPrefsMeUser").getMeUser(), K = N("WAWebMsgKey").default;
		const data = {id: new K({from: me, to: w, id: K.newId(), selfDir: "out"}), type: "chat", body: "x", from: me, to: w, t: 1, ack: 0};
		try { await N("WAWebSendMsgChatAction").addAndSendMsgToChat(chat, data, {})[0]; return "sent" } catch (e) { return e.message } finally { C.remove(chat) }`, "findChat: new chat not found"},
	{"creating a chat adds an e2e_notification without ack and body that fires chat.new_message and shows in getMessages", `
		const heard = new Promise((r) => WPP.once("chat.new_message", r));
		await WPP.chat.find(other);
		const m = await heard, shown = await WPP.chat.getMessages(other);
		return [m.type, m.ack, m.body, shown.length, shown[0].type].join()`, "e2e_notification,,,1,e2e_notification"},
	{"the chat is in IndexedDB", `const db = await new Promise((r) => { const q = indexedDB.open("model-storage"); q.onsuccess = () => r(q.result) });
		const row = await new Promise((r) => { const q = db.transaction("chat").objectStore("chat").get(other); q.onsuccess = () => r(q.result) }); db.close(); return row.id === other`, "true"},
	{"before migration a chat is c.us with accountLid", `const chat = WPP.chat.get(other); return [chat.id.server, chat.accountLid.server, N("WAWebLid1X1MigrationGating").Lid1X1MigrationUtils.isLidMigrated()].join()`, "c.us,lid,false"},
	{"chat.name is null for users, formattedTitle the formatted number", `const chat = WPP.chat.get(other); return [chat.name == null, chat.formattedTitle].join()`, "true,+62 812-9999-9999"},
	{"or the contact's name", `return (await WPP.chat.find("6281200000777@c.us")).formattedTitle`, "Ibu Sari"},
	{"order of a send: add with ack 0, new_msg_sent, change:ack 1, 2, 3", `
		const M = N("WAWebMsgCollection").MsgCollection, seen = [], mine = (m) => m?.body === "urut";
		const done = new Promise((r) => M.on("change:ack", (m) => { if (mine(m)) { seen.push(m.ack); if (m.ack === 3) r() } }));
		M.on("add", (m) => mine(m) && seen.push("add" + m.ack)); M.on("new_msg_sent", (m) => mine(m) && seen.push("sent"));
		await WPP.chat.sendTextMessage(other, "urut"); await done; return seen.join()`, "add0,sent,1,2,3"},
	{"a good send resolves with OK, t and count null", `const {sendMsgResult: r} = await WPP.chat.sendTextMessage(other, "baik"); return [r.messageSendResult, typeof r.t, r.count].join()`, "OK,number,"},
	{"for files just OK", `const r = await WPP.chat.sendFileMessage(other, new File(["x"], "a.txt", {type: "text/plain"}), {type: "document", waitForAck: true}); return JSON.stringify(await r.sendMsgResult)`, `{"messageSendResult":"OK"}`},
	{"chat.new_message fires for own messages too", `const heard = new Promise((r) => WPP.on("chat.new_message", (m) => m.body === "sendiri" && r(m.id.fromMe))); await WPP.chat.sendTextMessage(other, "sendiri"); return heard`, "true"},
}

var notesOnModels = []note{
	{"clients wrap functions by assigning to the namespace and the page calls the wrap", `
		const m = N("WAWebSendMsgJob"), plain = m.encryptAndSendMsg; let calls = 0;
		m.encryptAndSendMsg = (...a) => { calls++; return plain(...a) };
		await WPP.chat.sendTextMessage(other, "dibungkus"); m.encryptAndSendMsg = plain; return calls`, "1"},
	{"change:x has model, value, previous; lists; all; once; listenTo", `
		const E = new (N("WAWebEventEmitter").default)(), chat = WPP.chat.get(other), heard = [];
		const on = (m, v, p) => heard.push([m === chat, v, p].join());
		chat.on("change:archive change:active", on); E.listenTo(chat, "change:active", () => heard.push("listenTo")); chat.once("all", (name) => heard.push(name));
		chat.set("active", true); chat.set("active", false); chat.off("change:archive change:active", on); E.stopListening(chat); return heard.join(" ")`,
		"true,true,false listenTo change:active true,false,true listenTo"},
	{"events bubble to the collection", `const C = N("WAWebChatCollection").ChatCollection, chat = WPP.chat.get(other); let heard = 0; C.once("change:active", (m) => heard += m === chat); chat.set("active", true); chat.set("active", false); return heard`, "1"},
	{"and through children", `const m = WPP.chat.get(other).msgs.findLast((m) => m.type === "document"); let heard = ""; m.once("change:mediaData.mediaStage", (...a) => heard = a[1]); m.mediaData.set("mediaStage", "REUPLOADING"); return heard`, "REUPLOADING"},
	{"values are stored in __x_", `return WPP.chat.get(other).__x_id === WPP.chat.get(other).id`, "true"},
	{"what a model serialises is its props only", `const j = WPP.chat.get(other)["serial" + "ize"](); return ["id" in j, "active" in j, "contact" in j].join()`, "true,false,false"},
	{"collection.get goes through toString", `const C = N("WAWebChatCollection").ChatCollection; return C.get({toString: () => other}) === WPP.chat.get(other)`, "true"},
	{"MediaData has no id", `const m = WPP.chat.get(other).msgs.findLast((m) => m.type === "document"); return "id" in m.mediaData.toJSON()`, "false"},
	{"chat.promises, chat.mute, chat.presence, groupMetadata are there", `const chat = WPP.chat.get(other); return [typeof chat.promises, typeof chat.mute.mute, typeof chat.presence.subscribe].join()`, "object,function,function"},
	{"a model tells its kind by prototype.proxyName", `return [N("WAWebChatModel").Chat, N("WAWebMsgModel").Msg, N("WAWebContactModel").default].map((m) => m.prototype.proxyName).join()`, "chat,msg,contact"},
	{"a LID without a mapping throws", `try { await WPP.chat.sendTextMessage("999999@lid", "?"); return "sent" } catch (e) { return e.message.slice(0, 37) }`, "could not find phone number for lid 9"},
	{"queryExists is null for a number that is not on WhatsApp", `return WPP.contact.queryExists("6281100000001@c.us").then((r) => String(r))`, "null"},
}

// An image message's body is its base64 thumbnail.
func checkImageBody(t *testing.T, tb *tab) {
	t.Helper()
	var body string
	tb.eval(`const canvas = document.createElement("canvas"); canvas.width = canvas.height = 300;
		const blob = await new Promise((r) => canvas.toBlob(r, "image/png"));
		const r = await WPP.chat.sendFileMessage("`+otherNumber+`@c.us", new File([blob], "a.png", {type: "image/png"}), {type: "image", waitForAck: true});
		return WPP.whatsapp.MsgStore.get(r.id).body`, &body)
	if jpeg, err := base64.StdEncoding.DecodeString(body); err != nil || !strings.HasPrefix(string(jpeg), "\xff\xd8\xff") {
		t.Errorf("the body of an image is %.30q: %v", body, err)
	}
}

// recorder keeps, across navigations, what the socket and the stream went through.
const recorder = `
	const note = (x) => sessionStorage.setItem("seen", (sessionStorage.getItem("seen") ?? "") + " " + x);
	let d;
	Object.defineProperty(window, "__d", {configurable: true, get: () => d, set(value) { // all is defined, nothing has begun
		d = value;
		const Socket = importNamespace("WAWebSocketModel").Socket, Stream = importNamespace("WAWebStreamModel").Stream;
		Socket.on("change:state", (m, v) => note(v)); Socket.on("change:stream", (m, v) => note("stream:" + v)); Stream.on("change:mode", (m, v) => note("mode:" + v));
		importNamespace("WAWebBackendEventBus").BackendEventBus.on("starting_logout", () => note("starting_logout"));
	}});`

func (tb *tab) seen() string {
	var seen string
	tb.eval(`const seen = sessionStorage.getItem("seen") ?? ""; sessionStorage.removeItem("seen"); return seen`, &seen)
	return strings.TrimSpace(seen)
}

func TestNotesOnStates(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	profile := t.TempDir()
	tb := openTab(t, s, profile, recorder)
	tb.link(s, ownNumber)
	tb.seen()
	tb.page.MustReload()
	tb.until(`importNamespace("WAWebSocketModel").Socket.stream === "CONNECTED"`)
	if seen := tb.seen(); seen != "mode:SYNCING OPENING PAIRING CONNECTED stream:SYNCING stream:CONNECTED mode:MAIN" {
		t.Errorf("a login goes through %s", seen)
	}
	id, err := s.SetFault(sandbox.Fault{Name: sandbox.FaultDropSocket, Seconds: 60})
	if err != nil {
		t.Fatal(err)
	}
	tb.until(`importNamespace("WAWebSocketModel").Socket.stream === "DISCONNECTED"`)
	s.ClearFault(id)
	tb.until(`importNamespace("WAWebSocketModel").Socket.stream === "CONNECTED"`)
	if seen := tb.seen(); strings.Contains(seen, "mode:") || !strings.Contains(seen, "stream:DISCONNECTED") || !strings.Contains(seen, "stream:RESUMING") {
		t.Errorf("a reconnect goes through %s", seen)
	}
}

func TestDeviceRemovedLeadsToPostLogout(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	tb := openTab(t, s, t.TempDir(), recorder)
	tb.link(s, ownNumber)
	tb.seen()
	if err := s.Unlink(ownNumber); err != nil {
		t.Fatal(err)
	}
	tb.until(`location.search.startsWith("?post_logout=1&logout_reason=") && importNamespace("WAWebSocketModel").Socket.state === "UNPAIRED"`)
	if seen := tb.seen(); !strings.HasPrefix(seen, "starting_logout stream:DISCONNECTED mode:SYNCING mode:QR") {
		t.Errorf("a removed device goes through %s", seen)
	}
	var left string
	tb.eval(`return JSON.stringify([localStorage.getItem("last-wid-md"), localStorage.getItem("WALid"), importNamespace("WAWebStreamModel").Stream.mode])`, &left)
	if left != `[null,null,"QR"]` {
		t.Errorf("what is left: %s", left)
	}
}

func TestFactoriesRunInAnyOrder(t *testing.T) {
	// The page's own start evaluates what it needs in its order; here everything is evaluated before that, backwards.
	tb := openTab(t, openServer(t), t.TempDir(), `
		let d;
		Object.defineProperty(window, "__d", {configurable: true, get: () => d, set(value) {
			d = value;
			window.thrown = [];
			const before = Object.keys(localStorage).length;
			for (const id of Object.keys(require("__debug").modulesMap).reverse()) try { importNamespace(id) } catch (e) { thrown.push(id + ": " + e.message) }
			if (Object.keys(localStorage).length !== before) thrown.push("something was stored");
			const gone = Object.keys(require("__debug").modulesMap).filter((id) => importNamespace(id) !== importNamespace(id));
			thrown.push(...gone);
		}});`)
	tb.until(`window.thrown && document.querySelector("[data-ref]")`)
	var thrown []string
	tb.eval("return thrown", &thrown)
	if len(thrown) > 0 {
		t.Errorf("evaluated backwards: %s", strings.Join(thrown, "\n"))
	}
	var again string
	tb.eval(`let runs = 0; __d("WAKurirTest", [], () => { runs++; throw new Error("no") }); for (const i of [1, 2]) try { require("WAKurirTest") } catch {} return String(runs)`, &again)
	if again != "2" {
		t.Errorf("a throwing factory ran %s times, want again on every try", again)
	}
}
