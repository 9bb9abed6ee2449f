// What a person sets on the page and the page keeps for itself, and numbers as people write them.

import { define, R } from "../base/loader";
import { formatPhone } from "./getters";
import { comms } from "../comms";
import { wid, type Wid } from "./ids";

const NAME = "kurir-settings"; // one entry for all of them

/** getX and setX of a setting, kept in localStorage. */
export function setting(name: string, fallback: unknown): Record<string, (...args: any[]) => any> {
  const all = (): Record<string, unknown> => JSON.parse(localStorage.getItem(NAME) ?? "{}");
  return {
    [`get${name}`]: () => all()[name] ?? fallback,
    [`set${name}`]: (value: unknown) => localStorage.setItem(NAME, JSON.stringify({ ...all(), [name]: value })),
  };
}

const TWO_DIGITS = /^(20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/** The country calling code that a number begins with: one digit for 1 and 7, two for those of the list, else three. */
function findCC(digits: string): string {
  return /^[17]/.exec(digits)?.[0] ?? TWO_DIGITS.exec(digits)?.[0] ?? digits.slice(0, 3);
}

const digitsOf = (text: string): string => String(text).split("@")[0]!.replace(/\D/g, "");

async function deviceIds(wids: Wid[]): Promise<{ id: Wid; devices: { id: number }[] }[]> {
  const { counts } = await comms.request("devices", { wids: wids.map(String) });
  return wids.map((w, i) => ({ id: wid(String(w)), devices: Array.from({ length: counts[i] ?? 0 }, (_v, id) => ({ id })) }));
}

export function defineSettings(): void {
  define("WAWebUserPrefsNotifications", () => setting("GlobalOfflineNotifications", true));
  define("WAWebPhoneUtils", () => ({ formattedPhoneNumber: (jid: string) => formatPhone(digitsOf(jid)), formatPhone: (text: string) => formatPhone(digitsOf(text)) }));
  define("WAPhoneFindCC", () => ({ findCC: (text: string) => findCC(digitsOf(text)), phoneCC: (text: string) => findCC(digitsOf(text)), extractDigits: (text: string) => digitsOf(text) }));
  define("WAWebApiDeviceList", () => ({
    getDeviceIds: (wids: Wid[], _options: unknown) => deviceIds(wids),
    getMyDeviceList: async () => (await R("WAWebApiDeviceList").getDeviceIds([R("WAWebUserPrefsMeUser").getMeUser()], undefined))[0],
  }));
  // As many as WhatsApp allows in a group.
  define("WAWebMiscGatingUtils", () => ({ getGroupSizeLimit: (_options: unknown) => 1024 }));
}
