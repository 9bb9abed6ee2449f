// Times on the page. The server sends how long a QR code still lives, not when it ends: the clock of the reader's phone
// may be wrong.

const deadlines = new WeakMap<HTMLElement, { left: string; at: number }>();

// countDown shows how many seconds the QR code still lives. now is of a clock that only goes forward, milliseconds.
export function countDown(root: ParentNode, now: number): void {
  for (const line of root.querySelectorAll<HTMLElement>("[data-left]")) {
    const { left = "0", text = "", over = "" } = line.dataset;
    let deadline = deadlines.get(line);
    if (deadline?.left !== left) {
      deadline = { left, at: now + Number(left) * 1000 };
      deadlines.set(line, deadline);
    }
    const seconds = Math.max(0, (deadline.at - now) / 1000);
    const words = line.querySelector("span");
    if (words) setText(words, seconds > 0 ? text.replace("%s", String(Math.ceil(seconds))) : over);
    const bar = line.querySelector("progress");
    if (bar) {
      bar.max = Number(left) > 20 ? 60 : 20; // WhatsApp's first code lives 60 s, the others 20
      bar.value = seconds;
    }
  }
}

// relativeTimes writes times as "5 minutes ago" in the language of the page; now is the wall clock, milliseconds.
export function relativeTimes(root: ParentNode, now: number): void {
  const { lang } = document.documentElement;
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
  const absolute = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-relative]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    setText(time, phrase(relative, (at.getTime() - now) / 1000));
    time.title = absolute.format(at);
  }
}

// clockTimes writes times as a phone does: the hour and minute, with the day when that is not today.
export function clockTimes(root: ParentNode, now: number): void {
  const { lang } = document.documentElement;
  const hour = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hour12: false });
  const day = new Intl.DateTimeFormat(lang, { day: "numeric", month: "short" });
  const absolute = new Intl.DateTimeFormat(lang, { dateStyle: "full", timeStyle: "medium" });
  const today = day.format(now);
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-clock]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const date = day.format(at);
    setText(time, date === today ? hour.format(at) : `${date}, ${hour.format(at)}`);
    time.title = absolute.format(at);
  }
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

function phrase(format: Intl.RelativeTimeFormat, seconds: number): string {
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(0, "second"); // "now", without a number that changes every second
}

function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
