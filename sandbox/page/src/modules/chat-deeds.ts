// What is done with whole chats, and with messages as they are: clear, delete, forward, mark as played.

import { define, R } from "../base/loader";
import { comms } from "../comms";
import { deleteChatRow, deleteChatRows, lastRows, messageRows, writeRows } from "../store";
import { chatRow, forgetNewest } from "./chats";
import { ACK, isSystemType, MEDIA_TYPES, unixTime } from "./enums";
import { MsgKey } from "./ids";
import { saveMsg } from "./messages";

// ---- clear and delete

/** Forgets the messages of a chat, those with a star only when asked to. */
export async function showCleared(chat: any, keepStarred: boolean): Promise<void> {
  const name = String(chat.id);
  const { MsgCollection } = R("WAWebMsgCollection");
  // From memory first: an ack that comes while the rows are deleted would have its message written again.
  const gone = MsgCollection.filter((m: any) => String(m.id.remote) === name && !(keepStarred && m.star));
  chat.msgs.remove(gone, { silent: true });
  MsgCollection.remove(gone, { silent: true });
  await deleteChatRows(name, keepStarred);
  lastRows.set(name, (await messageRows(name, 1))[0]);
  forgetNewest(chat);
  chat.set({ unreadCount: 0 });
  await writeRows({ chat: [chatRow(chat)] });
}

/** The chat is gone until somebody writes in it. */
export async function showDeletedChat(chat: any): Promise<void> {
  const name = String(chat.id);
  const { MsgCollection } = R("WAWebMsgCollection");
  MsgCollection.remove(MsgCollection.filter((m: any) => String(m.id.remote) === name), { silent: true });
  await deleteChatRows(name, false);
  await deleteChatRow(name);
  lastRows.delete(name);
  chat.delete();
}

/** Keeps a deed of a chat where clients look for what is under way, and gives what they take for an answer. */
function underWay(chat: any, name: string, deed: () => Promise<void>): Promise<{ status: number }> {
  const done = deed().then(() => ({ status: 200 }));
  chat.promises[name] = done;
  done.finally(() => delete chat.promises[name]).catch(() => {});
  return done;
}

function clear(chat: any, keepStarred: boolean): Promise<{ status: number }> {
  return underWay(chat, "sendClear", async () => {
    await comms.request("chat_action", { chat: String(chat.id), action: "clear", value: { keep_starred: keepStarred } });
    await showCleared(chat, keepStarred);
  });
}

function remove(chat: any): Promise<{ status: number }> {
  return underWay(chat, "sendDelete", async () => {
    await comms.request("chat_action", { chat: String(chat.id), action: "delete" });
    await showDeletedChat(chat);
  });
}

// ---- forward

/** What a forwarded message does not take along. */
const LEFT_BEHIND = new Set(
  ("id rowId chat from to author ack t invis star local self isNewMsg notifyName isSendFailure hasReaction quotedMsg quotedStanzaID quotedParticipant quotedRemoteJid quotedType mentionedJidList " +
    "ephemeralDuration latestEditMsgKey latestEditSenderTimestampMs isViewOnce protocolMessageKey recipients messageSecret").split(" "),
);

function forwardedFields(msg: any, includeCaption: boolean): Record<string, unknown> {
  const fields = Object.fromEntries(Object.entries(msg.attributes).filter(([name]) => !LEFT_BEHIND.has(name)));
  if (MEDIA_TYPES.has(msg.type) && !includeCaption) delete fields["caption"];
  // What an account wrote itself counts as forwarded from the first time on, as on the real page.
  return { ...fields, isForwarded: true, forwardingScore: (msg.forwardingScore ?? 0) + 1 };
}

function newMessage(chat: any, fields: Record<string, unknown>): Record<string, unknown> {
  const me = R("WAWebUserPrefsMeUser").getMeUser();
  const participant = chat.id.isGroup() ? me : undefined;
  const id = new MsgKey({ from: me, to: chat.id, id: MsgKey.newId(), selfDir: "out", participant });
  return { ...fields, id, from: me, to: chat.id, author: participant, self: "out", t: unixTime(), isNewMsg: true, local: true };
}

/** One after the other; resolves when the server has answered for all. */
async function forward({ chat, msgs, includeCaption, appendedText }: any): Promise<unknown[]> {
  const { canForwardMsg } = R("WAWebMsgActionCapability");
  const send = (fields: Record<string, unknown>) => R("WAWebSendMsgChatAction").addAndSendMsgToChat(chat, newMessage(chat, fields))[1];
  const results: unknown[] = [];
  for (const msg of msgs) {
    if (!canForwardMsg(msg)) throw new Error(`forwardMessages: ${msg.type} ${msg.id} cannot be forwarded`);
    results.push(await send(R("WAWebChatForwardMessage").getForwardedMessageFields(msg, includeCaption)));
  }
  if (typeof appendedText === "string" && appendedText) results.push(await send({ type: "chat", body: appendedText }));
  return results;
}

// ---- play

const canMarkPlayed = (msg: any): boolean => !msg.id.fromMe && (msg.type === "ptt" || msg.type === "ptv" || !!msg.isViewOnce) && msg.ack !== ACK.PLAYED;

async function markPlayed(msg: any): Promise<void> {
  if (msg.id.fromMe || isSystemType(msg.type)) return;
  await comms.request("receipt", { chat: String(msg.id.remote), ids: [msg.id.id], type: "played", author: msg.author?.toString() });
  msg.set("ack", ACK.PLAYED);
  await saveMsg(msg);
}

export function defineChatDeeds(): void {
  define("WAWebStateUtils", () => ({ unproxy: (model: unknown) => model }));
  // Clients know the first one by the text WAWebStateUtils in it.
  define("WAWebSendClearChatAction", () => ({ sendClear: (chat: any, keepStarred: boolean) => clear(R("WAWebStateUtils").unproxy(chat), keepStarred) }));
  define("WAWebChatClearBridge", () => ({ sendClear: (chat: any, keepStarred: boolean, _options: unknown) => clear(chat, keepStarred) }));
  define("WAWebDeleteChatAction", () => ({ sendDelete: (chat: any, _options: unknown) => remove(chat) }));
  define("WAWebChatForwardMessage", () => ({
    forwardMessages: (request: any) => forward(request),
    getForwardedMessageFields: (msg: any, includeCaption: boolean) => forwardedFields(msg, includeCaption),
  }));
  // One parameter: an object, as with forwardMessages. What gives it a list of messages, a list of chats and a flag, as
  // it was once called, fails.
  define("WAWebForwardMessagesToChat", () => ({
    forwardMessagesToChats: async ({ msgs, chats, includeCaption, appendedText }: any) => {
      for (const chat of [...chats]) await R("WAWebChatForwardMessage").forwardMessages({ chat, msgs, includeCaption, appendedText });
      return true;
    },
  }));
  define("WAWebMarkPlayedMsgAction", () => ({ markPlayed: (msg: any) => markPlayed(msg), canMarkPlayed: (msg: any) => canMarkPlayed(msg) }));
}
