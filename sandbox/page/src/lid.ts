// Accounts that were migrated to LIDs. The wire always says phone numbers; on a migrated account the page addresses
// chats with people by LID, so pushes are readdressed here, before anybody looks at them. The server takes both.

import { R } from "./base/loader";
import { wid } from "./modules/ids";
import { modelStorage } from "./store";
import type { WireChat } from "./wire";

let migrated = false;

export function isMigrated(): boolean {
  return migrated;
}

/** Takes what the server says about the account. What was stored under the other addresses is forgotten: it comes again. */
export async function setMigrated(now: boolean): Promise<void> {
  migrated = now;
  const was = !!(await modelStorage.get("sync-state", "lid-migrated"));
  if (was === now) return;
  await modelStorage.write(["chat", "message", "message-history", "sync-state"], (tx) => {
    for (const name of ["chat", "message", "message-history"]) tx.objectStore(name).clear();
    tx.objectStore("sync-state").delete("history");
    tx.objectStore("sync-state").put(now, "lid-migrated");
  });
}

function addressOf(id: string): string {
  if (!id.endsWith("@c.us")) return id;
  return R("WAWebApiContact").getCurrentLid(wid(id))?.toString() ?? id;
}

function readdressChat(chat: WireChat): void {
  if (!chat.lid) return;
  R("WAWebApiContact").lidPnCache.add(wid(chat.wid), wid(chat.lid));
  chat.wid = chat.lid;
}

/** Changes a push's addresses of chats to those of this account. */
export function readdress(push: { op: string; args: any }): void {
  if (!migrated) return;
  const { op, args } = push;
  if (op === "chat") readdressChat(args);
  else if (op === "presence") args.wid = addressOf(args.wid);
  else if (op === "history") args.chats?.forEach(readdressChat);
  else if (typeof args?.chat === "string") args.chat = addressOf(args.chat);
}

/** The messages of a piece of history, once its contacts and chats are known. */
export function readdressMessages(messages: { chat: string }[]): void {
  if (migrated) for (const m of messages) m.chat = addressOf(m.chat);
}
