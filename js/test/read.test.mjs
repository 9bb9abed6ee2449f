import assert from "node:assert/strict";
import { test } from "node:test";
import { load, page } from "./load.mjs";

page({});
const { newest } = await load("read");
const { judge, send } = await load("send");

test("the newest of many, without those that do not pass", () => {
  const items = Array.from({ length: 5000 }, (_, i) => ({ t: (i * 7919) % 5000, ok: i % 3 !== 0 }));
  const want = items.filter((i) => i.ok).sort((a, b) => b.t - a.t);
  const key = (i) => i.t;
  for (const max of [1, 100, 4999, 10000]) assert.deepEqual(newest(items, max, key, (i) => i.ok), want.slice(0, max), `max ${max}`);
});

test("the newest when nearly all are filtered out", () => {
  const items = Array.from({ length: 2000 }, (_, i) => ({ t: i, ok: i < 5 }));
  assert.deepEqual(newest(items, 3, (i) => i.t, (i) => i.ok).map((i) => i.t), [4, 3, 2]);
});

test("a send that WhatsApp refused resolves, and is an error", () => {
  const run = (r, ack) => {
    let out;
    judge(r, () => ack, (a, t) => ({ ack: a, time: t, chat: "c" }), (s) => (out = s), (e) => (out = e.code));
    return out;
  };
  assert.equal(run({ ack: 0, sendMsgResult: { messageSendResult: "ERROR_UNKNOWN" } }, 0), "SEND_REJECTED");
  assert.equal(run({ ack: 0, sendMsgResult: { messageSendResult: "ERROR_UPLOAD" } }, 0), "UPLOAD_FAILED");
  assert.equal(run({ ack: 0, sendMsgResult: { messageSendResult: "ERROR_NETWORK" } }, 0), "SEND_TIMEOUT");
  assert.equal(run({ ack: 0, sendMsgResult: null }, 0), "SEND_TIMEOUT");
  assert.deepEqual(run({ ack: 0, sendMsgResult: { messageSendResult: "OK", t: 7 } }, 0), { ack: 1, time: 7, chat: "c" });
  assert.deepEqual(run({ ack: 0, sendMsgResult: null }, 2), { ack: 2, time: undefined, chat: "c" });
});

test("a send without its file says so before anything else", async () => {
  await assert.rejects(send({ id: "3EB0123456789ABCDEF012", chat: "6281@c.us", kind: "image" }, 50), { code: "PAGE_ERROR" });
});
