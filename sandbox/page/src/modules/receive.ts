// Receiving: messages, history and receipts that the server pushes. Everything goes through the module exports that
// clients wrap.

import { define, R } from "../base/loader";
import { comms } from "../comms";
import { readdressMessages } from "../lid";
import { knownRows, lastRows, messageRow } from "../store";
import type { Pushes, WireMessage } from "../wire";
import { forgetNewest, saveChats, updateChat } from "./chats";
import { saveContacts } from "./contacts";
import { ACK, isSystemType, unixTime } from "./enums";
import { MsgKey, wid } from "./ids";
import { storePastPins } from "./pins";
import { storePastVotes } from "./polls";
import { storePastReactions } from "./reactions";
import { onStatus, STATUS } from "./status";
import { newestPerChat, storePast, toRow, updateMessage } from "./messages";

const ACK_OF = { delivery: ACK.RECEIVED, read: ACK.READ, played: ACK.PLAYED };

/** The attributes of a message that the server sent. */
function attributesOf(m: WireMessage): Record<string, any> {
  const me = R("WAWebUserPrefsMeUser").getMeUser();
  const chat = wid(m.chat);
  const author = chat.isGroup() || chat.isStatus() ? wid(m.author ?? String(me)) : undefined;
  const own = R("WAWebUserPrefsMeUser").isMeAccount(chat);
  const id = new MsgKey({ fromMe: m.from_me, remote: chat, id: m.id, participant: author, self: own ? (m.from_me ? "out" : "in") : undefined });
  return {
    id, author, type: m.type, body: m.media ? undefined : m.body, t: m.t, from: m.from_me ? me : chat, to: m.from_me ? chat : me,
    ack: m.from_me ? (m.ack ?? ACK.SENT) : undefined, star: m.star, hasReaction: (m.reactions && Object.keys(m.reactions).length > 0) || undefined, notifyName: m.pushname, mentionedJidList: m.mentions?.map(wid), ...m.extra, ...mediaAttributes(m), ...quotedAttributes(m),
  };
}

function mediaAttributes({ media, body }: WireMessage): Record<string, unknown> {
  if (!media) return {};
  return {
    caption: body || undefined, mimetype: media.mimetype, size: media.size, filename: media.filename, mediaKey: media.media_key, filehash: media.file_sha256, encFilehash: media.file_enc_sha256,
    directPath: media.direct_path, width: media.width, height: media.height, duration: media.duration,
  };
}

function quotedAttributes({ quoted }: WireMessage): Record<string, unknown> {
  if (!quoted) return {};
  return { quotedStanzaID: quoted.id, quotedParticipant: quoted.author ? wid(quoted.author) : undefined, quotedType: quoted.type, quotedMsg: { type: quoted.type, body: quoted.body } };
}

/**
 * Messages that arrived now. A burst is one look at the disk, few writes and one receipt for each chat; each message
 * goes through the page's handler by itself, in order.
 */
export async function onMessages(burst: WireMessage[]): Promise<void> {
  const list = [...new Map(burst.map((m) => [`${m.from_me} ${m.chat} ${m.author} ${m.id}`, m])).values()]; // none twice
  const { ChatCollection } = R("WAWebChatCollection");
  const chats = new Map(list.filter((m) => m.chat !== STATUS && !ChatCollection.get(m.chat)).map((m) => [m.chat, { wid: m.chat, lid: undefined, t: m.t, unread: 0 }]));
  if (chats.size) await saveChats([...chats.values()]);
  const all = list.map((m) => ({ ...attributesOf(m), isNewMsg: true }) as any);
  const ids = all.map((m) => String(m.id));
  const known = await knownRows(ids);
  for (const id of ids) if (!known.has(id)) fresh.add(id);
  const handled = await Promise.allSettled(all.map((m, i) => {
    const { pushname, from_me, author, chat } = list[i]!;
    if (pushname && !from_me) R("WAWebContactCollection").ContactCollection.gadd(wid(author ?? chat)).set("pushname", pushname);
    return R("WAWebHandleSingleMsgWorkerCompatible").handleSingleMsg(m);
  }));
  for (const id of ids) fresh.delete(id);
  acknowledge(list.filter((m, i) => handled[i]!.status === "fulfilled" && !m.from_me && !isSystemType(m.type)));
  const lost = handled.find((h) => h.status === "rejected");
  if (lost) throw lost.reason;
}

/** Tells the server that messages were delivered. */
function acknowledge(list: WireMessage[]): void {
  const receipts = new Map<string, { chat: string; ids: string[]; type: "delivery"; author?: string }>();
  for (const { id, chat, author } of list) {
    const of = `${chat} ${author}`;
    const receipt = receipts.get(of) ?? { chat, ids: [], type: "delivery", author };
    receipts.set(of, receipt);
    receipt.ids.push(id);
  }
  for (const receipt of receipts.values()) comms.request("receipt", receipt).catch(() => {});
}

const fresh = new Set<string>(); // of the messages that are handled now: not on disk

/** Whether the page has a message. */
async function has(id: any): Promise<boolean> {
  const key = String(id);
  if (R("WAWebMsgCollection").MsgCollection.get(id)) return true;
  return !fresh.has(key) && (await messageRow(key)) !== undefined;
}

async function handleMessage(attributes: any): Promise<void> {
  const chatId = attributes.id.remote;
  const { MsgCollection } = R("WAWebMsgCollection");
  if (await has(attributes.id)) return;
  if (chatId.isStatus()) return onStatus(attributes);
  // The chat is written together with its newest message: what it counts is set before.
  const chat = R("WAWebChatCollection").ChatCollection.get(chatId);
  const unread = attributes.id.fromMe ? 0 : isSystemType(attributes.type) ? chat.unreadCount : Math.max(0, chat.unreadCount) + 1;
  const newest = !(lastRows.get(String(chatId))?.t! > attributes.t);
  if (newest) chat.set({ unreadCount: unread });
  await MsgCollection.processMultipleMessages(chatId, [attributes], {}, {}, {});
  if (!newest && unread !== chat.unreadCount) await updateChat(chat, { unreadCount: unread });
}

/** A piece of the past: stored, and the newest of each chat shown. */
export async function onHistory(push: Pushes["history"]): Promise<void> {
  if (push.contacts?.length) await saveContacts(push.contacts);
  if (push.chats?.length) await saveChats(push.chats);
  readdressMessages(push.messages ?? []);
  if (push.messages?.length) await storeHistory(push.messages);
}

/** One write is under way while the next piece is read. */
export let historyWritten: Promise<void> = Promise.resolve();

async function storeHistory(messages: WireMessage[]): Promise<void> {
  const rows = messages.map((m) => toRow(attributesOf(m)));
  const past = messages.flatMap((message, i) => (message.reactions || message.votes || message.pin ? [{ id: rows[i]!.id, message }] : []));
  await storePastReactions(past);
  await storePastVotes(past);
  await storePastPins(past);
  await historyWritten;
  historyWritten = storePast(rows);
  for (const row of newestPerChat(rows)) {
    const chat = R("WAWebChatCollection").ChatCollection.get(row.chat);
    if (chat && lastRows.get(row.chat) === row) forgetNewest(chat);
  }
}

/** Asks the phone for what is older than a message and stores it. */
export async function fetchEarlier(chat: any, id: string): Promise<void> {
  const { messages, more } = await comms.request("earlier", { chat: String(chat.id), id });
  readdressMessages(messages);
  if (messages.length) await storePast(messages.map((m) => toRow(attributesOf(m))));
  if (!more) await updateChat(chat, { endOfHistoryTransferType: 1 });
}

/** A receipt, in the form that the real handlers take. */
export async function onReceipt(push: Pushes["receipt"]): Promise<void> {
  const from = wid(push.chat);
  const receipt = {
    ack: ACK_OF[push.type],
    ackString: push.type,
    from,
    participant: push.author ? wid(push.author) : undefined,
    recipient: undefined,
    externalIds: push.ids,
    ts: push.t,
    t: unixTime(),
  };
  if (from.isGroup()) await R("WAWebHandleGroupChatReceipt").handleGroupSimpleReceipt(receipt);
  else if (from.isStatus()) await R("WAWebHandleStatusReceipt").handleStatusSimpleReceipt(receipt);
  else await R("WAWebHandleDirectChatReceipt").handleChatSimpleReceipt(receipt);
}

async function raiseAck(key: string, ack: number): Promise<void> {
  const { messages } = await R("WAWebMsgCollection").MsgCollection.getMessagesById([key]);
  if (messages[0] && messages[0].ack < ack) await updateMessage(messages[0].id, { ack });
}

async function directReceipt(receipt: any): Promise<void> {
  const own = R("WAWebUserPrefsMeUser").isMeAccount(receipt.from);
  for (const id of receipt.externalIds) await raiseAck(`true_${receipt.from}_${id}${own ? "_out" : ""}`, receipt.ack);
}

// In a group the message's own ack rises when everybody has got as far.
const groupReceipts = new Map<string, Map<string, number>>();

async function groupReceipt(receipt: any): Promise<void> {
  const others = R("WAWebGroupMetadataCollection").default.get(receipt.from)?.participants.length - 1;
  for (const id of receipt.externalIds) {
    const seen = groupReceipts.get(id) ?? new Map<string, number>();
    groupReceipts.set(id, seen);
    seen.set(String(receipt.participant), Math.max(receipt.ack, seen.get(String(receipt.participant)) ?? 0));
    if (seen.size < others) continue;
    // The participant in the key is whichever of our two addresses the sender chose.
    for (const me of R("WAWebUserPrefsMeUser").getMePNandLIDWids()) await raiseAck(`true_${receipt.from}_${id}_${me}`, Math.min(...seen.values()));
  }
}

async function statusReceipt(receipt: any): Promise<void> {
  for (const id of receipt.externalIds) await raiseAck(`true_${receipt.from}_${id}_${R("WAWebUserPrefsMeUser").getMeUser()}`, receipt.ack);
}

export function defineReceive(): void {
  define("WAWebHandleSingleMsg", () => ({ handleSingleMsgImpl: (message: any) => handleMessage(message) }));
  define("WAWebHandleSingleMsgFactory", () => ({ handleSingleMsg: (message: any) => R("WAWebHandleSingleMsg").handleSingleMsgImpl(message) }));
  define("WAWebHandleSingleMsgWorkerCompatible", () => ({ handleSingleMsg: (message: any) => R("WAWebHandleSingleMsgFactory").handleSingleMsg(message) }));
  define("WAWebHandleDirectChatReceipt", () => ({ handleChatSimpleReceipt: (receipt: any) => directReceipt(receipt) }));
  define("WAWebHandleGroupChatReceipt", () => ({ handleGroupSimpleReceipt: (receipt: any) => groupReceipt(receipt) }));
  define("WAWebHandleStatusReceipt", () => ({ handleStatusSimpleReceipt: (receipt: any) => statusReceipt(receipt) }));
}
