// Which abilities this build of WhatsApp Web has, each looked at on its own and without doing anything.
import { isRegistered, wppReady } from "./lifecycle";
import { Deadline, sleep } from "./limits";
import { chats, conn, contacts, fn, loaded, mod, msgs, quiet, socket, stream, wpp } from "./modules";
import { watching } from "./watch";

export interface Capability {
  ok: boolean;
  detail?: string;
}

type Check = () => unknown; // false, undefined, "" or an exception: missing

/** A store is watched from the link on. */
const watched = (name: string): Check => () => watching(name) || !isRegistered();
const f = (m: string, n: string): Check => () => fn(m, n);

const checks: Record<string, Record<string, Check>> = {
  loader: { "__d and require": loaded },
  wa_js: { WPP: () => wpp(), "WPP.isReady": wppReady },
  state: { Socket: socket, Stream: stream, Conn: conn, isRegistered: f("WAWebUserPrefsMultiDevice", "isRegistered"), getMaybeMePnUser: f("WAWebUserPrefsMeUser", "getMaybeMePnUser") },
  qr: {
    waSignalStore: () => mod("WAWebSignalStoreApi")?.waSignalStore?.getRegistrationInfo,
    waNoiseInfo: () => mod("WAWebUserPrefsInfoStore")?.waNoiseInfo?.get,
    getADVSecretKey: f("WAWebAdvSignatureApi", "getADVSecretKey"),
    encodeB64: f("WABase64", "encodeB64"),
    DEVICE_PLATFORM: () => mod("WAWebCompanionRegClientUtils")?.DEVICE_PLATFORM,
  },
  pairing_code: { initializeAltDeviceLinking: f("WAWebAltDeviceLinkingApi", "initializeAltDeviceLinking"), genLinkDeviceCodeForPhoneNumber: f("WAWebLinkDeviceAction", "genLinkDeviceCodeForPhoneNumber") },
  send_text: { "wa-js ready": wppReady, sendTextMessage: () => wpp()?.chat?.sendTextMessage, addAndSendMsgToChat: f("WAWebSendMsgChatAction", "addAndSendMsgToChat"), MsgKey: () => mod("WAWebMsgKey")?.default },
  send_file: { "wa-js ready": wppReady, sendFileMessage: () => wpp()?.chat?.sendFileMessage, MediaPrep: () => mod("WAWebMedia")?.MediaPrep ?? mod("WAWebPrepRawMedia"), createFromData: () => mod("WAWebMediaOpaqueData")?.default },
  new_chat: { findOrCreateLatestChat: f("WAWebFindChat", "findOrCreateLatestChat"), createWid: f("WAWebWidFactory", "createWid") },
  number_check: { queryWidExists: f("WAWebQueryExistsJob", "queryWidExists") },
  events: { "MsgCollection.on": () => msgs()?.on, watching: watched("messages") },
  reactions: { "addOrUpdateReactions…": () => fn("WAWebReactionsMsgAction", "addOrUpdateReactionsModelCollection") ?? fn("WAWebReactionsMsgAction", "addOrUpdateReactions"), watching: watched("reactions") },
  calls: { "CallCollection.on": () => mod("WAWebCallCollection")?.default?.on, watching: watched("calls") },
  presence: { "PresenceCollection.on": () => mod("WAWebPresenceCollection")?.PresenceCollection?.on, watching: watched("presence") },
  backlog: { ChatCollection: chats, msgFindBefore: () => fn("WAWebDBMessageFindLocal", "msgFindBefore") ?? fn("WAWebDBMessageFindLocal", "msgFindByDirection") },
  lookup: { getMessagesById: () => msgs()?.getMessagesById },
  chats: { ChatCollection: chats },
  messages: { msgFindBefore: () => fn("WAWebDBMessageFindLocal", "msgFindBefore") ?? fn("WAWebDBMessageFindLocal", "msgFindByDirection") },
  media: { "wa-js ready": wppReady, downloadMedia: () => wpp()?.chat?.downloadMedia, getMessagesById: () => msgs()?.getMessagesById },
  contacts: { ContactCollection: contacts },
  lid: { lidPnCache: () => mod("WAWebApiContact")?.lidPnCache },
  logout: { "Socket.logout": () => socket()?.logout },
};

const settleMs = 6000;

/** Waits a while for wa-js, which comes about a second after the page; before that half of it would look missing. */
export async function probe(): Promise<Record<string, Capability>> {
  for (const until = new Deadline(settleMs); loaded() && !wppReady() && until.left() > 0; ) await sleep(20);
  const out: Record<string, Capability> = {};
  for (const [name, parts] of Object.entries(checks)) {
    const missing = Object.entries(parts).filter(([, check]) => !quiet(check)).map(([part]) => part);
    out[name] = missing.length ? { ok: false, detail: "missing: " + missing.join(", ") } : { ok: true };
  }
  return out;
}
