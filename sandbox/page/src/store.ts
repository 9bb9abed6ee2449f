// What the page keeps: the message store (chats, contacts, groups, messages) and the signal store, in IndexedDB;
// the credentials, in localStorage. Messages stay locked until the server's success delivers their key.

import { Database } from "./base/idb";

export const modelStorage = new Database("model-storage", 5, {
  chat: { keyPath: "id" },
  contact: { keyPath: "id" },
  "group-metadata": { keyPath: "id" },
  // rowId counts down from the newest, so that the newest n of a chat are one getAll; pending is on own messages only
  // that wait for the server, callId on calls only.
  message: { keyPath: "id", indexes: { chat: ["chat", "rowId"], pending: "pending", call: "callId" } },
  // One for each message and sender: see modules/reactions.ts.
  reactions: { keyPath: ["parentMsgKey", "senderUserJid"], indexes: { parent: "parentMsgKey" } },
  // One for each poll and voter, see modules/polls.ts; one for each message that was ever pinned.
  "poll-votes": { keyPath: ["parentMsgKey", "sender"], indexes: { parent: "parentMsgKey" } },
  "pin-in-chat": { keyPath: "parentMsgKey" },
  // The past as it came, up to a chunk of one chat in a record, key [chat, rowId of the first]: a record for each of
  // 200,000 messages would take minutes. They become rows of "message" when somebody looks at the chat: see unpack.
  "message-history": {},
  "sync-state": {},
});
export const signalStorage = new Database("signal-storage", 1, { "signal-meta-store": {} });
export const mediaStorage = new Database("lru-media-storage-idb", 1, { "lru-media-array-buffer-cache": {} });

/** A row of the message store. Everything in it survives structuredClone; ids are serialized. */
export interface MessageRow {
  id: string; // serialized MsgKey
  chat: string;
  rowId: number; // negative: see newRowId
  pending?: 1;
  from: string;
  to: string;
  author?: string;
  type: string;
  t: number;
  ack: number;
  [key: string]: any;
}

/** The newest message of every chat, as it is in the chat's row. A chat is in IndexedDB when it is in here. */
export const lastRows = new Map<string, MessageRow | undefined>();

export interface ChatRow {
  id: string;
  t: number;
  unreadCount: number;
  accountLid?: string;
  last?: MessageRow; // the newest message, so that the chat list needs no message to be read
  [key: string]: any;
}

let lastRowId = 0;

/** Sorts by time and, within a second, by arrival. Negative: the newest comes first in the index. */
export function newRowId(t: number): number {
  const n = t * 1e6 + (Date.now() % 1000) * 1000;
  lastRowId = n <= lastRowId && n + 1e6 > lastRowId ? lastRowId + 1 : n;
  return -lastRowId;
}

let unlock!: () => void;
/** Resolves once the server delivered the key of the message store. Readers of messages wait for it. */
export const unlocked = new Promise<void>((resolve) => (unlock = resolve));
export function unlockMessages(): void {
  unlock();
}

/** Goes on behind what an earlier page gave: what arrived within the second in which that one ended comes after it. */
export function continueRowIds(chats: ChatRow[]): void {
  for (const { last } of chats) if (last) lastRowId = Math.max(lastRowId, -last.rowId);
}

const KEYS = {
  me: "last-wid-md",
  lid: "WALid",
  noise: "WANoiseInfo",
  noiseIv: "WANoiseInfoIv",
  salt: "WAWebEncKeySalt",
  adv: "WAAdvSecretKey",
  pushname: "me-display-name",
  pairing: "WAPairingTimestamp",
} as const;

const cache = new Map<string, any>();

/** Small values in localStorage, JSON like the real page's, read once. */
export const prefs = {
  get(key: keyof typeof KEYS): any {
    if (!cache.has(key)) {
      const text = localStorage.getItem(KEYS[key]);
      cache.set(key, text === null ? undefined : JSON.parse(text));
    }
    return cache.get(key);
  },
  set(key: keyof typeof KEYS, value: unknown): void {
    cache.set(key, value ?? undefined);
    if (value === undefined || value === null) localStorage.removeItem(KEYS[key]);
    else localStorage.setItem(KEYS[key], JSON.stringify(value));
  },
  clear(): void {
    cache.clear();
    for (const key of Object.values(KEYS)) localStorage.removeItem(key);
  },
};

interface Rows {
  chat?: ChatRow[];
  contact?: any[];
  "group-metadata"?: any[];
  message?: MessageRow[];
}

let writing = false;
const unwritten: { rows: Rows; resolve: () => void; reject: (err: unknown) => void }[] = [];

/**
 * Writes rows of several stores in one transaction. What is to be written while a transaction is under way shares the
 * next one: a burst of messages costs a few transactions, as on the real page, and each caller waits for its own.
 */
export function writeRows(rows: Rows): Promise<void> {
  if (!Object.values(rows).some((list) => list?.length)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    unwritten.push({ rows, resolve, reject });
    if (!writing) void writeAll();
  });
}

/** Resolves when what was to be written before is: who reads then sees it. */
function written(): Promise<void> {
  if (!writing) return Promise.resolve();
  return new Promise((resolve, reject) => unwritten.push({ rows: {}, resolve, reject }));
}

async function writeAll(): Promise<void> {
  writing = true;
  while (unwritten.length) {
    const group = unwritten.splice(0);
    try {
      await putRows(group.map((g) => g.rows));
      for (const g of group) g.resolve();
    } catch {
      // One that cannot be stored must not take the others with it. To put a row twice changes nothing.
      for (const g of group) await putRows([g.rows]).then(g.resolve, g.reject);
    }
  }
  writing = false;
}

function putRows(group: Rows[]): Promise<void> {
  const rows = new Map<string, Map<string, any>>(); // by store and key: the last of each counts
  for (const some of group) {
    for (const [name, list] of Object.entries(some)) {
      if (!list?.length) continue;
      const store = rows.get(name) ?? new Map();
      rows.set(name, store);
      for (const row of list) store.set(row.id, row);
    }
  }
  if (!rows.size) return Promise.resolve();
  return modelStorage.write([...rows.keys()], (tx) => {
    for (const [name, list] of rows) {
      const store = tx.objectStore(name);
      for (const row of list.values()) store.put(row);
    }
  });
}

/** Writes a piece of the past, and the rows of the chats that show it. */
export async function writeHistory(rows: MessageRow[], chats: ChatRow[]): Promise<void> {
  const perChat = new Map<string, MessageRow[]>();
  for (const row of rows) {
    const list = perChat.get(row.chat);
    if (list) list.push(row);
    else perChat.set(row.chat, [row]);
  }
  await modelStorage.write(["message-history", "chat"], (tx) => {
    const past = tx.objectStore("message-history");
    for (const [chat, list] of perChat) past.put(list, [chat, list[0]!.rowId]);
    for (const row of chats) tx.objectStore("chat").put(row);
  });
  for (const chat of perChat.keys()) unpacked.delete(chat); // who looked meanwhile did not see these
}

const unpacked = new Map<string, Promise<void>>();

/** Makes rows of a chat's past, once. Rows that are there already are newer and stay. */
export function unpack(chat: string): Promise<void> {
  let done = unpacked.get(chat);
  if (!done) {
    done = modelStorage.write(["message", "message-history"], (tx) => {
      const range = IDBKeyRange.bound([chat], [chat, []]);
      const past = tx.objectStore("message-history");
      const found: IDBRequest<MessageRow[][]> = past.getAll(range);
      found.onsuccess = () => {
        if (!found.result.length) return;
        past.delete(range);
        for (const row of found.result.flat()) {
          tx.objectStore("message").add(row).onerror = (event) => {
            event.preventDefault();
            event.stopPropagation();
          };
        }
      };
    });
    unpacked.set(chat, done);
    done.catch(() => unpacked.delete(chat));
  }
  return done;
}

export async function messageRow(id: string): Promise<MessageRow | undefined> {
  await unlocked;
  await written();
  const row = await modelStorage.get("message", id);
  if (row) return row;
  await unpack(id.split("_", 2)[1]!);
  return modelStorage.get("message", id);
}

/** Which of these messages are on disk: one look for many. */
export async function knownRows(ids: string[]): Promise<Set<string>> {
  await unlocked;
  await written();
  await Promise.all([...new Set(ids.map((id) => id.split("_", 2)[1]!))].map(unpack));
  const found = await modelStorage.readMany<IDBValidKey | undefined>("message", (s) => ids.map((id) => s.getKey(id)));
  return new Set(found.filter((key) => key !== undefined).map(String));
}

export async function deleteMessageRow(id: string): Promise<void> {
  await unpack(id.split("_", 2)[1]!);
  await written();
  await modelStorage.write(["message"], (tx) => void tx.objectStore("message").delete(id));
}

/** Forgets the messages of a chat, but those with a star when asked to keep them. */
export async function deleteChatRows(chat: string, keepStarred: boolean): Promise<void> {
  await unpack(chat);
  await written();
  const range = IDBKeyRange.bound([chat, -Infinity], [chat, Infinity]);
  await modelStorage.write(["message"], (tx) => {
    tx.objectStore("message").index("chat").openCursor(range).onsuccess = (event) => {
      const cursor = (event.target as IDBRequest<IDBCursorWithValue | null>).result;
      if (!cursor) return;
      if (!(keepStarred && cursor.value.star)) cursor.delete();
      cursor.continue();
    };
  });
}

export async function deleteChatRow(chat: string): Promise<void> {
  await written();
  await modelStorage.write(["chat"], (tx) => void tx.objectStore("chat").delete(chat));
}

/** Messages that fit, of one chat or of all, newest first. */
export async function searchRows(fits: (row: MessageRow) => boolean, chat?: string): Promise<MessageRow[]> {
  await unlocked;
  if (chat !== undefined) return (await messageRows(chat, -1)).filter(fits).reverse();
  await written();
  const rows = [...(await modelStorage.getAll("message")), ...(await modelStorage.getAll("message-history")).flat()] as MessageRow[];
  return rows.filter(fits).sort((a, b) => a.rowId - b.rowId);
}

/** Up to `count` messages of a chat next to `anchor`, not including it, oldest first. Without an anchor: the newest. */
export async function messageRows(chat: string, count: number, anchor?: number, direction: "before" | "after" = "before"): Promise<MessageRow[]> {
  await unlocked;
  const limit = Number.isFinite(count) && count >= 0 ? count : undefined;
  if (limit === 0) return [];
  await unpack(chat);
  await written();
  if (direction === "before") {
    const range = IDBKeyRange.bound([chat, anchor ?? -Infinity], [chat, Infinity], anchor !== undefined);
    const rows = await modelStorage.read<MessageRow[]>("message", (s) => s.index("chat").getAll(range, limit));
    return rows.reverse();
  }
  if (anchor === undefined) return [];
  const range = IDBKeyRange.bound([chat, -Infinity], [chat, anchor], false, true);
  const rows = await modelStorage.read<MessageRow[]>("message", (s) => s.index("chat").getAll(range));
  return rows.reverse().slice(0, limit);
}

export async function pendingRows(): Promise<MessageRow[]> {
  await written();
  return modelStorage.read("message", (s) => s.index("pending").getAll());
}

/** The calls of all chats. */
export async function callRows(): Promise<MessageRow[]> {
  await unlocked;
  await written();
  return modelStorage.read("message", (s) => s.index("call").getAll());
}

/** Forgets everything of the account, as an unlinked page does. */
export async function destroyStorage(): Promise<void> {
  prefs.clear();
  unpacked.clear();
  await Promise.allSettled([modelStorage.destroy(), signalStorage.destroy(), mediaStorage.destroy()]);
}
