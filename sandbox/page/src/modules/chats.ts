// Chats. They live in IndexedDB first: a chat that is only in memory does not exist, and creating one writes it and
// the e2e_notification that comes with it before anybody sees it.

import { define, R } from "../base/loader";
import { BaseCollection, reposition } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { comms } from "../comms";
import { isMigrated } from "../lid";
import { continueRowIds, lastRows, modelStorage, writeRows, type ChatRow } from "../store";
import type { Pushes, WireChat } from "../wire";
import { showCleared, showDeletedChat } from "./chat-deeds";
import { unixTime } from "./enums";
import { chatTitle } from "./getters";
import { maybeWid, MsgKey, wid, type Wid } from "./ids";
import { SuperChatMsgs } from "./super-chat";
import { newestOf, rowToAttributes, systemRow, toPlain } from "./messages";
import { saveGroups } from "./groups";

class Mute extends BaseModel {
  async mute(options: { expiration: number; sendDevice?: boolean }): Promise<void> { await this.#set(options.expiration); }
  async unmute(_options?: unknown): Promise<void> { await this.#set(0); }
  canMute(): boolean { return true; }
  async #set(expiration: number): Promise<void> {
    await comms.request("chat_action", { chat: String(this.id), action: "mute", value: expiration });
    this.set({ expiration });
    await updateChat(this.parent, { muteExpiration: expiration });
  }
}
defineModel(Mute, {
  proxyName: "mute",
  props: { id: undefined, expiration: 0 },
  session: {},
  derived: { isMuted: { deps: ["expiration"], fn: (self) => self.expiration === -1 || self.expiration > unixTime() } },
});

export class Chat extends SuperChatMsgs {
  override onEmptyMRM(): void {}
  title(): string { return chatTitle(this); }
  getCollection(): any { return R("WAWebChatCollection").ChatCollection; }
  getGroupMetadataCollection(): any { return R("WAWebGroupMetadataCollection").default; }
  canPin(): boolean { return true; }
  canArchive(): boolean { return true; }
  isTrusted(): boolean { return true; }
  isDirty(): boolean { return false; }
  hasMaybeSentMsgToChat(): boolean { return this.msgs.some((m: any) => m.id.fromMe); }
  getLastMsgKeyForAction(): any { return this.lastReceivedKey; }
  getParticipantCount(): number { return this.groupMetadata?.participants.length ?? 0; }
  iAmAdmin(): boolean { return !!this.groupMetadata?.participants.iAmAdmin(); }
  waitForChatLoading(): Promise<void> { return Promise.resolve(); }
  setComposeContents(contents: unknown): void { this.set("composeContents", contents); }
  getComposeContents(): unknown { return this.composeContents; }
}
defineModel(Chat, {
  proxyName: "chat",
  props: {
    id: undefined, accountLid: undefined, lastReceivedKey: undefined, t: undefined, unreadCount: 0, archive: false, isReadOnly: false, isLocked: false, muteExpiration: 0, isAutoMuted: false, name: undefined,
    notSpam: true, pin: 0, ephemeralDuration: 0, ephemeralSettingTimestamp: undefined, unreadMentionCount: 0, endOfHistoryTransferType: 1, labels: undefined, tcToken: undefined,
  },
  session: { stale: false, active: false, pendingAction: 0, composeContents: undefined, createdLocally: undefined, pausedTimerId: undefined, canSend: true, hasUnreadMention: false },
  lazy: {
    contact: (self) => contactOf(self.id),
    presence: (self) => R("WAWebPresenceCollection").PresenceCollection.gadd(self.id, { silent: true }),
    msgs: (self) => {
      const last = newestOf(self);
      return new (R("WAWebChatMsgsCollection").ChatMsgsCollection)(last && [last], { parent: self });
    },
    lastReceivedKey: (self) => {
      const last = lastRows.get(String(self.id));
      return last && MsgKey.fromString(last.id);
    },
    mute: (self) => Object.assign(new Mute({ id: self.id, expiration: self.muteExpiration }), { parent: self, __childName: "mute" }),
    promises: () => ({}),
  },
  derived: {
    groupMetadata: (self) => (self.id.isGroup() ? R("WAWebGroupMetadataCollection").default.get(self.id) : undefined),
  },
});

// A session value of the real model, so it can be assigned; it follows the name all the same.
Object.defineProperty(Chat.prototype, "formattedTitle", {
  configurable: true,
  get(this: any) { return this === Chat.prototype ? undefined : chatTitle(this); },
  set() {},
});

class ChatCollectionImpl extends BaseCollection {
  static override model = Chat;
  static override comparator = (a: any, b: any) => (b.t ?? 0) - (a.t ?? 0);
  getActive(): any { return this.findFirst((c: any) => c.active); }
  getUnreadCount(): number { return this.countWhere((c: any) => c.unreadCount !== 0); }
  getChatByAccountLid(lid: Wid): any { return this.findFirst((c: any) => c.accountLid === lid); }
  getLatestChatForWid(w: Wid): any { return this.get(chatWid(w)); }
  enableSortListener(): void {}
  disableSortListener(): void {}
}

/** The contact of a chat; that of a LID has the name that the number has in the address book. */
function contactOf(w: Wid): any {
  const { ContactCollection } = R("WAWebContactCollection");
  const contact = ContactCollection.gadd(w, { silent: true });
  const pn = w.isLid() && ContactCollection.get(R("WAWebApiContact").getPhoneNumber(w));
  if (pn) contact.set({ name: pn.name, shortName: pn.shortName, pushname: pn.pushname, isBusiness: pn.isBusiness, isAddressBookContact: pn.isAddressBookContact }, { silent: true });
  return contact;
}

/** The chat of a user is addressed by phone number, on an account that was migrated to LIDs by LID. */
export function chatWid(w: Wid): Wid {
  if (isMigrated()) return (w.isRegularUserPn() && R("WAWebApiContact").getCurrentLid(w)) || w;
  if (!w.isLid()) return w;
  const pn = R("WAWebApiContact").getPhoneNumber(w);
  if (!pn) throw new Error(`could not find phone number for lid ${w}`);
  return pn;
}

function rowOf(c: WireChat): ChatRow {
  return {
    id: wid(c.wid)._serialized,
    accountLid: c.lid,
    name: c.name ?? c.group?.subject,
    t: c.t,
    unreadCount: c.unread,
    archive: !!c.archived,
    pin: c.pinned ?? 0,
    muteExpiration: c.mute_until ?? 0,
    ...(c.more && { endOfHistoryTransferType: 0 }),
  };
}

function attributesOf({ last: _last, accountLid, ...row }: ChatRow): Record<string, unknown> {
  return { ...row, id: wid(row.id), accountLid: maybeWid(accountLid) };
}

function show(rows: ChatRow[]): void {
  for (const row of rows) lastRows.set(row.id, row.last);
  const { ChatCollection } = R("WAWebChatCollection");
  ChatCollection.add(rows.map(attributesOf), { merge: true });
  ChatCollection.trigger("sort", ChatCollection);
}

/** Brings all chats into memory. The newest message of each is made when somebody looks: see chat.msgs. */
export async function loadChats(): Promise<void> {
  const rows = await modelStorage.getAll("chat");
  continueRowIds(rows);
  show(rows);
}

export async function saveChats(chats: WireChat[]): Promise<void> {
  const known = await Promise.all(chats.map((c) => modelStorage.get("chat", wid(c.wid)._serialized)));
  const rows = chats.map((c, i) => ({ ...known[i], ...rowOf(c) }));
  await writeRows({ chat: rows });
  await saveGroups(chats);
  show(rows);
}

/** The chat's row has a newer message than what was read from it. */
export function forgetNewest(chat: any): void {
  chat.__x_lastReceivedKey = undefined;
  const newest = newestOf(chat);
  if (newest && chat.__x_msgs) chat.__x_msgs.add(newest, { silent: true });
}

/** The row of a chat as it is in memory: what is set, without what is derived from the newest message. */
export function chatRow(chat: any): ChatRow {
  const { lastReceivedKey: _key, ...attributes } = chat.attributes;
  return { ...toPlain(attributes), last: lastRows.get(String(chat.id)) } as ChatRow;
}

/** Changes a chat in memory and on disk. */
export async function updateChat(chat: any, changes: Record<string, unknown>): Promise<void> {
  chat.set(changes);
  if ("t" in changes) reposition(chat.getCollection(), chat);
  await writeRows({ chat: [chatRow(chat)] });
}

async function findOrCreate(w: Wid): Promise<{ chat: any; created: boolean }> {
  const { ChatCollection } = R("WAWebChatCollection");
  const id = chatWid(w);
  const known = ChatCollection.get(id);
  if (known) return { chat: known, created: false };
  await R("WAWebCreateChat").createChat({ chatId: id }, "createChat", {}, {});
  const chat = ChatCollection.get(chatWid(id));
  if (!chat) throw new Error("findChat: new chat not found");
  return { chat, created: true };
}

/** Asks the server who this is, writes the chat and its first system message, then shows both. */
async function createChat(id: Wid): Promise<void> {
  if (id.isStatus()) {
    // Clients take statuses for a chat; it is one in memory only, and nothing is written in it.
    R("WAWebChatCollection").ChatCollection.add({ id, t: unixTime() });
    return;
  }
  let lid = R("WAWebApiContact").getCurrentLid(id);
  if (id.isUser() && !lid) {
    const found = await R("WAWebQueryExistsJob").queryWidExists(id, {});
    if (!found) throw new Error("No LID for user");
    lid = found.lid;
    R("WAWebContactCollection").ContactCollection.gadd(id, { silent: true }).set({ isBusiness: found.biz }, { silent: true });
  }
  if (isMigrated() && lid) id = lid;
  const row: ChatRow = { id: String(id), accountLid: lid?.toString(), t: unixTime(), unreadCount: 0 };
  await R("WAWebApiChat").createChatRecord(id, row);
  show([row]);
  await R("WAWebMsgCollection").MsgCollection.processMultipleMessages(id, [{ ...rowToAttributes(systemRow(String(id), "e2e_notification")), isNewMsg: true }], {}, {}, {});
}

/** The server tells of a change made elsewhere: archive, pin, mute, read. */
export async function onChatAction(push: Pushes["chat_action"]): Promise<void> {
  const chat = R("WAWebChatCollection").ChatCollection.get(push.chat);
  if (chat && push.action === "clear") return showCleared(chat, !!(push.value as { keep_starred?: boolean } | undefined)?.keep_starred);
  if (chat && push.action === "delete") return showDeletedChat(chat);
  const field = ({ archive: "archive", pin: "pin", mute: "muteExpiration", unread: "unreadCount" } as Record<string, string>)[push.action];
  if (chat && field) await updateChat(chat, { [field]: push.value });
}

async function markRead(chat: any): Promise<void> {
  if (chat.unreadCount === 0) return;
  const unread = chat.msgs.filter((m: any) => !m.id.fromMe).slice(-Math.max(1, chat.unreadCount));
  await comms.request("receipt", { chat: String(chat.id), ids: unread.map((m: any) => m.id.id), type: "read", author: unread.at(-1)?.author?.toString() });
  await updateChat(chat, { unreadCount: 0 });
}

async function setFlag(chat: any, action: string, field: string, value: unknown): Promise<void> {
  await comms.request("chat_action", { chat: String(chat.id), action, value });
  await updateChat(chat, { [field]: value });
}

export function defineChats(): void {
  define("WAWebSuperChatMsgs", () => ({ default: SuperChatMsgs }));
  define("WAWebChatModel", () => ({ Chat }));
  define("WAWebMuteModel", () => ({ Mute }));
  define("WAWebChatCollection", () => ({ ChatCollectionImpl, ChatCollection: new ChatCollectionImpl() }));
  define("WAWebApiChat", () => ({
    createChatRecord: (_id: Wid, row: ChatRow) => writeRows({ chat: [row] }),
    getChatRecordByAccountLid: async (lid: Wid) => (await modelStorage.getAll("chat")).find((row) => row.accountLid === String(lid)),
    getAllChatsDeserialized: () => modelStorage.getAll("chat"),
  }));
  define("WAWebCreateChat", () => ({ createChat: (request: any, _source: unknown, _options: unknown, _extra: unknown) => createChat(request.chatId) }));
  define("WAWebFindChat", () => ({
    findExistingChat: async (w: Wid, _source: unknown, _options: unknown) => R("WAWebChatCollection").ChatCollection.get(chatWid(w)),
    findOrCreateLatestChat: (w: Wid, _source: unknown, _options: unknown) => findOrCreate(w),
  }));
  define("WAWebFindChatAction", () => ({
    findExistingChat: (w: Wid, source: unknown, options: unknown) => R("WAWebFindChat").findExistingChat(w, source, options),
    findOrCreateLatestChat: (w: Wid, source: unknown, options: unknown) => R("WAWebFindChat").findOrCreateLatestChat(w, source, options),
  }));
  define("WAWebUpdateUnreadChatAction", () => ({
    sendSeen: (request: any) => markRead(request.chat),
    sendSeenDebounced: (request: any) => markRead(request.chat),
    markUnread: (chat: any, unread: boolean, _source: unknown) => setFlag(chat, "unread", "unreadCount", unread ? -1 : 0),
    markSeen: (chat: any, _force: unknown, _source: unknown) => markRead(chat),
  }));
  define("WAWebSetArchiveChatAction", () => ({ setArchive: (chat: any, archive: boolean, _source: unknown) => setFlag(chat, "archive", "archive", archive) }));
  define("WAWebSetPinChatAction", () => ({ setPin: (chat: any, pin: boolean) => setFlag(chat, "pin", "pin", pin ? unixTime() : 0) }));
  define("WAWebChatPinBridge", () => ({
    getNumConversationsPinned: (_chats?: unknown) => R("WAWebChatCollection").ChatCollection.countWhere((c: any) => c.pin > 0),
    getPinLimit: (_chat?: unknown) => 3,
    setPin: (chat: any, pin: boolean, _t: unknown, _source: unknown) => setFlag(chat, "pin", "pin", pin ? unixTime() : 0),
  }));
  define("WAWebLid1X1MigrationGating", () => ({
    Lid1X1MigrationUtils: { isLidMigrated: () => isMigrated(), isSyncdSessionMigrated: () => isMigrated(), shouldCreatePnChat: () => !isMigrated() },
  }));
  define("WAWebGetEphemeralFieldsMsgActionsUtils", () => ({
    getEphemeralFields: (chat: any) => (chat.ephemeralDuration ? { ephemeralDuration: chat.ephemeralDuration, ephemeralSettingTimestamp: chat.ephemeralSettingTimestamp } : {}),
  }));
}
