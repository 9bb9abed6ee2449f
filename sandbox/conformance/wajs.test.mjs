// Plain wa-js against the sandbox: linking, texts, acks, coming back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startSandbox, startWAJS, until } from "./harness.mjs";

const owner = "6281100002001";
const customer = "6281234560001";
let api, judge;

before(async () => {
  api = await startSandbox();
  await api.post("/phones", { number: owner, name: "Toko" });
  judge = await startWAJS(api, owner);
});
after(async () => {
  await judge?.close();
  await api?.close();
});

test("a text arrives, and its acks come in order", async () => {
  await judge.run(() => {
    window.acks = [];
    window.WPP.whatsapp.MsgStore.on("change:ack", (m, ack) => window.acks.push([m.id.id, ack]));
  });
  const id = await judge.run((to) => window.WPP.chat.sendTextMessage(to, "Halo", { createChat: true }).then((r) => r.id.split("_")[2]), `${customer}@c.us`);
  const [got] = await until("the phone has it", async () => (await api.get(`/phones/${customer}/inbox`)).length && (await api.get(`/phones/${customer}/inbox`)));
  assert.deepEqual([got.id, got.type, got.body, got.from, got.copies], [id, "chat", "Halo", `${owner}@c.us`, 1]);
  await api.post(`/phones/${customer}/read`, { chat: `${owner}@c.us` });
  await until("acks", () => judge.run((id) => window.acks.filter((a) => a[0] === id).map((a) => a[1]).join() === "1,2,3", id));
});

test("the link is kept by a restart of the browser", async () => {
  await judge.stop();
  judge = await startWAJS(api, owner, { profile: judge.profile, scan: false });
  assert.equal((await api.get(`/phones/${owner}`)).devices.length, 1);
});
