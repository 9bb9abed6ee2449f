// What is done to a message after it was sent: edit, revoke, delete for me, star; by this page, by another device, by
// the other side. Reactions have a file of their own.

import { define, R } from "../base/loader";
import { comms, ServerError } from "../comms";
import { deleteMessageRow, lastRows, messageRow, messageRows, writeRows, type MessageRow } from "../store";
import type { ActionArgs, MessageAction, Pushes } from "../wire";
import { chatRow, forgetNewest } from "./chats";
import { ACK, isSystemType, MEDIA_TYPES, SendMsgResult, unixTime } from "./enums";
import { maybeWid, MsgKey, wid, type Wid } from "./ids";
import { chatOf, saveMsg, updateMessage } from "./messages";
import { onPin } from "./pins";
import { onVote } from "./polls";
import { onReaction } from "./reactions";

const EDIT_WINDOW = 15 * 60; // seconds
const REVOKE_WINDOW = 2 * 24 * 3600; // seconds

/** What is gone from a revoked message. */
const CONTENT = "body caption mimetype size filename mediaKey mediaKeyTimestamp filehash encFilehash directPath quotedMsg quotedStanzaID matchedText thumbnail lat lng vcardList pollName pollOptions".split(" ");

/** A new key in a message's chat, for a message about it. */
export function newKeyBeside(msg: any): MsgKey {
  const me = R("WAWebUserPrefsMeUser").getMeUser();
  const chat = msg.id.remote;
  return new MsgKey({ from: me, to: chat, id: MsgKey.newId(), selfDir: "out", participant: chat.isGroup() ? me : undefined });
}

/** Tells the server what is done to a message. */
export function act(msg: any, action: MessageAction, id: string, text?: string, more?: ActionArgs): Promise<{ t: number }> {
  const target = { id: msg.id.id, from_me: msg.id.fromMe, author: msg.id.participant?.toString() };
  return comms.request("message_action", { chat: String(msg.id.remote), action, target, id, text, ...more });
}

/** A refusal resolves, it does not reject; see send.ts. */
export async function resultOf(sent: Promise<{ t: number }>): Promise<{ messageSendResult: string; t?: number }> {
  try {
    return { messageSendResult: SendMsgResult["OK"]!, t: (await sent).t };
  } catch (err) {
    if (err instanceof ServerError) return { messageSendResult: SendMsgResult["ERROR_UNKNOWN"]! };
    throw err;
  }
}

// ---- what is done here

async function edit(msg: any, data: any): Promise<unknown> {
  const key = MsgKey.from(data.latestEditMsgKey ?? data.id);
  const text = data.body ?? data.caption;
  const result = await resultOf(act(msg, "edit", key.id, text));
  if (result.messageSendResult === SendMsgResult["OK"]) await showEdit(msg, key, text, result.t!);
  return result;
}

async function showEdit(msg: any, key: MsgKey, text: string, t: number): Promise<void> {
  msg.set(edited(msg.type, key, text, t));
  await saveMsg(msg);
}

function edited(type: string, key: MsgKey, text: string, t: number): Record<string, unknown> {
  return { [MEDIA_TYPES.has(type) ? "caption" : "body"]: text, latestEditMsgKey: key, latestEditSenderTimestampMs: t * 1000 };
}

function editData(msg: any, text: string, options: any): Record<string, unknown> {
  const id = newKeyBeside(msg);
  const t = unixTime();
  return {
    ...options, id, type: "protocol", subtype: "message_edit", protocolMessageKey: msg.id, editMsgType: msg.type, body: text, caption: text, t,
    latestEditMsgKey: id, latestEditSenderTimestampMs: t * 1000,
  };
}

function listed(msgs: any): any[] {
  return Array.isArray(msgs) ? msgs : msgs.list;
}

async function revoke(msgs: any): Promise<void> {
  for (const msg of listed(msgs)) {
    await act(msg, "revoke", MsgKey.newId());
    await showRevoked(msg, msg.id.fromMe ? "sender" : "admin");
  }
}

export async function showRevoked(msg: any, subtype: "sender" | "admin", by?: unknown): Promise<void> {
  msg.set(revoked(msg.id, subtype, by));
  await saveMsg(msg);
}

/** WhatsApp keeps no time of it. */
function revoked(id: MsgKey, subtype: "sender" | "admin", by?: unknown): Record<string, unknown> {
  const gone = Object.fromEntries(CONTENT.map((name) => [name, undefined]));
  return { ...gone, type: "revoked", subtype, protocolMessageKey: id, revokeSender: by ?? R("WAWebUserPrefsMeUser").getMeUser() };
}

async function remove(msgs: any): Promise<void> {
  for (const msg of listed(msgs)) {
    await act(msg, "delete", MsgKey.newId());
    await showDeleted(msg);
  }
}

async function showDeleted(msg: any): Promise<void> {
  const chat = chatOf(msg);
  const name = String(msg.id.remote);
  await deleteMessageRow(String(msg.id));
  if (lastRows.get(name)?.id === String(msg.id)) lastRows.set(name, (await messageRows(name, 1))[0]);
  chat?.msgs.remove(msg, { silent: true });
  R("WAWebMsgCollection").MsgCollection.remove(msg);
  if (!chat) return;
  forgetNewest(chat);
  await writeRows({ chat: [chatRow(chat)] });
}

async function star(chat: any, msgs: any, on: boolean): Promise<void> {
  const done = (async () => {
    for (const msg of listed(msgs)) {
      await act(msg, on ? "star" : "unstar", MsgKey.newId());
      msg.set("star", on);
      await saveMsg(msg);
    }
  })();
  chat.promises.sendStarMsgs = done;
  await done.finally(() => delete chat.promises.sendStarMsgs);
}

// ---- what is done elsewhere

/** The message of an action: in memory, or its row. In the key of an own one in a group is whichever of our addresses the sender chose. */
async function targetOf(push: Pushes["message_action"]): Promise<{ id: MsgKey; msg?: any; row?: MessageRow }> {
  const { target, chat } = push;
  const authors = target.from_me && target.author ? R("WAWebUserPrefsMeUser").getMePNandLIDWids() : [target.author && maybeWid(target.author)];
  const keys: MsgKey[] = authors.map((participant: any) => new MsgKey({ fromMe: target.from_me, remote: chat, id: target.id, participant }));
  for (const id of keys) {
    const msg = R("WAWebMsgCollection").MsgCollection.get(id);
    if (msg) return { id, msg };
  }
  for (const id of keys) {
    const row = await messageRow(String(id));
    if (row) return { id, row };
  }
  return { id: keys[0]! };
}

export async function onMessageAction(push: Pushes["message_action"]): Promise<void> {
  const author = wid(push.author!);
  const own = R("WAWebUserPrefsMeUser").isMeAccount(author);
  const chat = wid(push.chat);
  const key = new MsgKey({ fromMe: own, remote: chat, id: push.id, participant: chat.isGroup() ? author : undefined });
  const { id, msg, row } = await targetOf(push);
  if (!msg) return onStored(push, id, key, author, row);
  switch (push.action) {
    case "edit": return showEdit(msg, key, push.text ?? "", push.t);
    case "react": return onReaction(msg, key, author, push.text ?? "", push.t);
    case "vote": return onVote(msg, key, author, push.options ?? [], push.t);
    case "pin":
    case "unpin": return onPin(msg.id, key, author, push.action === "pin" ? (push.seconds ?? 0) : undefined, push.t);
    case "star":
    case "unstar": return updateMessage(msg.id, { star: push.action === "star" });
    case "delete": return showDeleted(msg);
    case "revoke": {
      const subtype = R("WAWebMsgGetters").getSender(msg) === author ? "sender_revoke" : "admin_revoke";
      const notice = { id: key, type: "protocol", subtype, protocolMessageKey: msg.id, from: own ? R("WAWebUserPrefsMeUser").getMeUser() : chat, to: own ? chat : R("WAWebUserPrefsMeUser").getMeUser(), author, t: push.t, isNewMsg: true };
      await R("WAWebMsgCollection").MsgCollection.processMultipleMessages(chat, [notice], {}, {}, {});
    }
  }
}

/** The same for a message that is on disk only: its row changes, and nobody who listens to models hears of it. */
async function onStored(push: Pushes["message_action"], id: MsgKey, key: MsgKey, author: Wid, row?: MessageRow): Promise<void> {
  if (!row) return;
  switch (push.action) {
    case "edit": return updateMessage(id, edited(row.type, key, push.text ?? "", push.t));
    case "react": return onReaction({ id }, key, author, push.text ?? "", push.t);
    case "vote": return onVote({ id }, key, author, push.options ?? [], push.t);
    case "pin":
    case "unpin": return onPin(id, key, author, push.action === "pin" ? (push.seconds ?? 0) : undefined, push.t);
    case "star":
    case "unstar": return updateMessage(id, { star: push.action === "star" });
    case "delete": return deleteMessageRow(row.id);
    case "revoke": return updateMessage(id, revoked(id, String(id.fromMe ? R("WAWebUserPrefsMeUser").getMeUser() : (row.author ?? row.from)) === String(author) ? "sender" : "admin", author));
  }
}

/** A protocol message is never shown: it changes another one. */
export async function onProtocolMessage(notice: any): Promise<void> {
  if (!/^(sender|admin)_revoke$/.test(notice.subtype)) return;
  const { messages } = await R("WAWebMsgCollection").MsgCollection.getMessagesById([notice.protocolMessageKey]);
  if (messages[0]) await showRevoked(messages[0], notice.subtype === "sender_revoke" ? "sender" : "admin", notice.author);
}

// ---- what may be done

const written = (msg: any): boolean => !isSystemType(msg.type) && msg.type !== "revoked";
const arrived = (msg: any): boolean => !msg.id.fromMe || msg.ack >= ACK.SENT;
const editable = (msg: any): boolean => msg.id.fromMe && msg.ack >= ACK.SENT && unixTime() - msg.t < EDIT_WINDOW;

export function defineActions(): void {
  define("WAWebMsgActionCapability", () => ({
    canStarMsg: (msg: any) => written(msg) && arrived(msg),
    canForwardMsg: (msg: any) => written(msg) && arrived(msg),
    canEditText: (msg: any) => msg.type === "chat" && editable(msg),
    canEditCaption: (msg: any) => ["image", "video", "document"].includes(msg.type) && editable(msg),
    canSenderRevokeMsg: (msg: any) => written(msg) && msg.id.fromMe && msg.ack >= ACK.SENT && unixTime() - msg.t < REVOKE_WINDOW,
    canAdminRevokeMsg: (msg: any) => written(msg) && !msg.id.fromMe && msg.id.remote.isGroup() && !!chatOf(msg)?.iAmAdmin(),
    canDeleteMsg: (_msg: any) => true,
  }));
  define("WAWebSendMessageEditAction", () => ({
    createEditMsgData: (msg: any, text: string, options: unknown) => editData(msg, text, options),
    addAndSendMessageEdit: (msg: any, data: unknown) => edit(msg, data),
    sendMessageEdit: (msg: any, text: string, options: unknown) => {
      const action = R("WAWebSendMessageEditAction");
      return action.addAndSendMessageEdit(msg, action.createEditMsgData(msg, text, options));
    },
  }));
  define("WAWebChatSendMessages", () => ({
    sendStarMsgs: (chat: any, msgs: unknown, on: boolean) => star(chat, msgs, on),
    sendRevokeMsgs: (_chat: any, msgs: unknown, _options: unknown) => revoke(msgs),
    sendDeleteMsgs: (_chat: any, msgs: unknown, _clearMedia: unknown) => remove(msgs),
  }));
}

/** Does what the commands ask for, as the panes of the real page do: a command itself only tells its listeners. */
export function serveCommands(): void {
  const { Cmd } = R("WAWebCmd");
  const serve = (name: string, run: (...args: any[]) => Promise<unknown>) => Cmd.on(name, (...args: any[]) => void run(...args).catch(reportError));
  serve("send_star_msgs", (chat, msgs) => R("WAWebChatSendMessages").sendStarMsgs(chat, msgs, true));
  serve("send_unstar_msgs", (chat, msgs) => R("WAWebChatSendMessages").sendStarMsgs(chat, msgs, false));
  serve("send_revoke_msgs", (chat, msgs, options) => R("WAWebChatSendMessages").sendRevokeMsgs(chat, msgs, options));
  serve("send_delete_msgs", (chat, msgs, clearMedia) => R("WAWebChatSendMessages").sendDeleteMsgs(chat, msgs, clearMedia));
  serve("archive_chat", (chat, archive) => R("WAWebSetArchiveChatAction").setArchive(chat, archive));
  serve("pin_chat", (chat, pin) => R("WAWebSetPinChatAction").setPin(chat, pin));
  serve("mark_chat_unread", (chat, unread) => R("WAWebUpdateUnreadChatAction").markUnread(chat, unread));
}
