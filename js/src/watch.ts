// What happens to messages, read from the page's message store itself: acks of own messages and whatever is new.
import { emit } from "./events";
import { isReal, toMessage, typeOf } from "./message";
import { keyOf } from "./ids";
import { type Any, field, msgs, quiet } from "./modules";

const seen = new Set<string>(); // of the last messages, so that none is told twice
const maxSeen = 5000;
const waiters = new Map<string, Set<(ack: number) => void>>();
let watching = false;

/** Starts watching; false while the page's message store is not there yet. Once is enough. */
export function watchMessages(): boolean {
  if (watching) return true;
  const store = msgs();
  if (typeof store?.on !== "function") return false;
  watching = true;
  store.on("change:ack", (m: Any, ack: Any) => void quiet(() => onAck(m, ack)));
  store.on("add", (m: Any) => void quiet(() => onAdd(m)));
  return true;
}

export const watchingMessages = (): boolean => watching;

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
  if (typeOf(m) === "ciphertext") {
    m.once?.("change:type", () => quiet(() => tell(m))); // it gets its type when it is decrypted
    return;
  }
  // A microtask later, as the page fills in the rest of a new message after adding it.
  queueMicrotask(() => quiet(() => tell(m)));
}

function tell(m: Any): void {
  const { id, chat, fromMe } = keyOf(m);
  if (!id || !isReal(m) || chat.endsWith("@broadcast") || chat.endsWith("@newsletter")) return;
  const name = `${fromMe} ${chat} ${id}`;
  if (seen.has(name)) return;
  seen.add(name);
  if (seen.size > maxSeen) seen.delete(seen.values().next().value!);
  emit("message", toMessage(m));
}
