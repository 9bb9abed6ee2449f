// wppconnect against the sandbox: what is less common than in the action tests. Where it ends: node survey/wppconnect.mjs.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { actors, becomes, png } from "./actors.mjs";
import { startSandbox, startWPPConnect, until } from "./harness.mjs";

const number = "6281100002033";
const seen = [];
let api, judge, client, a, friend, third, g;
const dir = mkdtempSync(join(tmpdir(), "kurir-files-"));

before(async () => {
  api = await startSandbox();
  a = await actors(api, number);
  ({ friend, third } = a);
  g = await a.ownGroup("Panitia");
  judge = await startWPPConnect(api, number);
  client = judge.client;
  for (const name of ["onMessage", "onAnyMessage", "onAck", "onPollResponse", "onIncomingCall", "onPresenceChanged", "onNewChat", "onParticipantsChanged"]) client[name]((x) => seen.push([name, x]));
});
after(async () => {
  await judge?.close();
  await api?.close();
  rmSync(dir, { recursive: true });
});

const event = (name, fits) => until(name, () => seen.find((x) => x[0] === name && fits(x[1]))?.[1]);
const bare = (key) => key.split("_")[2];

test("onMessage is for what comes, onAnyMessage for both, onAck to the end", async () => {
  const { id } = await client.sendText(friend, "dari sini");
  await a.says("dari sana");
  await event("onMessage", (m) => m.body === "dari sana");
  await event("onAnyMessage", (m) => m.body === "dari sini" && m.fromMe);
  await event("onAnyMessage", (m) => m.body === "dari sana");
  assert.equal(seen.some(([name, m]) => name === "onMessage" && m.body === "dari sini"), false);
  await a.readsAll();
  await event("onAck", (m) => m.id._serialized === id && m.ack === 3);
});

test("forward; the old call is broken on this build", async () => {
  const { id } = await client.sendText(friend, "teruskan");
  await client.forwardMessagesV2(third, [id]);
  const [copy] = await until("it arrives", async () => ((l) => l.length && l)(await a.received("6281234560012")));
  assert.equal(copy.body, "teruskan");
  await assert.rejects(client.forwardMessage(third, id), /is not iterable|undefined/);
});

test("a phone votes in a poll", async () => {
  const poll = await client.sendPollMessage(g, "Kapan?", ["Senin", "Selasa"]);
  const key = poll.id._serialized ?? poll.id;
  await until("it is in the group", () => a.inGroupChat(g, bare(key)));
  await a.votes(g, bare(key), "Selasa");
  const response = await event("onPollResponse", (x) => x.sender === friend);
  assert.deepEqual([response.msgId._serialized, response.selectedOptions[1].name], [key, "Selasa"]);
});

test("group picture and settings", async () => {
  const file = join(dir, "a.png");
  writeFileSync(file, Buffer.from(png, "base64"));
  assert.equal((await client.setGroupIcon(g, file)).status, 200);
  assert.match((await a.group(g)).picture, /^[0-9a-f]{64}$/);
  assert.equal(await client.removeGroupIcon(g), true);
  await client.setMessagesAdminsOnly(g, true);
  await client.setGroupProperty(g, "restrict", true);
  await client.setTemporaryMessages(g, true);
  const { picture, announce, restrict, ephemeral } = await a.group(g);
  assert.deepEqual([picture, announce, restrict, ephemeral], [undefined, true, true, 604_800]);
});

test("requests to join", async () => {
  await a.outsider(number, "property:membership_approval_mode", { group: g, text: "true" });
  const { code } = await a.group(g);
  for (const n of ["6281234560041", "6281234560042"]) await a.outsider(n, "join", { text: code });
  const requests = await client.getGroupMembershipRequests(g);
  assert.deepEqual(requests.map((r) => r.id._serialized ?? r.id), ["6281234560041@c.us", "6281234560042@c.us"]);
  await client.approveGroupMembershipRequest(g, "6281234560041@c.us");
  await client.rejectGroupMembershipRequest(g, "6281234560042@c.us");
  assert.deepEqual([(await a.members(g)).at(-1), (await a.group(g)).requests], ["6281234560041@c.us", undefined]);
});

test("an invitation", async () => {
  const { group } = await api.post("/groups", { owner: "6281234560012", subject: "Luar", participants: [] });
  const { code } = await a.group(group);
  assert.equal((await client.getGroupInfoFromInviteLink(code)).subject, "Luar");
  await client.joinGroup(code);
  assert.deepEqual(await a.members(group), [`+${third}`, a.owner]);
  await event("onParticipantsChanged", (x) => x.groupId === group && x.action === "join");
  assert.deepEqual((await client.getCommonGroups(third)).map((w) => w._serialized ?? w).sort(), [g, group].sort());
});

test("a call is told of and rejected", async () => {
  const id = await a.rings();
  await event("onIncomingCall", (c) => c.id === id);
  await client.rejectCall(id);
  assert.deepEqual((await a.calls()).map((c) => [c.id, c.rejected]), [[id, true]]);
});

test("online and away", async () => {
  await client.subscribePresence(friend);
  await until("it is known", () => client.getChatIsOnline(friend));
  await a.online(false);
  await event("onPresenceChanged", (x) => x.id === friend && x.isOnline === false);
  assert.equal(await client.getChatIsOnline(friend), false);
});

test("a new chat, and a chat that is cleared and deleted", async () => {
  await api.post("/phones/6281234560077/send", { to: number, body: "baru" });
  await event("onNewChat", (c) => (c.id._serialized ?? c.id) === "6281234560077@c.us");
  assert.equal(await client.clearChat(friend, false), true);
  await becomes("no message is left", async () => (await client.getMessages(friend, { count: -1 })).length, 0);
  assert.equal(await client.deleteChat(friend), true);
  assert.equal(await judge.run((c) => window.WPP.chat.get(c) === undefined, friend), true);
  assert.equal((await a.chat()).wid, friend, "the account's chat itself, without messages");
});
