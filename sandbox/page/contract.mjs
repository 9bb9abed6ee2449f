// Copies the part of the contract that the page uses to sandbox/testdata/contract.json, which a Go test holds the
// built page to. Run it after adding a module: node sandbox/page/contract.mjs
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const source = process.argv[2] ?? path.join(here, "../../../shared/waweb/contract.json");
const target = path.join(here, "../testdata/contract.json");

if (!fs.existsSync(source)) {
  console.error(`${source} is not there: the contract stays as it was. Give its path as the first argument.`);
  process.exit(1);
}
const contract = JSON.parse(fs.readFileSync(source, "utf8"));

const files = fs.readdirSync(path.join(here, "src"), { recursive: true }).filter((f) => f.endsWith(".ts"));
const defined = new Set();
for (const file of files) {
  for (const [, id] of fs.readFileSync(path.join(here, "src", file), "utf8").matchAll(/\bdefine\("([^"]+)"/g)) defined.add(id);
}
const unknown = [...defined].filter((id) => !contract.modules[id]);
if (unknown.length) {
  console.error(`not in the contract: ${unknown.join(", ")}`);
  process.exit(1);
}

const out = {
  build: contract.build,
  modules: Object.fromEntries([...defined].sort().map((id) => [id, contract.modules[id].exports])),
  methods: Object.fromEntries([...defined].sort().flatMap((id) => (contract.modules[id].methods ? [[id, contract.modules[id].methods]] : []))),
  // Exports that the derived contract misses, because the real module builds them at run time. Each was seen on the
  // real page: waweb/notes.md, "Modules per flow".
  seen: { WAWebMedia: { uploadProductImage: "fn/4" } },
  // Methods that the contract misses because they are inherited: wa-js finds its NetworkStatus, which it did on the real
  // page, by this one.
  seenMethods: { WAWebNetworkStatus: ["checkOnline"] },
  // What the build lacks, whatever the contract or a client says: waweb/notes.md, "Absent on this build".
  absent: {
    exports: ["queryCollectionsIQ", "msgFindQuery", "muteNewsletter", "subscribeGroupPresence", "unmuteNewsletter", "SYSTEM_MESSAGE_TYPES"],
    members: { WAWebCmd: { Cmd: ["refreshQR", "isMainLoaded"] } },
  },
};
fs.mkdirSync(path.dirname(target), { recursive: true });
fs.writeFileSync(target, JSON.stringify(out, null, 1) + "\n");
console.log(`${defined.size} modules → ${path.relative(process.cwd(), target)}`);
