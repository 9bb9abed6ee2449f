// Which chat an address means, and the key of an own message in it.
import { alternate, isGroup, isLid, keyOf, str, toWid } from "./ids";
import { Deadline, limit, Problem, textOf } from "./limits";
import { type Any, chats, field, fn, msgs, quiet, wpp } from "./modules";

/** The chat of a wid among those the page has: under its number or under its LID. */
export function existingChat(wid: string): Any {
  const store = chats();
  if (!store) return undefined;
  const direct = quiet(() => store.get(wid));
  if (direct) return direct;
  const other = alternate(wid);
  const byOther = other && quiet(() => store.get(other));
  if (byOther) return byOther;
  return isLid(wid) ? quiet(() => store.getChatByAccountLid?.(toWid(wid))) : undefined;
}

/**
 * The chat to send to. For a number without a chat WhatsApp is asked first: only its "no" is NOT_ON_WHATSAPP, an
 * error or silence is not (wa-js turns both into null). Whatever this throws, nothing was sent.
 */
export async function chatFor(wid: string, deadline: Deadline): Promise<Any> {
  const known = existingChat(wid);
  if (known) return known;
  let target = wid;
  if (!isGroup(wid) && !isLid(wid)) target = await numberExists(wid, deadline);
  try {
    return await limit(wpp().chat.find(target), deadline.left(30_000), "PAGE_TIMEOUT", "opening the chat");
  } catch (e) {
    if (e instanceof Problem) throw e;
    if (isGroup(wid) || isLid(wid)) throw new Problem("CHAT_NOT_FOUND", textOf(e)); // not a member; a LID nobody knows the number of
    throw new Problem("PAGE_ERROR", "opening the chat: " + textOf(e));
  }
}

async function numberExists(wid: string, deadline: Deadline): Promise<string> {
  const query = fn("WAWebQueryExistsJob", "queryWidExists");
  if (!query) return wid; // the page finds out by itself when it opens the chat
  let answer: Any;
  try {
    answer = await limit(query(toWid(wid)), deadline.left(15_000), "PAGE_TIMEOUT", "asking whether the number is on WhatsApp");
  } catch (e) {
    if (e instanceof Problem) throw e;
    throw new Problem("PAGE_TIMEOUT", "asking whether the number is on WhatsApp: " + textOf(e));
  }
  if (!answer?.wid) throw new Problem("NOT_ON_WHATSAPP", wid);
  return str(answer.wid) || wid;
}

/** The key of an own message in chat. wa-js makes it, as it knows who the sender is there; only the id is ours. */
export async function ownKey(chat: Any, id: string): Promise<Any> {
  const made = await wpp().chat.generateMessageID(field(chat, "id"));
  return wpp().whatsapp.MsgKey.fromString(str(made).replace(`_${keyIdOf(made)}`, `_${id}`));
}

const keyIdOf = (key: Any): string => String(key.id);

/** The printed keys an own message may have: under number or LID, in groups with either as the author. */
export function candidateKeys(wid: string, id: string): string[] {
  const remotes = new Set([wid, alternate(wid), str(field(existingChat(wid) ?? {}, "id"))].filter(Boolean));
  const out: string[] = [];
  const me = [quiet(() => str(fn("WAWebUserPrefsMeUser", "getMaybeMeLidUser")?.())), quiet(() => str(fn("WAWebUserPrefsMeUser", "getMaybeMePnUser")?.()))];
  for (const remote of remotes) {
    const plain = `true_${remote}_${id}`;
    out.push(plain);
    if (isGroup(remote)) for (const m of me) m && out.push(`${plain}_${m}`);
    if (me.includes(remote)) out.push(`${plain}_out`);
  }
  return out;
}

/**
 * Own messages by id from the page's database, as models. Rejects with PAGE_TIMEOUT while the database is locked, and
 * with anything else where this build cannot be asked.
 */
export async function inDatabase(wid: string, ids: string[], ms: number): Promise<Map<string, Any>> {
  const keys = ids.flatMap((id) => candidateKeys(wid, id));
  const answer: Any = await limit(msgs().getMessagesById(keys), ms, "PAGE_TIMEOUT", "searching the page's database");
  const list = Array.isArray(answer) ? answer : answer?.messages;
  if (!Array.isArray(list)) throw new Error("getMessagesById answered no list");
  const out = new Map<string, Any>();
  for (const m of list) {
    const key = m && keyOf(m);
    if (key?.fromMe && ids.includes(key.id)) out.set(key.id, m);
  }
  return out;
}

/** An own message that the page has in memory, or undefined. */
export function inMemory(wid: string, id: string): Any {
  const store = msgs();
  if (!store) return undefined;
  for (const key of candidateKeys(wid, id)) {
    const m = quiet(() => store.get(key));
    if (m && keyOf(m).id === id) return m;
  }
  return undefined;
}

/** Whether WhatsApp or the page has given up on an own message: it is not sent, and will not be by itself. */
export const failed = (m: Any): boolean => Number(field(m, "ack") ?? 0) < 0 || field(m, "isSendFailure") === true;
