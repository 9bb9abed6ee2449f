// The wire between the sandbox's page and its server: JSON text frames on wss://web.whatsapp.com/ws/chat.
// It stands for WhatsApp's Noise-encrypted stanzas; nothing here pretends to be them. sandbox/wire.go is the
// same in Go; change both together.
//
//   page → server   {"n": 7, "op": "message", "args": {…}}         a request; n counts up per connection
//   server → page   {"n": 7, "ok": {…}} | {"n": 7, "error": {"code": 463, "text": "…", "until": 1760000000}}
//   server → page   {"op": "receipt", "args": {…}}                 a push; one with "s": 12 must not be lost: see "got"
//
// Times are epoch seconds, WhatsApp's unit, unless a name ends in _ms. A wid is its _serialized form.

/** Media as it travels: what the receiver needs to fetch and decrypt the file. Real scheme: HKDF(mediaKey, info by type) → iv, cipherKey, macKey; AES-CBC; first 10 bytes of HMAC-SHA256(macKey, iv+cipher) appended. */
export interface WireMedia {
  mimetype: string;
  size: number; // bytes of the plain file
  filename?: string;
  media_key: string; // base64, 32 bytes
  file_sha256: string; // base64, plain file
  file_enc_sha256: string; // base64, uploaded bytes
  direct_path: string; // "/mms/…" on the sandbox's own host
  width?: number;
  height?: number;
  duration?: number; // seconds
  ptt?: boolean;
}

export interface WireMessage {
  id: string; // 3EB0…
  chat: string; // wid of the chat as the owner of the stream sees it
  from_me: boolean;
  author?: string; // in groups: who wrote it
  type: string; // chat, image, video, audio, ptt, document, sticker, location, vcard, poll_creation, revoked, …
  body: string; // text; for files the caption
  t: number;
  ack?: number; // for own messages in history
  media?: WireMedia;
  quoted?: { id: string; author: string; type: string; body: string; from_me: boolean };
  mentions?: string[];
  extra?: Record<string, unknown>; // lat, lng, vcard, poll, …: by type
  pushname?: string;
  star?: boolean;
  edited?: number; // when it was last edited
  reactions?: Record<string, string>; // emoji by the wid of who reacted
  votes?: Record<string, string[]>; // of a poll: options by the wid of who chose them
  pin?: { by: string; t: number; seconds: number };
}

export interface WireContact {
  wid: string; // …@c.us
  lid?: string; // …@lid
  name?: string; // address book name; absent: not in the address book
  short_name?: string;
  pushname?: string;
  is_business?: boolean;
  is_my_contact?: boolean;
  blocked?: boolean;
}

export interface WireChat {
  wid: string;
  lid?: string; // accountLid of an unmigrated chat
  name?: string; // groups: the subject
  t: number; // last activity
  unread: number;
  archived?: boolean;
  pinned?: number; // epoch seconds of the pin, 0 or absent: not pinned
  mute_until?: number; // epoch seconds, -1 for ever
  more?: boolean; // the phone has older messages than it told of
  group?: WireGroup;
}

export interface GroupSettings {
  announce?: boolean; // only admins write
  restrict?: boolean; // only admins change subject, description and picture
  admin_add?: boolean; // only admins add others
  approval?: boolean; // who joins by code waits for an admin
  ephemeral?: number; // seconds
  picture?: string;
}

export interface WireGroup extends GroupSettings {
  owner: string;
  subject: string;
  description?: string;
  created: number;
  participants: { wid: string; admin: boolean; superadmin?: boolean }[];
  past?: GroupRequest[]; // who left or was removed, and when
}

/** Somebody who asked to be let in, or was in the group once. */
export interface GroupRequest {
  wid: string;
  t: number;
  reason?: string; // Left, Removed
}

export type MessageAction = "edit" | "revoke" | "react" | "vote" | "pin" | "unpin" | "star" | "unstar" | "delete";

/** What an action needs beside its text: a vote all options that are chosen now, a pin how long it stays. */
export interface ActionArgs {
  options?: string[];
  seconds?: number;
}

/** Requests of the page. */
export interface Requests {
  /** First frame on every connection. Without a device the server answers {pair} and later pushes "paired". */
  hello: {
    // got: the number of the last numbered push that the page has stored (see Push.s).
    args: { device?: { id: string; secret: string }; platform: string; version: string; got?: number };
    ok:
      | { pair: { refs: string[]; ttls_ms: number[] } } // six refs: 60 000, then 20 000 each
      | { success: { wid: string; lid: string; pushname: string; db_key: string; time: number; lid_migrated?: boolean; privacy?: Record<string, string> } };
    // error 401: the device is unknown (unlinked while away): clear credentials and go to /?post_logout=1&logout_reason=…
  };
  /** A fresh round of refs (after UNPAIRED_IDLE). */
  refs: { args: Record<string, never>; ok: { refs: string[]; ttls_ms: number[] } };
  /** Ask for a pairing code ("link with phone number"). The code is made by the page: 8 of Crockford base32. */
  pairing_code: { args: { phone: string; code: string }; ok: Record<string, never> };
  /** History for a device: chunks are pushed as "history"; the last has final: true. `since`: newest t the page has (0: everything). */
  history: { args: { since: number }; ok: { chunks: number } };
  /** Up to 50 messages of a chat before the one with that id, which only the phone has. Error 409: the phone is offline. */
  earlier: { args: { chat: string; id: string }; ok: { messages: WireMessage[]; more: boolean } };
  /** A message. ok is the server's ack (1). The same id again is acknowledged again and delivered once. */
  message: { args: WireMessage; ok: { t: number; chat: string; phash?: string } };
  /** steps: the push "steps" of that number is heeded from now on. step: asked at a step that it named; answered when the message may go on. */
  steps: { args: { n: number }; ok: Record<string, never> };
  step: { args: { at: string; chat: string; id: string }; ok: Record<string, never> };
  /** Numbers on WhatsApp? Unknown ones come back with exists: false. */
  usync: { args: { wids: string[] }; ok: { users: { query: string; exists: boolean; wid?: string; lid?: string; business?: boolean; pushname?: string }[] } };
  /** Host and token for uploads: POST https://web.whatsapp.com{upload_path}/{type}?auth=… with the encrypted bytes → {"direct_path": "…"}; GET {direct_path} gives them back. */
  media_conn: { args: Record<string, never>; ok: { auth: string; ttl: number; upload_path: string; max_bytes: number } };
  /** Delivery or read receipts of the page for what came in. */
  receipt: { args: { chat: string; ids: string[]; type: "delivery" | "read" | "played"; author?: string }; ok: Record<string, never> };
  chatstate: { args: { chat: string; state: "composing" | "recording" | "paused" }; ok: Record<string, never> };
  presence: { args: { state: "available" | "unavailable" } | { subscribe: string }; ok: Record<string, never> };
  /** Changes of a chat that WhatsApp syncs (kept: archive, pin, mute, unread, clear, delete; others are passed to the other devices only). */
  chat_action: { args: { chat: string; action: string; value?: unknown }; ok: Record<string, never> };
  /** Edit, revoke, reaction, vote, pin: messages about a message. Star, unstar and delete change the own copy only. 403: an edit of what another wrote; a revocation of it, except by an admin. */
  message_action: { args: { chat: string; action: MessageAction; target: { id: string; from_me: boolean; author?: string }; id: string; text?: string } & ActionArgs; ok: { t: number } };
  /**
   * create, join and info (by code); members: query (pushes the chat), leave, invite_code, and where the settings allow it add, subject,
   * description, picture; admins: also remove, promote, demote, reset_invite, requests, approve, reject, property:NAME. Each change is
   * pushed as "chat" to everybody concerned.
   */
  group: {
    args: { action: string; group?: string; subject?: string; participants?: string[]; code?: string; picture?: string; settings?: GroupSettings };
    ok: { group?: string; code?: string; participants?: { wid: string; code: number }[]; approval?: boolean; info?: WireGroup; requests?: GroupRequest[] };
  };
  /** On how many devices an account is: its phone and what is linked with it. */
  devices: { args: { wids: string[] }; ok: { counts: number[] } };
  /** Name in the address book; an empty one takes somebody out of it. ok is the contact as it is now. */
  contact: { args: { wid: string; name: string; short_name: string }; ok: WireContact };
  /** What became of an own message with each receiver: epoch seconds. */
  message_info: { args: { chat: string; id: string }; ok: { receipts: { wid: string; delivered?: number; read?: number; played?: number }[]; receivers: number } };
  /** Who may see something of the account; names and values are WhatsApp's. */
  privacy: { args: { name: string; value: string }; ok: Record<string, never> };
  call_reject: { args: { id: string; creator: string }; ok: Record<string, never> };
  block: { args: { wid: string; blocked: boolean }; ok: Record<string, never> };
  profile_picture: { args: { wid: string }; ok: { url?: string; tag?: string } };
  about: { args: { wid: string }; ok: { about: string } };
  /** picture: a JPEG in base64. */
  profile: { args: { name?: string; about?: string; picture?: string; remove_picture?: boolean }; ok: Record<string, never> };
  /** The device unlinks itself. */
  logout: { args: { reason: string }; ok: Record<string, never> };
  /** Numbered pushes up to s are stored here; the server need not send them again. */
  got: { args: { s: number }; ok: Record<string, never> };
  ping: { args: Record<string, never>; ok: { time: number } };
}

/** Pushes of the server. */
export interface Pushes {
  /** A phone scanned the QR (or typed the code). The page stores it, closes the stream and says hello with the device. */
  paired: { device: { id: string; secret: string }; wid: string; lid: string; pushname: string; platform: string };
  history: { contacts: WireContact[]; chats: WireChat[]; messages: WireMessage[]; final: boolean };
  /** What arrived while the page was away has been pushed; count is how much it was. */
  offline: { count: number };
  message: WireMessage;
  receipt: { chat: string; ids: string[]; type: "delivery" | "read" | "played"; author?: string; t: number };
  chatstate: { chat: string; author?: string; state: "composing" | "recording" | "paused" };
  presence: { wid: string; state: "available" | "unavailable"; t?: number };
  /** Somebody rings. */
  call: { id: string; from: string; video?: boolean; t: number };
  message_action: { chat: string; action: MessageAction; target: { id: string; from_me: boolean; author?: string }; id: string; author?: string; text?: string; t: number } & ActionArgs;
  chat_action: { chat: string; action: string; value?: unknown };
  contact: WireContact;
  chat: WireChat;
  /** What somebody did in a group. The group as it is now comes as "chat" before it. */
  group_notification: { id: string; group: string; action: string; author: string; participants?: string[]; text?: string; invite?: boolean; t: number };
  /** The phone removed this device: clear credentials, then /?post_logout=1&logout_reason=… */
  device_removed: { reason: string };
  /** Another connection of the same device took over: comms stop, and nothing on the page changes but Socket.stream. */
  replaced: Record<string, never>;
  /** A passkey is asked for while linking: the page calls navigator.credentials.get and waits. */
  passkey: { challenge: string };
  /** The steps of a send at which the page asks from now on (see "step"). */
  steps: { at: string[]; n: number };
  /** Faults that happen inside the page, by name (reload, crash, freeze, …). */
  fault: { name: string; args?: Record<string, unknown> };
}
