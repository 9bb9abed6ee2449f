import assert from "node:assert/strict";
import { test } from "node:test";
import { key, load, page, wid } from "./load.mjs";

const lids = { "6281@c.us": "99@lid" };
page({
  WAWebWidFactory: { createWid: wid },
  WAWebApiContact: {
    lidPnCache: {
      getCurrentLid: (w) => lids[w._serialized] && wid(lids[w._serialized]),
      getPhoneNumber: (w) => Object.keys(lids).filter((k) => lids[k] === w._serialized).map(wid)[0],
    },
  },
});
const { toMessage, toLast, isReal } = await load("message");

test("a text, under its number and its LID", () => {
  const m = { __x_id: key(false, "6281@c.us", "3EB0AA"), __x_type: "chat", __x_body: "halo", __x_t: 1760000000, __x_ack: 1 };
  assert.deepEqual(toMessage(m), {
    id: "3EB0AA", chat: "6281@c.us", phone: "6281", lid: "99@lid", from_me: false, type: "chat", body: "halo", time: 1760000000, ack: 1, media: null, quoted: null,
  });
});

test("a chat under its LID carries the number", () => {
  const got = toMessage({ id: key(true, "99@lid", "3EB0AB"), type: "chat", body: "x", t: 1, ack: 2 });
  assert.equal(got.phone, "6281");
  assert.equal(got.lid, "99@lid");
});

test("the body of a picture is its thumbnail and is never given", () => {
  const m = { id: key(true, "6281@c.us", "3EB0AC"), type: "image", body: "/9j/4AAQSkZJRg", caption: "foto", isCaptionByUser: true, mimetype: "image/jpeg", size: 12, t: 2, ack: 1 };
  const got = toMessage(m);
  assert.equal(got.body, "");
  assert.equal(got.caption, "foto");
  assert.deepEqual(got.media, { mimetype: "image/jpeg", size: 12 });
  assert.equal(toLast(m).text, "foto");
});

test("a file name that WhatsApp put in as caption is not one", () => {
  const m = { id: key(true, "6281@c.us", "3EB0AD"), type: "document", body: "JVBERi0x", caption: "a.pdf", filename: "a.pdf", isCaptionByUser: false, mimetype: "application/pdf", size: 3, t: 2, ack: 1 };
  const got = toMessage(m);
  assert.equal("caption" in got, false);
  assert.deepEqual(got.media, { mimetype: "application/pdf", filename: "a.pdf", size: 3 });
});

test("a row of the database with a printed key, in a group", () => {
  const got = toMessage({ id: "false_120363@g.us_3EB0AE_99@lid", type: "chat", body: "x", t: 5 });
  assert.deepEqual([got.id, got.chat, got.author, got.phone, got.ack], ["3EB0AE", "120363@g.us", "99@lid", undefined, 0]);
});

test("ids whose field was renamed still print", () => {
  const k = { fromMe: true, remote: { $1: "6281@c.us", toString: () => "6281@c.us" }, id: "3EB0AF" };
  assert.equal(toMessage({ id: k, type: "chat", body: "x", t: 1 }).chat, "6281@c.us");
});

test("a quoted picture shows its caption", () => {
  const m = { id: key(true, "6281@c.us", "3EB0B0"), type: "chat", body: "ok", t: 1, quotedStanzaID: "3EB0AC", quotedParticipant: wid("6281@c.us"), quotedMsg: { type: "image", body: "/9j/", caption: "foto" } };
  assert.deepEqual(toMessage(m).quoted, { id: "3EB0AC", author: "6281@c.us", body: "foto" });
});

test("system messages are none", () => {
  for (const type of ["e2e_notification", "gp2", "notification_template", "protocol", "ciphertext"]) assert.equal(isReal({ type }), false, type);
  for (const type of ["chat", "image", "revoked", "poll_creation"]) assert.equal(isReal({ type }), true, type);
});
