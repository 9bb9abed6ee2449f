// copy puts the text of source on the clipboard and lets the button say so for a moment.
export async function copy(source: HTMLElement, button: HTMLElement): Promise<void> {
  if (!(await write(source))) return; // the text stays selected: the reader copies it by hand
  const label = button.textContent ?? "";
  if (button.dataset["busy"]) return;
  button.dataset["busy"] = "1";
  button.textContent = button.dataset["done"] ?? label;
  button.setAttribute("aria-live", "polite");
  setTimeout(() => {
    button.textContent = label;
    delete button.dataset["busy"];
  }, 2000);
}

async function write(source: HTMLElement): Promise<boolean> {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(source.textContent ?? "");
      return true;
    } catch {
      // not allowed: the old way below may be
    }
  }
  // Without TLS, as on a home network, browsers offer no clipboard but still copy what is selected.
  getSelection()?.selectAllChildren(source);
  return document.execCommand("copy");
}
