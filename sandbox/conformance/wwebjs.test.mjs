// whatsapp-web.js against the sandbox: linking, what is there, sending of every kind, receiving, files, coming back,
// logout.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { files, hasFile, inMain, journeys, nobody, sha256, shop } from "./flows.mjs";
import { startSandbox, startWWebJS, until, within } from "./harness.mjs";

const { Location, MessageMedia, Poll } = createRequire(import.meta.url)("whatsapp-web.js");
const number = "6281100002002";
const acks = [];
const came = [];
let api, judge, client, s, to;

function listen() {
  client = judge.client;
  client.on("message_ack", (m, ack) => acks.push([m.id.id, ack]));
  client.on("message", (m) => came.push(m));
}
before(async () => {
  api = await startSandbox();
  s = await shop(api, number);
  to = s.customer;
  judge = await startWWebJS(api, number);
  listen();
});
after(async () => {
  await judge?.close();
  await api?.close();
});

const send = async (content, options) => s.got((await client.sendMessage(to, content, options)).id.id);
const media = (bytes, mimetype, name) => new MessageMedia(mimetype, bytes.toString("base64"), name);

test("the phone lists the device that scanned, and who it is", async () => {
  const [device, ...more] = await s.devices();
  assert.deepEqual([device.online, more], [true, []]);
  assert.deepEqual([client.info.wid._serialized, client.info.pushname], [s.owner, "Toko"]);
});

test("chats and contacts", async () => {
  const { chats, contacts } = await s.history();
  const listed = await until("the past is here", async () => {
    const l = await client.getChats();
    return l.length === chats.length && l;
  });
  assert.deepEqual(listed.map((c) => c.id._serialized), chats, "newest first, as on the phone");
  const people = (await client.getContacts()).filter((c) => c.isMyContact).map((c) => c.id._serialized);
  for (const wid of contacts) assert.ok(people.includes(wid), wid);
});

test("the last 25 messages, then to the beginning", async () => {
  const [wid, all] = await s.longest();
  const chat = await client.getChatById(wid);
  const last = await until("the past is written", async () => {
    const l = await chat.fetchMessages({ limit: 25 });
    return l.length === 25 && l;
  });
  assert.deepEqual(last.map((m) => [m.id.id, m.body]), all.slice(-25).map((m) => [m.id, m.body]));
  const whole = await chat.fetchMessages({ limit: all.length + 100 });
  assert.deepEqual(whole.map((m) => m.id.id), all.map((m) => m.id));
});

test("is a number on WhatsApp", async () => {
  assert.equal(await client.isRegisteredUser("6281234569999"), true);
  assert.equal((await client.getNumberId("6281234569999"))._serialized, "6281234569999@c.us");
  assert.equal(await client.isRegisteredUser(nobody), false);
  assert.equal(await client.getNumberId(nobody), null);
});

let first; // the first text

test("a text arrives, and its acks come in order", async () => {
  first = await client.sendMessage(to, "Halo");
  const got = await s.got(first.id.id);
  assert.deepEqual([got.type, got.body], ["chat", "Halo"]);
  const seen = () => acks.filter((a) => a[0] === got.id).map((a) => a[1]).join();
  await until("sent and delivered", () => seen() === "1,2");
  assert.equal(await s.ack(got.id), 2);
  await s.reads();
  await until("read", () => seen() === "1,2,3");
  assert.equal(await s.ack(got.id), 3);
});

test("reply with a quote", async () => {
  const got = await s.got((await first.reply("Balas", to)).id.id);
  assert.deepEqual([got.type, got.body, got.quoted], ["chat", "Balas", { id: first.id.id, author: s.owner, type: "chat", body: "Halo", from_me: true }]);
});

test("mention", async () => {
  const got = await send(`Halo @${to.split("@")[0]}`, { mentions: [to] });
  assert.deepEqual([got.body, got.mentions], [`Halo @${to.split("@")[0]}`, [to]]);
});

test("image, video, audio, voice note, document, sticker", async () => {
  hasFile(await send(media(files.png, "image/png", "a.png"), { caption: "Ini" }), "image", files.png, { caption: "Ini", mimetype: "image/png" });
  hasFile(await send(media(files.mp4, "video/mp4", "a.mp4"), { caption: "Gerak" }), "video", files.mp4, { caption: "Gerak", mimetype: "video/mp4" });
  const gif = await send(media(files.mp4, "video/mp4", "a.mp4"), { sendVideoAsGif: true });
  hasFile(gif, "video", files.mp4, { mimetype: "video/mp4" });
  assert.equal(gif.extra.isGif, true);
  hasFile(await send(media(files.wav, "audio/wav", "a.wav")), "audio", files.wav, { mimetype: "audio/wav" });
  hasFile(await send(media(files.ogg, "audio/ogg; codecs=opus", "a.ogg"), { sendAudioAsVoice: true }), "ptt", files.ogg, { mimetype: "audio/ogg; codecs=opus" });
  hasFile(await send(media(files.pdf, "application/pdf", "faktur.pdf"), { caption: "Faktur", sendMediaAsDocument: true }), "document", files.pdf, { filename: "faktur.pdf", caption: "Faktur", mimetype: "application/pdf" });
  hasFile(await send(media(files.webp, "image/webp", "a.webp"), { sendMediaAsSticker: true }), "sticker", files.webp); // it tells no mimetype
});

test("location, contact card, poll", async () => {
  const place = await send(new Location(-6.2, 106.8, { name: "Toko", address: "Jakarta" }));
  assert.deepEqual([place.type, place.extra.lat, place.extra.lng, place.extra.loc], ["location", -6.2, 106.8, "Toko\nJakarta"]);
  const [person] = (await s.history()).contacts;
  const contact = await client.getContactById(person);
  const card = await send(contact);
  // The client takes the card's name from contact.formattedName, which the contact of this build has not (it is in
  // WAWebFrontendContactGetters): the message carries the card alone.
  assert.deepEqual([card.type, card.extra], ["vcard", undefined]);
  assert.match(card.body, new RegExp(`^BEGIN:VCARD[^]*FN:${contact.name}[^]*waid=${person.split("@")[0]}[^]*END:VCARD$`));
  const written = await send("BEGIN:VCARD\nVERSION:3.0\nN:;Sari;;;\nFN:Sari\nTEL;type=CELL;waid=6281234560009:+62 812-3456-0009\nEND:VCARD");
  assert.deepEqual([written.type, written.extra.vcardFormattedName], ["vcard", "Sari"]);
  const poll = await send(new Poll("Kapan?", ["Senin", "Selasa"], { allowMultipleAnswers: false }));
  assert.deepEqual([poll.type, poll.extra.pollName, poll.extra.pollOptions.map((o) => o.name), poll.extra.pollSelectableOptionsCount], ["poll_creation", "Kapan?", ["Senin", "Selasa"], 1]);
});

test("incoming text, image and document, their files equal", async () => {
  const arrived = (id) => until("the message event", () => came.find((m) => m.id.id === id));
  const text = await arrived(await s.says({ body: "Siap", quoted: { id: first.id.id, author: s.owner, type: "chat", body: "Halo", from_me: false } }));
  assert.deepEqual([text.type, text.body, text.from, text.hasQuotedMsg], ["chat", "Siap", to, true]);
  assert.deepEqual([(await text.getQuotedMessage()).body, text.hasMedia], ["Halo", false]);
  const image = await arrived(await s.says({ data: files.png, mimetype: "image/png", body: "bukti" }));
  assert.deepEqual([image.type, image.body, image.hasMedia], ["image", "bukti", true]);
  const picture = await image.downloadMedia();
  assert.deepEqual([picture.mimetype, sha256(Buffer.from(picture.data, "base64"))], ["image/png", sha256(files.png)]);
  const document = await arrived(await s.says({ data: files.pdf, mimetype: "application/pdf", filename: "nota.pdf" }));
  const paper = await document.downloadMedia();
  assert.deepEqual([document.type, paper.filename, paper.mimetype, sha256(Buffer.from(paper.data, "base64"))], ["document", "nota.pdf", "application/pdf", sha256(files.pdf)]);
});

test("the link and the messages are kept by a restart of the browser", async () => {
  const [before] = await s.devices();
  await judge.stop();
  judge = await startWWebJS(api, number, { profile: judge.profile, scan: false });
  listen();
  const [device, ...more] = await s.devices();
  assert.deepEqual([device.id, more, judge.qrs()], [before.id, [], 0]);
  assert.equal((await client.getMessageById(first.id._serialized)).body, "Halo");
  await send("Kembali");
});

test("logout by the client: the device and what the profile had of it are gone", async () => {
  await client.logout();
  await until("the device is gone", async () => (await s.devices()).length === 0);
  // LocalAuth deletes the folder while Chromium may still write its settings, which make the folder anew now and then.
  assert.equal(existsSync(join(judge.profile.dir, "session", "Default", "IndexedDB")), false);
});

test("logout from the phone leads to post_logout, a new QR and a new link", async () => {
  // LocalAuth would delete the profile under the running Chromium, which then closes the new page's database now and
  // then; what comes after it is luck.
  judge = await startWWebJS(api, number, { profile: judge.profile, keep: false });
  listen();
  assert.equal((await s.devices()).length, 1);
  const urls = journeys(judge.page);
  const gone = new Promise((ok) => client.once("disconnected", ok));
  const qr = new Promise((ok) => client.once("qr", ok));
  // Its "ready" comes once more here: the client listens to change:hasSynced and does not look which way it changed.
  await s.unlink();
  assert.equal(await within("disconnected", gone), "LOGOUT");
  assert.ok(urls.some((u) => /^https:\/\/web\.whatsapp\.com\/\?post_logout=1&logout_reason=\d+/.test(u)), urls.join());
  const text = await within("a new QR", qr);
  assert.equal(text.split(",").length, 5);
  assert.deepEqual(await s.devices(), []);
  // The QR comes before the client's last listeners: nobody scans that quickly.
  await until("it listens", () => judge.run(() => window.require("WAWebCmd").Cmd.__events?.has("logout_from_bridge")));
  await s.scan(text);
  await inMain(judge.page);
  await until("its own code is in the page", () => judge.run(() => window.WWebJS !== undefined));
  assert.equal((await s.devices()).length, 1);
  await send("Terhubung lagi");
});
