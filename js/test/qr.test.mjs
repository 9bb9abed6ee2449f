import assert from "node:assert/strict";
import { test } from "node:test";
import { load, page } from "./load.mjs";

const b64 = (u) => Buffer.from(u).toString("base64");
const parts = (over = {}) => ({
  WAWebConnModel: { Conn: { ref: "2@first", refTTL: 60000 } },
  WAWebSignalStoreApi: { waSignalStore: { getRegistrationInfo: async () => ({ identityKeyPair: { pubKey: new Uint8Array([2]) } }) } },
  WAWebUserPrefsInfoStore: { waNoiseInfo: { get: async () => ({ staticKeyPair: { pubKey: new Uint8Array([1]) } }) } },
  WAWebAdvSignatureApi: { getADVSecretKey: async () => "c2VjcmV0" },
  WABase64: { encodeB64: b64 },
  WAWebCompanionRegClientUtils: { DEVICE_PLATFORM: "1" },
  ...over,
});

async function start(modules, drawn) {
  const events = [];
  page(modules, { kurirEvent: (p) => events.push(JSON.parse(p)) });
  globalThis.document = { querySelector: () => (drawn.text ? { getAttribute: () => drawn.text } : null) };
  return { events, ...(await load("qr")) };
}
const until = async (ok) => {
  for (let i = 0; i < 200 && !ok(); i++) await new Promise((r) => setTimeout(r, 10));
};

test("five parts from the modules", async () => {
  const { build } = await start(parts(), {});
  assert.equal(await build("2@ref"), "2@ref,AQ==,Ag==,c2VjcmV0,1");
});

test("what the page draws, where a module is missing", async () => {
  const drawn = {};
  const modules = parts();
  delete modules.WAWebCompanionRegClientUtils;
  const { events, updateQR } = await start(modules, drawn);
  updateQR(false, false);
  drawn.text = "2@first,a,b,c,1";
  await until(() => events.length);
  assert.equal(events[0].data.text, "2@first,a,b,c,1");
});

test("the page is right where it differs", async () => {
  const { events, updateQR } = await start(parts(), { text: "2@first,AQ==,Ag==,c2VjcmV0,1,sixth" });
  updateQR(false, false);
  await until(() => events.length > 1);
  assert.deepEqual(events.map((e) => e.data.text.split(",").length), [5, 6]);
});

test("gone when the phone links, and the old ref does not come back", async () => {
  const modules = parts();
  const { events, updateQR } = await start(modules, {});
  updateQR(false, false);
  await until(() => events.length);
  assert.ok(events[0].data.ttl_ms > 59_000 && events[0].data.ttl_ms <= 60_000, `ttl ${events[0].data.ttl_ms}`);
  updateQR(false, true); // six refs are over
  assert.deepEqual(events[1].data, { text: "", ttl_ms: 0 });
  updateQR(false, false); // a new round begins, Conn.ref is still the old one
  assert.equal(events.length, 2);
  modules.WAWebConnModel.Conn.ref = "2@second";
  updateQR(false, false);
  await until(() => events.length > 2);
  assert.ok(events[2].data.text.startsWith("2@second,"));
});
