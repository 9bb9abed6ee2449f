// The state of the page, read straight from WhatsApp's modules. wa-js is not asked: its lifecycle events are wrong
// on current builds (main_ready at the QR page, authenticated never), and it is ready a second later than the QR.
import { emit } from "./events";
import { str } from "./ids";
import { limit, sleep, textOf } from "./limits";
import { type Any, conn, count, field, fn, has, loaded, mod, quiet, socket, stream, wpp } from "./modules";
import { updateQR } from "./qr";
import { watchAll } from "./watch";

export interface PageState {
  mode: string;
  info: string;
  socket: string;
  stream: string;
  registered: boolean;
  synced: boolean;
  wid: string;
  lid: string;
  pushname: string;
  version: string;
  passkey: boolean;
  ready: boolean; // wa-js is ready too: a send starts at once
}

const core = ["WAWebSocketModel", "WAWebStreamModel", "WAWebConnModel", "WAWebUserPrefsMultiDevice", "WAWebUserPrefsMeUser"];
let attached = false;
let passkey = false;
let told = "";

const text = (v: Any): string => (typeof v === "string" ? v : "");

export function state(): PageState {
  const so = attached ? (socket() ?? {}) : {};
  const st = attached ? (stream() ?? {}) : {};
  const co = attached ? (conn() ?? {}) : {};
  const registered = attached && isRegistered();
  const me = registered ? quiet(() => fn("WAWebUserPrefsMeUser", "getMaybeMePnUser")?.()) : undefined;
  const lid = registered ? quiet(() => fn("WAWebUserPrefsMeUser", "getMaybeMeLidUser")?.()) : undefined;
  return {
    mode: text(field(st, "mode")),
    info: text(field(st, "info")),
    socket: text(field(so, "state")),
    stream: text(field(so, "stream")),
    registered,
    synced: field(so, "hasSynced") === true,
    wid: str(me),
    lid: str(lid),
    pushname: text(field(co, "pushname")) || (registered ? text(quiet(() => fn("WAWebUserPrefsMeUser", "getMaybeMeDisplayName")?.())) : ""),
    version: versionOf(),
    passkey: passkey && !registered,
    ready: wppReady(),
  };
}

/** Linked, and past the sync: "authenticated" in the words of other clients. Survives a broken connection. */
export const linked = (s: PageState = state()): boolean => s.registered && s.mode === "MAIN";
export const wppReady = (): boolean => quiet(() => wpp()?.isReady === true) === true;
export const isRegistered = (): boolean => quiet(() => fn("WAWebUserPrefsMultiDevice", "isRegistered")?.()) === true;

function versionOf(): string {
  const debug = text(quiet(() => (window as Any).Debug?.VERSION));
  if (debug || !attached) return debug;
  return text(mod("WAWebBuildConstants")?.VERSION_STR) || text(mod("WAWebUpdaterVersion")?.SANITIZED_VERSION_STR);
}

/** Tells kurir what changed, and nothing when nothing did. */
export function check(): void {
  const s = state();
  const now = JSON.stringify(s);
  if (now !== told) {
    told = now;
    emit("state", s);
  }
  if (!attached) return;
  updateQR(s.registered, s.socket === "UNPAIRED_IDLE");
  if (s.registered || s.ready) watchAll();
}

// Several values change at once when the page moves on: one event then, in the next microtask.
let checking = false;
function checkSoon(): void {
  if (checking) return;
  checking = true;
  queueMicrotask(() => {
    checking = false;
    quiet(check);
  });
}

/** Waits for the page's modules and watches them from then on. Resolves when it does; gives up never. */
export async function start(): Promise<void> {
  tellLogoutReason();
  watchPasskey();
  for (let waited = 0, before = -1; ; ) {
    // All there, and no module came since the last look: the page's own scripts have run.
    const n = loaded() && core.every(has) ? count() : 0;
    if (n > 0 && n === before && socket() && stream() && conn()) break;
    before = n;
    const ms = waited < 10_000 ? 20 : 250;
    waited += ms;
    await sleep(ms);
  }
  attached = true;
  socket().on("change:state change:stream change:hasSynced", onSocket);
  stream().on("change:mode change:info", checkSoon);
  conn().on("change:ref change:pushname change:wid", checkSoon);
  quiet(() => mod("WAWebBackendEventBus")?.BackendEventBus?.on("starting_logout logout", onLogout));
  check();
  await whenReady();
  check();
}

/** Resolves when wa-js is ready. */
async function whenReady(): Promise<void> {
  for (let ms = 25; !wppReady(); ms = Math.min(ms * 1.1, 100)) await sleep(ms);
}

function onSocket(): void {
  checkSoon();
  // Six refs per round, then the page waits for a click. Somebody may still be looking at kurir's QR.
  if (field(socket(), "state") === "UNPAIRED_IDLE") setTimeout(() => quiet(refreshQR), 500);
}

function refreshQR(): void {
  if (field(socket(), "state") !== "UNPAIRED_IDLE") return;
  mod("WAWebBackendEventBus")?.BackendEventBus?.triggerRefreshQR?.();
}

function onLogout(reason?: Any): void {
  emit("logout", { reason: text(reason) || text(reason?.reason) || "logout" });
  checkSoon();
}

/** After an unlink the page navigates to /?post_logout=1&logout_reason=<code>. */
function tellLogoutReason(): void {
  const q = new URLSearchParams(location.search);
  if (q.get("post_logout") === "1") emit("logout", { reason: q.get("logout_reason") ?? "" });
}

/** WhatsApp asks some accounts for a passkey while they link, which no browser without a screen can answer. */
function watchPasskey(): void {
  const c = navigator.credentials;
  if (!c || typeof c.get !== "function") return;
  const get = c.get.bind(c);
  c.get = (options?: CredentialRequestOptions) => {
    if (options && "publicKey" in options) {
      passkey = true;
      checkSoon();
    }
    return get(options);
  };
}

/** Asks for a pairing code, the other way to link. */
export async function pairingCode(phone: string, ms: number): Promise<{ code: string }> {
  const prepare = fn("WAWebAltDeviceLinkingApi", "initializeAltDeviceLinking");
  const ask = fn("WAWebLinkDeviceAction", "genLinkDeviceCodeForPhoneNumber");
  if (!prepare || !ask) throw new Error("this build of WhatsApp Web has no pairing code");
  await limit(prepare(), ms, "PAGE_TIMEOUT", "preparing the pairing code");
  const code = await limit(ask(phone, true), ms, "PAGE_TIMEOUT", "the pairing code");
  return { code: String(code ?? "") };
}

/** Unlinks. The page navigates away soon after, so the answer may not arrive. */
export async function logout(ms: number): Promise<Record<string, never>> {
  const so = socket();
  if (typeof so?.logout !== "function") throw new Error("this build of WhatsApp Web cannot log out");
  let failed = "";
  let leaving = false;
  const bus = mod("WAWebBackendEventBus")?.BackendEventBus;
  const onLeaving = (): void => void (leaving = true);
  quiet(() => bus.on("starting_logout", onLeaving));
  void Promise.resolve(so.logout()).catch((e: unknown) => (failed = textOf(e)));
  try {
    // Socket.logout may never settle; that the page lets go of the link is what counts.
    for (const end = performance.now() + ms; performance.now() < end; await sleep(10)) {
      if (leaving || !isRegistered()) return {};
      if (failed) throw new Error(failed);
    }
    throw new Error("still linked");
  } finally {
    quiet(() => bus.off("starting_logout", onLeaving));
  }
}
