// What the judges share: a sandbox of their own, a Chromium, and each client as its users start it. No client is
// patched; what is passed are their public options.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));

/** Waits are generous and end with what they wait for: the machine is small and shared. */
export const patience = 60_000;

/** Polls until f returns something truthy, and returns that. */
export async function until(what, f, ms = patience) {
  let last;
  for (const end = Date.now() + ms; ; await new Promise((r) => setTimeout(r, 25))) {
    try {
      const v = await f();
      if (v) return v;
      last = v;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms (${last?.stack ?? JSON.stringify(last)})`);
  }
}

/** The Chromium that make installed, or KURIR_CHROMIUM. */
export function chromium() {
  if (process.env.KURIR_CHROMIUM) return process.env.KURIR_CHROMIUM;
  for (const name of ["chromium-headless-shell", "chromium", "google-chrome"]) {
    for (const dir of process.env.PATH.split(delimiter)) {
      try {
        accessSync(join(dir, name), constants.X_OK);
        return join(dir, name);
      } catch {
        // the next one
      }
    }
  }
  throw new Error("no Chromium: run make test, which installs it");
}

/** A `kurir sandbox` with nothing on disk, and its control API. */
export async function startSandbox() {
  const child = spawn(process.env.KURIR_BIN ?? join(here, "../../bin/kurir"), ["sandbox", "--memory"], {
    env: { ...process.env, KURIR_SANDBOX_ADDR: "127.0.0.1:0", KURIR_LOG_LEVEL: "warn" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout.on("data", (d) => (said += d));
  child.stderr.on("data", (d) => (said += d));
  const url = await until("the sandbox starts", () => {
    assert.equal(child.exitCode, null, said);
    return /Control API: (http:\S+)/.exec(said)?.[1];
  });
  const call = async (method, path, body) => {
    const r = await fetch(url + path, { method, body: body && JSON.stringify(body), headers: body && { "content-type": "application/json" } });
    const text = await r.text();
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
    return JSON.parse(text || "null");
  };
  return {
    url,
    get: (path) => call("GET", path),
    post: (path, body = {}) => call("POST", path, body),
    delete: (path) => call("DELETE", path),
    bytes: async (path) => Buffer.from(await (await fetch(url + path)).arrayBuffer()),
    close: () => new Promise((ok) => (child.on("exit", ok), child.kill())),
  };
}

/** Temporary folders that go with the process's end of a test. */
function folder(name) {
  const dir = mkdtempSync(join(tmpdir(), `kurir-${name}-`));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true, maxRetries: 20 }) };
}

const jail = process.getuid?.() === 0 ? ["--no-sandbox"] : []; // Chromium's own, which root cannot have
const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
// Chromium writes DOM storage after five seconds, with the flag within one. Some clients kill it when they close: on
// a link as young as a test's that would be the same as deleting the profile.
const careful = ["--enable-aggressive-domstorage-flushing"];

async function chromiumArgs(api) {
  return [...jail, ...quiet, ...careful, ...(await api.get("/info")).chromium_args];
}

/** Plain wa-js in a page, linked with the phone `owner`. Pass the profile of an earlier one to come back. */
export async function startWAJS(api, owner, { profile = folder("wajs"), scan = true } = {}) {
  const browser = await puppeteer.launch({ executablePath: chromium(), userDataDir: profile.dir, args: await chromiumArgs(api) });
  const page = (await browser.pages())[0];
  const errors = [];
  page.on("pageerror", (e) => errors.push(String(e)));
  await page.evaluateOnNewDocument("window.WPPConfig = { disableGoogleAnalytics: true }");
  await page.evaluateOnNewDocument(readFileSync(require.resolve("@wppconnect/wa-js"), "utf8"));
  await page.goto("https://web.whatsapp.com/");
  if (scan) {
    // wa-js builds four of the five parts (see the notes); the page shows all.
    const qr = await until("a QR", () => page.evaluate(() => document.querySelector("[data-ref]")?.dataset.ref));
    await api.post(`/phones/${owner}/scan`, { qr });
  }
  await until("wa-js is linked", () => page.evaluate(() => window.WPP?.isFullReady && window.require("WAWebStreamModel").Stream.mode === "MAIN"));
  return {
    page,
    profile,
    errors,
    run: (f, ...args) => page.evaluate(f, ...args),
    stop: () => browser.close(),
    close: async () => (await browser.close(), profile.remove()),
  };
}

let forgiven;
const pageWent = /Execution context was destroyed|Target closed|Session closed|detached [Ff]rame|frame was detached/;

/**
 * whatsapp-web.js injects itself into each page that is navigated to and handles no failure of that: the page that
 * follows a logout goes away under it. For node's test runner an unhandled rejection is a failure; this one is not.
 */
function forgiveInjections() {
  const { emit } = process;
  process.emit = function (name, reason, ...more) {
    if (name === "unhandledRejection" && pageWent.test(reason?.message)) return true;
    return emit.call(this, name, reason, ...more);
  };
  return true;
}

/** whatsapp-web.js with LocalAuth, or with `keep: false` in a profile that Chromium makes and nobody deletes meanwhile. */
export async function startWWebJS(api, owner, { profile = folder("wwebjs"), scan = true, keep = true } = {}) {
  const { Client, LocalAuth, NoAuth } = require("whatsapp-web.js");
  forgiven ??= forgiveInjections();
  const client = new Client({
    authStrategy: keep ? new LocalAuth({ dataPath: profile.dir }) : new NoAuth(),
    webVersionCache: { type: "none" },
    puppeteer: { executablePath: chromium(), args: await chromiumArgs(api) },
  });
  let qrs = 0;
  let latest;
  client.on("qr", (qr) => (qrs++, (latest = qr)));
  const ready = new Promise((ok, fail) => {
    client.once("ready", ok);
    client.once("auth_failure", fail);
  });
  // It adds its listener for the end of the sync last and does not look whether the sync has ended before (see the
  // notes): a login that comes back is not quicker than that.
  const { id } = scan ? {} : await api.post("/faults", { name: "op_hang", op: "offline", account: owner });
  await client.initialize();
  if (id) await api.delete(`/faults/${id}`);
  // Nobody scans in the milliseconds between the first QR and the client's listener for the end of the sync, which it
  // adds last; it does not look whether the sync has ended before (see the notes).
  if (scan) await api.post(`/phones/${owner}/scan`, { qr: await until("a QR", () => latest) });
  await within("whatsapp-web.js is ready", ready);
  return {
    client,
    page: client.pupPage,
    profile,
    qrs: () => qrs,
    run: (f, ...args) => client.pupPage.evaluate(f, ...args),
    stop: () => client.destroy(),
    close: async () => (await client.destroy().catch(() => undefined), profile.remove()),
  };
}

/** wppconnect, headless shell, no closing by itself. */
export async function startWPPConnect(api, owner, { profile = folder("wppconnect"), scan = true } = {}) {
  const wppconnect = require("@wppconnect-team/wppconnect");
  wppconnect.defaultLogger.level = "error";
  const args = await chromiumArgs(api);
  let qrs = 0;
  const client = await wppconnect.create({
    session: "judge",
    folderNameToken: profile.dir,
    autoClose: 0,
    deviceSyncTimeout: 0,
    logQR: false,
    updatesLog: false,
    disableWelcome: true,
    waitForLogin: true,
    headless: "shell",
    browserArgs: args,
    puppeteerOptions: { executablePath: chromium(), args, userDataDir: join(profile.dir, "profile") },
    catchQR: (_image, _ascii, _attempt, qr) => (qrs++, scan && qr && api.post(`/phones/${owner}/scan`, { qr }).catch(() => undefined)),
  });
  const stop = async () => {
    const chromium = client.page.browser().process();
    await client.close().catch(() => undefined);
    // close does not wait for Chromium, which still writes its profile.
    if (chromium && chromium.exitCode === null && chromium.signalCode === null) await within("Chromium ends", new Promise((ok) => chromium.once("exit", ok)));
  };
  return {
    client,
    page: client.page,
    profile,
    qrs: () => qrs,
    run: (f, ...args) => client.page.evaluate(f, ...args),
    stop,
    close: async () => (await stop(), profile.remove()),
  };
}

/** Waits until the link is in Chromium's files, so that a client which kills Chromium does not take it along. */
export function linkWritten(profile) {
  return until("Chromium writes the link", () => {
    const logs = readdirSync(profile.dir, { recursive: true }).filter((f) => f.includes(join("Local Storage", "leveldb")) && f.endsWith(".log"));
    return logs.some((f) => readFileSync(join(profile.dir, f)).includes("last-wid-md"));
  });
}

/** p, or a failure after `ms`. */
export function within(what, p, ms = patience) {
  let timer;
  const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error(`${what}: not within ${ms} ms`)), ms)));
  return Promise.race([p, late]).finally(() => clearTimeout(timer));
}
