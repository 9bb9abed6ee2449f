// A chat's messages between two marks, and on into what only the phone has. What is answered is in time order and has no
// gap; complete says honestly whether there is more on the side where the answer ends.
import { alternate, isGroup, keyOf, str } from "./ids";
import { existingChat } from "./chat";
import { Deadline, limit, Problem } from "./limits";
import { isReal, toMessage } from "./message";
import { type Any, field, fn, mod, models, msgs, quiet } from "./modules";
import { newest } from "./read";

export interface HistoryArgs {
  chat: string;
  limit: number;
  before?: string; // id of a message: those older than it, the newest of them
  after?: string; // those newer than it, the oldest of them: for going forward. With before: up to that one
  since?: number; // epoch seconds: none older
}

export interface HistoryPage {
  messages: Any[]; // oldest first
  complete: boolean; // there is nothing more in the asked range
}

const time = (m: Any): number => Number(field(m, "t") ?? 0);
const nameOf = (m: Any): string => `${keyOf(m).fromMe} ${keyOf(m).id}`;
const rowsOf = (r: Any): Any[] => (Array.isArray(r) ? r : (r?.messages ?? []));

export async function readHistory(a: HistoryArgs, ms: number): Promise<HistoryPage> {
  const chat = existingChat(a.chat);
  if (!chat) throw new Problem("CHAT_NOT_FOUND", a.chat);
  const deadline = new Deadline(ms);
  const { list, complete } = a.after ? await forward(chat, a, deadline) : await backward(chat, a, deadline);
  const lid = field(chat, "accountLid");
  return { messages: list.map((m) => toMessage(m, lid)), complete };
}

interface Found {
  list: Any[];
  complete: boolean;
}

async function backward(chat: Any, a: HistoryArgs, deadline: Deadline): Promise<Found> {
  const since = a.since ?? -Infinity;
  const edge = a.before ? await find(chat, a.before, deadline) : undefined;
  const anchors = edge ? [field(edge, "id")] : newestKeys(chat);
  let walk: Walk = { rows: [], ended: true };
  for (const anchor of anchors) {
    walk = await go("before", anchor, a.limit + 1, since, deadline);
    if (walk.rows.length > 0) break; // else the newest may not be on disk yet
  }
  for (;;) {
    const list = between(chat, walk, edge).filter((m) => isReal(m) && time(m) >= since);
    if (list.length > a.limit) return { list: list.slice(-a.limit), complete: false };
    if (!walk.ended || walk.rows.some((m) => time(m) < since)) return { list, complete: true }; // since was reached
    if (deadline.left() < spareMs) return { list, complete: false }; // what is there is better than a passed time limit
    const first = walk.rows[0] ?? list[0];
    const older = await askOlder(chat, first ? time(first) : Infinity, new Set([...walk.rows, ...list].map(nameOf)), deadline);
    if (older !== "more" || !first) return { list, complete: older === "none" };
    const more = await go("before", keyObject(first), a.limit + 1 - list.length, since, deadline);
    if (more.rows.length === 0) return { list, complete: false };
    walk = { rows: [...more.rows, ...walk.rows], ended: more.ended };
  }
}

async function forward(chat: Any, a: HistoryArgs, deadline: Deadline): Promise<Found> {
  const edge = await find(chat, a.after!, deadline);
  const stop = a.before ? nameOf(await find(chat, a.before, deadline)) : "";
  const walk = await go("after", field(edge, "id"), a.limit + 1, -Infinity, deadline);
  const byName = new Map(walk.rows.map((m) => [nameOf(m), m]));
  const memory = models(chat.msgs);
  const at = memory.findIndex((m) => nameOf(m) === nameOf(edge));
  // Memory is fresher, and has what is not on disk yet: that counts only behind the end of what is.
  memory.forEach((m, i) => (byName.has(nameOf(m)) || (walk.ended && (at >= 0 ? i > at : time(m) > time(edge)))) && byName.set(nameOf(m), m));
  byName.delete(nameOf(edge));
  const sorted = inOrder([...byName.values()]);
  const end = stop ? sorted.findIndex((m) => nameOf(m) === stop) : -1;
  const list = (end >= 0 ? sorted.slice(0, end) : sorted).filter((m) => isReal(m) && time(m) >= (a.since ?? -Infinity));
  return { list: list.slice(0, a.limit), complete: list.length <= a.limit && (end >= 0 || walk.ended) };
}

/** What is on disk and what memory adds to it: in memory a message is fresher, and the newest may be only there. */
function between(chat: Any, walk: Walk, edge: Any): Any[] {
  const byName = new Map(walk.rows.map((m) => [nameOf(m), m]));
  const from = walk.ended || !walk.rows[0] ? -Infinity : time(walk.rows[0]);
  for (const m of models(chat.msgs)) if (byName.has(nameOf(m)) || (time(m) >= from && (!edge || time(m) < time(edge)))) byName.set(nameOf(m), m);
  return inOrder([...byName.values()]);
}

const inOrder = (list: Any[]): Any[] => list.map((m, i) => ({ m, i })).sort((x, y) => time(x.m) - time(y.m) || x.i - y.i).map(({ m }) => m);

interface Walk {
  rows: Any[]; // oldest first
  ended: boolean; // there are no more on disk in this direction
}

const perRead = 500;

/** Rows of the page's database next to a message, until so many real ones are among them, the time is reached, or there are no more. */
async function go(direction: "before" | "after", anchor: Any, enough: number, since: number, deadline: Deadline): Promise<Walk> {
  const read = fn("WAWebDBMessageFindLocal", direction === "before" ? "msgFindBefore" : "msgFindAfter") ?? fn("WAWebDBMessageFindLocal", "msgFindByDirection");
  if (!read) throw new Problem("PAGE_ERROR", "this build of WhatsApp Web cannot be asked for older messages");
  const parts: Any[][] = [];
  for (let real = 0; ; ) {
    const count = Math.min(perRead, Math.max(20, enough - real));
    const got = inOrder(rowsOf(await limit(read({ anchor, count, direction }), deadline.left(), "PAGE_TIMEOUT", "reading messages")));
    parts.push(got);
    real += got.filter(isReal).length;
    const last = direction === "before" ? got[0] : got[got.length - 1];
    const ended = got.length < count;
    if (ended || real >= enough || (direction === "before" && time(last) < since)) {
      return { rows: (direction === "before" ? parts.reverse() : parts).flat(), ended };
    }
    anchor = keyObject(last);
  }
}

/** Where to begin at the end of a chat: the newest that are in memory, the last one that the chat remembers. */
function newestKeys(chat: Any): Any[] {
  const inMemory = newest(models(chat.msgs), 3, time, () => true).map((m) => field(m, "id"));
  return [...inMemory, field(chat, "lastReceivedKey")].filter(Boolean);
}

/** The key of a message as the page's functions want it. */
function keyObject(m: Any): Any {
  const id = field(m, "id");
  return typeof id === "string" ? quiet(() => mod("WAWebMsgKey")?.default.fromString(id)) : id;
}

const searchRows = 20_000;

/** A message of a chat by its bare id, in memory or on disk. In a group the key has the author too, so that the chat is searched. */
async function find(chat: Any, id: string, deadline: Deadline): Promise<Any> {
  const here = models(chat.msgs).find((m) => keyOf(m).id === id);
  if (here) return here;
  const wid = str(field(chat, "id"));
  const keys = [wid, alternate(wid)].filter(Boolean).flatMap((remote) => [`false_${remote}_${id}`, `true_${remote}_${id}`]);
  const got = rowsOf(await limit(msgs().getMessagesById(keys), deadline.left(10_000), "PAGE_TIMEOUT", "searching the page's database"));
  const there = got.find((m) => m && keyOf(m).id === id);
  if (there) return there;
  if (isGroup(wid)) {
    let [anchor] = newestKeys(chat);
    for (let seen = 0; anchor && seen < searchRows && deadline.left() > 0; ) {
      const { rows, ended } = await go("before", anchor, perRead, -Infinity, deadline);
      const m = rows.find((r) => keyOf(r).id === id);
      if (m) return { ...m, id: keyObject(m), t: time(m) };
      seen += rows.length;
      anchor = ended || !rows[0] ? undefined : keyObject(rows[0]);
    }
  }
  throw new Problem("NOT_FOUND", `this chat has no message ${id}`);
}

const spareMs = 2000;
const askRounds = 40;
const askMs = 10_000;
/** WhatsApp's word for what a phone still has of a chat: 0 and 2, there is more; 1, there is not. */
const nothingMore = 1;

/**
 * Has WhatsApp Web load what is older than a time: first it goes through its own database, then it asks the phone, which
 * may be off; then this waits in vain and says that it does not know.
 */
async function askOlder(chat: Any, than: number, known: Set<string>, deadline: Deadline): Promise<"more" | "none" | "unknown"> {
  const left = (): Any => field(chat, "endOfHistoryTransferType");
  if (left() === nothingMore) return "none";
  const load = fn("WAWebChatLoadMessages", "loadEarlierMsgs");
  if (!load) return "unknown";
  const patience = new Deadline(Math.min(askMs, deadline.left() / 2));
  for (let round = 0; round < askRounds && patience.left() > 0; round++) {
    const before = models(chat.msgs).length;
    const asked = await limit(Promise.resolve(load({ chat })), patience.left(), "PAGE_TIMEOUT", "asking the phone").then(() => true, () => false);
    if (!asked) return "unknown";
    if (models(chat.msgs).some((m) => time(m) <= than && !known.has(nameOf(m)))) return "more";
    if (left() === nothingMore) return "none";
    const end = quiet(() => chat.msgs.msgLoadState.noEarlierMsgs) === true;
    // Of a chat that began after the link WhatsApp says nothing; then the page's own word is all there is.
    if (end) return left() === undefined ? "none" : "unknown";
    if (models(chat.msgs).length === before) return "unknown";
  }
  return "unknown";
}
