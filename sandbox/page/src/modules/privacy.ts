// Who may see what of the account. The server keeps it and tells it at every login.

import { define } from "../base/loader";
import { comms } from "../comms";

/** WhatsApp's name of a setting → that of the page. */
const NAMES: Record<string, string> = { last: "lastSeen", online: "online", profile: "profilePicture", status: "about", readreceipts: "readReceipts", groupadd: "groupAdd" };

let settings: Record<string, string> = Object.fromEntries(Object.values(NAMES).map((name) => [name, "all"]));

export const privacySettings = (): Record<string, string> => ({ ...settings });
export function setPrivacySettings(some: Record<string, string>): void {
  settings = { ...settings, ...some };
}

/** Takes what the server says. */
export function keepPrivacy(set: Record<string, string>): void {
  setPrivacySettings(Object.fromEntries(Object.entries(set).flatMap(([name, value]) => (NAMES[name] ? [[NAMES[name], value]] : []))));
}

async function change({ name, value }: { name: string; value: string }): Promise<void> {
  await comms.request("privacy", { name, value });
  keepPrivacy({ [name]: value });
}

export function definePrivacy(): void {
  define("WAWebSetPrivacyForOneCategoryAction", () => ({
    setPrivacyForOneCategory: (request: any, _users: unknown) => change(request),
    privacyWebNameToServerName: (name: string) => Object.keys(NAMES).find((key) => NAMES[key] === name) ?? name,
  }));
  // Who is excepted from a setting: nobody, see the server.
  define("WAWebSchemaPrivacyDisallowedList", () => ({
    PrivacyDisallowedListType: { About: "status", GroupAdd: "groupadd", LastSeen: "last", ProfilePicture: "profile" },
    getPrivacyDisallowedListTable: () => ({ get: async (_name: string) => undefined }),
  }));
}
