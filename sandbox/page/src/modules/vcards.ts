// Contact cards: a card from a contact, and what a card says.

import { define, R } from "../base/loader";
import { formatPhone } from "./getters";

const escaped = (text: string): string => text.replace(/[\\;,]/g, "\\$&").replace(/\n/g, "\\n");
const unescaped = (text: string): string => text.replace(/\\n/g, "\n").replace(/\\(.)/g, "$1");

function card(contact: any): { displayName: string; vcard: string } {
  const displayName = contact.formattedName ?? R("WAWebFrontendContactGetters").getFormattedName(contact);
  const pn = contact.id.isLid() ? R("WAWebApiContact").getPhoneNumber(contact.id) : contact.id;
  const name = escaped(displayName);
  const lines = ["BEGIN:VCARD", "VERSION:3.0", `N:;${name};;;`, `FN:${name}`];
  if (pn) lines.push(`TEL;type=CELL;waid=${pn.user}:${formatPhone(pn.user)}`);
  return { displayName, vcard: [...lines, "END:VCARD"].join("\n") };
}

interface Field {
  params: string[];
  value: string;
}
type Parsed = Record<string, Field[]>;

/** The lines of a card by name, in lower case; undefined when the text is no card. */
function parse(text: string): Parsed | undefined {
  if (!/^BEGIN:VCARD\r?\n[^]*\nEND:VCARD\s*$/.test(text)) return undefined;
  const parsed: Parsed = {};
  for (const line of text.split(/\r?\n/)) {
    const [, name, params, value] = /^(?:item\d+\.)?([\w-]+)((?:;[^:]*)?):(.*)$/.exec(line) ?? [];
    if (name) (parsed[name.toLowerCase()] ??= []).push({ params: params!.split(";").slice(1), value: unescaped(value!) });
  }
  return parsed;
}

export function defineVcards(): void {
  define("WAWebFrontendVcardUtils", () => ({ vcardFromContactModel: (contact: any, _options: unknown) => card(contact) }));
  define("WAWebVcardParsingUtils", () => ({ parseVcard: (text: string) => parse(text) }));
  define("WAWebVcardGetNameFromParsed", () => ({ vcardGetNameFromParsed: (parsed: Parsed) => parsed["fn"]?.[0]?.value ?? "" }));
}
