// Plain wa-js against the sandbox: linking, what is there, sending of every kind, receiving, files, coming back, logout.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { dataURL, files, hasFile, inMain, journeys, nobody, sha256, shop, shownQR } from "./flows.mjs";
import { startSandbox, startWAJS, until } from "./harness.mjs";

const number = "6281100002001";
let api, judge, s, to;

before(async () => {
  api = await startSandbox();
  s = await shop(api, number);
  to = s.customer;
  judge = await startWAJS(api, number);
  await judge.run(() => {
    window.acks = [];
    window.came = [];
    window.WPP.whatsapp.MsgStore.on("change:ack", (m, ack) => window.acks.push([m.id.id, ack]));
    window.WPP.on("chat.new_message", (m) => !m.id.fromMe && window.came.push(m.id.id));
  });
});
after(async () => {
  await judge?.close();
  await api?.close();
});

const stanza = (result) => result.id.split("_")[2];
const text = (body, options) => judge.run((to, body, options) => window.WPP.chat.sendTextMessage(to, body, { createChat: true, ...options }).then((r) => ({ id: r.id, ack: r.ack })), to, body, options);
const file = (bytes, mimetype, options) =>
  judge.run((to, url, options) => window.WPP.chat.sendFileMessage(to, url, { createChat: true, ...options }).then((r) => ({ id: r.id })), to, dataURL(mimetype, bytes), options);
const download = (key) =>
  judge.run(async (key) => window.WPP.util.blobToBase64(await window.WPP.chat.downloadMedia(key)), key).then((url) => Buffer.from(url.split(",")[1], "base64"));

test("the phone lists the device that scanned", async () => {
  const devices = await s.devices();
  assert.equal(devices.length, 1);
  assert.equal(devices[0].online, true);
});

test("chats and contacts", async () => {
  const { chats, contacts } = await s.history();
  await until("the past is here", () => judge.run((n) => window.WPP.whatsapp.ChatStore.length >= n, chats.length));
  const listed = await judge.run(() => window.WPP.chat.list().then((l) => l.map((c) => c.id._serialized)));
  assert.deepEqual(listed, chats, "newest first, as on the phone");
  const people = await judge.run(() => window.WPP.contact.list({ onlyMyContacts: true }).then((l) => l.map((c) => c.id._serialized)));
  for (const wid of contacts) assert.ok(people.includes(wid), wid);
});

test("the last 25 messages, then to the beginning", async () => {
  const [chat, all] = await s.longest();
  const page = (options) => judge.run((chat, options) => window.WPP.chat.getMessages(chat, options).then((l) => l.map((m) => [m.id._serialized, m.id.id, m.body])), chat, options);
  await until("the past is written", async () => (await page({ count: -1 })).length === all.length);
  let list = await page({ count: 25 });
  assert.deepEqual(list.map((m) => m.slice(1)), all.slice(-25).map((m) => [m.id, m.body]));
  for (;;) {
    const earlier = await page({ count: 50, direction: "before", id: list[0][0] });
    if (!earlier.length) break;
    list = [...earlier, ...list];
  }
  assert.deepEqual(list.map((m) => m[1]), all.map((m) => m.id));
});

test("is a number on WhatsApp", async () => {
  const ask = (n) => judge.run((n) => window.WPP.contact.queryExists(n).then((r) => r && r.wid._serialized), `${n}@c.us`);
  assert.equal(await ask("6281234569999"), "6281234569999@c.us");
  assert.equal(await ask(nobody), null);
});

let first; // the key of the first text

test("a text arrives, and its acks come in order", async () => {
  const { id } = await text("Halo");
  first = id;
  const got = await s.got(stanza({ id }));
  assert.deepEqual([got.type, got.body], ["chat", "Halo"]);
  const acks = () => judge.run((id) => window.acks.filter((a) => a[0] === id).map((a) => a[1]).join(), got.id);
  await until("sent and delivered", async () => (await acks()) === "1,2");
  assert.equal(await s.ack(got.id), 2);
  await s.reads();
  await until("read", async () => (await acks()) === "1,2,3");
  assert.equal(await s.ack(got.id), 3);
});

test("reply with a quote", async () => {
  const got = await s.got(stanza(await text("Balas", { quotedMsg: first })));
  assert.deepEqual([got.type, got.body, got.quoted], ["chat", "Balas", { id: first.split("_")[2], author: s.owner, type: "chat", body: "Halo", from_me: true }]);
});

test("mention", async () => {
  const got = await s.got(stanza(await text(`Halo @${to.split("@")[0]}`, { mentionedList: [to] })));
  assert.deepEqual([got.body, got.mentions], [`Halo @${to.split("@")[0]}`, [to]]);
});

test("image, video, audio, voice note, document, sticker", async () => {
  const send = async (...args) => s.got(stanza(await file(...args)));
  hasFile(await send(files.png, "image/png", { type: "image", caption: "Ini" }), "image", files.png, { caption: "Ini", mimetype: "image/png" });
  hasFile(await send(files.mp4, "video/mp4", { type: "video", caption: "Gerak" }), "video", files.mp4, { caption: "Gerak", mimetype: "video/mp4" });
  hasFile(await send(files.wav, "audio/wav", { type: "audio" }), "audio", files.wav, { mimetype: "audio/wav" });
  hasFile(await send(files.ogg, "audio/ogg;codecs=opus", { type: "audio", isPtt: true }), "ptt", files.ogg);
  hasFile(await send(files.pdf, "application/pdf", { type: "document", filename: "faktur.pdf", caption: "Faktur" }), "document", files.pdf, { filename: "faktur.pdf", caption: "Faktur", mimetype: "application/pdf" });
  hasFile(await send(files.webp, "image/webp", { type: "sticker" }), "sticker", files.webp, { mimetype: "image/webp" });
});

test("location, contact card, poll", async () => {
  const send = async (f, ...args) => s.got(stanza(await judge.run(f, to, ...args)));
  const place = await send((to) => window.WPP.chat.sendLocationMessage(to, { lat: -6.2, lng: 106.8, name: "Toko", address: "Jakarta" }).then((r) => ({ id: r.id })));
  assert.deepEqual([place.type, place.extra.lat, place.extra.lng, place.extra.loc], ["location", -6.2, 106.8, "Toko\nJakarta"]);
  const [person] = (await s.history()).contacts;
  const card = await send((to, person) => window.WPP.chat.sendVCardContactMessage(to, { id: person, name: "Bu Sari" }).then((r) => ({ id: r.id })), person);
  assert.deepEqual([card.type, card.extra.vcardFormattedName], ["vcard", "Bu Sari"]);
  assert.match(card.body, new RegExp(`^BEGIN:VCARD[^]*FN:Bu Sari[^]*waid=${person.split("@")[0]}[^]*END:VCARD$`));
  const poll = await send((to) => window.WPP.chat.sendCreatePollMessage(to, "Kapan?", ["Senin", "Selasa"], { selectableCount: 1 }).then((r) => ({ id: r.id })));
  assert.deepEqual([poll.type, poll.extra.pollName, poll.extra.pollOptions.map((o) => o.name), poll.extra.pollSelectableOptionsCount], ["poll_creation", "Kapan?", ["Senin", "Selasa"], 1]);
});

test("incoming text, image and document, their files equal", async () => {
  const came = async (id) => {
    await until("it shows", () => judge.run((id) => window.came.includes(id), id));
    return judge.run((key) => window.WPP.chat.getMessageById(key).then((m) => ({ type: m.type, body: m.body, caption: m.caption, filename: m.filename, mimetype: m.mimetype, quoted: m.quotedStanzaID })), `false_${to}_${id}`);
  };
  const reply = await s.says({ body: "Siap", quoted: { id: first.split("_")[2], author: s.owner, type: "chat", body: "Halo", from_me: false } });
  const m = await came(reply);
  assert.deepEqual([m.type, m.body, m.quoted], ["chat", "Siap", first.split("_")[2]]);
  const picture = await s.says({ data: files.png, mimetype: "image/png", body: "bukti" });
  const image = await came(picture);
  assert.deepEqual([image.type, image.caption, image.mimetype], ["image", "bukti", "image/png"]);
  assert.equal(sha256(await download(`false_${to}_${picture}`)), sha256(files.png));
  const paper = await s.says({ data: files.pdf, mimetype: "application/pdf", filename: "nota.pdf" });
  const document = await came(paper);
  assert.deepEqual([document.type, document.filename], ["document", "nota.pdf"]);
  assert.equal(sha256(await download(`false_${to}_${paper}`)), sha256(files.pdf));
});

test("the link and the messages are kept by a restart of the browser", async () => {
  const [before] = await s.devices();
  await judge.stop();
  judge = await startWAJS(api, number, { profile: judge.profile, scan: false });
  const [device, ...more] = await s.devices();
  assert.deepEqual([device.id, more], [before.id, []]);
  assert.equal(await judge.run((key) => window.WPP.chat.getMessageById(key).then((m) => m.body), first), "Halo");
  await s.got(stanza(await text("Kembali")));
  assert.deepEqual(judge.errors, []);
});

test("logout from the phone leads to post_logout and a new QR", async () => {
  const urls = journeys(judge.page);
  await s.unlink();
  await until("post_logout", () => urls.some((u) => /^https:\/\/web\.whatsapp\.com\/\?post_logout=1&logout_reason=\d+/.test(u)));
  const qr = await shownQR(judge.page);
  assert.deepEqual(await s.devices(), []);
  await s.scan(qr);
  await inMain(judge.page);
  assert.equal((await s.devices()).length, 1);
});

test("logout by the client: the device is gone, the promise never resolves", async () => {
  // wa-js waits for Cmd's logout trigger, which this build does not have (see the notes).
  await until("wa-js", () => judge.run(() => window.WPP?.isFullReady));
  let resolved = false;
  await judge.page.exposeFunction("judgeResolved", () => (resolved = true));
  await judge.run(() => void window.WPP.conn.logout().then(window.judgeResolved));
  await until("the device is gone", async () => (await s.devices()).length === 0);
  await shownQR(judge.page);
  assert.equal(resolved, false);
});
