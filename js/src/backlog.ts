// What the page has of late, for kurir to find what it did not see: because it was away, because the page was, or
// because an event was lost on the way. Nothing is asked of WhatsApp; what the page has not got is not found.
//
// What each is found by, on the real page too:
//
//   messages, notices   rows of the chat by their time
//   edits               the row of the message: the last edit, with its time
//   revocations         the row of the message; WhatsApp keeps no time of it, see changesOf
//   reactions           their table: each has its time. A taken back one is there as an empty one. Of a build that does not
//                       give the whole table (getReactionsTable), those to messages that are read anyway
//   calls               call_log rows, by the id that the call rang with
//
// The rows of messages have no order but that of when they were written, so an edit or a revocation is looked for in
// messages that are changeable: not older than those that WhatsApp lets anybody change. Several edits between two looks
// are one, and so are several reactions of one person to one message: the page keeps the last. What another device
// deleted for itself leaves nothing to be told.
import { existingChat } from "./chat";
import { changesOf, type Happening, happeningsOf, isTold, reactionOf } from "./happening";
import { keyOf, str } from "./ids";
import { Deadline, limit, Problem } from "./limits";
import { type Any, chats, field, fn, mod, models, msgs, quiet } from "./modules";

const num = (v: Any): number => (typeof v === "number" && Number.isFinite(v) ? v : 0);
const batch = 200;
const most = 20_000; // messages of one chat
const enough = 2000; // events of one answer
/** How old a message may be that changes, in seconds. WhatsApp lets people revoke for two days and twelve hours; phones may be off meanwhile. */
const changeable = 72 * 3600;

export interface Changed {
  chats: string[]; // in which something happened, the one that was quiet longest first
  events: Happening[]; // that belong to no chat's newest messages: reactions to whatever message, calls; in no order
  unread: string[]; // what of these this build of WhatsApp Web did not give
}

/** Where something happened at that time or later (epoch seconds), or may have happened to older messages. */
export async function changed(from: number, ms: number): Promise<Changed> {
  const store = chats();
  if (!store) throw new Problem("PAGE_ERROR", "this build of WhatsApp Web has no WAWebChatCollection");
  const deadline = new Deadline(ms);
  const found = models(store).map((c) => ({ wid: str(field(c, "id")), t: num(field(c, "t")) }));
  const old = from - changeable;
  const out: Changed = { chats: found.filter((c) => c.t >= old && isTold(c.wid)).sort((a, b) => a.t - b.t).map((c) => c.wid), events: [], unread: [] };
  for (const [what, read] of Object.entries({ calls: callsSince, reactions: reactionsSince })) {
    // One that is missing or hangs takes nothing else down.
    const events = await limit(read(from), deadline.left(ms / 3), "PAGE_TIMEOUT", `reading ${what}`).catch(() => undefined);
    if (events) out.events.push(...events);
    else out.unread.push(what);
  }
  return out;
}

export interface Backlog {
  events: Happening[];
  done: number; // of the chats, from the first
  cut: number; // chats with more than is read; their newest is in events
}

/**
 * What happened in chats at that time or later, in the order of each, until the answer is long enough or half the time is
 * over. known is the time since which there is somebody who listens: see changesOf.
 */
export async function backlog(wids: string[], from: number, known: number, ms: number): Promise<Backlog> {
  const deadline = new Deadline(ms);
  const out: Backlog = { events: [], done: 0, cut: 0 };
  for (const wid of wids) {
    const chat = existingChat(wid);
    if (chat) { // else deleted meanwhile
      const { events, complete } = await ofChat(chat, from, known, deadline);
      for (const e of events) out.events.push(e);
      if (!complete) out.cut++;
    }
    out.done++;
    if (out.events.length >= enough || deadline.left() < ms / 2) break;
  }
  return out;
}

/** The page's database is read backwards from the newest message; memory is fresher and has what is not on disk yet. */
async function ofChat(chat: Any, from: number, known: number, deadline: Deadline): Promise<{ events: Happening[]; complete: boolean }> {
  const oldest = from - changeable;
  const inMemory = models(quiet(() => chat.msgs)).filter((m) => num(field(m, "t")) >= oldest);
  const { rows, complete } = await back(chat, inMemory, oldest, deadline);
  const byKey = new Map<string, Any>();
  for (const m of [...rows, ...inMemory]) {
    const { id, fromMe } = keyOf(m);
    if (id && num(field(m, "t")) >= oldest) byKey.set(`${fromMe} ${id}`, m); // a key keeps its first place
  }
  const list = [...byKey.values()].map((m, i) => ({ m, i, t: num(field(m, "t")) })).sort((x, y) => x.t - y.t || x.i - y.i);
  const reactions = await reactionsTo(list.map((e) => e.m).filter((m) => field(m, "hasReaction") === true), from, deadline);
  return { events: [...list.flatMap((e) => (e.t >= from ? happeningsOf(e.m) : changesOf(e.m, from, known))), ...reactions], complete };
}

async function back(chat: Any, inMemory: Any[], from: number, deadline: Deadline): Promise<{ rows: Any[]; complete: boolean }> {
  const find = fn("WAWebDBMessageFindLocal", "msgFindBefore") ?? fn("WAWebDBMessageFindLocal", "msgFindByDirection");
  if (!find) return { rows: [], complete: false }; // what is in memory is better than nothing
  const lists: Any[][] = [];
  let total = 0;
  // From the newest that is on disk: the last ones may not be yet.
  const last = field(chat, "lastReceivedKey");
  const anchors = [...inMemory.slice(-batch).reverse().map((m) => field(m, "id")), last].filter(Boolean);
  const newest = last && inMemory.length === 0 ? list(await limit(msgs().getMessagesById([str(last)]), deadline.left(), "PAGE_TIMEOUT", "reading the newest message")) : [];
  if (newest.length > 0) lists.unshift(newest);
  for (let anchor = anchors.shift(); anchor; ) {
    const got = list(await limit(find({ anchor, count: batch, direction: "before" }), deadline.left(), "PAGE_TIMEOUT", "reading messages"));
    if (got.length === 0 && total === 0) {
      anchor = anchors.shift();
      continue;
    }
    lists.unshift(got);
    total += got.length;
    if (got.length < batch || num(field(got[0], "t")) < from) break;
    if (total >= most) return { rows: lists.flat(), complete: false };
    anchor = keyObject(got[0]);
  }
  return { rows: lists.flat(), complete: true };
}

const list = (r: Any): Any[] => (Array.isArray(r) ? r : (r?.messages ?? []));

function keyObject(m: Any): Any {
  const id = field(m, "id");
  return typeof id === "string" ? quiet(() => mod("WAWebMsgKey")?.default.fromString(id)) : id;
}

/** Calls of all chats since a time; undefined: they cannot be read. */
async function callsSince(from: number): Promise<Happening[] | undefined> {
  const find = fn("WAWebDBMessageFindLocal", "msgFindCallLog");
  if (!find) return undefined;
  const rows: Any[] = [];
  for (let anchor: Any; rows.length < most; ) {
    const got = list(await find({ count: batch, ...(anchor && { anchor }) }));
    got.sort((x, y) => num(field(x, "t")) - num(field(y, "t")));
    const late = got.filter((m) => num(field(m, "t")) >= from);
    rows.push(...late);
    if (late.length < batch) break;
    anchor = keyObject(got[0]);
  }
  if (rows.length === 0) return [];
  // As models: only of those it is known that WhatsApp's getters read them.
  const got = list(await msgs().getMessagesById(rows.map((m) => str(field(m, "id")))));
  return (got.length === rows.length ? got : rows).flatMap(happeningsOf);
}

/** Reactions to whatever message since a time; undefined: the table of reactions cannot be read as a whole. */
async function reactionsSince(from: number): Promise<Happening[] | undefined> {
  const table = fn("WAWebSchemaReactions", "getReactionsTable")?.();
  return typeof table?.all === "function" ? since(from, await table.all()) : undefined;
}

/** The reactions that messages have. A build whose table cannot be asked has none to tell. */
async function reactionsTo(messages: Any[], from: number, deadline: Deadline): Promise<Happening[]> {
  const table = mod("WAWebAddonReactionTableMode")?.reactionTableMode;
  if (messages.length === 0 || typeof table?.bulkGetByParentMsgKey !== "function") return [];
  const rows = await limit(table.bulkGetByParentMsgKey(messages.map((m) => str(field(m, "id")))), deadline.left(5000), "PAGE_TIMEOUT", "reading reactions").catch(() => []);
  return since(from, rows);
}

const since = (from: number, rows: Any): Happening[] => list(rows).map(reactionOf).filter((h) => h?.type === "reaction" && h.data.time_ms >= from * 1000) as Happening[];
