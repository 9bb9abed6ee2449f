// Messages: the model, MsgCollection (all that are in memory), the messages of one chat, and finding the rest in
// IndexedDB.

import { define, R } from "../base/loader";
import { BaseCollection, Collection, reposition } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { callRows, lastRows, messageRow, messageRows, newRowId, searchRows, writeHistory, writeRows, type ChatRow, type MessageRow } from "../store";
import { chatRow } from "./chats";
import { fetchEarlier } from "./receive";
import { onProtocolMessage } from "./actions";
import { ACK, isSystemType, unixTime } from "./enums";
import { maybeWid, MsgKey, wid } from "./ids";
import { downloadMedia, mediaDataOf, mediaObjectOf } from "./media";

const WID_FIELDS = ["from", "to", "author", "quotedParticipant", "quotedRemoteJid"];
// What a message keeps on disk, beyond its ids.
const STORED =
  "type subtype body caption t ack invis star isNewMsg local self mimetype size filename mediaKey mediaKeyTimestamp filehash encFilehash directPath width height duration isViewOnce isGif waveform pageCount isCaptionByUser " +
  "quotedMsg quotedStanzaID quotedType mentionedJidList lat lng loc vcardFormattedName vcardList pollName pollOptions pollSelectableOptionsCount notifyName isSendFailure isForwarded forwardingScore " +
  "ephemeralDuration templateParams matchedText title description canonicalUrl thumbnail rowId messageSecret protocolMessageKey latestEditMsgKey latestEditSenderTimestampMs recipients revokeSender hasReaction callId isVideoCall isGroupCall backgroundColor font";

/** The chat of a message. The model itself has no such property; clients add one. */
export function chatOf(msg: any): any {
  return R("WAWebChatCollection").ChatCollection.get(msg.id.remote);
}

export class Msg extends BaseModel {
  getCollection(): any { return R("WAWebMsgCollection").MsgCollection; }
  updateAck(ack: number, force?: boolean): void {
    if (force || ack > (this.ack ?? ACK.INACTIVE)) this.set("ack", ack);
  }
  downloadMedia(_options?: unknown): Promise<void> { return downloadMedia(this); }
  forceDownloadMediaEvenIfExpensive(): Promise<void> { return downloadMedia(this); }
  displayName(): string { return R("WAWebFrontendContactGetters").getFormattedName(R("WAWebContactCollection").ContactCollection.gadd(this.author ?? this.from)); }
  isLastMessage(): boolean { return chatOf(this)?.lastReceivedKey?.equals(this.id); }
  mayFail(): boolean { return this.ack <= ACK.CLOCK; }
  safe(): this { return this; }
  unsafe(): this { return this; }
  async resend(): Promise<unknown> { return R("WAWebSendMsgChatAction").resendMsgToChat(chatOf(this), this); }

  /** What another message carries when it answers this one. */
  msgContextInfo(_chat?: unknown): Record<string, unknown> {
    const author = R("WAWebMsgGetters").getSender(this);
    const { id, ...quoted } = toPlain(this.serialize());
    return { quotedMsg: { ...quoted, id }, quotedStanzaID: this.id.id, quotedParticipant: author, quotedType: this.type };
  }
}
defineModel(Msg, {
  proxyName: "msg",
  props: { id: undefined, ...Object.fromEntries([...STORED.split(" "), ...WID_FIELDS].map((name) => [name, undefined])), type: "unknown" },
  session: { quotedMsgObj: undefined, isQuotedMsgAvailable: true, isUserCreatedType: true },
  lazy: { mediaData: mediaDataOf, mediaObject: mediaObjectOf },
  derived: { senderObj: (self) => R("WAWebContactCollection").ContactCollection.gadd(R("WAWebMsgGetters").getSender(self), { silent: true }) },
});

/** Ids as text and buffers left alone: what IndexedDB takes. */
export function toPlain(attributes: Record<string, any>): Record<string, any> {
  const out: Record<string, any> = {};
  for (const key in attributes) {
    const value = attributes[key];
    if (value === undefined || typeof value === "function") continue;
    if (value !== null && typeof value === "object" && "_serialized" in value) out[key] = value._serialized;
    else if (Array.isArray(value)) out[key] = value.map((v) => v?._serialized ?? v);
    else out[key] = value;
  }
  return out;
}

const STORED_SET = new Set(STORED.split(" "));

/** The row of a message from its attributes. */
export function toRow(attributes: Record<string, any>): MessageRow {
  const plain = toPlain(attributes);
  const key = MsgKey.from(attributes["id"]);
  const row: any = { id: key._serialized, chat: key.remote._serialized, rowId: attributes["rowId"] ?? newRowId(attributes["t"]) };
  for (const name in plain) if (STORED_SET.has(name) || WID_FIELDS.includes(name)) row[name] = plain[name];
  if (key.fromMe && row.ack === ACK.CLOCK && !row.isSendFailure && !isSystemType(row.type)) row.pending = 1;
  return row;
}

/** Gives new attributes their place among the chat's messages. */
export function withRowId(attributes: Record<string, any>): Record<string, any> {
  return { ...attributes, rowId: attributes["rowId"] ?? newRowId(attributes["t"]) };
}

/** The attributes of a message from its row. */
export function rowToAttributes(row: MessageRow): Record<string, any> {
  const { chat: _chat, pending: _pending, ...rest } = row;
  const attributes: Record<string, any> = { ...rest, id: MsgKey.fromString(row.id) };
  for (const name of WID_FIELDS) if (attributes[name]) attributes[name] = wid(attributes[name]);
  if (attributes["mentionedJidList"]) attributes["mentionedJidList"] = attributes["mentionedJidList"].map((s: string) => wid(s));
  return attributes;
}

/** A message nobody wrote. */
export function systemRow(chat: string, type: string, subtype = "encrypt"): MessageRow {
  const me = R("WAWebUserPrefsMeUser").getMeUser();
  const t = unixTime();
  const id = new MsgKey({ fromMe: false, remote: chat, id: MsgKey.newId() });
  return { id: id._serialized, chat, rowId: newRowId(t), from: chat, to: me._serialized, type, subtype, t, ack: undefined as unknown as number };
}

/** The newest message of a chat, made from the chat's row when it is not in memory yet. */
export function newestOf(chat: any): any {
  const row = lastRows.get(String(chat.id));
  return row && R("WAWebMsgCollection").MsgCollection.get(row.id);
}

class MsgCollectionImpl extends BaseCollection {
  static override model = Msg;

  // The newest message of every chat counts as in memory, although its model is made on first use.
  override get(id: any): any {
    const known = super.get(id);
    if (known || id === undefined || id === null || this._removed.has(String(id))) return known;
    const key = String(id);
    const row = lastRows.get(key.split("_", 2)[1]!);
    return row?.id === key ? this.#make(row) : undefined;
  }

  // What a client has removed does not come back by itself.
  override remove(values: any, options?: any): any[] {
    const removed = super.remove(values, options);
    for (const m of removed) this._removed.add(String(m.id));
    return removed;
  }
  _removed = new Set<string>();

  #make(row: MessageRow): any {
    const msg = new Msg(rowToAttributes(row), { collection: this });
    this._index.set(row.id, msg);
    this._models.push(msg);
    return msg;
  }

  /** Shows messages that are new to the page, whoever wrote them. The rows are on disk when it resolves. */
  async processMultipleMessages(_chat: unknown, messages: any[], _options?: unknown, _origin?: unknown, _extra?: unknown): Promise<any[]> {
    const shown = messages.filter((m) => m.type !== "protocol" && !this.get(m.id));
    for (const m of messages) if (m.type === "protocol") await onProtocolMessage(m);
    if (!shown.length) return [];
    const models = shown.map((m) => showNew(withRowId(m)));
    await storeMessages(models.map((m) => toRow(m.attributes)));
    return models;
  }

  /** Messages by key, from memory or disk. */
  async getMessagesById(keys: any[]): Promise<{ messages: any[] }> {
    const found = await Promise.all(keys.map(async (key) => {
      const known = this.get(key);
      if (known) return known;
      const row = await messageRow(String(key));
      return row && this.add(rowToAttributes(row), { silent: true })[0];
    }));
    return { messages: found.filter(Boolean) };
  }

  /** Messages with a text in them, newest first, page by page from 1. WhatsApp's index is of words; this looks at every message. */
  async search(query: string, page = 1, count = 20, remote?: any): Promise<{ messages: any[]; eof: boolean }> {
    const term = String(query ?? "").toLowerCase();
    const fits = (row: MessageRow) => !isSystemType(row.type) && `${row["mediaKey"] ? "" : (row["body"] ?? "")}\n${row["caption"] ?? ""}`.toLowerCase().includes(term);
    const rows = await searchRows(fits, remote === undefined || remote === null ? undefined : String(remote));
    const found = rows.slice((page - 1) * count, page * count);
    return { messages: (await this.getMessagesById(found.map((row) => MsgKey.fromString(row.id)))).messages, eof: rows.length <= page * count };
  }

  async hydrateOrGetMessages(keys: any[]): Promise<any[]> { return (await this.getMessagesById(keys)).messages; }
  hasSynced(): boolean { return R("WAWebSocketModel").Socket.hasSynced; }
  hasUnsentMessages(): boolean { return this.some((m: any) => m.id.fromMe && m.ack === ACK.CLOCK); }
  getStarred(): any[] { return this.filter((m: any) => m.star); }
}

export class ChatMsgsCollection extends Collection {
  static override model = Msg;
  static override comparator = (a: any, b: any) => b.rowId - a.rowId; // oldest first
  declare loadAroundPromise?: Promise<unknown>;
  msgLoadState = { noEarlierMsgs: false, contextLoaded: false, isLoadingEarlierMsgs: false };

  // A message keeps MsgCollection as its collection: that is where its events go.
  override add(values: any, options: any = {}): any[] {
    const list = Array.isArray(values) ? values : [values];
    return super.add(R("WAWebMsgCollection").MsgCollection.add(list, { silent: true }), options);
  }
}

/** Writes messages and, where one is the newest of its chat, the chat: one transaction, nothing read. */
export function storeMessages(rows: MessageRow[]): Promise<void> {
  return writeRows({ message: rows, chat: newestPerChat(rows).flatMap(chatRowWith) });
}

/** The same for a piece of the past. */
export function storePast(rows: MessageRow[]): Promise<void> {
  return writeHistory(rows, newestPerChat(rows).flatMap(chatRowWith));
}

// A message that is older than what the chat shows does not touch the chat's row.
function chatRowWith(row: MessageRow): ChatRow[] {
  if (!lastRows.has(row.chat)) return [];
  const last = lastRows.get(row.chat);
  if (last && last.rowId < row.rowId) return [];
  lastRows.set(row.chat, row);
  const chat = R("WAWebChatCollection").ChatCollection.get(row.chat);
  return chat ? [chatRow(chat)] : [];
}

export function newestPerChat(rows: MessageRow[]): MessageRow[] {
  const newest = new Map<string, MessageRow>();
  for (const row of rows) if (!((newest.get(row.chat)?.rowId ?? Infinity) < row.rowId)) newest.set(row.chat, row);
  return [...newest.values()];
}

/** Puts a new message into memory: MsgCollection and chat.msgs fire add, the chat moves up. */
export function showNew(attributes: Record<string, any>): any {
  const { MsgCollection } = R("WAWebMsgCollection");
  const [msg] = MsgCollection.add(attributes);
  const chat = chatOf(msg);
  if (chat) {
    chat.msgs.add(msg);
    chat.set({ lastReceivedKey: msg.id, t: Math.max(msg.t, chat.t ?? 0) });
    reposition(chat.getCollection(), chat);
  }
  return msg;
}

/** Writes a message as it is in memory now. */
export function saveMsg(msg: any): Promise<void> {
  dirty.delete(msg);
  return storeMessages([toRow(msg.attributes)]);
}

// Acks come in threes and matter little when they are lost: they are written together, a little later.
const SAVE_DELAY_MS = 50;
const dirty = new Set<any>();

export function saveSoon(msg: any): void {
  if (!dirty.size) setTimeout(flush, SAVE_DELAY_MS);
  dirty.add(msg);
}

function flush(): void {
  // One that was deleted meanwhile is not written again.
  const rows = [...dirty].filter((msg) => R("WAWebMsgCollection").MsgCollection.get(msg.id) === msg).map((msg) => toRow(msg.attributes));
  dirty.clear();
  storeMessages(rows).catch(reportError);
}

/** Changes a message that may be in memory or only on disk. */
export async function updateMessage(key: MsgKey | string, changes: Record<string, unknown>): Promise<void> {
  const msg = R("WAWebMsgCollection").MsgCollection.get(key);
  if (msg) {
    msg.set(changes);
    return saveSoon(msg);
  }
  const row = await messageRow(String(key));
  if (row) await storeMessages([toRow({ ...rowToAttributes(row), ...changes })]);
}

async function rowIdOf(anchor: any): Promise<number | undefined> {
  if (!anchor) return undefined;
  return R("WAWebMsgCollection").MsgCollection.get(anchor)?.rowId ?? (await messageRow(String(anchor)))?.rowId;
}

async function find(request: any, accept: (row: MessageRow) => boolean = () => true): Promise<any[]> {
  const chat = request.anchor?.remote ?? request.chat;
  const from = await rowIdOf(request.anchor);
  if (request.anchor && from === undefined) return [];
  const rows = await messageRows(String(chat), request.count, from, request.direction ?? "before");
  return rows.filter(accept).map(rowToAttributes);
}

/** Calls of all chats, oldest first: the newest, or those before the anchor. */
async function findCalls({ count, anchor }: { count: number; anchor?: any }): Promise<any[]> {
  const before = await rowIdOf(anchor);
  if (anchor && before === undefined) return [];
  const rows = (await callRows()).filter((row) => before === undefined || row.rowId > before);
  return rows.sort((a, b) => b.rowId - a.rowId).slice(-count).map(rowToAttributes);
}

/** Loads the messages around one into the chat. */
function searchContext(chat: any, msgKey: any): { collection: ChatMsgsCollection; key: any } {
  const collection: ChatMsgsCollection = chat.msgs;
  collection.loadAroundPromise = (async () => {
    const { messages } = await R("WAWebMsgCollection").MsgCollection.getMessagesById([msgKey]);
    collection.add(messages, { silent: true });
  })();
  return { collection, key: msgKey };
}

async function loadEarlier(chat: any): Promise<any[]> {
  const first = chat.msgs.head();
  const read = async () => messageRows(String(chat.id), 50, await rowIdOf(first?.id), "before");
  let rows = await read();
  if (!rows.length && first && chat.endOfHistoryTransferType === 0) {
    await fetchEarlier(chat, first.id.id);
    rows = await read();
  }
  if (!rows.length) chat.msgs.msgLoadState.noEarlierMsgs = true;
  const models = R("WAWebMsgCollection").MsgCollection.add(rows.map(rowToAttributes), { silent: true });
  return chat.msgs.add(models);
}

function isMediaOf(kind: string): (row: MessageRow) => boolean {
  if (kind === "allDocs") return (row) => row.type === "document";
  if (kind === "allLinks") return (row) => row.matchedText !== undefined;
  return (row) => row.type === "image" || row.type === "video" || row.type === "document";
}

export function defineMessages(): void {
  define("WAWebMsgModel", () => ({ Msg }));
  define("WAWebMsgCollection", () => ({ MsgCollectionImpl, MsgCollection: new MsgCollectionImpl() }));
  define("WAWebChatMsgsCollection", () => ({ ChatMsgsCollection }));
  define("WAWebDBMessageFindLocal", () => ({
    msgFindByDirection: (request: any) => find(request),
    msgFindBefore: (request: any) => find({ ...request, direction: "before" }),
    msgFindAfter: (request: any) => find({ ...request, direction: "after" }),
    msgFindMedia: (request: any) => find(request, isMediaOf(request.mediaType)),
    msgFindStarred: (request: any) => find(request, (row) => !!row["star"]),
    msgFindSearch: (request: any) => find(request, (row) => String(row["body"] ?? "").includes(request.searchTerm ?? "")),
    msgFindCallLog: (request: any) => findCalls(request),
    msgFindEvents: (request: any) => find(request, (row) => row.type === "event_creation"),
  }));
  define("WAWebChatMessageSearch", () => ({ getSearchContext: (request: any) => searchContext(request.chat, request.msgKey) }));
  define("WAWebChatLoadMessages", () => ({
    loadRecentMsgs: (request: any) => loadEarlier(request.chat ?? request),
    loadEarlierMsgs: (request: any) => loadEarlier(request.chat ?? request),
  }));
  define("WAWebMsgDataFromModel", () => ({ msgDataFromMsgModel: (msg: any) => msg.attributes }));
  define("WAWebDBUpdateMessageTable", () => ({
    updateMessageTable: (key: any, changes: Record<string, unknown>) => updateMessage(MsgKey.from(key), changes),
  }));
  define("WAWebQuotedMsgModelUtils", () => ({
    getQuotedMsgObj: (msg: any) => quotedModel(msg),
    isMyQuotedMsg: (msg: any) => R("WAWebUserPrefsMeUser").isMeAccount(msg.quotedParticipant),
  }));
  define("WAWebMsgReply", () => ({ canReplyMsg: (msg: any) => msg.ack === undefined || msg.ack >= ACK.SENT || !msg.id.fromMe }));
}

function quotedModel(msg: any): any {
  if (msg.quotedStanzaID === undefined) return undefined;
  const { MsgCollection } = R("WAWebMsgCollection");
  const participant = msg.quotedParticipant;
  const key = new MsgKey({
    fromMe: R("WAWebUserPrefsMeUser").isMeAccount(participant),
    remote: msg.id.remote,
    id: msg.quotedStanzaID,
    participant: msg.id.remote.isGroup() ? participant : undefined,
  });
  return MsgCollection.get(key) ?? new Msg({ ...msg.quotedMsg, id: key, from: participant, to: maybeWid(String(msg.id.remote)) });
}

