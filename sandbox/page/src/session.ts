// The life of a session: launch, linking, login, reconnects, the end. It is the only writer of Socket's state.
//
//   UNLAUNCHED → OPENING → PAIRING → UNPAIRED (six refs) → UNPAIRED_IDLE
//                              └ registered: CONNECTED, stream SYNCING → hasSynced, stream CONNECTED
//
// A broken stream goes back to OPENING and comes up again; a replaced one stays as it is, except for Socket.stream.

import { R } from "./base/loader";
import { comms, ServerError } from "./comms";
import { runFault } from "./faults";
import { onMessageAction } from "./modules/actions";
import { updateMode } from "./modules/conn";
import { onChatAction, loadChats, saveChats } from "./modules/chats";
import { loadContacts, saveContacts } from "./modules/contacts";
import { SOCKET_STATE, SOCKET_STREAM } from "./modules/enums";
import { loadGroups } from "./modules/groups";
import { onCall } from "./modules/misc";
import { onGroupNotification } from "./modules/group-notices";
import { onChatstate, onPresence } from "./modules/presence";
import { keepPrivacy } from "./modules/privacy";
import { loadPins } from "./modules/pins";
import { device, saveLink } from "./modules/prefs";
import { isMigrated, readdress, setMigrated } from "./lid";
import { historyWritten, onHistory, onMessages, onReceipt } from "./modules/receive";
import { resendPending } from "./modules/send";
import { loadStatuses } from "./modules/status";
import { wid } from "./modules/ids";
import { nameSteps } from "./steps";
import { destroyStorage, modelStorage, unlockMessages } from "./store";
import type { Pushes } from "./wire";

export const VERSION = "2.3000.1038216547";
const RETRY_MS = [100, 250, 500, 1000, 2000, 5000];

let attempts = 0;
let ended = false; // replaced, or logged out: no stream is opened by itself any more
let refTimer: ReturnType<typeof setTimeout> | undefined;
let loaded = false;
let offline: Promise<void>; // resolves when this stream has brought what waited
let offlineEnds: () => void;

const socket = () => R("WAWebSocketModel").Socket;

export function launch(): void {
  comms.onPush = (push) => enqueue(push);
  comms.onClose = onClose;
  R("WAWebBackendEventBus").BackendEventBus.onRefreshQR(() => refreshRefs());
  updateMode();
  void open();
}

async function open(): Promise<void> {
  clearTimeout(refTimer);
  offline = new Promise((resolve) => (offlineEnds = resolve));
  socket().set({ state: SOCKET_STATE["OPENING"], launched: true });
  try {
    await comms.connect();
    socket().set("state", SOCKET_STATE["PAIRING"]);
    const known = device();
    const got = known ? await lastGot() : undefined;
    const ok = await comms.requestNow("hello", { device: known, platform: "chrome", version: VERSION, got });
    if ("pair" in ok) startRound(ok.pair.refs, ok.pair.ttls_ms);
    else await login(ok.success);
  } catch (err) {
    if (err instanceof ServerError && err.code === 401) return end("device_removed");
    if (err instanceof ServerError) comms.stop();
    if (err instanceof ServerError) onClose();
  }
}

function onClose(): void {
  clearTimeout(refTimer);
  if (ended) return;
  socket().set({ stream: SOCKET_STREAM["DISCONNECTED"], state: SOCKET_STATE["OPENING"] });
  R("WAWebBackendEventBus").BackendEventBus.triggerSocketStreamDisconnected();
  const delay = RETRY_MS[Math.min(attempts++, RETRY_MS.length - 1)]!;
  setTimeout(() => void open(), delay);
}

/** Tears the stream down and opens a new one. */
export function reconnect(): void {
  ended = false;
  comms.stop();
  void open();
}

// ---- linking

function startRound(refs: string[], ttls: number[]): void {
  attempts = 0;
  socket().set({ state: SOCKET_STATE["UNPAIRED"], stream: SOCKET_STREAM["DISCONNECTED"] });
  showRef(refs, ttls, 0);
}

function showRef(refs: string[], ttls: number[], i: number): void {
  clearTimeout(refTimer);
  if (i >= refs.length) {
    socket().set("state", SOCKET_STATE["UNPAIRED_IDLE"]);
    return;
  }
  R("WAWebConnModel").Conn.set({ ref: refs[i], refTTL: ttls[i] });
  refTimer = setTimeout(() => showRef(refs, ttls, i + 1), ttls[i]);
}

async function refreshRefs(): Promise<void> {
  if (device()) return;
  if (!comms.open) return reconnect();
  const ok = await comms.requestNow("refs", {});
  startRound(ok.refs, ok.ttls_ms);
}

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** "Link with phone number": the page makes the code, the server tells the phone. */
export async function pairingCode(phone: string): Promise<string> {
  const code = [...crypto.getRandomValues(new Uint8Array(8))].map((b) => CROCKFORD[b & 31]).join("");
  if (socket().state === SOCKET_STATE["UNPAIRED_IDLE"]) await refreshRefs();
  await comms.requestNow("pairing_code", { phone: phone.replace(/\D/g, ""), code });
  return code;
}

function onPaired(push: Pushes["paired"]): void {
  clearTimeout(refTimer);
  saveLink(push.device, `${push.wid}`, push.lid, push.pushname);
  R("WAWebConnModel").Conn.set({ platform: push.platform });
  updateMode();
  reconnect();
}

// ---- login

async function login(success: { wid: string; lid: string; pushname: string; db_key: string; time: number; lid_migrated?: boolean; privacy?: Record<string, string> }): Promise<void> {
  const resuming = socket().hasSynced;
  R("WAWebUserPrefsMeUser").setMe(wid(success.wid));
  R("WAWebUserPrefsMeUser").setMeLid(wid(success.lid));
  R("WAWebUserPrefsMeUser").setMeDisplayName(success.pushname);
  R("WAWebConnModel").Conn.set({ wid: wid(success.wid), lid: wid(success.lid), pushname: success.pushname, connected: true });
  socket().set({ state: SOCKET_STATE["CONNECTED"], stream: SOCKET_STREAM[resuming ? "RESUMING" : "SYNCING"] });
  attempts = 0;
  unlockMessages();
  keepPrivacy(success.privacy ?? {});
  if (loaded && isMigrated() !== !!success.lid_migrated) return location.reload();
  if (!loaded) {
    loaded = true;
    await setMigrated(!!success.lid_migrated);
    await Promise.all([loadContacts(), loadGroups(), loadPins()]);
    await loadChats();
    await loadStatuses();
  }
  comms.ready();
  if (resuming) synced();
  else await sync();
  await resendPending();
}

/**
 * The first history makes the session usable; the rest goes on in the background. A page that has it from before is in
 * sync when what waited while it was away has come, as the loading screen of the real page shows.
 */
async function sync(): Promise<void> {
  if (await modelStorage.get("sync-state", "history")) return void offline.then(synced);
  const ok = await comms.request("history", { since: 0 });
  if (ok.chunks === 0) await historyDone();
}

async function historyDone(): Promise<void> {
  await historyWritten;
  await modelStorage.put("sync-state", Date.now(), "history");
  await loadStatuses();
  R("WAWebBackendEventBus").BackendEventBus.triggerInitialChatHistorySynced();
  synced();
}

function synced(): void {
  if (socket().state !== SOCKET_STATE["CONNECTED"] || socket().stream === SOCKET_STREAM["CONNECTED"]) return;
  socket().set({ hasSynced: true, canSend: true, stream: SOCKET_STREAM["CONNECTED"] });
  R("WAWebBackendEventBus").BackendEventBus.triggerMainStreamModeReady();
}

// ---- pushes, one after the other, so that what depends on order keeps it

type Push = { [K in keyof Pushes]: { op: K; args: Pushes[K]; s?: number } }[keyof Pushes];
let queue: Promise<unknown> = Promise.resolve();

/** Resolves when what has arrived so far is carried out: the server pushes the result of a request before it answers. */
export function pushesHandled(): Promise<unknown> {
  return queue;
}

const most = 100; // messages that are handled together
const waiting: Push[] = [];

function enqueue(push: Push): void {
  if (push.op === "replaced") return onReplaced();
  if (push.op === "steps") return nameSteps(push.args);
  waiting.push(push);
  queue = queue.then(next).catch(reportError);
}

/** Carries out the push whose turn it is, and with a message those that wait right behind it. */
async function next(): Promise<void> {
  const first = waiting.shift();
  if (!first) return; // it went with one before
  if (first.op !== "message") {
    await handle(first);
    return stored([first]);
  }
  let n = 0;
  while (n < most - 1 && waiting[n]?.op === "message") n++;
  const burst = [first, ...waiting.splice(0, n)] as { op: "message"; args: Pushes["message"]; s?: number }[];
  for (const push of burst) readdress(push);
  await onMessages(burst.map((push) => push.args));
  await stored(burst);
}

let behind = 0; // numbered pushes since the server was told last

/** In a burst one answer is for all that are stored by then. */
async function stored(pushes: Push[]): Promise<void> {
  behind += pushes.length;
  const s = pushes.findLast((push) => push.s)?.s;
  if (!s || (waiting.some((push) => push.s) && behind < 50)) return;
  behind = 0;
  await got(s);
}

async function lastGot(): Promise<number> {
  return (await modelStorage.get("sync-state", "got")) ?? 0;
}

/** Tells the server that a numbered push is stored here. */
async function got(s: number): Promise<void> {
  await modelStorage.put("sync-state", s, "got");
  comms.request("got", { s }).catch(() => {});
}

async function handle(push: Push): Promise<unknown> {
  readdress(push);
  switch (push.op) {
    case "paired": return onPaired(push.args);
    case "history": {
      await onHistory(push.args);
      if (push.args.final) await historyDone();
      else if (push.args.messages?.length) synced(); // contacts and chats are here: usable
      R("WAWebBackendEventBus").BackendEventBus.triggerHistorySyncChunkProcessed();
      return undefined;
    }
    case "receipt": return onReceipt(push.args);
    case "chatstate": return onChatstate(push.args);
    case "call": return onCall(push.args);
    case "presence": return onPresence(push.args);
    case "chat_action": return onChatAction(push.args);
    case "message_action": return onMessageAction(push.args);
    case "group_notification": return onGroupNotification(push.args);
    case "contact": return saveContacts([push.args]);
    case "chat": return saveChats([push.args]);
    case "device_removed": return end(push.args.reason);
    case "passkey": return askPasskey(push.args.challenge);
    case "fault": return runFault(push.args);
    case "offline": {
      offlineEnds();
      return R("WAWebBackendEventBus").BackendEventBus.triggerOfflineDeliveryEnd();
    }
    default: return undefined;
  }
}

// Another connection took over: comms stop, and nothing changes but Socket.stream.
function onReplaced(): void {
  ended = true;
  comms.stop();
  socket().set("stream", SOCKET_STREAM["DISCONNECTED"]);
}

// The page asks and waits; whether the link goes on is the phone's affair.
function askPasskey(challenge: string): void {
  navigator.credentials.get({ publicKey: { challenge: new TextEncoder().encode(challenge), rpId: location.hostname, userVerification: "required" } }).catch(() => {});
}

// ---- the end

export function logoutCode(reason: string): number {
  return ({ user_initiated: 0, device_removed: 401, account_locked: 4 } as Record<string, number>)[reason] ?? 1;
}

export async function logout(reason: string): Promise<void> {
  if (comms.open && device()) await comms.request("logout", { reason }).catch(() => {});
  await end(reason);
}

export async function forget(): Promise<void> {
  await destroyStorage();
}

/** Unlinked: credentials and messages go, then the page comes back as a new one. */
async function end(reason: string): Promise<void> {
  if (ended) return;
  ended = true;
  R("WAWebBackendEventBus").BackendEventBus.triggerStartingLogout(reason);
  socket().set({ hasSynced: false, stream: SOCKET_STREAM["DISCONNECTED"] });
  comms.stop();
  await forget();
  updateMode();
  location.href = `/?post_logout=1&logout_reason=${R("WAWebLogoutReason").getErrorCodeFromLogoutReason(reason)}`;
}

export function sendAvailability(available: boolean): void {
  if (comms.open && device()) comms.request("presence", { state: available ? "available" : "unavailable" }).catch(() => {});
}
