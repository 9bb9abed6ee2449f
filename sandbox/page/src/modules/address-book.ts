// The address book: somebody gets a name, or loses it.

import { define, R } from "../base/loader";
import { comms } from "../comms";
import { saveContacts } from "./contacts";
import { wid, type Wid } from "./ids";

/** Whom a request means: a number, its wid, or a LID that the page knows. */
function personOf({ phoneNumber, lid }: { phoneNumber?: unknown; lid?: unknown }): Wid {
  if (phoneNumber) return wid(`${String(phoneNumber).split("@")[0]!.replace(/\D/g, "")}@c.us`);
  const pn = lid && R("WAWebApiContact").getPhoneNumber(wid(`${String(lid).split("@")[0]}@lid`));
  if (!pn) throw new Error("contact: no phone number");
  return pn;
}

async function save(who: Wid, firstName: string, lastName: string): Promise<void> {
  const name = [firstName, lastName].filter(Boolean).join(" ");
  await saveContacts([await comms.request("contact", { wid: String(who), name, short_name: firstName })]);
}

export function defineAddressBook(): void {
  define("WAWebSaveContactAction", () => ({
    NetworkUnavailable: class NetworkUnavailable extends Error {},
    saveContactAction: (request: any) => save(personOf(request), request.firstName ?? "", request.lastName ?? ""),
  }));
  define("WAWebDeleteContactAction", () => ({ deleteContactAction: (request: any) => save(personOf(request), "", "") }));
}
