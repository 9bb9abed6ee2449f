// The linking code. The real page's QR text has five parts (ref, noise key, identity key, secret, platform); wa-js
// builds four. It is put together from the modules the page itself uses, or read from the page where one is missing.
import { emit } from "./events";
import { limit } from "./limits";
import { type Any, conn, field, fn, mod, quiet } from "./modules";

const firstTTL = 60_000;
const nextTTL = 20_000;
const recheckMs = 700; // by then the page has drawn the code

let shownRef = "";
let deadRef = ""; // of a round that ended: it stays in Conn until the next round begins
let shownText = "";
let refs = 0;

/** Tells kurir about the code: called whenever ref, registration or the socket changes. */
export function updateQR(registered: boolean, idle: boolean): void {
  let ref = String(field(conn() ?? {}, "ref") ?? "");
  if (registered || idle) deadRef = ref; // the page does not clear it
  if (ref === deadRef) ref = "";
  if (ref === shownRef) return;
  shownRef = ref;
  if (!ref) {
    refs = 0;
    show("", 0);
    return;
  }
  refs++;
  const ttl = ttlOf();
  const until = performance.now() + ttl;
  void text(ref).then((t) => {
    if (ref === shownRef && t) show(t, until - performance.now());
  });
  // What the page shows is what a phone reads. Should it ever differ from what was built, the page is right.
  setTimeout(() => {
    const drawn = drawnText(ref);
    if (ref === shownRef && drawn && drawn !== shownText) show(drawn, until - performance.now());
  }, recheckMs);
}

function show(t: string, ttl: number): void {
  if (t === shownText) return;
  shownText = t;
  emit("qr", { text: t, ttl_ms: Math.max(0, Math.round(ttl)) });
}

function ttlOf(): number {
  const ttl = Number(field(conn() ?? {}, "refTTL"));
  if (ttl > 0) return ttl < 1000 ? ttl * 1000 : ttl;
  return refs === 1 ? firstTTL : nextTTL;
}

/** The text that the page has drawn for ref, or "". */
function drawnText(ref: string): string {
  const t = document.querySelector("[data-ref]")?.getAttribute("data-ref") ?? "";
  return t.startsWith(ref + ",") ? t : "";
}

async function text(ref: string): Promise<string> {
  const built = await limit(build(ref), 3000, "PAGE_TIMEOUT", "the parts of the QR code").catch(() => "");
  if (built) return built;
  for (let i = 0; i < 40; i++) {
    const drawn = drawnText(ref);
    if (drawn || ref !== shownRef) return drawn;
    await new Promise((r) => setTimeout(r, 100));
  }
  return "";
}

/** Puts the five parts together. Throws when one of them cannot be had. */
export async function build(ref: string): Promise<string> {
  const signal = mod("WAWebSignalStoreApi")?.waSignalStore;
  const noise = mod("WAWebUserPrefsInfoStore")?.waNoiseInfo;
  const secret = fn("WAWebAdvSignatureApi", "getADVSecretKey");
  const b64 = fn("WABase64", "encodeB64");
  const platform = platformOf();
  if (!signal || !noise || !secret || !b64 || !platform) throw new Error("a module of the QR code is missing");
  const [registration, info, adv]: Any[] = await Promise.all([signal.getRegistrationInfo(), noise.get(), secret()]);
  const parts = [ref, b64(info.staticKeyPair.pubKey), b64(registration.identityKeyPair.pubKey), adv, String(platform)];
  if (parts.some((p) => typeof p !== "string" || p === "")) throw new Error("a part of the QR code is empty");
  return parts.join(",");
}

function platformOf(): Any {
  const p = mod("WAWebCompanionRegClientUtils")?.DEVICE_PLATFORM;
  return typeof p === "function" ? quiet(() => p()) : p;
}
