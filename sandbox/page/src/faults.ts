// Faults that happen inside the page, when the server says so.

import { importNamespace, removeModule } from "./base/loader";
import type { Pushes } from "./wire";

export function runFault({ name, args }: Pushes["fault"]): void {
  switch (name) {
    case "reload":
      location.reload();
      break;
    case "freeze": {
      const until = Date.now() + Number(args?.["ms"] ?? 60_000);
      while (Date.now() < until);
      break;
    }
    case "memory": {
      const hoard: Uint8Array[] = ((globalThis as any).hoard ??= []);
      hoard.push(new Uint8Array(Number(args?.["mb"] ?? 256) << 20).fill(1));
      break;
    }
    case "remove_module":
      removeModule(String(args?.["module"]));
      break;
    case "remove_export":
      delete importNamespace(String(args?.["module"]))[String(args?.["export"])];
      break;
    case "crash":
      location.href = "chrome://crash";
      break;
  }
}
