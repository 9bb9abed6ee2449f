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
