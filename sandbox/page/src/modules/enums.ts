// Constants and clocks: the modules that hold no state.

import { define } from "../base/loader";

export const SOCKET_STATE = mirror("OPENING,PAIRING,UNPAIRED,UNPAIRED_IDLE,CONNECTED,CONFLICT,UNLAUNCHED,PROXYBLOCK,TOS_BLOCK,SMB_TOS_BLOCK,DEPRECATED_VERSION,SCREEN_LOCKED");
export const SOCKET_STREAM = mirror("DISCONNECTED,SYNCING,RESUMING,CONNECTED");
export const StreamMode = mirror("QR,MAIN,SYNCING,OFFLINE,CONFLICT,PROXYBLOCK,TOS_BLOCK,SMB_TOS_BLOCK,DEPRECATED_VERSION");
export const StreamInfo = mirror("OFFLINE,OPENING,PAIRING,SYNCING,RESUMING,CONNECTING,NORMAL");
export const SendMsgResult = mirror("OK,ERROR_NETWORK,ERROR_EXPIRED,ERROR_CANCELLED,ERROR_UPLOAD,ERROR_UNKNOWN");
export const ACK = { INACTIVE: -6, CONTENT_UNUPLOADABLE: -5, CONTENT_TOO_BIG: -4, CONTENT_GONE: -3, EXPIRED: -2, FAILED: -1, CLOCK: 0, SENT: 1, RECEIVED: 2, READ: 3, PLAYED: 4, PEER: 5 };
const ACK_STRING = { SENDER: "sender", DELIVERY: "delivery", READ: "read", PLAYED: "played", INACTIVE: "inactive", READ_SELF: "read-self", PLAYED_SELF: "played-self" };
const EDIT_ATTR = { NONE: 0, MESSAGE_EDIT: 1, PIN_IN_CHAT: 2, NEWSLETTER_MSG_EDIT: 3, SENDER_REVOKE: 7, ADMIN_REVOKE: 8 };

const MSG_TYPES =
  "album,audio,automated_greeting_message,biz_content_placeholder,biz_cover_photo,broadcast_notification,buttons_response,call_log,chat,ciphertext,comment,debug," +
  "debug_placeholder,document,e2e_notification,event_creation,event_edit_encrypted,event_response,gp2,groups_v4_invite,history_bundle,hsm,image,interactive," +
  "interactive_response,keep_in_chat,list,list_response,loading_media,location,message_edit_encrypted,message_history_bundle,message_history_notice,multi_vcard,native_flow," +
  "newsletter_admin_invite,newsletter_follower_invite,newsletter_notification,newsletter_question_response,notification,notification_template,order,oversized,payment," +
  "pin_message,pinned_message,poll_add_option_decrypted,poll_add_option_encrypted,poll_creation,poll_edit_encrypted,poll_result_snapshot,poll_update,product,protocol,ptt,ptv," +
  "quarantined,reaction,reaction_enc,request_phone_number,revoked,sticker,template_button_reply,unknown,vcard,video";

/** Types that no person wrote. */
const SYSTEM_TYPES = new Set(["broadcast_notification", "e2e_notification", "gp2", "newsletter_notification", "notification", "notification_template", "protocol", "pinned_message", "call_log", "debug"]);
export function isSystemType(type: string): boolean {
  return SYSTEM_TYPES.has(type);
}

export const MEDIA_TYPES = new Set(["image", "video", "audio", "ptt", "ptv", "document", "sticker"]);

function mirror(names: string): Record<string, string> {
  return Object.fromEntries(names.split(",").map((name) => [name, name]));
}

export function unixTime(): number {
  return Math.floor(Date.now() / 1000);
}

export function defineEnums(): void {
  define("WAWebSocketConstants", () => ({ SOCKET_STATE, SOCKET_STREAM }));
  define("WAWebAck", () => ({ ACK, ACK_STRING, EDIT_ATTR }));
  define("WAWebSendMsgResultAction", () => ({ SendMsgResult }));
  define("WAWebMsgType", () => {
    const MSG_TYPE = Object.fromEntries(MSG_TYPES.split(",").map((t) => [t.toUpperCase(), t]));
    return { MSG_TYPE, ALL_MSG_TYPES_SET: new Set(Object.values(MSG_TYPE)) };
  });
  define("WAWebLogoutReasonConstants", () => ({
    LogoutReason: { UserInitiated: "user_initiated", ClientFatal: "client_fatal", DeviceRemoved: "device_removed", SyncFail: "sync_fail", AccountLocked: "account_locked" },
    LOGOUT_REASON_CODE: { CLIENT_FATAL: 1, SYNC_FAIL: 2, INITIAL_HISTORY_SYNC_TIMEOUT: 3, ACCOUNT_LOCKED: 4 },
  }));
  define("WAJids", () => ({ STATUS_JID: "status@broadcast" }));
  define("WAWebCommsWapMd", () => ({
    CHAT_JID: (w: any) => w.toJid(),
    GROUP_JID: (w: any) => w.toJid(),
  }));
  define("WATimeUtils", () => ({
    MINUTE_SECONDS: 60,
    HOUR_SECONDS: 3600,
    DAY_SECONDS: 86400,
    WEEK_SECONDS: 604800,
    getClockSkew: () => 0,
    setClockSkew: (_seconds: number) => {},
    castToUnixTime: (t: number) => t,
    castMilliSecondsToUnixTime: (ms: number) => Math.floor(ms / 1000),
    castUnixTimeToMillisTime: (t: number) => t * 1000,
    unixTime: () => unixTime(),
    unixTimeMs: () => Date.now(),
    unixTimeWithoutClockSkewCorrection: () => unixTime(),
    millisTime: () => Date.now(),
    futureUnixTime: (seconds: number, from?: number) => (from ?? unixTime()) + seconds,
    pastUnixTime: (seconds: number, from?: number) => (from ?? unixTime()) - seconds,
    delayUntil: (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - Date.now()))),
    isInFuture: (t: number) => t > unixTime(),
    toDate: (t: number) => new Date(t * 1000),
  }));
}
