// What the page has of late, for kurir to find what it did not see: because it was away, because the page was, or
// because an event was lost on the way. Nothing is asked of WhatsApp; what the page has not got is not found.
import { existingChat } from "./chat";
import { type Happening, happeningsOf, isTold, reactionOf } from "./happening";
import { keyOf, str } from "./ids";
import { Deadline, limit, Problem } from "./limits";
import { type Any, chats, field, fn, mod, models, msgs, quiet } from "./modules";

const num = (v: Any): number => (typeof v === "number" && Number.isFinite(v) ? v : 0);
const batch = 200;
const most = 20_000; // messages of one chat
const enough = 2000; // events of one answer

/** The chats in which something happened at that time or later (epoch seconds), the one that was quiet longest first. */
export function changed(from: number): { chats: string[] } {
  const store = chats();
  if (!store) throw new Problem("PAGE_ERROR", "this build of WhatsApp Web has no WAWebChatCollection");
  const found = models(store).map((c) => ({ wid: str(field(c, "id")), t: num(field(c, "t")) }));
  return { chats: found.filter((c) => c.t >= from && isTold(c.wid)).sort((a, b) => a.t - b.t).map((c) => c.wid) };
}

export interface Backlog {
  events: Happening[];
  done: number; // of the chats, from the first
  cut: number; // chats with more than is read; their newest is in events
}

/** What happened in chats at that time or later, in the order of each, until the answer is long enough. */
export async function backlog(wids: string[], from: number, ms: number): Promise<Backlog> {
  const deadline = new Deadline(ms);
  const out: Backlog = { events: [], done: 0, cut: 0 };
  for (const wid of wids) {
    const chat = existingChat(wid);
    if (chat) { // else deleted meanwhile
      const { events, complete } = await ofChat(chat, from, deadline);
      for (const e of events) out.events.push(e);
      if (!complete) out.cut++;
    }
    out.done++;
    if (out.events.length >= enough) break;
  }
  return out;
}

/** The page's database is read backwards from the newest message; memory is fresher and has what is not on disk yet. */
async function ofChat(chat: Any, from: number, deadline: Deadline): Promise<{ events: Happening[]; complete: boolean }> {
  const inMemory = models(quiet(() => chat.msgs)).filter((m) => num(field(m, "t")) >= from);
  const { rows, complete } = await back(chat, inMemory, from, deadline);
  const byKey = new Map<string, Any>();
  for (const m of [...rows, ...inMemory]) {
    const { id, fromMe } = keyOf(m);
    if (id && num(field(m, "t")) >= from) byKey.set(`${fromMe} ${id}`, m); // a key keeps its first place
  }
  const list = [...byKey.values()].map((m, i) => ({ m, i, t: num(field(m, "t")) })).sort((x, y) => x.t - y.t || x.i - y.i);
  const reactions = await reactionsTo(list.map((e) => e.m).filter((m) => field(m, "hasReaction") === true), deadline);
  return { events: [...list.flatMap((e) => happeningsOf(e.m)), ...reactions], complete };
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
    const next = field(got[0], "id");
    anchor = typeof next === "string" ? quiet(() => mod("WAWebMsgKey")?.default.fromString(next)) : next;
  }
  return { rows: lists.flat(), complete: true };
}

const list = (r: Any): Any[] => (Array.isArray(r) ? r : (r?.messages ?? []));

/** The reactions that messages have. A build whose table cannot be asked has none to tell. */
async function reactionsTo(messages: Any[], deadline: Deadline): Promise<Happening[]> {
  const table = mod("WAWebAddonReactionTableMode")?.reactionTableMode;
  if (messages.length === 0 || typeof table?.bulkGetByParentMsgKey !== "function") return [];
  const rows = await limit(table.bulkGetByParentMsgKey(messages.map((m) => str(field(m, "id")))), deadline.left(5000), "PAGE_TIMEOUT", "reading reactions").catch(() => []);
  return list(rows).map(reactionOf).filter((h) => h !== undefined);
}
