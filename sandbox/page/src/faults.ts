// Faults that happen inside the page, when the server says so: those of the moment come as a push, those that a build
// has from its start come with the page (window.faultsAtStart).

import { importNamespace, removeModule, renameModule } from "./base/loader";
import { renameSerialized } from "./modules/ids";
import type { Pushes } from "./wire";

export function runFault({ name, args }: Pushes["fault"]): void {
  switch (name) {
    case "reload":
      location.reload();
      break;
    case "freeze":
      burn(Number(args?.["ms"] ?? 60_000));
      break;
    case "slow":
      slow(Number(args?.["percent"] ?? 80), Date.now() + Number(args?.["ms"] ?? 60_000));
      break;
    case "memory": {
      const hoard: Uint8Array[] = ((globalThis as any).hoard ??= []);
      hoard.push(new Uint8Array(Number(args?.["mb"] ?? 256) << 20).fill(1));
      break;
    }
    case "remove_module":
      removeModule(String(args?.["module"]));
      break;
    case "rename_module":
      renameModule(String(args?.["module"]), String(args?.["to"]));
      break;
    case "remove_export":
      delete importNamespace(String(args?.["module"]))[String(args?.["export"])];
      break;
    case "rename_serialized":
      renameSerialized();
      break;
    case "second_tab":
      secondTab();
      break;
    case "crash":
      crash();
      break;
  }
}

/** Applies what is wrong with this build. Called when the modules are defined and before anybody can see them. */
export function runFaultsAtStart(): void {
  for (const fault of (globalThis as any).faultsAtStart ?? []) runFault(fault);
}

function burn(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

/** Leaves the page only a part of its time, as a machine does that is busy with something else. */
function slow(percent: number, until: number): void {
  const slice = 100;
  burn((slice * percent) / 100);
  if (Date.now() < until) setTimeout(slow, slice - (slice * percent) / 100, percent, until);
}

/** Another page of the same profile: it finds the same credentials and takes the connection over. */
function secondTab(): void {
  const frame = document.createElement("iframe");
  frame.src = "/";
  document.body.append(frame);
}

/** Ends the renderer: Blink reads nested selectors by recursion, and no stack is deep enough for this one. */
function crash(): void {
  const depth = 100_000;
  document.querySelector(":not(".repeat(depth) + "a" + ")".repeat(depth));
}
