// Wids as jids, and the two addresses of an account.

import { define, R } from "../base/loader";
import { userWid, wid, type Wid } from "./ids";

function toPn(w: Wid): Wid | undefined {
  return w.isLid() ? R("WAWebApiContact").getPhoneNumber(w) : w;
}

function toLid(w: Wid): Wid | undefined {
  return w.isLid() ? w : R("WAWebApiContact").getCurrentLid(w);
}

export function defineJids(): void {
  define("WAWebWidToJid", () => ({
    widToUserJid: (w: Wid) => userWid(w).toJid(),
    widToDeviceJid: (w: Wid) => w.toJid(),
    widToGroupJid: (w: Wid) => w.toJid(),
    widToChatJid: (w: Wid) => w.toJid(),
  }));
  define("WAWebJidToWid", () => ({
    userJidToUserWid: (jid: string) => userWid(wid(jid)),
    chatJidToChatWid: (jid: string) => userWid(wid(jid)),
    groupJidToWid: (jid: string) => wid(jid),
  }));
  define("WAWebLidMigrationUtils", () => ({
    toPn: (w: Wid) => toPn(w),
    toLid: (w: Wid) => toLid(w),
    toUserLid: (w: Wid) => toLid(userWid(w)),
    chatIsLid: (chat: any) => chat.id.isLid(),
  }));
}
