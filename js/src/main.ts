// Injected into every new document before its own scripts, after wa-js. Must never throw.
import { install } from "./bridge";
import { start } from "./lifecycle";

// Frames inside the page get the script as well; the page is the top one.
if (window.top === window && !("kurir" in window)) {
  try {
    install();
    void start().catch(() => undefined);
  } catch {
    // Then kurir finds no bridge and says so.
  }
}
