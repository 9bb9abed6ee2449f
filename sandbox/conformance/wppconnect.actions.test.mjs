// wppconnect against the sandbox: what is done to chats, messages, groups and profiles, by it and by others.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { actors, becomes, jpeg, png } from "./actors.mjs";
import { startSandbox, startWPPConnect, until } from "./harness.mjs";

const number = "6281100002013";
const seen = [];
let api, judge, client, a, friend, key, id;

before(async () => {
  api = await startSandbox();
  a = await actors(api, number);
  friend = a.friend;
  judge = await startWPPConnect(api, number);
  client = judge.client;
  for (const name of ["onReactionMessage", "onRevokedMessage", "onMessageEdit", "onPresenceChanged", "onParticipantsChanged"]) {
    client[name]((x) => seen.push([name, x]));
  }
  key = (await client.sendText(friend, "halo")).id;
  id = key.split("_")[2];
});
after(async () => {
  await judge?.close();
  await api?.close();
});

const event = (name, fits) => until(name, () => seen.find((x) => x[0] === name && fits(x[1]))?.[1]);
const arrives = async (body) => {
  const incoming = await a.says(body);
  const full = `false_${friend}_${incoming}`;
  await until("the message shows", () => client.getMessageById(full));
  return [incoming, full];
};

test("typing", async () => {
  for (const [call, want] of [["startTyping", [friend, "composing"]], ["stopTyping", []], ["startRecording", [friend, "recording"]], ["stopRecording", []]]) {
    await client[call](friend);
    await becomes(call, async () => (await a.typing()).filter(Boolean), want);
  }
});

test("mark read and unread", async () => {
  const [incoming] = await arrives("hai");
  await until("unread", async () => (await client.getChatById(friend)).unreadCount === 1);
  assert.equal((await a.theirs(incoming)).ack < 3, true);
  assert.equal((await client.sendSeen(friend)).unreadCount, 1);
  await becomes("the friend sees it read", async () => (await a.theirs(incoming)).ack, 3);
  assert.equal(await client.markUnseenMessage(friend), true);
  assert.equal((await a.chat()).unread, -1);
});

test("reaction, and taking it back", async () => {
  await client.sendReactionToMessage(key, "👍");
  assert.deepEqual((await a.theirs(id)).reactions, { [a.owner]: "👍" });
  assert.equal((await client.getReactions(key)).reactionByMe.reactionText, "👍");
  await client.sendReactionToMessage(key, false);
  assert.equal((await a.theirs(id)).reactions, undefined);
});

test("reactions from before the link", async () => {
  const { reactionByMe, reactions } = await until("the past", async () => {
    const r = await client.getReactions(a.old);
    return r.reactions.length === 2 && r;
  });
  assert.equal(reactionByMe.reactionText, "❤️");
  assert.deepEqual(reactions.map((r) => [r.aggregateEmoji, r.hasReactionByMe]).sort(), [["❤️", true], ["😂", false]].sort());
});

test("edit", async () => {
  assert.equal((await client.editMessage(key, "halo lagi")).body, "halo lagi");
  assert.deepEqual([(await a.theirs(id)).body, (await a.own(id)).body], ["halo lagi", "halo lagi"]);
});

test("star is broken on this build", async () => {
  // wppconnect calls sendStarMsgs of the chat's model; this build's Chat has no such method (Cmd has).
  await assert.rejects(client.starMessage(key, true), /sendStarMsgs is not a function/);
  assert.equal((await a.own(id)).star, undefined);
});

test("archive and pin", async () => {
  assert.equal((await client.archiveChat(friend, true)).archive, true);
  await becomes("archived", async () => (await a.chat()).archived, true);
  await until("archived here", () => judge.run((c) => window.WPP.chat.get(c).archive, friend)); // the command does not wait
  await client.archiveChat(friend, false);
  await becomes("not archived", async () => (await a.chat()).archived, undefined);
  await client.pinChat(friend, true);
  assert.ok((await a.chat()).pinned > 0);
  await client.pinChat(friend, false);
  assert.equal((await a.chat()).pinned, undefined);
});

test("mute is broken everywhere", async () => {
  // wppconnect reads window.Store.Mute, from the time before wa-js; nobody makes a Store with a Mute any more.
  await assert.rejects(client.sendMute(friend, 1, "hours"), /Cannot read properties of undefined \(reading 'get'\)/);
  assert.equal((await a.chat()).mute_until, undefined);
});

test("block", async () => {
  assert.equal(await client.blockContact(friend), true);
  assert.equal((await a.contact()).blocked, true);
  assert.deepEqual(await client.getBlockList(), [friend]);
  const kept = await a.says("kamu di sana?");
  assert.equal(await a.own(kept), undefined, "what a blocked account writes does not arrive");
  assert.equal(await client.unblockContact(friend), true);
  assert.equal((await a.contact()).blocked, undefined);
  await arrives("sekarang?");
});

test("groups", async () => {
  const { gid } = await client.createGroup("Panitia", [friend]);
  const g = gid._serialized;
  assert.equal((await a.group(g)).subject, "Panitia");
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend]);
  assert.equal((await client.addParticipant(g, a.third))[a.third].code, 200);
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend, a.third]);
  await client.promoteParticipant(g, a.third);
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend, `+${a.third}`]);
  assert.deepEqual((await client.getGroupAdmins(g)).map((w) => w._serialized), [a.owner, a.third]);
  await client.demoteParticipant(g, a.third);
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend, a.third]);
  await client.removeParticipant(g, a.third);
  assert.deepEqual(await a.members(g), [`+${a.owner}`, friend]);
  assert.equal(await client.setGroupSubject(g, "Panitia 17 Agustus"), true);
  assert.equal(await client.setGroupDescription(g, "Lomba dan hadiah"), true);
  const { subject, description, code } = await a.group(g);
  assert.deepEqual([subject, description], ["Panitia 17 Agustus", "Lomba dan hadiah"]);
  assert.equal(await client.getGroupInviteLink(g), `https://chat.whatsapp.com/${code}`);
  const fresh = await client.revokeGroupInviteLink(g);
  assert.notEqual((await a.group(g)).code, code);
  assert.equal(fresh, `https://chat.whatsapp.com/${(await a.group(g)).code}`);
  await client.leaveGroup(g);
  assert.deepEqual(await a.members(g), [friend]);
});

test("profile", async () => {
  assert.equal(await client.setProfileName("Toko Baru"), true);
  await client.setProfileStatus("buka"); // does not wait for the answer
  await becomes("the about", async () => (await a.account()).about, "buka");
  assert.equal((await a.account()).name, "Toko Baru");
  assert.equal(await client.getProfileName(), "Toko Baru");
  assert.equal((await client.setProfilePic(`data:image/png;base64,${png}`)).status, 200);
  assert.match((await a.account()).picture, /^[0-9a-f]{64}$/);
  assert.equal(await client.removeMyProfilePicture(), true);
  assert.equal((await a.account()).picture, "");
});

test("somebody else's picture and about", async () => {
  await a.looks({ about: "sibuk", picture: jpeg.toString("base64") });
  const { imgFull } = await client.getProfilePicFromServer(friend);
  assert.equal(await judge.run((u) => fetch(u).then((r) => r.arrayBuffer()).then((b) => b.byteLength), imgFull), jpeg.length);
  // Broken on this build, for wa-js's reason: it asks the collection of text statuses for abouts.
  assert.equal((await client.getStatus(friend)).status, null);
});

test("others react, edit, revoke and type", async () => {
  await a.does("react", id, false, "🙏");
  const reaction = await event("onReactionMessage", (x) => x.reactionText === "🙏");
  assert.deepEqual([reaction.msgId._serialized, reaction.sender], [key, friend]);
  const [incoming, full] = await arrives("satu");
  await a.does("edit", incoming, true, "dua");
  assert.equal((await event("onMessageEdit", (x) => x.msg.body === "dua")).id, full);
  await a.does("revoke", incoming, true);
  assert.equal((await event("onRevokedMessage", () => true)).refId, full);
  assert.equal((await client.getMessageById(full)).type, "revoked");
  await a.types("composing");
  await event("onPresenceChanged", (x) => x.id === friend && x.state === "typing");
});

test("others change a group", async () => {
  const g = await a.opens("Tamu");
  const { third, owner } = a;
  await a.inGroup(g, "add", { participants: [third] });
  await a.inGroup(g, "promote", { participants: [owner] });
  await a.inGroup(g, "subject", { text: "Tamu B" });
  await a.inGroup(g, "remove", { participants: [third] });
  await event("onParticipantsChanged", (x) => x.groupId === g && x.action === "remove");
  const told = seen.filter((x) => x[0] === "onParticipantsChanged" && x[1].groupId === g).map(([, x]) => [x.action, x.by, ...x.who]);
  assert.deepEqual(told, [["add", friend, third], ["promote", friend, owner], ["remove", friend, third]]);
  await until("the subject", () => judge.run((g) => window.WPP.chat.get(g)?.formattedTitle === "Tamu B", g));
});

test("revoke for everyone, delete for me", async () => {
  const [incoming, full] = await arrives("buang");
  await client.deleteMessage(friend, full, true);
  await becomes("gone here", async () => (await a.own(incoming)) === undefined, true);
  assert.equal((await a.theirs(incoming)).body, "buang", "the friend keeps it");
  assert.equal(await client.deleteMessage(friend, key, false), true);
  await becomes("revoked there", async () => (await a.theirs(id)).type, "revoked");
});
