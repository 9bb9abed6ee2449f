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
const { callOf, changesOf, happeningsOf, reactionOf, groupOf } = await load("happening");
const group = "120363@g.us";
const siti = { wid: "6281@c.us", phone: "6281", lid: "99@lid" };

test("a message of a group says who wrote it, and who is mentioned", () => {
  const m = { id: key(false, group, "A1", "99@lid"), type: "chat", body: "@6282", t: 5, mentionedJidList: [wid("6282@c.us")] };
  const [h, ...rest] = happeningsOf(m);
  assert.equal(rest.length, 0);
  assert.deepEqual([h.type, h.data.writer, h.data.mentions], ["message", { wid: "99@lid", phone: "6281", lid: "99@lid" }, ["6282@c.us"]]);
});

test("a row and a model are the same happenings", () => {
  const edited = { type: "chat", body: "baru", t: 5, latestEditSenderTimestampMs: 7000 };
  const model = happeningsOf({ __x_id: key(false, "6281@c.us", "A2"), __x_type: "chat", __x_body: "baru", __x_t: 5, __x_latestEditMsgKey: key(false, "6281@c.us", "E1"), __x_latestEditSenderTimestampMs: 7000 });
  const row = happeningsOf({ ...edited, id: "false_6281@c.us_A2", latestEditMsgKey: "false_6281@c.us_E1" });
  assert.deepEqual(model, row);
  assert.deepEqual(row[1], { type: "edited", data: { id: "A2", chat: "6281@c.us", phone: "6281", lid: "99@lid", from_me: false, body: "baru", time_ms: 7000 } });
});

test("what was deleted before anybody saw it is told as deleted only", () => {
  const got = happeningsOf({ id: key(false, group, "A3", "6281@c.us"), type: "revoked", t: 5, revokeSender: wid("6281@c.us") });
  assert.deepEqual(got, [{ type: "revoked", data: { id: "A3", chat: group, from_me: false, by: siti, time: 5 } }]);
});

test("notices of a group", () => {
  const notice = (subtype, over = {}) => groupOf({ id: key(false, group, "N1", "6281@c.us"), type: "gp2", subtype, author: wid("6281@c.us"), recipients: [wid("6282@c.us")], t: 9, ...over });
  assert.deepEqual(notice("add"), { type: "group.participants", data: { id: "N1", chat: group, by: siti, time: 9, action: "add", people: [{ wid: "6282@c.us", phone: "6282" }] } });
  assert.deepEqual(notice("invite", { recipients: [] }).data.people, [siti]); // who joins by a link does it to nobody
  assert.equal(notice("invite").data.action, "join");
  assert.deepEqual(notice("subject", { body: "Warga" }), { type: "group.subject", data: { id: "N1", chat: group, by: siti, time: 9, subject: "Warga" } });
  for (const other of ["picture", "description", "constructor"]) assert.equal(notice(other), undefined, other);
});

test("nobody's messages, statuses and channels are not told", () => {
  for (const m of [
    { id: key(false, "6281@c.us", "S1"), type: "e2e_notification", t: 1 },
    { id: key(false, "status@broadcast", "S2", "6281@c.us"), type: "chat", body: "x", t: 1 },
    { id: key(false, "1@newsletter", "S3"), type: "chat", body: "x", t: 1 },
  ]) assert.deepEqual(happeningsOf(m), []);
});

test("a reaction as a row of the table and as what the page's function is given", () => {
  const want = { type: "reaction", data: { message_id: "A4", chat: "6281@c.us", from: siti, from_me: false, reaction: "👍", time_ms: 1760000000000 } };
  assert.deepEqual(reactionOf({ msgKey: "false_6281@c.us_R1", parentMsgKey: "true_6281@c.us_A4", senderUserJid: "6281@c.us", reactionText: "👍", timestamp: 1760000000000 }), want);
  assert.deepEqual(reactionOf({ id: key(false, "6281@c.us", "R1"), reactionParentKey: key(true, "6281@c.us", "A4"), author: wid("6281@c.us"), reactionText: "👍", t: 1760000000 }), want);
});

test("what was done to an older message: an edit since then, a revocation since somebody listens", () => {
  const m = (over) => ({ id: key(false, "6281@c.us", "A5"), type: "chat", body: "baru", t: 50, latestEditMsgKey: "false_6281@c.us_E1", ...over });
  assert.deepEqual(changesOf(m({ latestEditSenderTimestampMs: 99_999 }), 100, 0), []);
  assert.deepEqual(changesOf(m({ latestEditSenderTimestampMs: 100_000 }), 100, 0).map((h) => [h.type, h.data.time_ms]), [["edited", 100_000]]);
  assert.deepEqual(changesOf(m({}), 100, 0), []); // an edit without a time may have been told
  assert.deepEqual(changesOf(m({ type: "revoked" }), 100, 50).map((h) => [h.type, h.data.time]), [["revoked", 50]]);
  assert.deepEqual(changesOf(m({ type: "revoked" }), 100, 51), []);
});

test("a call that a chat has, under the id that it rang with", () => {
  const m = (over) => ({ id: key(false, "6281@c.us", "C1"), type: "call_log", t: 50, callId: "X", isVideoCall: true, ...over });
  assert.deepEqual(callOf(m({})), { type: "call", data: { id: "X", from: siti, chat: "6281@c.us", video: true, group: false, time: 50 } });
  assert.deepEqual(happeningsOf(m({})), [callOf(m({}))]);
  for (const other of [{ callId: undefined }, { id: key(true, "6281@c.us", "C1") }]) assert.equal(callOf(m(other)), undefined);
});
