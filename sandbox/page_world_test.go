package sandbox_test

import (
	"fmt"
	"os"
	"testing"

	"kurir/sandbox"
)

// The past is whole: every message once, oldest to newest, after linking and after a restart of Chromium. It goes with
// the profile.
func TestTheLinkAndTheMessagesLiveInTheProfile(t *testing.T) {
	const messages = 1500
	s := world(t, sandbox.PhoneSpec{Chats: 5, Contacts: 5, Messages: messages, Seed: 3})
	profile := t.TempDir()
	tb := openTab(t, s, profile, waScript(t))
	tb.link(s, ownNumber)
	tb.until(`window.WPP?.isFullReady && (await new Promise((r) => { const q = indexedDB.open("model-storage"); q.onsuccess = () => {
		const get = q.result.transaction("sync-state").objectStore("sync-state").get("history"); get.onsuccess = () => { q.result.close(); r(get.result) } } }))`)
	const all = `
		const chats = await WPP.chat.list();
		let ids = [], ordered = true;
		for (const chat of chats) {
			const list = await WPP.chat.getMessages(chat.id, {count: -1});
			ids.push(...list.map((m) => String(m.id)));
			ordered &&= list.every((m, i) => i === 0 || m.t >= list[i - 1].t);
		}
		return [chats.length, ids.length, new Set(ids).size, ordered].join()`
	want := fmt.Sprintf("5,%d,%d,true", messages, messages)
	var got string
	if tb.eval(all, &got); got != want {
		t.Errorf("after linking the page has %s, want %s", got, want)
	}
	tb.close()

	tb = openTab(t, s, profile, waScript(t))
	tb.until(`window.WPP?.isFullReady && importNamespace("WAWebSocketModel").Socket.stream === "CONNECTED"`)
	if tb.eval(all, &got); got != want {
		t.Errorf("after a restart the page has %s, want %s", got, want)
	}
	tb.close()

	if err := os.RemoveAll(profile); err != nil {
		t.Fatal(err)
	}
	tb = openTab(t, s, profile)
	tb.until(`document.querySelector("[data-ref] canvas") && importNamespace("WAWebStreamModel").Stream.mode === "QR"`)
}

// A message of the past that nobody has looked at can be changed.
func TestThePastCanBeChanged(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{Chats: 2, Contacts: 2, Messages: 200, Seed: 4})
	tb := linked(t, s)
	tb.until(`WPP.whatsapp.ChatStore.length >= 2 && WPP.whatsapp.ChatStore.every((c) => c.lastReceivedKey)`)
	var got string
	tb.eval(`
		const chat = WPP.whatsapp.ChatStore.getModelsArray()[0];
		const [first] = (await WPP.chat.getMessages(chat.id, {count: -1}));
		const {messages: [msg]} = await WPP.whatsapp.MsgStore.getMessagesById([String(first.id)]);
		await WPP.chat.starMessage(String(msg.id), true);
		const again = await WPP.chat.getMessages(chat.id, {count: -1});
		return [String(again[0].id) === String(first.id), again[0].star].join()`, &got)
	if got != "true,true" {
		t.Errorf("the oldest message, starred: %s", got)
	}
	tb.quiet()
}

func TestSeveralAccountsAtOnce(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{})
	const third = "6281200000003"
	if _, err := s.CreatePhone(sandbox.PhoneSpec{Number: third, Name: "Toko", Business: true}); err != nil {
		t.Fatal(err)
	}
	one := linked(t, s)
	two := openTab(t, s, t.TempDir(), waScript(t))
	two.until("window.WPP && WPP.isFullReady")
	two.link(s, third)
	one.eval(fmt.Sprintf(`return WPP.chat.sendTextMessage("%s@c.us", "dari satu", {createChat: true})`, third), nil)
	two.until(fmt.Sprintf(`WPP.chat.get("%s@c.us")?.msgs.last()?.body === "dari satu"`, ownNumber))
	two.eval(fmt.Sprintf(`return WPP.chat.sendTextMessage("%s@c.us", "dari dua")`, ownNumber), nil)
	one.until(fmt.Sprintf(`WPP.chat.get("%s@c.us").msgs.last().body === "dari dua"`, third))
	var business bool
	one.eval(fmt.Sprintf(`return (await WPP.contact.queryExists("%s@c.us")).biz`, third), &business)
	if !business {
		t.Error("a business account does not show as one")
	}
	one.quiet()
	two.quiet()
}

func TestLIDChatsAfterMigration(t *testing.T) {
	s := world(t, sandbox.PhoneSpec{Chats: 4, Contacts: 4, Messages: 40, Seed: 5})
	profile := t.TempDir()
	tb := openTab(t, s, profile, waScript(t))
	tb.until("window.WPP && WPP.isFullReady")
	tb.link(s, ownNumber)
	tb.eval(fmt.Sprintf(`return WPP.chat.sendTextMessage("%s@c.us", "sebelum", {createChat: true}).then(() => 1)`, otherNumber), nil)
	arrived(t, s, 1)
	tb.close()

	if _, err := s.CreatePhone(sandbox.PhoneSpec{Number: ownNumber, LIDMigrated: true}); err != nil {
		t.Fatal(err)
	}
	tb = openTab(t, s, profile, waScript(t))
	tb.until(`window.WPP?.isFullReady && importNamespace("WAWebSocketModel").Socket.stream === "CONNECTED"`)
	other := fmt.Sprintf(`const pn = "%s@c.us", lid = String(WPP.whatsapp.ApiContact.getCurrentLid(WPP.whatsapp.WidFactory.createWid(pn)));`, otherNumber)
	tb.until(`await (async () => { ` + other + ` return WPP.chat.get(lid)?.msgs.last()?.body === "sebelum" })()`)
	var got string
	tb.eval(other+`
		const chats = WPP.whatsapp.ChatStore.getModelsArray().map((c) => c.id.server);
		return [WPP.whatsapp.Lid1X1MigrationUtils.isLidMigrated(), chats.includes("c.us"), chats.length, WPP.chat.get(pn) === undefined].join()`, &got)
	if got != "true,false,5,true" {
		t.Errorf("a migrated account shows %s", got)
	}
	tb.eval(other+`
		window.acks = []; WPP.whatsapp.MsgStore.on("change:ack", (m) => acks.push(m.ack));
		const byNumber = await WPP.chat.sendTextMessage(pn, "lewat nomor"), byLID = await WPP.chat.sendTextMessage(lid, "lewat lid");
		await WPP.chat.markIsComposing(lid, 10);
		return [byNumber, byLID].map((r) => r.id.split("_")[1] === lid).join()`, &got)
	if got != "true,true" {
		t.Errorf("keys are of the LID: %s", got)
	}
	inbox := arrived(t, s, 3)
	if inbox[1].From != ownNumber+"@c.us" || inbox[2].Body != "lewat lid" {
		t.Errorf("the phone received %+v", inbox[1:])
	}
	tb.until(`acks.filter((a) => a === 3).length === 2`)
	if err := s.SendFrom(otherNumber, ownNumber, sandbox.Message{Body: "masuk"}); err != nil {
		t.Fatal(err)
	}
	tb.until(`await (async () => { ` + other + ` const chat = WPP.chat.get(lid); return chat.msgs.last().body === "masuk" && chat.unreadCount === 1 })()`)
	tb.eval(other+`await WPP.chat.markIsRead(lid); return (await WPP.chat.sendTextMessage("6281277770000@c.us", "baru", {createChat: true})).id.split("_")[1].split("@")[1]`, &got)
	if got != "lid" {
		t.Errorf("a new chat of a migrated account is @%s", got)
	}
	tb.quiet()
}
