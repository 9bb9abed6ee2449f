import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
// Of the house, and of those who have not moved on yet.
const compilers = { "TypeScript 7": here("../../node_modules/typescript/bin/tsc"), "TypeScript 5": here("node_modules/typescript/bin/tsc") };

test("the types of the contract compile, strictly, and say what they should", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "kurir-types-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "kurir.ts"), astToString(await openapiTS(new URL("../openapi.yaml", import.meta.url))));
  copyFileSync(here("use.ts"), join(dir, "use.ts"));
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify({
    compilerOptions: { strict: true, noEmit: true, noUnusedLocals: true, target: "es2022", module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"], types: [] },
    files: ["kurir.ts", "use.ts"],
  }));
  for (const [name, tsc] of Object.entries(compilers)) {
    await t.test(name, () => {
      try {
        execFileSync(process.execPath, [tsc, "-p", dir], { encoding: "utf8" });
      } catch (err) {
        assert.fail(`${err.stdout}${err.stderr}`);
      }
    });
  }
});
