// The list of the collections, and what a client needs around it that nothing else here does.

import { define, R } from "../base/loader";
import { BaseCollection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { VERSION } from "../session";
import { Chat } from "./chats";

const LINK = /\bhttps?:\/\/[^\s<>"]+|\bwww\.[^\s<>"]+/gi;

function findLinks(text: unknown): { url: string; href: string; input: string; index: number; suspiciousCharacters: Set<string> }[] {
  return [...String(text ?? "").matchAll(LINK)].map((m) => ({
    url: m[0], href: m[0].startsWith("www.") ? `https://${m[0]}` : m[0], input: String(text), index: m.index, suspiciousCharacters: new Set<string>(),
  }));
}

/** How far the page is with what arrived while it was away. */
class OfflineMessageHandlerImpl {
  getOfflineDeliveryProgress(): number { return this.isResumeComplete() ? 100 : 0; }
  getOfflineMessageCount(): number { return 0; }
  isResumeComplete(): boolean { return R("WAWebSocketModel").Socket.hasSynced; }
  isResumeFromRestartComplete(): boolean { return this.isResumeComplete(); }
}

// Nobody here has a channel, and nothing is done with one: the lists are empty.
class NewsletterCollectionImpl extends BaseCollection {
  static override model = Chat;
}
class NewsletterMetadata extends BaseModel {}
defineModel(NewsletterMetadata, { proxyName: "newsletter-metadata", props: { id: undefined }, session: {} });
class NewsletterMetadataCollectionImpl extends BaseCollection {
  static override model = NewsletterMetadata;
}

export function defineCollections(): void {
  define("WAWebNewsletterCollection", () => ({ default: new NewsletterCollectionImpl() }));
  define("WAWebNewsletterMetadataCollection", () => ({ default: new NewsletterMetadataCollectionImpl() }));
  define("WAWebCollections", () => ({
    default: {
      WAWebNewsletterCollection: R("WAWebNewsletterCollection").default,
      WAWebNewsletterMetadataCollection: R("WAWebNewsletterMetadataCollection").default,
      Blocklist: R("WAWebBlocklistCollection").BlocklistCollection,
      BusinessProfile: R("WAWebBusinessProfileCollection").BusinessProfileCollection,
      WAWebCallCollection: R("WAWebCallCollection").default,
      Chat: R("WAWebChatCollection").ChatCollection,
      Contact: R("WAWebContactCollection").ContactCollection,
      WAWebGroupMetadataCollection: R("WAWebGroupMetadataCollection").default,
      Msg: R("WAWebMsgCollection").MsgCollection,
      MsgInfo: R("WAWebMsgInfoCollection").MsgInfoCollection,
      PinInChat: R("WAWebPinInChatCollection").PinInChatCollection,
      Presence: R("WAWebPresenceCollection").PresenceCollection,
      ProfilePicThumb: R("WAWebProfilePicThumbCollection").ProfilePicThumbCollection,
      Reactions: R("WAWebReactionsCollection").ReactionsCollection,
      Status: R("WAWebStatusCollection").StatusCollection,
      TextStatus: R("WAWebTextStatusCollection").TextStatusCollection,
    },
  }));
  define("WALinkify", () => ({
    findLinks: (text: unknown, _options: unknown) => findLinks(text),
    findLink: (text: unknown, _options: unknown) => findLinks(text)[0] ?? null,
  }));
  define("WAWebOfflineHandler", () => ({ OfflineMessageHandlerImpl, OfflineMessageHandler: new OfflineMessageHandlerImpl() }));
  define("WAWebSyncGatingUtils", () => ({ isHistorySyncOnDemandEnabled: () => false, isPlaceholderMessageResendEnabled: () => false }));
  define("WAWebNonMessageDataRequestPlaceholderMessageResendUtils", () => ({ handlePlaceholderMsgsSeen: async (_msgs: unknown, _seen: unknown) => {} }));
  define("WAWebDebug", () => ({ default: { VERSION } }));
}

/** The global of the real page that says which build it is. */
export function exposeDebug(): void {
  (globalThis as any).Debug = R("WAWebDebug").default;
}
