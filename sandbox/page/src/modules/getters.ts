// The getter modules: getX(model) reads model.x, with a few that compute.

import { define, R } from "../base/loader";
import { maybeWid } from "./ids";

type Getter = (model: any) => any;

/** One getter for each name, reading the property of that name; `special` replaces or adds. */
function getters(names: string, special: Record<string, Getter> = {}): Record<string, Getter> {
  const all: Record<string, Getter> = {};
  for (const name of names.split(" ")) {
    const property = name[3]!.toLowerCase() + name.slice(4);
    all[name] = (model) => model?.[property];
  }
  return { ...all, ...special };
}

const isUser: Getter = (m) => m.id.isUser();
const isGroup: Getter = (m) => m.id.isGroup();
const never: Getter = () => false;

/** 6281234567890 → +62 812-3456-7890 */
export function formatPhone(user: string): string {
  const parts = [user.slice(0, 2), user.slice(2, 5), user.slice(5, 9), user.slice(9)].filter(Boolean);
  return `+${parts[0]} ${parts.slice(1).join("-")}`.trim();
}

function formattedName(contact: any): string {
  return contact.name || contact.verifiedName || formattedUser(contact);
}

function formattedUser(contact: any): string {
  const id = contact.id;
  if (!id.isLid()) return id.isUser() ? formatPhone(id.user) : id.user;
  const pn = R("WAWebApiContact").getPhoneNumber(id);
  return pn ? formatPhone(pn.user) : (contact.pushname ?? id.user);
}

function isMyContact(contact: any): boolean {
  return contact.isAddressBookContact === 1;
}

function pnForLid(contact: any): any {
  return contact.id.isLid() ? R("WAWebApiContact").getPhoneNumber(contact.id) : undefined;
}

function defineContactGetters(): void {
  define("WAWebContactGetters", () =>
    getters("getId getPushname getIsBusiness getVerifiedLevel getVerifiedName getName getShortName getIsEnterprise getIsSmb getLabels getStatusMute getPrivacyMode getBusinessProfile", {
      getNotifyName: (c) => c.pushname ?? c.verifiedName,
      getPremiumMessageName: (c) => c.name ?? c.pushname,
      getIsMe: (c) => R("WAWebUserPrefsMeUser").isMeAccount(c.id),
      getIsUser: isUser,
      getIsGroup: isGroup,
      getIsBroadcast: (c) => c.id.isBroadcast(),
      getIsNewsletter: (c) => c.id.isNewsletter(),
      getIsBot: (c) => c.id.isBot(),
      getIsPSA: (c) => c.id.isPSA(),
      getIsIAS: never,
      getIsSupportAccount: never,
      getIsWAContact: isUser,
      getUserhash: (_c) => undefined,
      getUserid: (c) => (c.id.isUser() ? c.id.user : undefined),
      getCanRequestPhoneNumber: never,
      getShowBusinessCheckmarkAsPrimary: never,
      getShowBusinessCheckmarkAsSecondary: never,
      getShowBusinessCheckmarkInChatlist: never,
      getIsDisplayNameApproved: (c) => !!c.verifiedName,
      getShouldForceBusinessUpdate: never,
    }),
  );
  define("WAWebFrontendContactGetters", () =>
    getters("getPendingAction getIsContactBlocked getBusinessProfile getCommonGroups getUsername", {
      getPhoneNumber: (c) => (c.id.isLid() ? pnForLid(c) : c.id),
      getTextStatusString: (_c) => undefined,
      getPnForLid: pnForLid,
      getUserDisplayNameForLid: (c) => pnForLid(c) ?? c.pushname,
      getFormattedUsernameOrPhone: formattedUser,
      getIsMyContact: isMyContact,
      getDisplayName: formattedName,
      getSearchName: (c) => formattedName(c).toLowerCase(),
      getFormattedName: formattedName,
      getFormattedShortName: (c) => c.shortName || formattedName(c),
      getFormattedShortNameWithNonBreakingSpaces: (c) => (c.shortName || formattedName(c)).replaceAll(" ", "\u00a0"),
      getFormattedUser: formattedUser,
      getSearchVerifiedName: (c) => c.verifiedName?.toLowerCase(),
      getHeader: (c) => formattedName(c)[0]?.toUpperCase(),
    }),
  );
}

/** What the title bar shows: the subject of a group, the name or the number of a person. */
export function chatTitle(chat: any): string {
  if (chat.id.isGroup()) return chat.name ?? chat.groupMetadata?.subject ?? chat.id.user;
  return R("WAWebFrontendContactGetters").getFormattedName(chat.contact);
}

function defineChatGetters(): void {
  define("WAWebChatGetters", () =>
    getters("getId getT getUnreadCount getArchive getIsReadOnly getIsLocked getMuteExpiration getIsAutoMuted getName getPin getLabels getEndOfHistoryTransferType getTcToken", {
      getIsUser: isUser,
      getIsPSA: (c) => c.id.isPSA(),
      getIsIAS: never,
      getIsGroup: isGroup,
      getIsBroadcast: (c) => c.id.isBroadcast(),
      getIsNewsletter: (c) => c.id.isNewsletter(),
      getIsBot: (c) => c.id.isBot(),
      getCanUnread: (_c) => true,
      getHasUnread: (c) => c.unreadCount !== 0,
    }),
  );
  define("WAWebFrontendChatGetters", () =>
    getters("getGroupMetadata getContact getMsgs getMute getPresence getPromises getActive getPendingAction getAttachMediaContents", {
      getFormattedTitle: chatTitle,
      getIsParentGroup: never,
      getKind: (c) => (c.id.isGroup() ? "group" : "chat"),
      getIsFavorite: never,
      getTrusted: (_c) => true,
      getIsE2ee: (_c) => true,
      getOptimisticUnreadCount: (c) => c.unreadCount,
      getShouldShowUnreadDivider: (c) => c.unreadCount > 0,
      getShouldAppearInList: (c) => c.t !== undefined,
      getPreviewMessage: (c) => c.msgs.last(),
      getShowChangeNumberNotification: never,
    }),
  );
}

function sender(msg: any): any {
  return msg.id.fromMe ? R("WAWebUserPrefsMeUser").getMaybeMePnUser() : (msg.author ?? msg.from);
}

function defineMsgGetters(): void {
  const plain =
    "getType getSubtype getId getTo getFrom getAuthor getAck getT getMentionedJidList getQuotedMsg getQuotedParticipant getQuotedType getIsViewOnce getIsGif getMimetype getFilehash getWaveform getBody " +
    "getCaption getPollName getPollOptions getPollSelectableOptionsCount getFilename getSize getMediaKey getStar getVcard getLat getLng getLoc getDescription getMatchedText getThumbnail getLabels " +
    "getIsNewMsg getInvis getInviteCode getInviteGrp getEphemeralDuration getList getTitle getIsForwarded getForwardingScore getLatestEditMsgKey getCallId getIsVideoCall getIsGroupCall getIsFromTemplate getIsLive getMessageSecret getVcardList";
  define("WAWebMsgGetters", () =>
    getters(plain, {
      getRemote: (m) => m.id.remote,
      getSender: sender,
      getOriginalSender: sender,
      getIsSentByMe: (m) => m.id.fromMe,
      getIsSentByMeFromWeb: (m) => m.id.fromMe && m.local,
      getIs1to1Msg: (m) => m.id.remote.isUser(),
      getIsGroupMsg: (m) => m.id.remote.isGroup(),
      getIsNewsletterMsg: never,
      getIsStatus: (m) => m.id.remote.isStatus(),
      getIsNotification: (m) => m.type === "e2e_notification" || m.type === "gp2" || m.type === "notification_template",
      getIsMedia: (m) => !!m.mediaKey,
      getIsUnreadType: (m) => !["e2e_notification", "gp2", "notification_template", "protocol", "reaction"].includes(m.type),
      getIsReply: (m) => m.quotedStanzaID !== undefined,
      getIsSendFailure: (m) => !!m.isSendFailure,
      getIsFailed: (m) => !!m.isSendFailure,
      getIsEdited: (m) => m.latestEditMsgKey !== undefined,
      getIsEphemeral: (m) => !!m.ephemeralDuration,
      getHasReaction: (m) => !!m.hasReaction,
      getIsPSA: never,
      getIsIAS: never,
      getIsReaction: (m) => m.type === "reaction",
      getIsRevoke: (m) => m.type === "revoked",
      getRecipients: (m) => [maybeWid(String(m.to))],
      isRealMessage: (m) => m.type !== "e2e_notification",
    }),
  );
}

export function defineGetters(): void {
  defineContactGetters();
  defineChatGetters();
  defineMsgGetters();
}
