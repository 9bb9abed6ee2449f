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
  return text(field(c, "name")) || nameOfContact(quiet(() => field(c, "contact"))) || text(quiet(() => c.formattedTitle)) || text(quiet(() => fn("WAWebFrontendChatGetters", "getFormattedTitle")?.(c))) || wid;
}

function nameOfContact(c: Any): string {
  return c ? text(field(c, "name")) || text(field(c, "verifiedName")) || text(field(c, "pushname")) : "";
}

/** The newest real message of a chat that the page has in memory. */
function lastOf(c: Any): Any {
  const list = models(quiet(() => c.msgs));
  for (let i = list.length - 1; i >= 0; i--) if (isReal(list[i])) return list[i];
  const key = field(c, "lastReceivedKey");
  const last = key && quiet(() => msgs()?.get(str(key)));
  return last && isReal(last) ? last : quiet(() => realOrNone(fn("WAWebFrontendChatGetters", "getPreviewMessage")?.(c)));
}

const realOrNone = (m: Any): Any => (m && isReal(m) ? m : undefined);

/** The newest messages of a chat in time order. What memory lacks comes from the page's database. */
export async function listMessages(wid: string, max: number, ms: number): Promise<Any[]> {
  const chat = existingChat(wid);
  if (!chat) throw new Problem("CHAT_NOT_FOUND", wid);
  const lid = field(chat, "accountLid");
  const byId = new Map<string, Any>();
  const keep = (m: Any): void => {
    const { id, fromMe } = keyOf(m);
    if (id && isReal(m)) byId.set(`${fromMe} ${id}`, m);
  };
  const inMemory = models(chat.msgs);
  // A copy of the end only: a chat that was scrolled may hold thousands.
  inMemory.slice(-(max * 2 + 50)).forEach(keep);
  if (byId.size < max) await older(chat, inMemory, max, keep, () => byId.size, ms);
  const sorted = [...byId.values()].map((m, i) => ({ m, i, t: num(field(m, "t")) })).sort((a, b) => a.t - b.t || a.i - b.i);
  return sorted.slice(-max).map(({ m }) => toMessage(m, lid));
}

/** Reads backwards from the oldest message in memory until there are enough real ones or there are no more. */
async function older(chat: Any, inMemory: Any[], max: number, keep: (m: Any) => void, have: () => number, ms: number): Promise<void> {
  const find = fn("WAWebDBMessageFindLocal", "msgFindBefore") ?? fn("WAWebDBMessageFindLocal", "msgFindByDirection");
  if (!find) return;
  let anchor: Any = inMemory.length ? field(inMemory[0], "id") : undefined;
  if (!anchor) {
    anchor = field(chat, "lastReceivedKey");
    if (!anchor) return;
    const last = await limit(msgs().getMessagesById([str(anchor)]), ms, "PAGE_TIMEOUT", "reading the newest message");
    rows(last).forEach(keep);
  }
  for (let round = 0; have() < max && round < 20; round++) {
    const count = max - have() + (round === 0 ? 10 : 50);
    const got = rows(await limit(find({ anchor, count, direction: "before" }), ms, "PAGE_TIMEOUT", "reading older messages"));
    if (got.length === 0) return;
    got.forEach(keep);
    const oldest = got.reduce((a, b) => (num(field(b, "t")) < num(field(a, "t")) ? b : a));
    const next = field(oldest, "id");
    if (str(next) === str(anchor)) return;
    anchor = typeof next === "string" ? (quiet(() => mod("WAWebMsgKey")?.default.fromString(next)) ?? next) : next;
    if (got.length < count) return;
  }
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
      is_business: field(c, "isBusiness") === true,
      is_my_contact: isMine(c, name),
      blocked: blocked.has(wid) || (other !== "" && blocked.has(other)),
    });
  }
  return out;
}

/** In the phone's address book: type "in" and a name; isAddressBookContact (0 or 1) on builds that keep it. */
function isMine(c: Any, name: string): boolean {
  const flag = c.__x_isAddressBookContact ?? c.isAddressBookContact;
  if (flag !== undefined) return Number(flag) === 1;
  const type = c.__x_type;
  return type === undefined ? name !== "" : type === "in" && name !== "";
}
