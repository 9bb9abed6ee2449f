// whatsapp-web.js against the sandbox: what is done to chats, messages, groups and profiles, by it and by others.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { actors, becomes, jpeg, png } from "./actors.mjs";
import { startSandbox, startWWebJS, until } from "./harness.mjs";

const number = "6281100002012";
const seen = [];
let api, judge, client, a, friend, chat, message, id;

before(async () => {
  api = await startSandbox();
  a = await actors(api, number);
  friend = a.friend;
  judge = await startWWebJS(api, number);
  client = judge.client;
  for (const name of ["message_reaction", "message_edit", "message_revoke_everyone", "message_revoke_me", "group_join", "group_leave", "group_update", "group_admin_changed", "chat_archived"]) {
    client.on(name, (...args) => seen.push([name, ...args]));
  }
  const sent = await client.sendMessage(friend, "halo");
  id = sent.id.id;
  message = await until("the server's ack", async () => {
    const m = await client.getMessageById(sent.id._serialized);
    return m?.ack >= 1 && m;
  });
  chat = await client.getChatById(friend);
});
after(async () => {
  await judge?.close();
  await api?.close();
});

const event = (name, fits) => until(name, () => seen.find((x) => x[0] === name && fits(...x.slice(1)))?.slice(1));
const arrives = async (body) => {
  const incoming = await a.says(body);
  return [incoming, await until("the message shows", () => client.getMessageById(`false_${friend}_${incoming}`))];
};

test("typing", async () => {
  for (const [call, want] of [["sendStateTyping", [friend, "composing"]], ["sendStateRecording", [friend, "recording"]], ["clearState", []]]) {
    await chat[call]();
    await becomes(call, async () => (await a.typing()).filter(Boolean), want);
  }
});

test("mark read and unread", async () => {
  const [incoming] = await arrives("hai");
  await until("unread", async () => (await client.getChatById(friend)).unreadCount === 1);
  assert.equal((await a.theirs(incoming)).ack < 3, true);
  assert.equal(await chat.sendSeen(), true);
  await becomes("the friend sees it read", async () => (await a.theirs(incoming)).ack, 3);
  await chat.markUnread();
  await becomes("marked unread", async () => (await a.chat()).unread, -1);
});

test("reaction, and taking it back", async () => {
  await message.react("👍");
  assert.deepEqual((await a.theirs(id)).reactions, { [a.owner]: "👍" });
  await event("message_reaction", (r) => r.reaction === "👍" && r.senderId === a.owner);
  await message.react("");
  assert.equal((await a.theirs(id)).reactions, undefined);
});

test("reactions from before the link, and now", async () => {
  const list = async (key) => {
    const all = await (await client.getMessageById(key))?.getReactions();
    return all?.flatMap((r) => r.senders.map((x) => [x.reaction, x.senderId])).sort();
  };
  await becomes("those from before", () => list(a.old), [["❤️", a.owner], ["😂", friend]].sort());
  await message.react("👍");
  await becomes("one more", () => list(message.id._serialized), [["👍", a.owner]]);
  await message.react("");
  await becomes("taken back", async () => (await list(message.id._serialized)) ?? null, null);
});

test("edit", async () => {
  const edited = await message.edit("halo lagi");
  assert.equal(edited.body, "halo lagi");
  assert.deepEqual([(await a.theirs(id)).body, (await a.own(id)).body], ["halo lagi", "halo lagi"]);
  await event("message_edit", (m, now, before) => m.id.id === id && now === "halo lagi" && before === "halo");
});

test("star", async () => {
  await message.star();
  await becomes("starred", async () => (await a.own(id)).star, true);
  assert.equal((await a.theirs(id)).star, undefined, "a star is nobody else's business");
  await message.unstar();
  await becomes("not starred", async () => (await a.own(id)).star, undefined);
});

test("archive, pin and mute", async () => {
  assert.equal(await chat.archive(), true);
  await becomes("archived", async () => (await a.chat()).archived, true);
  await event("chat_archived", (c, now) => c.id._serialized === friend && now);
  assert.equal(await chat.unarchive(), false);
  await becomes("not archived", async () => (await a.chat()).archived, undefined);
  assert.equal(await chat.pin(), true);
  await until("pinned", async () => (await a.chat()).pinned > 0);
  await until("pinned here", async () => (await client.getChatById(friend)).pinned);
  assert.equal(await chat.unpin(), false);
  await becomes("not pinned", async () => (await a.chat()).pinned, undefined);
  const muted = await chat.mute(new Date(Date.now() + 3_600_000));
  assert.equal(muted.isMuted, true);
  assert.equal((await a.chat()).mute_until, muted.muteExpiration);
  assert.equal((await chat.unmute()).isMuted, false);
  assert.equal((await a.chat()).mute_until, undefined);
});

test("block is broken on this build", async () => {
  // whatsapp-web.js asks WAWebBlockContactUtils.getContactToBlockOnlyUseIfNoAssociatedChat, which no module of this
  // build has: it has handleBlock and handleUnblock.
  const contact = await client.getContactById(friend);
  await assert.rejects(contact.block(), /getContactToBlockOnlyUseIfNoAssociatedChat is not a function/);
  await assert.rejects(contact.unblock(), /getContactToBlockOnlyUseIfNoAssociatedChat is not a function/);
  assert.equal((await a.contact()).blocked, undefined);
});

test("groups", async () => {
  const made = await client.createGroup("Panitia", [friend]);
  const g = made.gid._serialized;
  assert.deepEqual([made.title, made.participants[friend].statusCode, made.participants[a.owner].isGroupCreator], ["Panitia", 200, true]);
  assert.equal((await a.group(g)).subject, "Panitia");
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend]);
  const group = await client.getChatById(g);
  assert.deepEqual([group.isGroup, group.name, group.participants.map((p) => p.id._serialized)], [true, "Panitia", [a.owner, friend]]);
  assert.equal((await group.addParticipants([a.third]))[a.third].code, 200);
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend, a.third]);
  await group.promoteParticipants([a.third]);
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend, `+${a.third}`]);
  await group.demoteParticipants([a.third]);
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend, a.third]);
  await group.removeParticipants([a.third]);
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend]);
  assert.equal(await group.setSubject("Panitia 17 Agustus"), true);
  assert.equal(await group.setDescription("Lomba dan hadiah"), true);
  const { subject, description, code } = await a.group(g);
  assert.deepEqual([subject, description], ["Panitia 17 Agustus", "Lomba dan hadiah"]);
  assert.equal(await group.getInviteCode(), code);
  // Broken on this build: resetGroupInviteCode is in WAWebGroupInviteJob, whatsapp-web.js looks in WAWebGroupQueryJob.
  await assert.rejects(group.revokeInvite(), /resetGroupInviteCode is not a function/);
  assert.equal((await a.group(g)).code, code);
  await group.leave();
  assert.deepEqual(await a.members(g), [friend]);
  const told = () => seen.filter((x) => x[0].startsWith("group_") && x[1].chatId === g).map((x) => [x[0], x[1].type, x[1].author, ...x[1].recipientIds]);
  await becomes("what it was told of the group", told, [
    ["group_update", "create", a.owner, friend],
    ["group_join", "add", a.owner, a.third],
    ["group_admin_changed", "promote", a.owner, a.third],
    ["group_admin_changed", "demote", a.owner, a.third],
    ["group_leave", "remove", a.owner, a.third],
    ["group_update", "subject", a.owner],
    ["group_update", "description", a.owner],
    ["group_leave", "leave", a.owner, a.owner],
  ]);
});

test("profile", async () => {
  assert.equal(await client.setDisplayName("Toko Baru"), true);
  await client.setStatus("buka");
  assert.deepEqual([(await a.account()).name, (await a.account()).about], ["Toko Baru", "buka"]);
  assert.equal(await client.setProfilePicture({ mimetype: "image/png", data: png }), true);
  assert.match((await a.account()).picture, /^[0-9a-f]{64}$/);
  assert.equal(await client.deleteProfilePicture(), true);
  assert.equal((await a.account()).picture, "");
});

test("somebody else's picture and about", async () => {
  await a.looks({ about: "sibuk", picture: jpeg.toString("base64") });
  const contact = await client.getContactById(friend);
  const url = await contact.getProfilePicUrl();
  assert.equal(await judge.run((u) => fetch(u).then((r) => r.arrayBuffer()).then((b) => b.byteLength), url), jpeg.length);
  assert.equal(await contact.getAbout(), "sibuk");
});

test("others react, edit, revoke and type", async () => {
  await a.does("react", id, false, "🙏");
  const [reaction] = await event("message_reaction", (r) => r.reaction === "🙏");
  assert.deepEqual([reaction.msgId.id, reaction.senderId], [id, friend]);
  const [incoming, shown] = await arrives("satu");
  await a.does("edit", incoming, true, "dua");
  await event("message_edit", (m, now, before) => m.id.id === incoming && now === "dua" && before === "satu");
  await a.does("revoke", incoming, true);
  const [after] = await event("message_revoke_everyone", (m) => m.id.id === incoming);
  assert.deepEqual([after.type, after.body, after.protocolMessageKey.id], ["revoked", "", incoming]);
  assert.equal((await client.getMessageById(shown.id._serialized)).type, "revoked");
  // The client has no event for typing; the page knows all the same.
  await a.types("composing");
  await until("typing", () => judge.run((c) => window.require("WAWebCollections").Presence.get(c)?.chatstate.type === "typing", friend));
});

test("others change a group", async () => {
  const g = await a.opens("Tamu");
  const { third, owner } = a;
  await a.inGroup(g, "add", { participants: [third] });
  await a.inGroup(g, "promote", { participants: [owner] });
  await a.inGroup(g, "subject", { text: "Tamu B" });
  await a.inGroup(g, "remove", { participants: [third] });
  await event("group_leave", (n) => n.chatId === g);
  const told = seen.filter((x) => x[0].startsWith("group_") && x[1].chatId === g).map((x) => [x[0], x[1].author, ...x[1].recipientIds, x[1].body]);
  assert.deepEqual(told, [
    ["group_update", friend, owner, "Tamu"],
    ["group_join", friend, third, ""],
    ["group_admin_changed", friend, owner, ""],
    ["group_update", friend, "Tamu B"],
    ["group_leave", friend, third, ""],
  ]);
  const group = await client.getChatById(g);
  assert.deepEqual([group.name, group.participants.length], ["Tamu B", 2]);
});

test("revoke for everyone, delete for me", async () => {
  const [incoming, shown] = await arrives("buang");
  await shown.delete(false);
  await becomes("gone here", async () => (await a.own(incoming)) === undefined, true);
  assert.equal((await a.theirs(incoming)).body, "buang", "the friend keeps it");
  await event("message_revoke_me", (m) => m.id.id === incoming);
  assert.equal((await client.getMessageById(shown.id._serialized)), null);
  await message.delete(true);
  await becomes("revoked there", async () => (await a.theirs(id)).type, "revoked");
  await event("message_revoke_everyone", (m) => m.id.id === id);
});
