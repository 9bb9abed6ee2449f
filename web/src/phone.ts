// The simulated phone: what a person writes into it. What arrives is swapped in by htmx.

// Enter sends where there is a keyboard; on a touch screen it makes a new line, as on a phone.
document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (!(target instanceof HTMLTextAreaElement) || !target.hasAttribute("data-enter-sends")) return;
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
  event.preventDefault();
  if (target.form && filled(target.form)) target.form.requestSubmit();
});

function filled(form: HTMLFormElement): boolean {
  return [...new FormData(form)].some(([name, value]) => (name === "text" ? value !== "" : value instanceof File && value.name !== ""));
}

// The name of the chosen file is shown, and can be taken back.
document.addEventListener("change", (event) => {
  if (event.target instanceof HTMLInputElement && event.target.dataset["shows"]) show(event.target);
});

function show(input: HTMLInputElement): void {
  const chip = document.getElementById(input.dataset["shows"] ?? "");
  const file = input.files?.[0];
  if (!chip) return;
  chip.hidden = !file;
  const words = chip.querySelector("bdi");
  if (words) words.textContent = file?.name ?? "";
}

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const id = event.target.closest<HTMLElement>("[data-unchooses]")?.dataset["unchooses"];
  const input = id ? document.getElementById(id) : null;
  if (!(input instanceof HTMLInputElement)) return;
  input.value = "";
  show(input);
});

// What was sent leaves the field; what was refused stays.
document.addEventListener("htmx:after:request", (event) => {
  const { target, detail } = event as CustomEvent<{ ctx?: { response?: { raw?: Response; status?: number } } }>;
  if (!(target instanceof HTMLFormElement) || !target.hasAttribute("data-clears")) return;
  const response = detail.ctx?.response;
  if ((response?.status ?? response?.raw?.status ?? 0) !== 204) return;
  target.reset();
  for (const input of target.querySelectorAll<HTMLInputElement>("input[data-shows]")) show(input);
  target.querySelector("textarea")?.focus();
});
