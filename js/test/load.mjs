// Bundles a source file of the bridge and loads it with a page made of fakes.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

/** A page whose modules are the given namespaces. Call before load. */
export function page(modules, extra = {}) {
  globalThis.window = globalThis;
  const modulesMap = Object.fromEntries(Object.keys(modules).map((k) => [k, { factory() {} }]));
  globalThis.__d = () => {};
  globalThis.require = (id) => (id === "__debug" ? { modulesMap } : modules[id]);
  globalThis.importNamespace = (id) => {
    if (!(id in modules)) throw new Error(`Requiring unknown module "${id}"`);
    if (typeof modules[id] === "function") return modules[id](); // a factory that may throw
    return modules[id];
  };
  globalThis.document = { querySelector: () => null };
  Object.assign(globalThis, extra);
}

let n = 0;
/** The exports of js/src/<name>.ts, bundled with what it imports; fresh at each call. */
export async function load(name) {
  const entry = fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url));
  const out = await build({ entryPoints: [entry], bundle: true, format: "esm", target: "es2022", write: false, logLevel: "silent" });
  return import("data:text/javascript;base64," + Buffer.from(out.outputFiles[0].text + `\n//${n++}`).toString("base64"));
}

/** A Wid as the page has them. */
export function wid(s) {
  const [user, server] = s.split("@");
  return { user, server, _serialized: s, toString: () => s };
}

/** A MsgKey as the page has them. */
export function key(fromMe, remote, id, participant) {
  const s = [fromMe, remote, id, participant].filter((v) => v !== undefined).join("_");
  return { fromMe, remote: wid(remote), id, participant: participant && wid(participant), _serialized: s, toString: () => s };
}
