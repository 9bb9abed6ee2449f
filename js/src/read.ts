// Reading: chats, messages, contacts, as plain records. Models are read through their raw fields and only as many
// of them as are asked for: an account may have 10,000 chats and 20,000 contacts.
import { existingChat } from "./chat";
import { alternate, isGroup, isLid, isPn, keyOf, person, server, str, user } from "./ids";
import { limit, Problem } from "./limits";
import { isReal, toLast, toMessage } from "./message";
import { type Any, chats, contacts, field, fn, mod, models, msgs, quiet } from "./modules";

const num = (v: Any): number => (typeof v === "number" && Number.isFinite(v) ? v : 0);
const text = (v: Any): string => (typeof v === "string" ? v : "");

/** The newest chats, newest first. */
export function listChats(max: number): Any[] {
  const store = chats();
  if (!store) throw new Problem("PAGE_ERROR", "this build of WhatsApp Web has no WAWebChatCollection");
  return newest(models(store), max, (c) => num(field(c, "t")), isChat).map(toChat);
}

/** Up to max of the items that pass ok, greatest first; one pass over all and a sort of the few. */
export function newest<T>(items: T[], max: number, key: (item: T) => number, ok: (item: T) => boolean): T[] {
  const keys = new Float64Array(items.length);
  for (let i = 0; i < items.length; i++) keys[i] = key(items[i]!);
  let floor = -Infinity;
  if (items.length > max * 2) {
    const sorted = keys.slice().sort();
    floor = sorted[Math.max(0, sorted.length - max - 200)]!; // some more than max, for those that do not pass
  }
  const take = (from: number): [number, T][] => {
    const out: [number, T][] = [];
    for (let i = 0; i < items.length; i++) if (keys[i]! >= from && ok(items[i]!)) out.push([keys[i]!, items[i]!]);
    return out;
  };
  let found = take(floor);
  if (found.length < max && floor > -Infinity) found = take(-Infinity);
  return found.sort((a, b) => b[0] - a[0]).slice(0, max).map(([, item]) => item);
}

function isChat(c: Any): boolean {
  const s = server(str(field(c, "id")));
  return s === "c.us" || s === "lid" || s === "g.us";
}

function toChat(c: Any): Any {
  const id = field(c, "id");
  const wid = str(id);
  const group = isGroup(wid);
  const expires = num(field(c, "muteExpiration"));
  return {
    wid,
    ...person(id, field(c, "accountLid")),
    name: nameOfChat(c, wid),
    is_group: group,
    unread: Math.max(0, num(field(c, "unreadCount"))), // -1: marked unread by hand
    time: num(field(c, "t")),
    last_message: toLast(lastOf(c)),
    archived: field(c, "archive") === true,
    pinned: num(field(c, "pin")) > 0,
    muted: expires === -1 || expires * 1000 > Date.now(),
  };
}

function nameOfChat(c: Any, wid: string): string {
  // The contact is looked up, not taken from the chat: there the page would make one that does not exist.
  return text(field(c, "name")) || nameOfContact(quiet(() => contacts()?.get(wid))) || text(quiet(() => c.formattedTitle)) || text(quiet(() => fn("WAWebFrontendChatGetters", "getFormattedTitle")?.(c))) || wid;
}

function nameOfContact(c: Any): string {
  return c ? text(field(c, "name")) || text(field(c, "verifiedName")) || text(field(c, "pushname")) : "";
}

/** The newest real message of a chat that the page has in memory. */
export function lastOf(c: Any): Any {
  const list = models(quiet(() => c.msgs));
  for (let i = list.length - 1; i >= 0; i--) if (isReal(list[i])) return list[i];
  const key = field(c, "lastReceivedKey");
  const last = key && quiet(() => msgs()?.get(str(key)));
  return last && isReal(last) ? last : quiet(() => realOrNone(fn("WAWebFrontendChatGetters", "getPreviewMessage")?.(c)));
}

const realOrNone = (m: Any): Any => (m && isReal(m) ? m : undefined);

/**
 * The newest messages of a chat in time order. What the page has in memory of a chat may have gaps, so its database
 * is read backwards from the newest message, and memory, which is fresher, wins where both have one.
 */
export async function listMessages(wid: string, max: number, ms: number): Promise<Any[]> {
  const chat = existingChat(wid);
  if (!chat) throw new Problem("CHAT_NOT_FOUND", wid);
  const inMemory = models(chat.msgs);
  const time = (m: Any): number => num(field(m, "t"));
  const stored = await fromDatabase(chat, newest(inMemory, 3, time, () => true), max, ms);
  const byId = new Map<string, Any>();
  const keep = (m: Any): void => {
    const { id, fromMe } = keyOf(m);
    if (id && isReal(m)) byId.set(`${fromMe} ${id}`, m);
  };
  stored.rows.forEach(keep);
  for (const m of inMemory) if (time(m) >= stored.since) keep(m);
  const sorted = [...byId.values()].map((m, i) => ({ m, i, t: time(m) })).sort((x, y) => x.t - y.t || x.i - y.i);
  const lid = field(chat, "accountLid");
  return sorted.slice(-max).map(({ m }) => toMessage(m, lid));
}

/** Rows backwards from the newest message, oldest first, with at least max real ones while there are more; since: the time from which on they are complete. */
async function fromDatabase(chat: Any, newestInMemory: Any[], max: number, ms: number): Promise<{ rows: Any[]; since: number }> {
  const find = fn("WAWebDBMessageFindLocal", "msgFindBefore") ?? fn("WAWebDBMessageFindLocal", "msgFindByDirection");
  let out: Any[] = [];
  const last = field(chat, "lastReceivedKey");
  const anchors = [...newestInMemory.map((m) => field(m, "id")), last].filter(Boolean);
  if (!find || anchors.length === 0) return { rows: out, since: -Infinity };
  if (newestInMemory.length === 0) out = rows(await limit(msgs().getMessagesById([str(last)]), ms, "PAGE_TIMEOUT", "reading the newest message"));
  let real = 0;
  for (let round = 0, anchor = anchors.shift(); anchor && round < 20; round++) {
    const count = Math.max(20, max - real);
    const got = rows(await limit(find({ anchor, count, direction: "before" }), ms, "PAGE_TIMEOUT", "reading messages"));
    if (got.length === 0 && out.length === 0) {
      anchor = anchors.shift(); // the newest may not be on disk yet
      continue;
    }
    out = [...got, ...out];
    real += got.filter(isReal).length;
    if (got.length < count) break;
    if (real >= max) return { rows: out, since: num(field(got[0], "t")) };
    const next = field(got[0], "id");
    anchor = typeof next === "string" ? quiet(() => mod("WAWebMsgKey")?.default.fromString(next)) : next;
  }
  return { rows: out, since: -Infinity };
}

const rows = (r: Any): Any[] => (Array.isArray(r) ? r : (r?.messages ?? []));

/** The whole address book and everybody else the page knows by name. One entry per person: a LID whose number has its own entry is not listed again. */
export function listContacts(): Any[] {
  const store = contacts();
  if (!store) throw new Problem("PAGE_ERROR", "this build of WhatsApp Web has no WAWebContactCollection");
  const blocked = new Set<string>(models(mod("WAWebBlocklistCollection")?.BlocklistCollection).map((b) => str(field(b, "id"))));
  const all = models(store);
  const numbers = new Set<string>();
  for (const c of all) {
    const wid = str(field(c, "id"));
    if (isPn(wid)) numbers.add(wid);
  }
  const out: Any[] = [];
  for (const c of all) {
    const id = field(c, "id");
    const wid = str(id);
    const lid = isLid(wid);
    if (!lid && !isPn(wid)) continue;
    const other = alternate(id);
    if (lid && other && numbers.has(other)) continue;
    const phone = user(lid ? other : wid);
    const ownLid = lid ? wid : other;
    const pushname = text(field(c, "pushname"));
    const name = text(field(c, "name"));
    out.push({
      wid,
      ...(phone && { phone }),
      ...(ownLid && { lid: ownLid }),
      name: name || text(field(c, "verifiedName")) || pushname,
      ...(pushname && { pushname }),
      // What is false stays out: twenty thousand contacts are megabytes on their way to kurir.
      ...(field(c, "isBusiness") === true && { is_business: true }),
      ...(isMine(c, name) && { is_my_contact: true }),
      ...((blocked.has(wid) || (other !== "" && blocked.has(other))) && { blocked: true }),
    });
  }
  return out;
}

/**
 * The address book in columns: less than half the bytes for twenty thousand contacts, and no key is escaped and parsed twenty
 * thousand times. phone is "" where it is the digits of wid; flags has a digit per contact: 1 business, 2 mine, 4 blocked.
 */
export function contactColumns(): Any {
  const list = listContacts();
  const column = (name: string): string[] => list.map((c) => c[name] ?? "");
  return {
    wid: column("wid"),
    phone: list.map((c) => (isPn(c.wid) ? "" : (c.phone ?? ""))),
    lid: column("lid"),
    name: column("name"),
    pushname: column("pushname"),
    flags: list.map((c) => (c.is_business ? 1 : 0) + (c.is_my_contact ? 2 : 0) + (c.blocked ? 4 : 0)).join(""),
  };
}

/** In the phone's address book: type "in" and a name; isAddressBookContact (0 or 1) on builds that keep it. */
function isMine(c: Any, name: string): boolean {
  const flag = c.__x_isAddressBookContact ?? c.isAddressBookContact;
  if (flag !== undefined) return Number(flag) === 1;
  const type = c.__x_type;
  return type === undefined ? name !== "" : type === "in" && name !== "";
}
