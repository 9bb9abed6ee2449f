// Files of messages come out as downloads of blob URLs, which Chromium writes to disk itself: nothing travels as
// base64. Three steps, so that kurir knows the size before a byte is written: fetchMedia has the page download and
// decrypt the file and holds it under a token, saveMedia starts the download, dropMedia lets go.
import { existingChat, ownKey } from "./chat";
import { alternate, isGroup, keyOf, str } from "./ids";
import { Deadline, limit, Problem, textOf } from "./limits";
import { hasFile } from "./message";
import { type Any, field, mod, msgs, quiet, wpp } from "./modules";

export interface MediaArgs {
  id: string; // WhatsApp's bare id of the message
  chat: string;
  from_me?: boolean;
  author?: string; // in groups, of messages of others
  max_bytes?: number; // a larger file is refused; checked by what the sender said before, by what came after
}
export interface HeldFile {
  token: string;
  url: string;
  size: number;
  kind: string;
  mimetype: string;
  filename?: string;
}

const held = new Map<string, string>(); // token → blob URL
const maxHeld = 8; // a caller that went away leaves one; the oldest goes
let lastToken = 0;

export async function fetchMedia(a: MediaArgs, ms: number): Promise<HeldFile> {
  const deadline = new Deadline(ms);
  const m = await findMessage(a, deadline);
  if (!m) throw new Problem("NOT_FOUND", "WhatsApp Web does not have this message");
  if (!hasFile(m)) throw new Problem("NOT_FOUND", "this message has no file");
  const max = Number(a.max_bytes) > 0 ? Number(a.max_bytes) : Infinity;
  expectSize(Number(field(m, "size") ?? 0), max);
  const blob = await download(m, deadline);
  expectSize(blob.size, max);
  const token = `kurir-${++lastToken}-${Math.random().toString(36).slice(2)}`;
  const url = URL.createObjectURL(blob);
  held.set(token, url);
  if (held.size > maxHeld) dropMedia(held.keys().next().value!);
  const filename = field(m, "filename");
  const mimetype = String(field(m, "mimetype") || blob.type || "");
  return { token, url, size: blob.size, kind: String(field(m, "type") ?? ""), mimetype, ...(typeof filename === "string" && filename && { filename }) };
}

function expectSize(size: number, max: number): void {
  if (size > max) throw new Problem("MEDIA_TOO_LARGE", `${size} bytes`);
}

/** Starts the download of what is held under a token. Must be called with the activation of a user: a page may not start several by itself. */
export function saveMedia(token: string): void {
  const url = held.get(token);
  if (!url) throw new Problem("PAGE_ERROR", "this file is not held any more");
  const link = document.createElement("a"); // never in the document: nobody else hears the click
  link.href = url;
  link.download = token;
  link.click();
}

export function dropMedia(token: string): void {
  const url = held.get(token);
  held.delete(token);
  if (url) URL.revokeObjectURL(url);
}

/** A message by its id, from memory or from the page's database. The parts of a printed key vary: see keysOf. */
async function findMessage(a: MediaArgs, deadline: Deadline): Promise<Any> {
  const keys = await keysOf(a);
  const store = msgs();
  if (!store) throw new Problem("PAGE_ERROR", "this build of WhatsApp Web has no WAWebMsgCollection");
  for (const key of keys) {
    const m = quiet(() => store.get(key));
    if (m && keyOf(m).id === a.id) return m;
  }
  const answer: Any = await limit(store.getMessagesById(keys), deadline.left(10_000), "PAGE_TIMEOUT", "searching the page's database");
  const list: Any[] = Array.isArray(answer) ? answer : (answer?.messages ?? []);
  return list.find((m) => m && keyOf(m).id === a.id);
}

/**
 * The printed keys that a message may have: its chat, and in a group its author, are known by number or by LID. Who asks for
 * a message by its id alone may not know who sent it: the other direction comes last.
 */
async function keysOf(a: MediaArgs): Promise<string[]> {
  const chat = existingChat(a.chat);
  const remotes = new Set([a.chat, alternate(a.chat), chat ? str(field(chat, "id")) : ""].filter(Boolean));
  const out: string[] = [];
  for (const own of [a.from_me === true, a.from_me !== true]) for (const remote of remotes) {
    const plain = `${own}_${remote}_${a.id}`;
    out.push(plain);
    if (!isGroup(remote)) continue;
    if (own) out.push(str(await ownKey(chat, a.id).catch(() => undefined)));
    else if (a.author) for (const who of [a.author, alternate(a.author)]) who && out.push(`${plain}_${who}`);
  }
  return out.filter(Boolean);
}

/** The decrypted file. wa-js knows where the builds keep it, and tries a video again as a document. */
async function download(m: Any, deadline: Deadline): Promise<Blob> {
  let got: Any;
  try {
    got = await limit(wpp().chat.downloadMedia(str(field(m, "id"))), deadline.left(), "PAGE_TIMEOUT", "downloading the file");
  } catch (e) {
    if (e instanceof Problem) throw e;
    got = e;
  }
  if (got instanceof Blob) return (await readable(got)) ? got : fetchAgain(m, deadline);
  const stage = String(quiet(() => m.mediaData.mediaStage) ?? "");
  // WhatsApp keeps files for some weeks. After that only a phone has them, and it may have deleted them too.
  if (stage === "ERROR_MISSING" || Number(field(m, "ack")) === contentGone) throw new Problem("MEDIA_GONE", "");
  throw new Problem("MEDIA_FAILED", `${stage || "no stage"} ${textOf(got)}`.trim());
}

/**
 * Whether the bytes of a blob can be had. After a send the page holds the file that it was given, which is gone from disk by
 * then: such a blob has a size and nothing else.
 */
const readable = (blob: Blob): Promise<boolean> => blob.slice(0, 1).arrayBuffer().then(() => true, () => false);

/** The file from WhatsApp's server, whatever the page holds. */
async function fetchAgain(m: Any, deadline: Deadline): Promise<Blob> {
  const manager = mod("WAWebDownloadManager")?.downloadManager;
  if (typeof manager?.downloadAndMaybeDecrypt !== "function") throw new Problem("MEDIA_FAILED", "this build of WhatsApp Web cannot fetch it again");
  const wanted = Object.fromEntries(["directPath", "encFilehash", "filehash", "mediaKey", "mediaKeyTimestamp", "type"].map((name) => [name, field(m, name)]));
  const nobody = { addAnnotations: () => nobody, addPoint: () => nobody }; // who would measure it
  try {
    const bytes = await limit(manager.downloadAndMaybeDecrypt({ ...wanted, signal: new AbortController().signal, downloadQpl: nobody }), deadline.left(), "PAGE_TIMEOUT", "downloading the file");
    return new Blob([bytes as BlobPart], { type: String(field(m, "mimetype") ?? "") });
  } catch (e) {
    if (e instanceof Problem) throw e;
    const status = Number((e as Any)?.status);
    throw status === 404 || status === 410 ? new Problem("MEDIA_GONE", "") : new Problem("MEDIA_FAILED", textOf(e));
  }
}

const contentGone = -3; // an ack of WhatsApp: CONTENT_GONE
