// Statuses: what people post for a day to those who have them in the address book. Messages in status@broadcast, which
// is no chat; under whom they are shown is who posted them.

import { define, R } from "../base/loader";
import { BaseCollection } from "../base/collection";
import { defineModel } from "../base/model";
import { comms } from "../comms";
import { deleteMessageRow, messageRows } from "../store";
import { act, showRevoked } from "./actions";
import { ACK, unixTime } from "./enums";
import { MsgKey, wid, type Wid } from "./ids";
import { rowToAttributes, storeMessages, toRow, updateMessage, withRowId } from "./messages";
import { wireMessage } from "./send";
import { SuperChatMsgs } from "./super-chat";

const LIFETIME = 24 * 3600; // seconds
export const STATUS = "status@broadcast";

class Status extends SuperChatMsgs {
  override onEmptyMRM(): void { this.delete(); }
  getCollection(): any { return R("WAWebStatusCollection").StatusCollection; }
  isExpired(): boolean { return this.t + LIFETIME < unixTime(); }
  isUnreadMessage(msg: any): boolean { return !msg.id.fromMe && !((msg.ack ?? 0) >= ACK.READ); }
  async loadMore(): Promise<unknown[]> { return []; }

  /** Tells who posted it that it was seen. */
  async sendReadStatus(msg: any, _mediaKeyTimestamp?: unknown): Promise<void> {
    if (!msg || !this.isUnreadMessage(msg)) return;
    await comms.request("receipt", { chat: STATUS, ids: [msg.id.id], type: "read", author: String(msg.author) });
    await updateMessage(msg.id, { ack: ACK.READ });
    count(this);
  }
}
defineModel(Status, {
  proxyName: "status-v3",
  props: { id: undefined, t: undefined, lastReceivedKey: undefined, totalCount: 0, unreadCount: 0 },
  session: { stale: false },
  lazy: {
    contact: (self) => R("WAWebContactCollection").ContactCollection.gadd(self.id, { silent: true }),
    msgs: (self) => new (R("WAWebChatMsgsCollection").ChatMsgsCollection)(undefined, { parent: self }),
  },
});

function count(status: any): void {
  status.set({ totalCount: status.msgs.length, unreadCount: status.msgs.filter((m: any) => status.isUnreadMessage(m)).length });
}

class StatusCollectionImpl extends BaseCollection {
  static override model = Status;
  static override comparator = (a: any, b: any) => (b.t ?? 0) - (a.t ?? 0);
  getMyStatus(): any { return this.gadd(R("WAWebUserPrefsMeUser").getMeUser()); }
  getUnexpired(): any[] { return this.filter((s: any) => s.totalCount > 0 && !s.isExpired()); }
  hasSynced(): boolean { return R("WAWebSocketModel").Socket.hasSynced; }
  getStatusModel(id: unknown): any { return this.get(id); }

  /** Puts messages under who posted them. */
  addStatusMessages(author: Wid, msgs: any[]): any {
    const status = this.gadd(author);
    status.msgs.add(msgs, { silent: true });
    count(status);
    return status;
  }

  /** The one that was posted last is what the list shows. */
  handleUpdate(attributes: any, _a?: unknown, _b?: unknown): void {
    const status = this.get(attributes.id.fromMe ? R("WAWebUserPrefsMeUser").getMeUser() : attributes.author);
    if (!status || (status.t ?? 0) > attributes.t) return;
    status.set({ t: attributes.t, lastReceivedKey: attributes.id });
  }
}

/** A status that was posted, here or elsewhere: stored and shown. */
async function show(msg: any): Promise<void> {
  const { StatusCollection } = R("WAWebStatusCollection");
  StatusCollection.addStatusMessages(msg.id.fromMe ? R("WAWebUserPrefsMeUser").getMeUser() : msg.author, [msg]);
  StatusCollection.handleUpdate(msg.attributes, null, false);
}

export async function onStatus(attributes: any): Promise<void> {
  if (attributes.t + LIFETIME < unixTime()) return;
  const [msg] = R("WAWebMsgCollection").MsgCollection.add(withRowId(attributes));
  await storeMessages([toRow(msg.attributes)]);
  await show(msg);
}

/** Brings what is not a day old into memory; the rest goes. */
export async function loadStatuses(): Promise<void> {
  for (const row of await messageRows(STATUS, -1)) {
    if (row.t + LIFETIME < unixTime()) await deleteMessageRow(row.id);
    else if (row.type !== "revoked") await show(R("WAWebMsgCollection").MsgCollection.add(rowToAttributes(row), { silent: true })[0]);
  }
  const { StatusCollection } = R("WAWebStatusCollection");
  StatusCollection.trigger("sync", StatusCollection);
}

function newStatus(fields: Record<string, unknown>): Record<string, unknown> {
  const me = R("WAWebUserPrefsMeUser").getMeUser();
  const id = new MsgKey({ fromMe: true, remote: STATUS, id: MsgKey.newId(), participant: me });
  return { ...fields, id, from: me, to: wid(STATUS), author: me, t: unixTime(), isNewMsg: true, local: true };
}

/** The attributes that a file's message needs to be a status; the page makes the key itself. */
export function asStatus(fields: Record<string, unknown>): Record<string, unknown> {
  return fields["id"] ? fields : newStatus(fields);
}

export async function showOwnStatus(msg: any): Promise<void> {
  await show(msg);
}

async function post(data: any): Promise<{ messageSendResult: string }> {
  const [shown, sent] = R("WAWebSendMsgChatAction").addAndSendMsgToChat({ id: wid(STATUS) }, data, {});
  await shown;
  return sent;
}

/** The network part; throws when the server refuses. Who may see it is the server's business. */
async function send({ data }: any): Promise<{ t: number }> {
  const { t } = await comms.request("message", wireMessage(data));
  return { t };
}

async function revoke(status: any, msg: any): Promise<void> {
  await act(msg, "revoke", MsgKey.newId());
  status.msgs.remove(msg, { silent: true });
  count(status);
  await showRevoked(msg, "sender");
}

/** Who is shown statuses: everybody in the address book, until chosen otherwise, which the sandbox does not simulate. */
const audience = () => R("WAWebContactCollection").ContactCollection.getFilteredContacts().map((c: any) => c.id);

export function defineStatus(): void {
  define("WAWebStatusModel", () => ({ default: Status }));
  define("WAWebStatusCollection", () => ({ StatusCollection: new StatusCollectionImpl() }));
  define("WAWebStatusGatingUtils", () => ({ canCheckStatusRankingPosterGating: () => false }));
  define("WAWebEncryptAndSendStatusMsg", () => ({ encryptAndSendStatusMsg: (request: any, _proto: unknown, _metrics: unknown) => send(request) }));
  define("WAWebSendStatusMsgAction", () => ({
    sendStatusTextMsgAction: ({ text, color, font }: any) => post(newStatus({ type: "chat", body: text, backgroundColor: color, font })),
    sendStatusMediaMsgAction: (msg: any, _update: unknown) => post(msg.attributes),
  }));
  define("WAWebMediaUpdateMsg", () => ({ default: (data: any, media: any) => Object.assign(data, media) }));
  define("WAWebRevokeStatusAction", () => ({ sendStatusRevokeMsgAction: (status: any, msg: any) => revoke(status, msg) }));
  define("WAWebUserPrefsStatus", () => ({
    default: {
      getStatusPrivacySetting: async () => "contacts", getStatusPrivacySettingConfig: async () => ({ setting: "contacts", list: [] }), getStatusContacts: async () => audience(), getStatusList: async () => audience(),
      getStatusAllowList: async () => [], getStatusDenyList: async () => [],
      setStatusPrivacyConfig: async () => { throw new Error("the sandbox does not simulate who is shown statuses (setStatusPrivacyConfig)"); },
    },
  }));
}
