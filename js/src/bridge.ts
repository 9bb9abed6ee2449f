// The door for kurir: kurir.call(method, args) answers with a string of JSON, {"ok": …} or {"error": {code, message}},
// always within a time limit and never by rejecting.
import { lastSeq } from "./events";
import { fileInput } from "./files";
import { readHistory } from "./history";
import { check, logout, pairingCode, state } from "./lifecycle";
import { limit, Problem, textOf } from "./limits";
import { lookup } from "./lookup";
import { dropMedia, fetchMedia, saveMedia } from "./media";
import { type Any, quiet } from "./modules";
import { probe } from "./probe";
import { reach } from "./reach";
import { backlog, changed } from "./backlog";
import { contactColumns, listChats, listMessages } from "./read";
import { send } from "./send";
import { askPresence } from "./watch";

interface Method {
  limitMs: number; // unless args.timeout_ms says otherwise
  run(args: Any, ms: number): unknown;
}

const grace = 250; // a method's own time limit answers more precisely than the door's: it may come first

const methods: Record<string, Method> = {
  probe: { limitMs: 10_000, run: () => probe() },
  state: { limitMs: 2000, run: state },
  ping: { limitMs: 2000, run: ping },
  reach: { limitMs: 5000, run: (_a, ms) => reach(ms) },
  send: { limitMs: 60_000, run: send },
  lookup: { limitMs: 15_000, run: (a, ms) => lookup(String(a.chat ?? ""), (a.ids ?? []).map(String), ms) },
  chats: { limitMs: 10_000, run: (a) => listChats(count(a.limit)) },
  messages: { limitMs: 20_000, run: (a, ms) => listMessages(String(a.chat ?? ""), count(a.limit), ms) },
  changed: { limitMs: 10_000, run: (a, ms) => changed(Number(a.from ?? 0), ms) },
  backlog: { limitMs: 30_000, run: (a, ms) => backlog((a.chats ?? []).map(String), Number(a.from ?? 0), Number(a.known ?? 0), ms) },
  presence: { limitMs: 2000, run: (a) => askPresence(a.on === true) },
  history: { limitMs: 20_000, run: (a, ms) => readHistory({ ...a, chat: String(a.chat ?? ""), limit: count(a.limit) }, ms) },
  contacts: { limitMs: 20_000, run: contactColumns },
  fetchMedia: { limitMs: 60_000, run: (a, ms) => fetchMedia(a as Parameters<typeof fetchMedia>[0], ms) },
  saveMedia: { limitMs: 2000, run: (a) => saveMedia(String(a.token ?? "")) },
  dropMedia: { limitMs: 2000, run: (a) => dropMedia(String(a.token ?? "")) },
  pairingCode: { limitMs: 30_000, run: (a, ms) => pairingCode(String(a.phone ?? ""), ms) },
  logout: { limitMs: 15_000, run: (_a, ms) => logout(ms) },
};

function count(v: Any): number {
  const n = Math.floor(Number(v ?? 100));
  return n > 0 ? n : 100;
}

/** The heartbeat. Also looks whether a change was missed: modules can be replaced, listeners lost. */
function ping(): { stream: string; seq: number } {
  quiet(check);
  return { stream: state().stream, seq: lastSeq() };
}

async function call(name: string, args?: Any): Promise<string> {
  try {
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (!method) throw new Problem("PAGE_ERROR", `the bridge has no method ${name}`);
    const a = typeof args === "string" ? JSON.parse(args) : (args ?? {});
    const ms = Number(a.timeout_ms) > 0 ? Number(a.timeout_ms) : method.limitMs;
    const late = name === "send" ? "SEND_TIMEOUT" : "PAGE_TIMEOUT";
    const result = await limit((async () => method.run(a, ms))(), ms + grace, late, name);
    return JSON.stringify({ ok: result ?? {} });
  } catch (e) {
    const { code, until, reload } = e instanceof Problem ? e : new Problem("PAGE_ERROR", "");
    return JSON.stringify({ error: { code, message: textOf(e), until, reload } });
  }
}

/** Puts the door into the page, out of the way of whoever enumerates its globals. */
export function install(): void {
  Object.defineProperty(window, "kurir", { value: Object.freeze({ call, fileInput }), enumerable: false, configurable: false, writable: false });
}
