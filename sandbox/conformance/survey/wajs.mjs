// The survey of wa-js: see survey.mjs.
import { startWAJS, until } from "../harness.mjs";
import { wajs as known } from "./known.mjs";
import { survey, world } from "./survey.mjs";

const w = await world("6281100003001");
const judge = await startWAJS(w.api, w.number);
const { friend, third, group, guest, code, owner } = w;
/** WPP.<path>(...args), its result as plain JSON. */
const wpp = (path, ...args) =>
  judge.run(async (path, args) => {
    const [ns, name] = path.split(".");
    const r = await window.WPP[ns][name](...args);
    const seen = new WeakSet();
    return JSON.parse(JSON.stringify(r ?? null, (_k, v) => {
      if (v && typeof v === "object") {
        if (seen.has(v)) return "…";
        seen.add(v);
        if (typeof v.toJSON !== "function" && (v.length > 30)) return "…";
      }
      return v;
    }) ?? "null");
  }, path, args);
const text = async (body, to = friend) => (await wpp("chat.sendTextMessage", to, body, { createChat: true, waitForAck: true })).id;
const url = (mime, b) => `data:${mime};base64,${b.toString("base64")}`;
const key = await text("halo");
const incoming = `false_${friend}_${await w.says("masuk")}`;
await until("it shows", () => judge.run((k) => window.WPP.chat.getMessageById(k).then((m) => m.body), incoming));
const image = (await wpp("chat.sendFileMessage", friend, url("image/png", w.files.png), { type: "image", waitForAck: true })).id;
const poll = (await wpp("chat.sendCreatePollMessage", group, "Kapan?", ["Senin", "Selasa"], { waitForAck: true })).id;
const got = (id) => w.theirs(id.split("_")[2]);
const call = (path, ...args) => [path, () => wpp(path, ...args)];
const sends = (path, ...args) => [path, async () => {
  const { id, sendMsgResult } = await wpp(path, ...args);
  return () => got(id);
}];
let label, list, made, sub;

const steps = [
  call("blocklist.all"), call("blocklist.isBlocked", friend), call("blocklist.blockContact", third), call("blocklist.unblockContact", third),
  call("lists.list"), ["lists.create", async () => (list = await wpp("lists.create", "Penting", [friend]))], ["lists.rename", () => wpp("lists.rename", list?.id ?? "1", "Baru")], ["lists.addChats", () => wpp("lists.addChats", list?.id ?? "1", [friend])], ["lists.removeChats", () => wpp("lists.removeChats", list?.id ?? "1", [friend])], ["lists.remove", () => wpp("lists.remove", list?.id ?? "1")],
  call("call.offer", friend), call("call.accept"), call("call.end"), ["call.reject", async () => { await w.api.post(`/phones/${"6281234560011"}/call`, { to: w.number }); await new Promise((r) => setTimeout(r, 300)); return wpp("call.reject"); }],
  call("cart.get", friend), call("cart.add", friend, [{ id: "1", qnt: 1 }]), call("cart.clear", friend), call("cart.remove", friend, "1"), call("cart.update", friend, "1", { quantity: 2 }), call("cart.submit", friend, "x"), call("cart.getThumbFromCart", friend),
  call("catalog.getMyCatalog"), call("catalog.getProducts", owner, 5), call("catalog.getProductById", owner, "1"), call("catalog.getCollections", owner, 5, 5), call("catalog.createProduct", { name: "a", image: url("image/png", w.files.png) }), call("catalog.createCollection", "a", ["1"]), call("catalog.delProducts", ["1"]), call("catalog.editProduct", "1", {}), call("catalog.editCollection", "1", {}), call("catalog.deleteCollection", "1"), call("catalog.setProductVisibility", "1", true), call("catalog.updateCartEnabled", true),
  call("chat.list", {}), call("chat.get", friend), call("chat.find", friend), call("chat.getActiveChat"), ["chat.openChatBottom", () => wpp("chat.openChatBottom", friend)], call("chat.openChatAt", friend, key), call("chat.openChatFromUnread", friend), call("chat.closeChat"), call("chat.setInputText", "x", friend), call("chat.setChatList", "unread"),
  call("chat.canMute", friend), call("chat.canReply", key), call("chat.canMarkPlayed", image), call("chat.getLastSeen", friend), call("chat.getMessageACK", key), ["chat.getMessageACK(group)", async () => wpp("chat.getMessageACK", await text("grup", group))], call("chat.getMessageById", key), call("chat.getMessages", friend, { count: 5 }), call("chat.getMessages", friend, { count: -1, media: "image" }), call("chat.getUnreadChats"), call("chat.generateMessageID", friend), call("chat.getPlatformFromMessage", key),
  ["chat.getQuotedMsg", async () => wpp("chat.getQuotedMsg", (await wpp("chat.sendTextMessage", friend, "balas", { quotedMsg: key, waitForAck: true })).id)], ["chat.getQuotedMsgKey", async () => judge.run(async (k) => window.WPP.chat.getQuotedMsgKey(await window.WPP.chat.getMessageById(k)), (await wpp("chat.sendTextMessage", friend, "balas", { quotedMsg: key })).id)],
  call("chat.getReactions", key), call("chat.getVotes", poll), ["chat.vote", () => judge.run((k) => window.WPP.chat.vote?.(k, ["Senin"]) ?? Promise.resolve(null), poll)],
  ["chat.forwardMessage", async () => { await wpp("chat.forwardMessage", third, key); return async () => (await w.api.get("/phones/6281234560012/inbox")).some((m) => m.body === "halo"); }], call("chat.forwardMessages", third, [key]),
  sends("chat.sendTextMessage", friend, "https://example.com x", { linkPreview: { title: "T", description: "D", canonicalUrl: "https://example.com" } }),
  sends("chat.sendLocationMessage", friend, { lat: -6, lng: 106, name: "A" }), sends("chat.sendVCardContactMessage", friend, third), sends("chat.sendVCardContactMessage", friend, [third, owner]), sends("chat.sendListMessage", friend, { buttonText: "b", description: "d", sections: [{ title: "t", rows: [{ rowId: "1", title: "r", description: "x" }] }] }), sends("chat.sendEventMessage", friend, { name: "Rapat", startTime: 1_900_000_000 }), sends("chat.sendScheduledCallMessage", friend, { title: "c", scheduledTimestampMs: 1_900_000_000_000 }),
  sends("chat.sendFileMessage", friend, url("image/png", w.files.png), { type: "image", isViewOnce: true }), sends("chat.sendFileMessage", friend, url("video/mp4", w.files.mp4), { type: "video", isGif: true }), sends("chat.sendFileMessage", friend, url("video/mp4", w.files.mp4), { type: "video", isPtv: true }), sends("chat.sendFileMessage", friend, url("image/webp", w.files.webp), { type: "sticker" }), sends("chat.sendFileMessage", friend, url("image/png", w.files.png), { type: "image", isHD: true }),
  sends("chat.sendGroupInviteMessage", friend, { groupId: group, groupName: "Keluarga", inviteCode: "abcdefghijklmnop" }), sends("chat.sendChargeMessage", friend, [{ id: "1", name: "x", qnt: 1, price: 1000 }], {}), sends("chat.sendPixKeyMessage", friend, { keyType: "CPF", name: "a", key: "1" }), sends("chat.sendRawMessage", friend, { type: "chat", body: "raw" }), sends("chat.sendReactionToMessage(x)", friend),
  ["chat.sendTextMessage(buttons)", async () => { const { id } = await wpp("chat.sendTextMessage", friend, "b", { useInteractiveMessage: true, buttons: [{ id: "1", text: "A" }], title: "t", footer: "f" }); return () => got(id); }],
  call("chat.prepareLinkPreview", { body: "https://example.com" }, {}), call("chat.prepareMessageButtons", { body: "x" }, {}), ["chat.prepareRawMessage", () => judge.run((c) => window.WPP.chat.prepareRawMessage(window.WPP.chat.get(c), { type: "chat", body: "x" }).then((m) => m.body), friend)],
  call("chat.keepMessage", incoming), call("chat.markPlayed", image), call("chat.markIsComposing", friend, 10), call("chat.markIsRecording", friend, 10), call("chat.markIsPaused", friend), call("chat.markIsRead", friend), call("chat.markIsUnread", friend), call("chat.mute", friend, { duration: 60 }), call("chat.unmute", friend), call("chat.pin", friend), call("chat.unpin", friend), call("chat.archive", third), call("chat.unarchive", third),
  call("chat.pinMsg", key), call("chat.unpinMsg", key), call("chat.starMessage", key), call("chat.editMessage", key, "halo 2"), call("chat.downloadMedia", image), call("chat.requestPhoneNumber", friend), call("chat.getNotes", friend), call("chat.setNotes", friend, "catatan"), 
  ["chat.deleteMessage", async () => wpp("chat.deleteMessage", friend, await text("x"), false, true)], ["chat.clear", async () => { await wpp("chat.clear", third); return async () => true; }], ["chat.delete", async () => { await text("x", third); return wpp("chat.delete", third); }],
  ["community.create", async () => (made = (await wpp("community.create", "Warga", "d", [])).wid?._serialized)], ["community.addSubgroups", () => wpp("community.addSubgroups", made ?? group, [group])], ["community.getSubgroups", () => wpp("community.getSubgroups", made ?? group)], ["community.getAnnouncementGroup", () => wpp("community.getAnnouncementGroup", made ?? group)], ["community.getParticipants", () => wpp("community.getParticipants", made ?? group)], ["community.promoteParticipants", () => wpp("community.promoteParticipants", made ?? group, [friend])], ["community.demoteParticipants", () => wpp("community.demoteParticipants", made ?? group, [friend])], ["community.removeSubgroups", () => wpp("community.removeSubgroups", made ?? group, [group])], ["community.deactivate", () => wpp("community.deactivate", made ?? group)],
  ...["getABPropsMap", "getABProps", "getAuthCode", "getAutoDownloadSettings", "getBuildConstants", "getHistorySyncProgress", "getMigrationState", "getMyDeviceId", "getMyUserId", "getMyUserLid", "getMyUserWid", "getPlatform", "getStreamData", "getTheme", "isAuthenticated", "isIdle", "isMainInit", "isMainLoaded", "isMainReady", "isMultiDevice", "isOnline", "isRegistered", "markAvailable", "markUnavailable", "needsUpdate", "refreshQR", "setKeepAlive", "setMultiDevice", "cancelLinkDeviceCode"].map((n) => call(`conn.${n}`)),
  call("conn.getABPropName", "x"), call("conn.setLimit", "maxMediaSize", 16777216), call("conn.isWhatsAppVersionGTE", "2.2"),
  call("contact.get", friend), call("contact.list", {}), call("contact.getBusinessProfile", friend), ["contact.getCommonGroups", async () => { const l = await wpp("contact.getCommonGroups", friend); if (!l.length) throw new Error("none"); return l; }], call("contact.getPnLidEntry", friend), call("contact.getProfilePictureUrl", friend), call("contact.getStatus", friend), call("contact.getUsername", friend), call("contact.queryExists", friend), call("contact.queryUsernameExists", "budiman", "1234"), call("contact.queryWidExists", friend), call("contact.save", third, "Ketiga", { surname: "x" }), call("contact.remove", third), call("contact.reportContact", third), call("contact.subscribePresence", friend), call("contact.unsubscribePresence", friend),
  ...["getParticipants", "getPastParticipants", "iAmAdmin", "iAmMember", "iAmRestrictedMember", "iAmSuperAdmin", "canAdd", "ensureGroup", "getInviteCode", "revokeInviteCode", "getMembershipRequests"].map((n) => call(`group.${n}`, group)),
  call("group.canDemote", group, friend), call("group.canPromote", group, friend), call("group.canRemove", group, friend), call("group.ensureGroupAndParticipants", group, friend), call("group.getAllGroups"), call("group.getGroupSizeLimit"), call("group.getGroupInfoFromInviteCode", code), call("group.join", code), call("group.create", "Baru", [friend]), call("group.addParticipants", group, ["6281234560013"]), call("group.promoteParticipants", group, [friend]), call("group.demoteParticipants", group, [friend]), call("group.removeParticipants", group, ["6281234560013"]), call("group.setSubject", group, "K2"), call("group.setDescription", group, "D2"),
  ...["announcement", "restrict", "ephemeral"].map((p) => [`group.setProperty(${p})`, async () => { const r = await wpp("group.setProperty", group, p, p === "ephemeral" ? 86400 : true); return async () => JSON.stringify(await w.api.get(`/groups/${group}`)).match(/announce|restrict|ephemeral/) && r; }]), ["group.setProperty(membership_approval_mode)", () => wpp("group.setProperty", group, "membership_approval_mode", true)],
  ["group.setIcon", async () => { const r = await wpp("group.setIcon", group, url("image/png", w.files.png)); if (r === false || r?.status === 401) throw new Error(JSON.stringify(r)); return r; }], call("group.removeIcon", group), call("group.approve", group, third), call("group.reject", group, third), call("group.leave", guest),
  call("indexdb.getMessagesFromRowId", { minRowId: 0, limit: 5 }),
  call("labels.getAllLabels"), call("labels.getLabelColorPalette"), call("labels.getNewLabelColor"), call("labels.colorIsInLabelPalette", "#000000"), ["labels.addNewLabel", async () => (label = await wpp("labels.addNewLabel", "Lunas", { labelColor: 1 }))], ["labels.getLabelById", () => wpp("labels.getLabelById", label?.id ?? "1")], ["labels.addOrRemoveLabels", () => wpp("labels.addOrRemoveLabels", [friend], [{ labelId: label?.id ?? "1", type: "add" }])], ["labels.editLabel", () => wpp("labels.editLabel", label?.id ?? "1", { name: "X" })], ["labels.deleteLabel", () => wpp("labels.deleteLabel", label?.id ?? "1")], call("labels.deleteAllLabels"),
  ["newsletter.create", async () => (sub = (await wpp("newsletter.create", "Kabar", { description: "d" })).idJid)], ["newsletter.edit", () => wpp("newsletter.edit", sub ?? "1@newsletter", { name: "x" })], ["newsletter.getSubscribers", () => wpp("newsletter.getSubscribers", sub ?? "1@newsletter")], ["newsletter.mute", () => wpp("newsletter.mute", sub ?? "1@newsletter")], ["newsletter.follow", () => wpp("newsletter.follow", sub ?? "1@newsletter")], ["newsletter.unfollow", () => wpp("newsletter.unfollow", sub ?? "1@newsletter")], ["newsletter.search", () => wpp("newsletter.search", "x", {})], ["newsletter.destroy", () => wpp("newsletter.destroy", sub ?? "1@newsletter")],
  call("order.get", incoming), call("order.accept", { orderId: "1", chatId: friend }), call("order.decline", { orderId: "1", chatId: friend }),
  call("privacy.get"), call("privacy.getDisallowedList", "status"), call("privacy.setAbout", "contacts"), call("privacy.setAddGroup", "contacts"), call("privacy.setLastSeen", "contacts"), call("privacy.setOnline", "all"), call("privacy.setProfilePic", "contacts"), call("privacy.setReadReceipts", "none"), call("privacy.setStatus", "contact"),
  call("profile.getMyProfileName"), call("profile.getMyProfilePicture"), call("profile.getMyStatus"), call("profile.isBusiness"), call("profile.setMyProfileName", "N"), call("profile.setMyProfilePicture", url("image/png", w.files.png)), call("profile.removeMyProfilePicture"), call("profile.setMyStatus", "s"), call("profile.editBusinessProfile", { description: "x" }),
  call("status.get", friend), call("status.getMyStatus"), call("status.sendTextStatus", "hari ini", {}), call("status.sendImageStatus", url("image/png", w.files.png)), call("status.sendVideoStatus", url("video/mp4", w.files.mp4)), call("status.sendReadStatus", friend, key), call("status.updateParticipants", [friend]), ["status.remove", async () => wpp("status.remove", (await wpp("status.sendTextStatus", "x", {})).id)],
  call("conn.joinWebBeta", true), call("conn.setTheme", "dark"), call("conn.setAutoDownloadSettings", { photos: false }), // each loads the page again
].filter(([n]) => !n.endsWith("(x)"));

await survey("wa-js 4.6.0", steps, known);
await judge.close();
await w.api.close();
