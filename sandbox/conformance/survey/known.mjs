// Calls that cannot work on the contract's build, or with a consumer's account, whatever the sandbox does: why.
const business = "only for a business account; the client looks first";
const model = "reads a property or method of a model that this build has no more";

export const wajs = {
  "chat.getVotes": "neither getVotes nor getTableVotes is in this build",
  "chat.forwardMessage": "forwardMessagesToChats has one parameter in this build",
  "catalog.getCollections": "queryCollectionsIQ is absent",
  "conn.setMultiDevice": "Cmd has no upgradeToMDProd",
  "chat.keepMessage": "only in chats with disappearing messages; the client looks first",
  "chat.requestPhoneNumber": "only for LID chats; the client looks first",
  "contact.getUsername": "only for LIDs; the client looks first",
  ...Object.fromEntries(["getLabelColorPalette", "getNewLabelColor", "colorIsInLabelPalette", "addNewLabel", "addOrRemoveLabels", "editLabel", "deleteLabel", "deleteAllLabels"].map((n) => [`labels.${n}`, business])),
  "chat.getNotes": business,
  "chat.setNotes": business,
  "profile.editBusinessProfile": business,
};

export const wwebjs = {
  "client.setDeviceName": "WAWebMiscBrowserUtils has no info",
  "client.addOrRemoveLabels": business,
  "chat.changeLabels": business,
  "client.searchChannels": "WAWebL10N has no getRegion",
  "client.getChannelByInviteCode": "WAWebNewsletterModelUtils has no getRoleByIdentifier",
  "client.demoteChannelAdmin": "WAWebDemoteNewsletterAdminAction has no demoteNewsletterAdmin",
  "group.revokeInvite": "WAWebGroupQueryJob has no resetGroupInviteCode",
  "contact.block": "WAWebBlockContactUtils has no getContactToBlockOnlyUseIfNoAssociatedChat",
  "contact.unblock": "WAWebBlockContactUtils has no getContactToBlockOnlyUseIfNoAssociatedChat",
  "event media_uploaded": `${model}: isUnsentMedia (WAWebFrontendMsgGetters has it)`,
};

export const wppconnect = {
  starMessage: "Chat has no sendStarMsgs",
  sendMute: "reads window.Store.Mute, which nobody makes",
  getListMutes: "reads window.Store.Mute, which nobody makes",
  "setTemporaryMessages(person)": "reads window.Store, which nobody makes",
  loadEarlierMessages: "Chat has no loadEarlierMsgs",
  loadAndGetAllMessagesInChat: "Chat has no loadEarlierMsgs",
  getVotes: wajs["chat.getVotes"],
  forwardMessage: wajs["chat.forwardMessage"],
  getCollections: wajs["catalog.getCollections"],
  decryptFile: "fetches the file from node, past the browser: web.whatsapp.com is this machine in Chromium only",
  editBusinessProfile: business,
  sendGif: "needs ffmpeg",
  "on notification": `${model}: isNotification (WAWebMsgGetters has it)`,
  "on added to group": `${model}: isNotification (WAWebMsgGetters has it)`,
};
