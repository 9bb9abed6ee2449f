// wppconnect against the sandbox: linking, what is there, sending of every kind, receiving, files, coming back, logout.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { dataURL, files, hasFile, inMain, journeys, nobody, sha256, shop, shownQR } from "./flows.mjs";
import { linkWritten, startSandbox, startWPPConnect, until } from "./harness.mjs";

const number = "6281100002003";
const acks = [];
const came = [];
let api, judge, client, s, to;

function listen() {
  client = judge.client;
  client.onAck((m) => acks.push([m.id.id, m.ack]));
  client.onMessage((m) => came.push(m));
}
before(async () => {
  api = await startSandbox();
  s = await shop(api, number);
  to = s.customer;
  judge = await startWPPConnect(api, number);
  listen();
});
after(async () => {
  await judge?.close();
  await api?.close();
});

const stanza = (key) => key.split("_")[2];
const sent = async (result) => s.got(stanza((await result).id));
const download = async (message) => Buffer.from((await client.downloadMedia(message)).split(",")[1], "base64");

test("the phone lists the device that scanned, and who it is", async () => {
  const [device, ...more] = await s.devices();
  assert.deepEqual([device.online, more], [true, []]);
  assert.equal(await client.getWid(), s.owner);
  assert.deepEqual([await client.isConnected(), await client.isAuthenticated(), await client.getConnectionState()], [true, true, "CONNECTED"]);
});

test("chats and contacts", async () => {
  const { chats, contacts } = await s.history();
  const listed = await until("the past is here", async () => {
    const l = await client.listChats();
    return l.length === chats.length && l;
  });
  assert.deepEqual(listed.map((c) => c.id._serialized), chats, "newest first, as on the phone");
  const people = (await client.getAllContacts()).filter((c) => c.isMyContact).map((c) => c.id._serialized);
  for (const wid of contacts) assert.ok(people.includes(wid), wid);
});

test("the last 25 messages, then to the beginning", async () => {
  const [chat, all] = await s.longest();
  const last = await until("the past is written", async () => {
    const l = await client.getMessages(chat, { count: 25 });
    return l.length === 25 && l;
  });
  assert.deepEqual(last.map((m) => [stanza(m.id), m.body]), all.slice(-25).map((m) => [m.id, m.body]));
  let list = last;
  for (;;) {
    const earlier = await client.getMessages(chat, { count: 50, direction: "before", id: list[0].id });
    if (!earlier.length) break;
    list = [...earlier, ...list];
  }
  assert.deepEqual(list.map((m) => stanza(m.id)), all.map((m) => m.id));
  // Its older calls ask the chat's model to load; on this build that is WAWebChatLoadMessages' business.
  await assert.rejects(client.loadAndGetAllMessagesInChat(chat, true, false), /loadEarlierMsgs is not a function/);
});

test("is a number on WhatsApp", async () => {
  const yes = await client.checkNumberStatus("6281234569999@c.us");
  assert.deepEqual([yes.id._serialized, yes.numberExists, yes.canReceiveMessage], ["6281234569999@c.us", true, true]);
  const no = await client.checkNumberStatus(`${nobody}@c.us`);
  assert.deepEqual([no.numberExists, no.canReceiveMessage], [false, false]);
});

let first; // the key of the first text

test("a text arrives, and its acks come in order", async () => {
  first = (await client.sendText(to, "Halo")).id;
  const got = await s.got(stanza(first));
  assert.deepEqual([got.type, got.body], ["chat", "Halo"]);
  const seen = () => acks.filter((a) => a[0] === got.id).map((a) => a[1]).join();
  await until("sent and delivered", () => seen() === "1,2");
  assert.equal(await s.ack(got.id), 2);
  await s.reads();
  await until("read", () => seen() === "1,2,3");
  assert.equal(await s.ack(got.id), 3);
});

test("reply with a quote", async () => {
  const got = await sent(client.reply(to, "Balas", first));
  assert.deepEqual([got.type, got.body, got.quoted], ["chat", "Balas", { id: stanza(first), author: s.owner, type: "chat", body: "Halo", from_me: true }]);
});

test("mention", async () => {
  const got = await sent(client.sendMentioned(to, `Halo @${to.split("@")[0]}`, [to]));
  assert.deepEqual([got.body, got.mentions], [`Halo @${to.split("@")[0]}`, [to]]);
});

test("image, video, audio, voice note, document", async () => {
  const file = (mimetype, bytes, ...options) => sent(client.sendFile(to, dataURL(mimetype, bytes), ...options));
  hasFile(await sent(client.sendImageFromBase64(to, dataURL("image/png", files.png), "a.png", "Ini")), "image", files.png, { caption: "Ini", mimetype: "image/png" });
  hasFile(await file("video/mp4", files.mp4, { type: "video", caption: "Gerak" }), "video", files.mp4, { caption: "Gerak", mimetype: "video/mp4" });
  hasFile(await file("audio/wav", files.wav, { type: "audio" }), "audio", files.wav, { mimetype: "audio/wav" });
  hasFile(await sent(client.sendPttFromBase64(to, dataURL("audio/ogg;codecs=opus", files.ogg), "a.ogg")), "ptt", files.ogg);
  hasFile(await file("application/pdf", files.pdf, "faktur.pdf", "Faktur"), "document", files.pdf, { filename: "faktur.pdf", caption: "Faktur", mimetype: "application/pdf" });
});

test("sticker", async () => {
  const got = await sent(client.sendImageAsSticker(to, dataURL("image/png", files.png)));
  assert.deepEqual([got.type, got.mimetype], ["sticker", "image/webp"]);
  const webp = await api.bytes(`/phones/${to.split("@")[0]}/inbox/${got.n}/file`);
  assert.deepEqual([webp.toString("latin1", 0, 4), webp.toString("latin1", 8, 12), sha256(webp)], ["RIFF", "WEBP", got.sha256], "what wppconnect made of the picture");
  const raw = await sent(client.sendFile(to, dataURL("image/webp", files.webp), { type: "sticker" }));
  hasFile(raw, "sticker", files.webp, { mimetype: "image/webp" });
});

test("location, contact card, poll", async () => {
  const place = await sent(client.sendLocation(to, { lat: -6.2, lng: 106.8, name: "Toko", address: "Jakarta" }));
  assert.deepEqual([place.type, place.extra.lat, place.extra.lng, place.extra.loc], ["location", -6.2, 106.8, "Toko\nJakarta"]);
  const [person] = (await s.history()).contacts;
  const card = await sent(client.sendContactVcard(to, person, "Bu Sari"));
  assert.deepEqual([card.type, card.extra.vcardFormattedName], ["vcard", "Bu Sari"]);
  assert.match(card.body, new RegExp(`^BEGIN:VCARD[^]*FN:Bu Sari[^]*waid=${person.split("@")[0]}[^]*END:VCARD$`));
  const cards = await sent(client.sendContactVcardList(to, [{ id: person, name: "Bu Sari" }, { id: s.customer, name: "Pak Budi" }]));
  assert.deepEqual([cards.type, cards.extra.vcardList.map((c) => c.displayName)], ["multi_vcard", ["Bu Sari", "Pak Budi"]]);
  const poll = await sent(client.sendPollMessage(to, "Kapan?", ["Senin", "Selasa"], { selectableCount: 1 }));
  assert.deepEqual([poll.type, poll.extra.pollName, poll.extra.pollOptions.map((o) => o.name), poll.extra.pollSelectableOptionsCount], ["poll_creation", "Kapan?", ["Senin", "Selasa"], 1]);
});

test("incoming text, image and document, their files equal", async () => {
  const arrived = (id) => until("onMessage", () => came.find((m) => stanza(m.id) === id));
  const text = await arrived(await s.says({ body: "Siap", quoted: { id: stanza(first), author: s.owner, type: "chat", body: "Halo", from_me: false } }));
  assert.deepEqual([text.type, text.body, text.from, text.quotedMsgId], ["chat", "Siap", to, first]);
  const image = await arrived(await s.says({ data: files.png, mimetype: "image/png", body: "bukti" }));
  assert.deepEqual([image.type, image.caption, image.mimetype], ["image", "bukti", "image/png"]);
  assert.equal(sha256(await download(image)), sha256(files.png));
  const document = await arrived(await s.says({ data: files.pdf, mimetype: "application/pdf", filename: "nota.pdf" }));
  assert.deepEqual([document.type, document.filename], ["document", "nota.pdf"]);
  assert.equal(sha256(await download(document)), sha256(files.pdf));
});

test("the link and the messages are kept by a restart of the browser", async () => {
  const [before] = await s.devices();
  await linkWritten(judge.profile);
  await judge.stop();
  judge = await startWPPConnect(api, number, { profile: judge.profile });
  listen();
  const [device, ...more] = await s.devices();
  assert.deepEqual([device.id, more, judge.qrs()], [before.id, [], 0]);
  assert.equal((await client.getMessageById(first)).body, "Halo");
  await sent(client.sendText(to, "Kembali"));
});

test("logout from the phone leads to post_logout and a new QR", async () => {
  const urls = journeys(judge.page);
  await s.unlink();
  await until("post_logout", () => urls.some((u) => /^https:\/\/web\.whatsapp\.com\/\?post_logout=1&logout_reason=\d+/.test(u)));
  await until("scanned again", async () => judge.qrs() > 0 && (await s.devices()).length === 1);
  await inMain(judge.page);
  await until("wppconnect is back", () => client.isConnected());
});

test("logout by the client: the device is gone, the promise never resolves", async () => {
  // It calls wa-js, which waits for Cmd's logout trigger; this build does not have it (see the notes).
  let resolved = false;
  client.logout().then(() => (resolved = true)).catch(() => undefined); // the page goes away under the call
  await until("the device is gone", async () => (await s.devices()).length === 0);
  await shownQR(judge.page);
  assert.equal(resolved, false);
});
