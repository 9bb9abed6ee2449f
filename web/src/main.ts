// The script of the console. htmx swaps what the server sends; this adds what HTML alone cannot do: the countdown of
// the QR code, times in the reader's own zone, dialogs, copying, and saying that the connection is lost.
import "htmx.org";
import "htmx.org/dist/ext/hx-sse.js";
import { copy } from "./copy";
import { clockTimes, countDown, relativeTimes } from "./clock";
import "./phone";

const $ = (id: string): HTMLElement | null => document.getElementById(id);

function dialog(id: string): HTMLDialogElement | null {
  const found = $(id);
  return found instanceof HTMLDialogElement ? found : null;
}

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const { target } = event;
  // A click on the dialog itself, not on what is in it, is one on the backdrop.
  if (target instanceof HTMLDialogElement && target.open && outside(target, event)) target.close();

  const button = target.closest<HTMLElement>("button");
  if (!button) return;
  if (button.hasAttribute("data-closes")) button.closest("dialog")?.close();
  const { opens, copies, dismisses } = button.dataset;
  if (dismisses) $(dismisses)?.replaceChildren();
  if (opens) {
    button.closest("dialog")?.close();
    dialog(opens)?.showModal();
  }
  const source = copies ? $(copies) : null;
  if (source) void copy(source, button);
});

function outside(box: Element, { clientX: x, clientY: y }: MouseEvent): boolean {
  const { left, right, top, bottom } = box.getBoundingClientRect();
  return x < left || x > right || y < top || y > bottom;
}

// What a form asked for is under way: its dialog has done its work, and an old complaint is out of date.
document.addEventListener("htmx:before:request", (event) => {
  if (!(event.target instanceof HTMLFormElement)) return;
  $("notice")?.replaceChildren();
  event.target.closest("dialog")?.close();
});

// The event stream. htmx reconnects by itself; the reader is told only when that takes longer than a moment.
let offline: ReturnType<typeof setTimeout> | undefined;

function connected(yes: boolean): void {
  clearTimeout(offline);
  const banner = $("offline");
  if (!banner) return;
  if (yes) banner.hidden = true;
  else offline = setTimeout(() => (banner.hidden = false), 1500);
}

document.addEventListener("htmx:sse:after:connection", () => connected(true));
document.addEventListener("htmx:sse:error", (event) => {
  const { detail } = event as CustomEvent<{ status?: number }>;
  if (detail.status === 401) location.assign("/"); // signed out elsewhere, or the session is over
  else connected(false);
});
document.addEventListener("htmx:error", (event) => {
  const { target } = event;
  if (!(target instanceof Element)) return;
  connected(false);
  // The very first connection is not tried again by htmx: load the page anew.
  if (target.hasAttribute("hx-sse:connect")) setTimeout(() => location.reload(), 5000);
});

// The page that shows a new key is the answer to a POST: loading it again must not make another instance.
const address = document.querySelector<HTMLElement>("[data-address]")?.dataset["address"];
if (address) history.replaceState(null, "", address);

function tick(): void {
  relativeTimes(document, Date.now());
  clockTimes(document, Date.now());
  countDown(document, performance.now());
}
document.addEventListener("htmx:after:swap", tick);
setInterval(tick, 1000);
tick();
