// Whether the page has a message. "absent" is a promise that it was not sent from here: it is given only after the
// page's database was really searched, which takes a linked page whose messages are unlocked, and nothing in this
// document is still at work for the id: a file that is being prepared is in no database yet.
import { failed, inDatabase, inMemory } from "./chat";
import { atWork } from "./jobs";
import { linked, state } from "./lifecycle";
import { type Any, field } from "./modules";

export interface Found {
  found: "present" | "absent" | "unknown";
  ack: number;
}

const batch = 100;

export async function lookup(chat: string, ids: string[], ms: number): Promise<Record<string, Found>> {
  const out: Record<string, Found> = {};
  const open: string[] = [];
  for (const id of ids) {
    const m = inMemory(chat, id);
    if (m) out[id] = present(m);
    else open.push(id);
  }
  for (let i = 0; i < open.length; i += batch) await search(chat, open.slice(i, i + batch), out, ms);
  return out;
}

const present = (m: Any): Found => ({ found: "present", ack: failed(m) ? Math.min(-1, Number(field(m, "ack") ?? 0)) : Number(field(m, "ack") ?? 0) });

async function search(chat: string, ids: string[], out: Record<string, Found>, ms: number): Promise<void> {
  const searched = await fromDatabase(chat, ids, out, ms).catch(() => false);
  for (const id of ids) out[id] ??= { found: searched && !atWork(id) ? "absent" : "unknown", ack: 0 };
}

/** Resolves to whether the page's database was searched. */
async function fromDatabase(chat: string, ids: string[], out: Record<string, Found>, ms: number): Promise<boolean> {
  const s = state();
  // Before the server's "success" the messages are locked and a search would find nothing, or wait for ever.
  if (!linked(s) || !s.synced) return false;
  for (const [id, m] of await inDatabase(chat, ids, ms)) out[id] = present(m);
  return true;
}
