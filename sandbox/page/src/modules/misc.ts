// Small modules that clients wrap or read at start, and that the sandbox needs for nothing else.

import { define, R } from "../base/loader";
import { BaseCollection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { EventEmitter } from "../base/emitter";
import { modelStorage } from "../store";
import type { Pushes } from "../wire";
import { isSystemType } from "./enums";
import { wid } from "./ids";

class CmdImpl extends EventEmitter {}
const CMD_EVENTS = "openChatAt,openChatFromUnread,openChatBottom,closeChat,closeActiveChat,setActiveFilter,archiveChat,pinChat,muteChat,markChatUnread,sendStarMsgs,sendUnstarMsgs,sendDeleteMsgs,sendRevokeMsgs,alertNewMsg,scrollChatListToTop";
for (const name of CMD_EVENTS.split(",")) {
  Object.defineProperty(CmdImpl.prototype, name, {
    value(this: CmdImpl, ...args: unknown[]) { this.trigger(name.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase()), ...args); },
    writable: true,
    configurable: true,
  });
}

/** Numbers as in wa-js's types. Calls only ring here. */
const CallState = {
  None: 0, Calling: 1, PreacceptReceived: 2, ReceivedCall: 3, AcceptSent: 4, AcceptReceived: 5, CallActive: 6, CallActiveElseWhere: 7, ReceivedCallWithoutOffer: 8, Rejoining: 9, Link: 10,
  ConnectedLonely: 11, PreCalling: 12, CallStateEnding: 13, CallBCallStarting: 14,
};

class Call extends BaseModel {
  getState(): number { return this.state ?? (this.outgoing ? CallState.Calling : CallState.ReceivedCall); }
  setState(state: number): void { this.set("state", state); }
}
defineModel(Call, { proxyName: "call", props: { id: undefined, peerJid: undefined, isVideo: false, isGroup: false, outgoing: false, offerTime: undefined }, session: { state: undefined } });

class CallCollectionImpl extends BaseCollection {
  static override model = Call;
  processIncomingCall(call: any): any { return this.add(call)[0]; }
  setActiveCall(call: any): any { return call; }
}

/** Somebody rings this account. */
export function onCall(push: Pushes["call"]): void {
  R("WAWebCallCollection").default.processIncomingCall({ id: push.id, peerJid: wid(push.from), isVideo: !!push.video, isGroup: false, outgoing: false, offerTime: push.t });
}

class SearchQuery {
  filter: any;
  term: string;
  constructor(term = "", filter: any = undefined) {
    this.term = term;
    this.filter = filter;
  }
  updateQuery(term: string): SearchQuery { return new SearchQuery(term, this.filter); }
  updateLabelQuery(filter: any): SearchQuery { return new SearchQuery(this.term, filter); }
  clear(): SearchQuery { return new SearchQuery(); }
}

/** Whether the account may not write first until a time; WhatsApp calls it the reach-out time lock (error 463). */
const TIMELOCK_KEY = "reachout-timelock";
let timelock: { is_active: boolean; time_enforcement_ends?: number; enforcement_type?: string } | undefined;

function timelocked(): boolean {
  return !!timelock?.is_active && (timelock.time_enforcement_ends ?? Infinity) > Date.now() / 1000;
}

function defineTimelock(): void {
  define("WAWebReachoutTimelockUtils", () => ({
    REACHOUT_TIMELOCK_IDB_KEY: TIMELOCK_KEY,
    isUserReachoutTimelocked: () => timelocked(),
    isUserReachoutTimelockedAndVisible: () => timelocked(),
    isUserReachoutTimelockedAndHidden: () => false,
    canSendMsgWhileTimelocked: (chat: any) => chat.msgs.getModelsArray().some((m: any) => !m.id.fromMe && !isSystemType(m.type)),
  }));
  define("WAWebMexReachoutTimelockNotificationHandler", () => ({
    handleReachoutTimelockUpdate(isActive: boolean, ends: number | undefined, type: string) {
      timelock = { is_active: isActive, time_enforcement_ends: ends, enforcement_type: type };
      void modelStorage.put("sync-state", timelock, TIMELOCK_KEY);
    },
  }));
  define("WAWebMexFetchReachoutTimelockJob", () => ({
    mexFetchReachoutTimelock: async () => timelock ?? (await modelStorage.get("sync-state", TIMELOCK_KEY)) ?? { is_active: false },
  }));
  define("WAWebGetReachoutTimelockJob", () => ({ fetchReachoutTimelock: () => R("WAWebMexFetchReachoutTimelockJob").mexFetchReachoutTimelock() }));
}

function defineWrapped(): void {
  define("WAWebABProps", () => ({ getABPropConfigValue: (_name: string) => undefined }));
  define("WAWebPrimaryFeatures", () => ({ primaryFeatureEnabled: (_name: string) => false }));
  define("WAWebBizLabelUtils", () => ({
    initializeLabels: (_labels: any) => {},
    addToLabelCollection: (_labels: any, _item: any, _kind: any) => {},
    removeLabelFromCollection: (_labels: any, _item: any, _kind: any) => {},
    getParentCollection: (_kind: any) => R("WAWebChatCollection").ChatCollection,
    createLabelItemId: (label: any, kind: any, id: any) => `${label}_${kind}_${id}`,
  }));
  define("WAWebGenMinimalLinkPreviewChatAction", () => ({ genMinimalLinkPreview: async (_link: any, _a: any, _b: any, _c: any) => undefined }));
  define("WAWebLinkPreviewChatAction", () => ({ getLinkPreview: async (_link: any, _chat: any) => undefined }));
  define("useWAWebLinkPreview", () => ({
    findFirstWebLink: (text: string) => /https?:\/\/\S+/.exec(text)?.[0],
    useLinkPreview: (_chat: any, _text: any) => undefined,
  }));
  define("WAWebChatSearchQuery", () => ({ SEARCH_EVENT: "search", SearchQuery, isSearchResult: (_value: unknown) => false }));
  define("WAWebChatSearchFilters", () => ({
    SearchFilters: { UNREAD: "unread", GROUP: "group", CONTACT: "contact", NON_CONTACT: "non_contact", BROADCAST: "broadcast", LABELS: "labels" },
    isFilterExcludedFromSearchTreatmentInInboxFlow: (_filter: unknown) => false,
    isFilterExcludedFromSearchTreatmentInNormalFlow: (_filter: unknown) => false,
  }));
}

export function defineMisc(): void {
  define("WAWebCmd", () => ({ CmdImpl, Cmd: new CmdImpl() }));
  define("WAWebVoipWaCallEnums", () => ({ CallState }));
  define("WAWebCallModel", () => ({ default: Call }));
  define("WAWebCallCollection", () => ({ default: new CallCollectionImpl() }));
  defineWrapped();
  defineTimelock();
}
