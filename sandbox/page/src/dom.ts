// What is to be seen: the landing page with the QR code, or the app. Clients read the QR text at [data-ref] > canvas
// and tell "linked" by .app.two.

import { R } from "./base/loader";
import { qrText } from "./modules/prefs";

const CELLS = 33;

/** A picture that looks like a QR code; the text is in data-ref. */
function drawCode(canvas: HTMLCanvasElement, text: string): void {
  const size = (canvas.width = canvas.height = CELLS * 8);
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  context.fillStyle = "#111";
  let state = 2166136261;
  for (let i = 0; i < CELLS * CELLS; i++) {
    state = Math.imul(state ^ text.charCodeAt(i % text.length), 16777619);
    if (state & 0x10000) context.fillRect((i % CELLS) * 8, Math.floor(i / CELLS) * 8, 8, 8);
  }
}

async function showLanding(app: HTMLElement): Promise<void> {
  const ref = R("WAWebConnModel").Conn.ref;
  const state = R("WAWebSocketModel").Socket.state;
  if (!app.querySelector(".landing-wrapper")) {
    app.className = "app";
    app.innerHTML = '<div class="landing-wrapper"><h1>kurir sandbox</h1><p>A simulator of WhatsApp Web. Scan with a simulated phone.</p></div>';
  }
  const wrapper = app.querySelector(".landing-wrapper")!;
  const shown = () => wrapper.querySelector<HTMLElement>("[data-ref]");
  if (!ref || state === "UNPAIRED_IDLE") {
    shown()?.remove();
    return;
  }
  const text = await qrText(ref);
  if (R("WAWebConnModel").Conn.ref !== ref || R("WAWebSocketModel").Socket.state === "UNPAIRED_IDLE" || !wrapper.isConnected) return;
  const old = shown();
  const box = old ?? document.createElement("div");
  if (box.dataset["ref"] === text) return;
  if (!old) box.appendChild(document.createElement("canvas"));
  box.dataset["ref"] = text;
  drawCode(box.querySelector("canvas")!, text);
  if (!old) wrapper.appendChild(box);
}

function showApp(app: HTMLElement): void {
  if (app.classList.contains("two")) return;
  app.className = "app two";
  app.innerHTML = '<div id="side"><h1>kurir sandbox</h1><p>Linked.</p></div><div id="main"></div>';
}

export function render(): void {
  const app = document.querySelector<HTMLElement>("#app > div")!;
  if (R("WAWebStreamModel").Stream.mode === "QR") void showLanding(app);
  else showApp(app);
}

export function watch(): void {
  for (const model of [R("WAWebStreamModel").Stream, R("WAWebSocketModel").Socket]) model.on("change", render);
  R("WAWebConnModel").Conn.on("change:ref", render);
  render();
}
