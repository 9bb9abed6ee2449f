// Writes sandbox/testdata/bindings.json: the module of the contract that each binding of wa-js resolves to, by running
// wa-js, unmodified, over stand-ins for all the modules of the contract. A Go test holds the page to it. Run it when
// wa-js or the contract changes: node sandbox/page/bindings.mjs [contract.json]
import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const source = process.argv[2] ?? path.join(here, "../../../shared/waweb/contract.json");
const target = path.join(here, "../testdata/bindings.json");
const waJS = path.join(here, "../../node_modules/@wppconnect/wa-js");
if (!fs.existsSync(source)) {
  console.error(`${source} is not there: the bindings stay as they were. Give its path as the first argument.`);
  process.exit(1);
}
const contract = JSON.parse(fs.readFileSync(source, "utf8"));

// What finders read beyond names: texts in the real build's source (waweb/notes.md, "What a simulator must get right").
const TEXTS = {
  "WAWebCollection.default": "Collection initialized without model",
  "WAWebMsgKey.default": "MsgKey error: obj is null/undefined",
  "WAWebSendClearChatAction.sendClear": "WAWebStateUtils",
};

// Models whose module is named otherwise.
const PROXY_NAMES = { WAWebMediaData: "media-data", WAWebGroupParticipantModel: "participant" };

/** A model tells its kind by prototype.proxyName: WAWebMediaDataModel is media-data. */
function proxyName(module) {
  if (PROXY_NAMES[module]) return PROXY_NAMES[module];
  const name = /^WAWeb(\w+)Model$/.exec(module)?.[1];
  return name?.split(/(?=[A-Z])/).join("-").toLowerCase();
}

// An export that the contract misses, seen on the real page (the same notes, and contract.mjs).
contract.modules["WAWebMedia"].exports["uploadProductImage"] = "fn/4";

// Members that the contract misses because they are static or inherited, seen on the real page (the same notes).
const MEMBERS = {
  "WAWebMediaOpaqueData.default": ["createFromData"],
  "WAWebMsgKey.default": ["newId"],
  "WAWebNetworkStatus.default": ["checkOnline"],
  "WAWebWid.default": ["isWid", "isXWid"],
};

/** A stand-in for an export of that kind: true, of a class of its own, and with the members the contract knows. */
function standIn(module, name, kind, methods, made) {
  const [base, fields] = kind.split("{");
  if (base === "number") return 1;
  if (base === "string") return `${module}.${name}`;
  if (base === "bool") return true;
  if (base === "null") return null;
  const members = Object.fromEntries(methods.map((m) => [m, () => {}]));
  const extra = Object.fromEntries((MEMBERS[`${module}.${name}`] ?? []).map((m) => [m, () => {}]));
  const prototypeOf = made[name + "Impl"]?.prototype ?? (function () {}).prototype;
  if (base === "object") {
    const keys = fields ? fields.replace("}", "").split(",") : [];
    if (!keys.length) Object.assign(prototypeOf, members);
    return Object.assign(Object.create(prototypeOf), Object.fromEntries(keys.map((k) => [k, () => {}])), extra);
  }
  const text = TEXTS[`${module}.${name}`] ?? "";
  const value = Object.assign(function () {}, { toString: () => `function(){${text}}` }, extra);
  if (base === "fn/") return value;
  if (base.startsWith("fn/")) return Object.assign(value, { displayName: module.replace(/^WAWeb/, "") });
  // A class, or made at run time: then it can be a class, or the one instance of the module's class.
  Object.assign(value.prototype, members, { proxyName: proxyName(module) });
  if (base !== "class") Object.setPrototypeOf(value, Object.assign(prototypeOf, members));
  return value;
}

function browserLike() {
  const quiet = () => {};
  const element = { style: {}, setAttribute: quiet, appendChild: quiet };
  const global = {
    console: { log: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
    setTimeout: () => 0, clearTimeout: quiet, setInterval: () => 0, clearInterval: quiet, queueMicrotask, performance, crypto, TextEncoder, TextDecoder, URL, URLSearchParams, Blob, atob, btoa, Event, EventTarget,
    localStorage: { getItem: () => null, setItem: quiet }, sessionStorage: { getItem: () => null, setItem: quiet }, navigator: { userAgent: "", language: "" }, location: new URL("https://web.whatsapp.com/"),
    document: { addEventListener: quiet, createElement: () => element, querySelector: () => null, head: element, body: element, documentElement: element }, addEventListener: quiet, removeEventListener: quiet,
    MutationObserver: class { observe() {} }, WPPConfig: { disableGoogleAnalytics: true }, indexedDB: {},
  };
  return Object.assign(global, { window: global, self: global, globalThis: global });
}

const namespaces = {};
for (const [id, { exports, methods = [] }] of Object.entries(contract.modules)) {
  const made = (namespaces[id] = {});
  for (const [name, kind] of Object.entries(exports).sort(([a], [b]) => b.endsWith("Impl") - a.endsWith("Impl"))) made[name] = standIn(id, name, kind, methods, made);
}
// wa-js asks React what a component is; nothing in the contract is one.
namespaces["WAWebReact"] = namespaces["react"] = { Component: class {}, PureComponent: class {} };
const modulesMap = Object.fromEntries(Object.keys(contract.modules).map((id) => [id, { factory: () => {} }]));

const global = Object.assign(browserLike(), {
  ErrorGuard: { skipGuardGlobal() {} },
  importNamespace: (id) => namespaces[id],
  require: (id) => (id === "__debug" ? { modulesMap } : namespaces[id]),
  __d() {},
});
vm.createContext(global);
vm.runInContext(fs.readFileSync(path.join(waJS, "dist/wppconnect-wa.js"), "utf8"), global);
const bindings = vm.runInContext(fs.readFileSync(path.join(here, "bindings-walk.js"), "utf8"), global)(global);

const out = { build: contract.build, "wa-js": JSON.parse(fs.readFileSync(path.join(waJS, "package.json"), "utf8")).version, bindings };
fs.writeFileSync(target, JSON.stringify(out, null, 1) + "\n");
console.log(`${Object.keys(bindings).length} bindings → ${path.relative(process.cwd(), target)}`);
console.log(`no module: ${Object.keys(bindings).filter((name) => bindings[name] === null).join(", ")}`);
