// What happens on the linked phone, read from the page's own stores as it happens. Each store is watched on its own:
// one that is missing or differs takes only its own events down, and the probe says so.
import { emit } from "./events";
import { callOf, editOf, groupOf, type Happening, isTold, personOf, reactionOf, revokeOf, told } from "./happening";
import { isReal, typeOf } from "./message";
import { isGroup, keyOf, str } from "./ids";
import { type Any, field, mod, msgs, quiet } from "./modules";

const seen = new Set<string>(); // of the last happenings, so that none is told twice
const maxSeen = 5000;
const waiters = new Map<string, Set<(ack: number) => void>>();

/** True for the first call with a name. */
function first(name: string): boolean {
  if (seen.has(name)) return false;
  seen.add(name);
  if (seen.size > maxSeen) seen.delete(seen.values().next().value!);
  return true;
}

const tell = (h: Happening | undefined): void => {
  if (h) emit(h.type, h.data as Any);
};

// What is watched: the store, by a name of the probe. A store that the page replaced is watched anew.
const watched = new Map<string, Any>();

function watch(name: string, store: Any, start: (store: Any) => void): void {
  if (store === undefined || store === null || watched.get(name) === store) return;
  quiet(() => {
    start(store);
    watched.set(name, store);
  });
}

/** Whether a store is watched that the page uses now. */
export const watching = (name: string): boolean => watched.has(name);
export const watchingMessages = (): boolean => watching("messages");

/** Watches what is there and not watched yet. Called with each heartbeat: modules can come late, and be replaced. */
export function watchAll(): void {
  watch("messages", msgs(), watchMessages);
  watch("reactions", mod("WAWebReactionsMsgAction"), watchReactions);
  watch("calls", mod("WAWebCallCollection")?.default, watchCalls);
  watch("history", mod("WAWebBackendEventBus")?.BackendEventBus, watchHistory);
  watch("presence", mod("WAWebPresenceCollection")?.PresenceCollection, watchPresence);
}

function watchMessages(store: Any): void {
  store.on("change:ack", (m: Any, ack: Any) => void quiet(() => onAck(m, ack)));
  store.on("add", (m: Any) => void quiet(() => onAdd(m)));
  store.on("change:type", (m: Any) => void quiet(() => onType(m)));
  // A microtask later, as the page sets the text and the key of an edit one after the other.
  store.on("change:latestEditMsgKey", (m: Any) => queueMicrotask(() => quiet(() => onEdit(m))));
}

/** Calls back with each ack that arrives for an own message, until the returned function is called. */
export function onAckOf(id: string, call: (ack: number) => void): () => void {
  const set = waiters.get(id) ?? new Set();
  waiters.set(id, set.add(call));
  return () => {
    set.delete(call);
    if (set.size === 0) waiters.delete(id);
  };
}

function onAck(m: Any, value: Any): void {
  const key = keyOf(m);
  if (!key.fromMe || !key.id) return;
  const ack = typeof value === "number" ? value : field(m, "ack");
  if (typeof ack !== "number") return;
  for (const call of waiters.get(key.id) ?? []) call(ack);
  emit("ack", { id: key.id, chat: key.chat, ack });
}

function onAdd(m: Any): void {
  if (!field(m, "isNewMsg")) return; // history, or read back from the page's database
  // A ciphertext gets its type when it is decrypted: see onType. The rest of a new message is filled in after it was added.
  if (typeOf(m) !== "ciphertext") queueMicrotask(() => quiet(() => onNew(m)));
}

function onNew(m: Any): void {
  const { id, chat, fromMe } = keyOf(m);
  if (!id || !isTold(chat)) return;
  const type = typeOf(m);
  if (type === "gp2") {
    if (first(`gp2 ${chat} ${id}`)) tell(groupOf(m));
  } else if (type === "call_log") { // of one that rang while the page was not connected, too
    const call = callOf(m);
    if (call?.type === "call" && first(`call ${call.data.id}`)) tell(call);
  } else if (isReal(m) && type !== "revoked" && first(`${fromMe} ${chat} ${id}`)) emit("message", told(m));
}

function onType(m: Any): void {
  const { id, chat, fromMe } = keyOf(m);
  if (!id || !isTold(chat)) return;
  if (typeOf(m) !== "revoked") {
    if (field(m, "isNewMsg")) queueMicrotask(() => quiet(() => onNew(m)));
    return;
  }
  const at = Math.floor(Date.now() / 1000);
  // A microtask later: who deleted it is set after the type.
  if (first(`revoked ${fromMe} ${chat} ${id}`)) queueMicrotask(() => quiet(() => tell(revokeOf(m, at))));
}

function onEdit(m: Any): void {
  const { id, chat } = keyOf(m);
  const edit = str(field(m, "latestEditMsgKey"));
  if (id && edit && isTold(chat) && typeOf(m) !== "revoked" && first(`edited ${chat} ${id} ${edit}`)) tell(editOf(m));
}

/** Every reaction, whoever made it, goes through these exports; the collection has those of messages on the screen only. */
function watchReactions(namespace: Any): void {
  let wrapped = 0;
  for (const name of ["addOrUpdateReactionsModelCollection", "addOrUpdateReactions"]) {
    const real = namespace[name];
    if (typeof real !== "function") continue;
    namespace[name] = function (this: Any, ...args: Any[]): Any {
      quiet(() => (Array.isArray(args[0]) ? args[0] : [args[0]]).forEach((r: Any) => quiet(() => onReaction(r))));
      return real.apply(this, args);
    };
    wrapped++;
  }
  if (wrapped === 0) throw new Error("no function of reactions");
}

function onReaction(r: Any): void {
  const h = reactionOf(r);
  if (h?.type === "reaction" && first(`reaction ${JSON.stringify(h.data)}`)) tell(h);
}

/** A number that is linked again gets what came meanwhile as history, of which nothing is new to the page. */
function watchHistory(bus: Any): void {
  for (const on of ["onInitialChatHistorySynced", "onRecentChatHistorySynced", "onFullChatHistorySynced"]) quiet(() => bus[on](() => emit("history", {})));
}

function watchCalls(store: Any): void {
  store.on("add", (c: Any) => void quiet(() => onCall(c)));
}

function onCall(c: Any): void {
  const id = String(field(c, "id") ?? "");
  const from = personOf(field(c, "peerJid"));
  if (!id || !from || field(c, "outgoing") === true || !first(`call ${id}`)) return;
  const t = field(c, "offerTime");
  const group = str(field(c, "groupJid"));
  emit("call", { id, from, chat: isGroup(group) ? group : from.wid, video: field(c, "isVideo") === true, group: field(c, "isGroup") === true, time: typeof t === "number" && t > 0 ? t : Math.floor(Date.now() / 1000) });
}

// Presence comes by the second from everybody who is looked at: it is told only when somebody asked.
let presence = false;

/** Says whether presence is to be told. */
export function askPresence(on: boolean): Record<string, never> {
  presence = on;
  return {};
}

const presenceStates: Record<string, string> = { available: "available", unavailable: "unavailable", typing: "composing", composing: "composing", recording_audio: "recording", recording: "recording", paused: "paused" };

function watchPresence(store: Any): void {
  store.on("change:chatstate.type", (state: Any) => {
    if (presence) queueMicrotask(() => quiet(() => onPresence(state)));
  });
  store.on("change:isOnline", (p: Any) => {
    if (presence) queueMicrotask(() => quiet(() => onPresence(field(p, "chatstate") ?? p, p)));
  });
}

function onPresence(state: Any, of?: Any): void {
  const chat = str(field(of ?? state, "id"));
  const word = text(field(state, "type")) || (of && (field(of, "isOnline") ? "available" : "unavailable"));
  const known = word && presenceStates[word];
  if (!chat || !known || isGroup(chat)) return; // in groups the page says who by its collection only
  const from = personOf(chat);
  if (from) emit("presence", { chat, from, state: known, time_ms: Date.now() });
}

const text = (v: Any): string => (typeof v === "string" ? v : "");
