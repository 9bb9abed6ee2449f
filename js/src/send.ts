// Sending. What a caller may conclude from the code of an error: after SEND_TIMEOUT the message may have gone out;
// after any other code it has not. With `reload`, something is still at work for the message in this document and has
// been for too long: the caller has to end the document before it asks what became of the message.
import { chatFor, existingChat, failed, inDatabase, inMemory, ownKey } from "./chat";
import { emit } from "./events";
import { takeFile } from "./files";
import { isGroup, str } from "./ids";
import { enter, jobOf, startJob } from "./jobs";
import { linked, state } from "./lifecycle";
import { Deadline, limit, Problem, sleep, textOf } from "./limits";
import { type Any, field, fn, msgs, quiet, wpp } from "./modules";
import { lastOf } from "./read";
import { explain, known, lockEnd, watchRefusals } from "./refusal";
import { onAckOf } from "./watch";

export interface SendArgs {
  id: string;
  chat: string;
  kind: string;
  body?: string;
  filename?: string;
  mimetype?: string;
  first?: boolean; // no page has heard of this id before
  known_only?: boolean; // WhatsApp restricts this account: only chats that the restriction leaves alone
  known_chat?: boolean; // the day's first contacts are used up: only chats that have a message
  typing_ms?: number; // how long the receiver is shown that somebody types, before a text
  ack_ms?: number; // after so long on the wire without an ack it is told
}
interface Sent {
  ack: number;
  time: number;
  chat: string;
}
export interface SendResult extends Sent {
  first_contact: boolean; // the chat had no message before
}

const options = { createChat: true, waitForAck: true, linkPreview: false, detectMentioned: false, markIsRead: false, delay: 0 };

export async function send(a: SendArgs, ms: number): Promise<SendResult> {
  if (!/^[0-9A-Z]{8,40}$/.test(a.id ?? "") || !a.chat?.includes("@")) throw new Problem("BAD_REQUEST", "send needs an id and a chat");
  const leave = enter(a.id);
  try {
    const deadline = new Deadline(ms);
    const file = a.kind === "text" ? undefined : takeFile(a.id, a.filename, a.mimetype);
    await ready(deadline);
    const first = isNewChat(a.chat);
    if (first && a.known_chat) throw new Problem("FIRST_CONTACT_LIMIT", a.chat);
    return { ...(await sendWithin(a, file, deadline)), first_contact: first };
  } finally {
    leave();
  }
}

async function sendWithin(a: SendArgs, file: File | undefined, deadline: Deadline): Promise<Sent> {
  quiet(watchRefusals); // not before: until then wa-js and the page are still setting their modules up
  if (a.known_only) await expectKnown(a.chat);
  const chat = await chatFor(a.chat, deadline);
  const wid = str(field(chat, "id"));
  const running = jobOf(a.id); // of an earlier call: a second one beside it could send twice
  if (running) return await outcome(running, a, chat, deadline, file);
  // Sent before, in this document or, after a restart, by the page itself: it sends what was left pending.
  const before = a.first ? undefined : (inMemory(wid, a.id) ?? (await stored(wid, a.id, deadline)));
  if (before && !failed(before)) return await settled(before, a, wid, deadline);
  const key = await limit(ownKey(chat, a.id), deadline.left(5000), "PAGE_TIMEOUT", "the message's key").catch((e) => {
    throw e instanceof Problem ? e : new Problem("PAGE_ERROR", textOf(e));
  });
  if (deadline.left() === 0) throw new Problem("PAGE_TIMEOUT", "no time was left to send"); // and nothing may start after it
  if (a.typing_ms && !file && !before) await typeFor(wid, a.typing_ms, deadline);
  const job = startJob(a.id, () => {
    const again = before && !file ? resend(chat, before) : undefined;
    if (again) return again;
    if (before) forget(before, chat);
    return file ? sendFile(wid, file, key, a) : wpp().chat.sendTextMessage(wid, a.body ?? "", { ...options, messageId: key });
  });
  return await outcome(job, a, chat, deadline, file);
}

/** Whether nothing was written in a chat yet, by either side. A group is nobody new. */
function isNewChat(wid: string): boolean {
  if (isGroup(wid)) return false;
  const chat = existingChat(wid);
  return !chat || (lastOf(chat) === undefined && !field(chat, "lastReceivedKey"));
}

/** Shows the receiver that somebody types. What goes wrong with it must not hold the message up. */
async function typeFor(wid: string, ms: number, deadline: Deadline): Promise<void> {
  const shown = Math.min(ms, deadline.left() / 2);
  const chat = wpp().chat;
  await limit(Promise.resolve(chat.markIsComposing(wid)), Math.min(2000, deadline.left() / 4), "PAGE_TIMEOUT", "showing typing").catch(() => undefined);
  await sleep(shown);
  void Promise.resolve(quiet(() => chat.markIsPaused(wid))).catch(() => undefined);
}

/** Refuses what would be the first message to somebody. A group is nobody new. */
async function expectKnown(wid: string): Promise<void> {
  if (isGroup(wid)) return;
  const chat = existingChat(wid);
  if (chat && (await known(chat))) return;
  throw new Problem("RESTRICTED", "first messages wait until WhatsApp's restriction ends", await lockEnd());
}

/** Sends a text again that WhatsApp refused, as the page's own "try again" does; undefined where a build lacks it. */
function resend(chat: Any, m: Any): Promise<Any> | undefined {
  const again = fn("WAWebSendMsgChatAction", "resendMsgToChat");
  if (!again) return undefined;
  return Promise.resolve(again(chat, m)).then((r) => r?.messageSendResult && { ack: 0, sendMsgResult: r });
}

/** The message as an earlier document stored it. A build whose database cannot be asked can still send; a locked one cannot. */
async function stored(wid: string, id: string, deadline: Deadline): Promise<Any> {
  try {
    return (await inDatabase(wid, [id], deadline.left(5000))).get(id);
  } catch (e) {
    if (e instanceof Problem) throw e;
    return undefined;
  }
}

const readyMs = 10_000;

/** A send needs wa-js, a linked page and a stream: right after a start it waits for them. Mode and state alone look alive when the stream is dead. */
async function ready(deadline: Deadline): Promise<void> {
  for (const until = new Deadline(deadline.left(readyMs)); ; await sleep(20)) {
    const s = state();
    if (s.ready && linked(s) && s.stream !== "DISCONNECTED") return;
    if (until.left() === 0) throw new Problem("INSTANCE_NOT_READY", `mode ${s.mode || "none"}, stream ${s.stream || "none"}, wa-js ${s.ready ? "ready" : "not ready"}`);
  }
}

function sendFile(wid: string, file: File, key: Any, a: SendArgs): Promise<Any> {
  return wpp().chat.sendFileMessage(wid, file, {
    ...options,
    messageId: key,
    type: a.kind,
    filename: file.name,
    mimetype: file.type,
    caption: a.body || undefined, // wa-js takes an empty caption for one that a person wrote
    waveform: false,
  });
}

const followMs = 100;

/** How long WhatsApp may take until the message of a file appears: thumbnails, hashes and encryption come first. */
const prepareLimit = (f: File): number => 45_000 + (f.size / 1e6) * 1500;

/**
 * Waits for what becomes of a message that was handed to the page: wa-js' promise or the ack itself, whichever
 * comes first. wa-js' promise may never settle, and it resolves also when WhatsApp refused the message.
 */
function outcome(job: Promise<Any>, a: SendArgs, chat: Any, deadline: Deadline, file?: File): Promise<Sent> {
  const { id } = a;
  const wid = str(field(chat, "id"));
  return new Promise<Sent>((resolve, reject) => {
    const timers: ReturnType<typeof setTimeout>[] = [];
    // wa-js follows its ack within a moment and knows the server's time; after that moment the ack is enough.
    const stopWatching = onAckOf(id, (ack) => ack >= 1 && timers.push(setTimeout(() => finish(() => resolve(sent(ack))), followMs)));
    const stopTelling = tellUnacked(a, () => inMemory(wid, id));
    const finish = (how: () => void): void => {
      stopWatching();
      stopTelling();
      timers.forEach(clearTimeout);
      how();
    };
    const sent = (ack: number, t?: Any): Sent => ({ ack, time: Number(t ?? field(inMemory(wid, id) ?? {}, "t") ?? 0), chat: wid });
    const total = deadline.left();
    const late = (): void => {
      const m = inMemory(wid, id);
      const words = !m ? "no message appeared" : onWire(m) ? "WhatsApp's server did not answer" : "the file did not get to WhatsApp's server";
      // Still being prepared or uploaded, or wa-js has lost it: nobody knows when that ends, so the document must.
      const reload = !onWire(m);
      if (deadline.left() === 0 || (reload && !m)) finish(() => reject(new Problem("SEND_TIMEOUT", `${words} in time`, undefined, reload)));
    };
    if (file) timers.push(setTimeout(late, prepareLimit(file)));
    timers.push(setTimeout(late, Math.ceil(total) + 1));
    job.then(
      // Where its answer says nothing, the ack does.
      (r) => r && finish(() => judge(r, () => field(inMemory(wid, id) ?? {}, "ack"), sent, resolve, (e) => void explain(e, id, chat, inMemory(wid, id)).then(reject))),
      (e) => finish(() => reject(thrown(e, inMemory(wid, id)))),
    );
  });
}

/** Whether a message is where only WhatsApp's server can hold it up: its file, if it has one, is uploaded. */
function onWire(m: Any): boolean {
  const stage = m && quiet(() => m.mediaData?.mediaStage);
  return !!m && (stage === undefined || stage === "RESOLVED" || !!field(m, "directPath"));
}

/** Tells, once, when a message has been on the wire for ack_ms without an ack. Until the returned function is called. */
function tellUnacked(a: SendArgs, find: () => Any): () => void {
  const patience = Number(a.ack_ms);
  if (!(patience > 0)) return () => undefined;
  let since: number | undefined;
  const timer = setInterval(() => {
    const m = find();
    if (!onWire(m) || Number(field(m, "ack") ?? 0) !== 0) since = undefined;
    else if (performance.now() - (since ??= performance.now()) >= patience) {
      clearInterval(timer);
      emit("unacked", { id: a.id, chat: a.chat });
    }
  }, Math.max(20, Math.min(500, patience / 10)));
  return () => clearInterval(timer);
}

/** Reads wa-js' answer. {messageSendResult: "OK"} or an ack of 1 and more is a success; all else was refused. */
export function judge(r: Any, ackNow: () => Any, sent: (ack: number, t?: Any) => Sent, resolve: (s: Sent) => void, reject: (e: Problem) => void): void {
  const result = r?.sendMsgResult;
  const word = typeof result === "string" ? result : String(result?.messageSendResult ?? "");
  const ack = Math.max(Number(r?.ack ?? 0), Number(ackNow() ?? 0));
  if (ack >= 1 || word === "OK") return resolve(sent(Math.max(1, ack), result?.t));
  const detail = [word || "no result", result?.errorCode ?? result?.code].filter((v) => v !== undefined).join(" ");
  if (word === "" || word === "ERROR_NETWORK") return reject(new Problem("SEND_TIMEOUT", detail)); // it may have left before the network went
  if (word === "ERROR_UPLOAD") return reject(new Problem("UPLOAD_FAILED", detail));
  reject(new Problem("SEND_REJECTED", detail));
}

/** What an exception of wa-js means: before the message is in the page's store, nothing has happened. */
function thrown(e: unknown, made: Any): Problem {
  if (e instanceof Problem) return e;
  if (made && !failed(made)) return new Problem("SEND_TIMEOUT", textOf(e));
  const code = (e as Any)?.code;
  if (code === "file_too_large") return new Problem("FILE_TOO_LARGE", textOf(e));
  if (code === "chat_not_found") return new Problem("CHAT_NOT_FOUND", textOf(e));
  return new Problem("PAGE_ERROR", textOf(e));
}

/** The outcome of a message that the page already has. */
function settled(m: Any, a: SendArgs, wid: string, deadline: Deadline): Promise<Sent> {
  const done = (ack: number): Sent => ({ ack, time: Number(field(m, "t") ?? 0), chat: wid });
  const ack = Number(field(m, "ack") ?? 0);
  if (ack >= 1) return Promise.resolve(done(ack));
  return new Promise<Sent>((resolve, reject) => {
    const stopTelling = tellUnacked(a, () => m);
    const timer = setTimeout(() => finish(() => reject(new Problem("SEND_TIMEOUT", "the page has the message, WhatsApp's server has not answered"))), deadline.left());
    const stop = onAckOf(a.id, (now) => {
      if (now !== 0) finish(() => (now > 0 ? resolve(done(now)) : reject(new Problem("SEND_REJECTED", `ack ${now}`))));
    });
    const finish = (how: () => void): void => {
      clearTimeout(timer);
      stop();
      stopTelling();
      how();
    };
  });
}

/** Takes a refused message out of the page's memory, so that the same id can be tried again. */
function forget(m: Any, chat: Any): void {
  quiet(() => chat.msgs.remove(m));
  quiet(() => msgs().remove(m));
}
