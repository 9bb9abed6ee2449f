// Plain wa-js against the sandbox: what is less common than in the action tests. Where it ends: node survey/wajs.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { actors, becomes, png } from "./actors.mjs";
import { startSandbox, startWAJS, until } from "./harness.mjs";

const number = "6281100002031";
let api, judge, run, a, friend, third, g;

before(async () => {
  api = await startSandbox();
  a = await actors(api, number);
  ({ friend, third } = a);
  g = await a.ownGroup("Panitia");
  judge = await startWAJS(api, number);
  run = judge.run;
  await run(() => {
    window.seen = [];
    for (const name of ["chat.poll_response", "call.incoming_call", "chat.presence_change", "group.participant_changed"]) {
      window.WPP.on(name, (x) => window.seen.push([name, JSON.parse(JSON.stringify(x ?? null))]));
    }
  });
});
after(async () => {
  await judge?.close();
  await api?.close();
});

/** WPP.<path>(...args) as plain JSON. */
const wpp = (path, ...args) =>
  run(async (path, args) => {
    const [ns, name] = path.split(".");
    return JSON.parse(JSON.stringify((await window.WPP[ns][name](...args)) ?? null));
  }, path, args);
const event = (name, fits) => until(name, async () => (await run((n) => window.seen.filter((x) => x[0] === n).map((x) => x[1]), name)).find(fits));
const text = async (body, to = friend) => (await wpp("chat.sendTextMessage", to, body, { createChat: true, waitForAck: true })).id;
const bare = (key) => key.split("_")[2];

test("the page says which build it is", async () => {
  assert.equal(await wpp("conn.isWhatsAppVersionGTE", "2.3000.1030209354"), true);
});

test("forward: text and picture arrive, marked; the old call is broken on this build", async () => {
  const key = await text("teruskan");
  const file = await wpp("chat.sendFileMessage", friend, `data:image/png;base64,${png}`, { type: "image", caption: "gambar", waitForAck: true });
  await wpp("chat.forwardMessages", third, [key, file.id], { displayCaptionText: true });
  const seen = await until("both arrive", async () => {
    const l = (await a.received("6281234560012")).filter((m) => !m.fetching);
    return l.length === 2 && l;
  });
  assert.deepEqual(seen.map((m) => [m.type, m.body, m.caption, m.media_error]), [["chat", "teruskan", undefined, undefined], ["image", "", "gambar", undefined]]);
  const kept = await api.get(`/phones/6281234560012/messages?chat=${a.owner}`);
  assert.deepEqual(kept.map((m) => [m.extra.isForwarded, m.extra.forwardingScore]), [[true, 1], [true, 1]]);
  // forwardMessagesToChats has one parameter in this build; wa-js gives it three.
  await assert.rejects(wpp("chat.forwardMessage", third, key), /is not iterable|undefined/);
  assert.equal((await a.received("6281234560012")).length, 2);
});

test("search in messages", async () => {
  const found = await run((c) => window.WPP.whatsapp.MsgStore.search("TERUSKAN", 1, 10, c).then((r) => r.messages.map((m) => m.body)), friend);
  assert.deepEqual(found, ["teruskan"]);
});

test("poll: votes from here and from a phone", async () => {
  const key = (await wpp("chat.sendCreatePollMessage", g, "Kapan?", ["Senin", "Selasa"], { waitForAck: true })).id;
  await run((k) => window.WPP.chat.getMessageById(k).then((m) => window.require("WAWebPollsSendVoteMsgAction").sendVote(m, new Set([1]))), key);
  await a.votes(g, bare(key), "Senin");
  const response = await event("chat.poll_response", (x) => x.sender === friend);
  assert.deepEqual([response.msgId._serialized, response.selectedOptions[0].name], [key, "Senin"]);
  assert.deepEqual((await a.inGroupChat(g, bare(key))).votes, { [a.owner]: ["Selasa"], [friend]: ["Senin"] });
  await a.votes(g, bare(key));
  await event("chat.poll_response", (x) => x.sender === friend && x.selectedOptions.length === 0);
  // Neither getVotes nor getTableVotes is in this build.
  await assert.rejects(wpp("chat.getVotes", key), /getTableVotes\) is not a function/);
});

test("pin a message for everybody, and take the pin away", async () => {
  const key = await text("penting");
  assert.equal((await wpp("chat.pinMsg", key)).result, "OK");
  const { pin } = await a.theirs(bare(key));
  assert.deepEqual([pin.by, pin.seconds], [a.owner, 604_800]);
  await assert.rejects(wpp("chat.pinMsg", key), /already pinned/);
  assert.equal((await wpp("chat.unpinMsg", key)).pinned, false);
  assert.equal((await a.theirs(bare(key))).pin, undefined);
});

test("who has got and who has read a message", async () => {
  const key = await text("tanda terima", g);
  // The list is asked of the server and may be ahead of the ack that the page was told.
  const before = await until("both have it", async () => {
    const info = await wpp("chat.getMessageACK", key);
    return info.deliveryRemaining === 0 && info.ack === 2 && info;
  });
  assert.deepEqual([before.ack, before.readRemaining, before.participants.map((p) => p.id).sort()], [2, 2, [friend, third]]);
  await api.post("/phones/6281234560011/read", { chat: g });
  const after = await until("one has read it", async () => {
    const info = await wpp("chat.getMessageACK", key);
    return info.readRemaining === 1 && info;
  });
  assert.deepEqual(after.participants.filter((p) => p.readAt).map((p) => p.id), [friend]);
});

test("group picture", async () => {
  assert.equal((await wpp("group.setIcon", g, `data:image/png;base64,${png}`)).status, 200);
  const { picture } = await a.group(g);
  assert.match(picture, /^[0-9a-f]{64}$/);
  assert.match(await wpp("contact.getProfilePictureUrl", g), new RegExp(picture));
  assert.equal(await wpp("group.removeIcon", g), true);
  assert.equal((await a.group(g)).picture, undefined);
});

test("group settings, and that they hold", async () => {
  const made = (await wpp("group.create", "Baru", [friend])).gid;
  const settings = async (group) => (({ announce, restrict, admin_add, approval, ephemeral }) => ({ announce, restrict, admin_add, approval, ephemeral }))(await a.group(group));
  assert.deepEqual(await settings(made), { announce: undefined, restrict: undefined, admin_add: undefined, approval: undefined, ephemeral: undefined });
  await wpp("group.setProperty", made, "announcement", true);
  await wpp("group.setProperty", made, "restrict", true);
  await wpp("group.setProperty", made, "ephemeral", 86_400);
  assert.deepEqual(await settings(made), { announce: true, restrict: true, admin_add: undefined, approval: undefined, ephemeral: 86_400 });
  assert.deepEqual(await run((c) => window.WPP.chat.get(c).groupMetadata.announce, made), true);
  await assert.rejects(a.inGroup(made, "subject", { text: "x" }), /not-authorized/);
  await assert.rejects(api.post("/phones/6281234560011/send", { to: made, body: "x" }), /only admins write/);
  // Here the account is no admin.
  const guest = await a.opens("Tamu");
  await a.inGroup(guest, "property:announcement", { text: "true" });
  await until("told", () => run((c) => window.WPP.chat.get(c)?.groupMetadata.announce, guest));
  const { sendMsgResult } = await run((c) => window.WPP.chat.sendTextMessage(c, "boleh?").then(async (r) => ({ sendMsgResult: await r.sendMsgResult })), guest);
  assert.equal(sendMsgResult.messageSendResult, "ERROR_UNKNOWN");
});

test("requests to join are seen, granted and refused", async () => {
  const code = (await a.group(g)).code;
  await run((c) => window.require("WAWebSetPropertyGroupAction").setGroupProperty(window.WPP.chat.get(c), "membership_approval_mode", 1).then(() => null), g);
  for (const n of ["6281234560041", "6281234560042"]) await a.outsider(n, "join", { text: code });
  assert.equal((await a.members(g)).length, 3);
  const asked = await wpp("group.getMembershipRequests", g);
  assert.deepEqual(asked.map((r) => r.id), ["6281234560041@c.us", "6281234560042@c.us"]);
  assert.deepEqual(await wpp("group.approve", g, "6281234560041@c.us"), [{ wid: "6281234560041@c.us", error: null }]);
  await wpp("group.reject", g, "6281234560042@c.us");
  assert.deepEqual((await a.members(g)).at(-1), "6281234560041@c.us");
  assert.deepEqual([(await a.members(g)).length, (await a.group(g)).requests], [4, undefined]);
  await wpp("group.removeParticipants", g, "6281234560041@c.us");
  assert.deepEqual((await wpp("group.getPastParticipants", g)).map((p) => [p.id, p.leaveReason]), [["6281234560041@c.us", "Removed"]]);
});

test("an invitation tells of the group and leads into it, or to its door", async () => {
  const { group } = await api.post("/groups", { owner: "6281234560012", subject: "Luar", participants: [] });
  const { code } = await a.group(group);
  const info = await wpp("group.getGroupInfoFromInviteCode", `https://chat.whatsapp.com/${code}`);
  assert.deepEqual([info.id, info.subject, info.owner, info.size], [group, "Luar", third, 1]);
  assert.deepEqual(await wpp("group.join", code), { id: group, pendingApproval: false });
  assert.deepEqual(await a.members(group), [`+${third}`, a.owner]);
  await event("group.participant_changed", (x) => x.groupId === group && x.action === "join");
  const { group: closed } = await api.post("/groups", { owner: "6281234560012", subject: "Tertutup", participants: [] });
  await a.outsider("6281234560012", "property:membership_approval_mode", { group: closed, text: "true" });
  assert.deepEqual(await wpp("group.join", (await a.group(closed)).code), { id: closed, pendingApproval: true });
  assert.deepEqual((await a.group(closed)).requests.map((r) => r.wid), [a.owner]);
  assert.deepEqual((await wpp("contact.getCommonGroups", third)).sort(), [g, group].sort());
});

test("the address book", async () => {
  await wpp("contact.save", third, "Sari", { surname: "Dewi" });
  const { name, short_name, is_my_contact } = await a.person("6281234560012");
  assert.deepEqual([name, short_name, is_my_contact], ["Sari Dewi", "Sari", true]);
  await wpp("contact.remove", third);
  assert.equal((await a.person("6281234560012")).name, undefined);
});

test("a call is rejected", async () => {
  const call = await a.rings();
  await event("call.incoming_call", (x) => x.id === call && x.sender === friend);
  await wpp("call.reject", call);
  assert.deepEqual((await a.calls()).map((c) => [c.id, c.rejected]), [[call, true]]);
});

test("online, away, last seen", async () => {
  await wpp("contact.subscribePresence", friend);
  await event("chat.presence_change", (x) => x.id === friend && x.isOnline);
  await a.online(false);
  await event("chat.presence_change", (x) => x.id === friend && x.isOnline === false && x.state === "unavailable");
  assert.ok((await wpp("chat.getLastSeen", friend)) > 1_700_000_000);
  await a.online(true);
});

test("privacy: kept, and no read receipt goes out", async () => {
  assert.equal(await wpp("privacy.setLastSeen", "contacts"), "contacts");
  assert.equal(await wpp("privacy.setReadReceipts", "none"), "none");
  assert.deepEqual((await a.account()).privacy, { last: "contacts", readreceipts: "none" });
  const { lastSeen, readReceipts, about } = await wpp("privacy.get");
  assert.deepEqual([lastSeen, readReceipts, about], ["contacts", "none", "all"]);
  const id = await a.says("dibaca?");
  await until("unread", () => run((c) => window.WPP.chat.get(c).unreadCount > 0, friend));
  await wpp("chat.markIsRead", friend);
  assert.equal((await a.theirs(id)).ack, 2, "delivered, as far as the friend knows");
  await assert.rejects(wpp("privacy.setLastSeen", "contact_blacklist", [{ id: third, action: "add" }]), /does not simulate privacy with exceptions/);
  await wpp("privacy.setReadReceipts", "all");
});

test("a voice note is played", async () => {
  const id = await a.sends({ type: "ptt", mimetype: "audio/ogg; codecs=opus", data: Buffer.from("OggS").toString("base64") });
  const key = `false_${friend}_${id}`;
  await until("it shows", () => run((k) => window.WPP.chat.getMessageById(k).then(() => true), key));
  assert.equal(await wpp("chat.canMarkPlayed", key), true);
  await wpp("chat.markPlayed", key);
  assert.equal((await a.theirs(id)).ack, 4);
});

test("status: posted, seen by who is known, taken back; somebody else's is seen", async () => {
  await a.befriend();
  const posted = await run(() => window.WPP.status.sendTextStatus("buka").then(async (r) => [r.id, (await r.sendMsgResult).messageSendResult]));
  assert.equal(posted[1], "OK");
  const picture = await wpp("status.sendImageStatus", `data:image/png;base64,${png}`, { caption: "toko" });
  assert.deepEqual((await a.statuses()).map((m) => m.slice(0, 3)), [["chat", "buka", false], ["image", "toko", false]]);
  assert.equal((await a.received("6281234560012")).some((m) => m.chat === "status@broadcast"), false, "third is in nobody's address book");
  assert.equal(await run(() => window.WPP.status.getMyStatus().then((s) => s.totalCount)), 2);
  await wpp("status.remove", picture.id);
  assert.deepEqual((await a.statuses()).map((m) => m[0]), ["chat", "revoked"]);
  const id = await a.posts("libur");
  const key = await until("it shows", () => run((c) => window.WPP.status.get(c)?.msgs.last()?.id.toString(), friend));
  assert.equal(key, `false_status@broadcast_${id}_${friend}`);
  await wpp("status.sendReadStatus", friend, key);
  assert.deepEqual((await a.statuses()).at(-1), ["chat", "libur", true, 3]);
});

test("clear keeps what has a star; delete takes the chat", async () => {
  const [gone, kept] = [await text("hilang"), await text("tinggal")];
  await wpp("chat.starMessage", kept);
  assert.equal((await wpp("chat.clear", friend)).status, 200);
  assert.deepEqual(await run((c) => window.WPP.chat.getMessages(c, { count: -1 }).then((l) => l.map((m) => m.body)), friend), ["tinggal"]);
  assert.equal((await a.theirs(bare(gone))).body, "hilang", "the friend keeps it");
  assert.equal((await wpp("chat.delete", friend)).status, 200);
  assert.equal(await run((c) => window.WPP.chat.get(c) === undefined, friend), true);
  const id = await a.says("halo lagi");
  await becomes("the chat is back with what is new", () => run((c) => window.WPP.chat.getMessages(c, { count: -1 }).then((l) => l.filter((m) => m.type === "chat").map((m) => m.id.id)).catch(() => []), friend), [id]);
});

test("what the sandbox does not simulate fails by its name", async () => {
  await assert.rejects(run((c) => window.WPP.whatsapp.functions.sendSetGroupProperty(window.WPP.chat.get(c).id, "no_frequently_forwarded", 1), g), /does not simulate the group property/);
  await assert.rejects(run(() => window.require("WADeprecatedSendIq").deprecatedCastStanza(window.require("WAWap").wap("iq", {}))), /does not simulate the stanza <iq>/);
});

test("the page threw nothing", () => assert.deepEqual(judge.errors, []));
