// What a message means to those who listen: the records of browser.Event, made of a model or of a row of the page's
// database alike, so that the same happening gives the same record whether it was seen live or read back.
import { type Events } from "./events";
import { isGroup, keyOf, person, str } from "./ids";
import { captionOf, isReal, bodyOf, toMessage, typeOf } from "./message";
import { type Any, field, fn, quiet } from "./modules";

export interface Person {
  wid: string;
  phone?: string;
  lid?: string;
}

export type Happening = { [K in keyof Events]: { type: K; data: Events[K] } }[keyof Events];

const num = (v: Any): number => (typeof v === "number" && Number.isFinite(v) ? v : 0);
const text = (v: Any): string => (typeof v === "string" ? v : "");
export const now = (): number => Math.floor(Date.now() / 1000);

/** Somebody, by every name that the page knows; undefined for nobody. */
export function personOf(id: Any): Person | undefined {
  const wid = str(id);
  return wid ? { wid, ...person(id) } : undefined;
}

/** Chats whose messages are not told: what is sent to everybody is no conversation. */
export const isTold = (chat: string): boolean => chat !== "" && !chat.endsWith("@broadcast") && !chat.endsWith("@newsletter");

/** Who wrote a message of a group. */
function authorOf(m: Any): Person | undefined {
  const key = keyOf(m);
  return isGroup(key.chat) ? personOf(key.participant || field(m, "author")) : undefined;
}

/** A message as an event: what toMessage says, and who is mentioned and who wrote it by every name. */
export function told(m: Any): Any {
  const mentions = (Array.isArray(field(m, "mentionedJidList")) ? field(m, "mentionedJidList") : []).map(str).filter(Boolean);
  const author = authorOf(m);
  return { ...toMessage(m), ...(mentions.length > 0 && { mentions }), ...(author && { writer: author }) };
}

/** The last edit of a message; undefined when it was never edited. */
export function editOf(m: Any): Happening | undefined {
  const t = num(field(m, "latestEditSenderTimestampMs"));
  if (!field(m, "latestEditMsgKey") && !t) return undefined;
  const { id, chat, fromMe } = keyOf(m);
  const author = authorOf(m);
  return { type: "edited", data: { id, chat, ...person(chat), from_me: fromMe, ...(author && { author }), body: bodyOf(m) || captionOf(m), time_ms: t || now() * 1000 } };
}

/** That a message was deleted for everyone. WhatsApp keeps no time of it: at is when it was seen. */
export function revokeOf(m: Any, at: number): Happening {
  const { id, chat, fromMe } = keyOf(m);
  const by = isGroup(chat) ? personOf(field(m, "revokeSender")) ?? authorOf(m) : undefined;
  return { type: "revoked", data: { id, chat, ...person(chat), from_me: fromMe, ...(by && { by }), time: at } };
}

/** WhatsApp's words for what happens to the members of a group. */
const memberActions: Record<string, string> = {
  add: "add", create: "add", invite: "join", linked_group_join: "join", remove: "remove", leave: "leave", promote: "promote", demote: "demote",
};

/** A notice of a group (gp2); undefined for those that are not told. */
export function groupOf(m: Any): Happening | undefined {
  const { id, chat } = keyOf(m);
  const subtype = text(field(m, "subtype"));
  const by = personOf(field(m, "author"));
  const base = { id, chat, ...(by && { by }), time: num(field(m, "t")) };
  if (subtype === "subject") return { type: "group.subject", data: { ...base, subject: text(field(m, "body")) } };
  const action = Object.hasOwn(memberActions, subtype) ? memberActions[subtype] : undefined;
  if (!action) return undefined;
  const people = (Array.isArray(field(m, "recipients")) ? field(m, "recipients") : []).map(personOf).filter((p: Any) => p !== undefined);
  return { type: "group.participants", data: { ...base, action, people: people.length > 0 ? people : by ? [by] : [] } };
}

/** What WhatsApp says of a message: by its getter, which knows the model's fields, or by the field of that name. */
function said(m: Any, name: string): Any {
  const get = fn("WAWebMsgGetters", "get" + name[0]!.toUpperCase() + name.slice(1));
  return (get && quiet(() => get(m))) ?? field(m, name);
}

/**
 * What a chat keeps of a call (call_log): the call under the id that it rang with. Own calls are not told, and neither is one
 * without an id, since it might be one that was told when it rang.
 */
export function callOf(m: Any): Happening | undefined {
  const { chat, fromMe } = keyOf(m);
  const id = text(said(m, "callId"));
  const from = isGroup(chat) ? authorOf(m) : personOf(chat);
  if (fromMe || !id || !from) return undefined;
  return { type: "call", data: { id, from, chat, video: said(m, "isVideoCall") === true, group: isGroup(chat) || said(m, "isGroupCall") === true, time: num(field(m, "t")) } };
}

/** All that a message that is read back tells, in the order in which it happened. */
export function happeningsOf(m: Any): Happening[] {
  const { id, chat } = keyOf(m);
  if (!id || !isTold(chat)) return [];
  const type = typeOf(m);
  if (type === "call_log") return [callOf(m)].filter((h) => h !== undefined);
  if (type === "gp2") return [groupOf(m)].filter((h) => h !== undefined);
  if (type === "revoked") return [revokeOf(m, num(field(m, "t")) || now())];
  if (!isReal(m)) return [];
  return [{ type: "message" as const, data: told(m) }, editOf(m)].filter((h) => h !== undefined);
}

/**
 * What happened since a time (epoch seconds) to a message that is older than that. An edit has its time. A revocation has none:
 * it is told for every message that is not older than known, however long ago it was, and whoever listens knows which
 * they have heard of. Before known it may have been revoked when nobody listened yet.
 */
export function changesOf(m: Any, since: number, known: number): Happening[] {
  const { id, chat } = keyOf(m);
  if (!id || !isTold(chat)) return [];
  if (typeOf(m) === "revoked") return num(field(m, "t")) >= known ? [revokeOf(m, num(field(m, "t")))] : [];
  if (!isReal(m) || num(field(m, "latestEditSenderTimestampMs")) < since * 1000) return [];
  return [editOf(m)].filter((h) => h !== undefined);
}

/** A reaction from whichever form the page has it in: its table's row, or what its message functions are given. */
export function reactionOf(r: Any): Happening | undefined {
  const target = keyOf({ id: r.parentMsgKey ?? r.reactionParentKey });
  const from = personOf(r.senderUserJid ?? r.author ?? r.from);
  if (!target.id || !from || !isTold(target.chat)) return undefined;
  const key = r.msgKey ?? r.id;
  const time = num(r.timestamp ?? r.reactionTimestamp) || num(r.t) * 1000 || Date.now();
  return {
    type: "reaction",
    data: { message_id: target.id, chat: target.chat, from, from_me: key ? keyOf({ id: key }).fromMe : false, reaction: text(r.reactionText), time_ms: time < 1e11 ? time * 1000 : time },
  };
}
