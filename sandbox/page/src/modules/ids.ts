// Wid and MsgKey: who and which message. Wids are interned, so the same id is the same object.

import { define, R } from "../base/loader";

const SERVERS: Record<string, string> = { "s.whatsapp.net": "c.us" };

export class Wid {
  server: string;
  user: string;
  device?: number;
  _serialized: string;

  constructor(serialized: string) {
    const at = serialized.lastIndexOf("@");
    if (at < 0) throw new Error(`wid error: invalid wid ${serialized}`);
    const server = serialized.slice(at + 1);
    const colon = serialized.indexOf(":");
    this.server = SERVERS[server] ?? server;
    this.user = serialized.slice(0, colon < 0 ? at : colon);
    if (colon >= 0) this.device = Number(serialized.slice(colon + 1, at));
    this._serialized = server === this.server ? serialized : `${serialized.slice(0, at)}@${this.server}`;
    if (renamed) hideSerialized(this);
  }

  toString(): string { return this._serialized; }
  toJSON(): string { return this._serialized; }
  toLogString(): string { return `${this.user.slice(0, 2)}…@${this.server}`; }
  toJid(): string { return this.server === "c.us" ? `${this.user}@s.whatsapp.net` : this._serialized; }
  getJidServer(): string { return this.server === "c.us" ? "s.whatsapp.net" : this.server; }
  getDeviceId(): number { return this.device ?? 0; }
  equals(other: any): boolean { return !!other && other._serialized === this._serialized; }
  isLessThan(other: Wid): boolean { return this._serialized < other._serialized; }
  isGreaterThan(other: Wid): boolean { return this._serialized > other._serialized; }
  isCompanion(): boolean { return !!this.device; }
  isSameAccountAndAddressingMode(other: any): boolean { return !!other && other.user === this.user && other.server === this.server; }
  isUser(): boolean { return this.server === "c.us" || this.server === "lid"; }
  isLid(): boolean { return this.server === "lid"; }
  isHostedLid(): boolean { return false; }
  isHosted(): boolean { return false; }
  isUserNotPSA(): boolean { return this.isUser() && !this.isPSA(); }
  isRegularUser(): boolean { return this.isUserNotPSA(); }
  isRegularUserPn(): boolean { return this.server === "c.us" && !this.isPSA(); }
  isBroadcast(): boolean { return this.server === "broadcast"; }
  isBroadcastList(): boolean { return this.isBroadcast() && !this.isStatus(); }
  isOfficialBizAccount(): boolean { return false; }
  isEligibleForUSync(): boolean { return this.isRegularUser(); }
  isGroup(): boolean { return this.server === "g.us"; }
  isGroupCall(): boolean { return this.server === "call"; }
  isServer(): boolean { return this.user === "" || this.user === "server"; }
  isPSA(): boolean { return this._serialized === "0@c.us"; }
  isIAS(): boolean { return false; }
  isAiHub(): boolean { return false; }
  isStatus(): boolean { return this._serialized === "status@broadcast"; }
  isSupportAccount(): boolean { return false; }
  isCAPISupportAccount(): boolean { return false; }
  isNewsletter(): boolean { return this.server === "newsletter"; }
  isBot(): boolean { return this.server === "bot"; }
  isPnBot(): boolean { return false; }
  isFbidBot(): boolean { return this.server === "bot"; }

  static isWid(value: unknown): boolean { return value instanceof Wid || (typeof value === "string" && /^[^@\s]+@[^@\s]+$/.test(value)); }
  static isXWid(server: string, value: unknown): boolean { return Wid.isWid(value) && String(value).endsWith("@" + server); }
  static isUser(value: unknown): boolean { return Wid.isXWid("c.us", value) || Wid.isXWid("lid", value); }
  static isLid(value: unknown): boolean { return Wid.isXWid("lid", value); }
  static isGroup(value: unknown): boolean { return Wid.isXWid("g.us", value); }
  static isBroadcast(value: unknown): boolean { return Wid.isXWid("broadcast", value); }
  static isStatus(value: unknown): boolean { return String(value) === "status@broadcast"; }
  static isNewsletter(value: unknown): boolean { return Wid.isXWid("newsletter", value); }
}

const interned = new Map<string, Wid>();

let renamed = false;

/** The fault of a build whose minifier calls _serialized $1: ids made from now on have the new name for everybody but this script. */
export function renameSerialized(): void {
  renamed = true;
  interned.clear();
}

function hideSerialized(id: any): void {
  id.$1 = id._serialized;
  // Who asks is seen on the stack: this bundle, or a client that was injected.
  const own = () => /page\.js/.test(new Error().stack!.split("\n")[3] ?? "");
  Object.defineProperty(id, "_serialized", { get: () => (own() ? id.$1 : undefined), enumerable: false });
}

/** wid makes, or finds, the Wid of a serialized id; x@s.whatsapp.net is x@c.us. */
export function wid(serialized: string): Wid {
  let known = interned.get(serialized);
  if (!known) {
    known = new Wid(serialized);
    if (known._serialized !== serialized) known = wid(known._serialized);
    interned.set(serialized, known);
  }
  return known;
}

export function maybeWid(serialized: string | undefined | null): Wid | undefined {
  return serialized ? wid(serialized) : undefined;
}

/** The account without the device: 628…:12@c.us → 628…@c.us. */
export function userWid(w: Wid): Wid {
  return w.device === undefined ? w : wid(`${w.user}@${w.server}`);
}

function asWid(value: any): Wid {
  if (value instanceof Wid) return wid(value._serialized);
  return wid(typeof value === "string" ? value : value._serialized);
}

export class MsgKey {
  fromMe!: boolean;
  remote!: Wid;
  id!: string;
  participant?: Wid;
  self?: "in" | "out";
  _serialized!: string;

  constructor(obj: any) {
    if (!obj) throw new Error("MsgKey error: obj is null/undefined");
    const prefs = R("WAWebUserPrefsMeUser");
    const me = prefs.getMaybeMePnUser();
    if (!me) throw new Error("MsgKey error: no me user");
    if (obj.from !== undefined && obj.remote === undefined) {
      this.fromMe = prefs.isMeAccount(asWid(obj.from));
      this.remote = asWid(this.fromMe ? obj.to : obj.from);
      if (obj.selfDir && prefs.isMeAccount(this.remote)) this.self = obj.selfDir;
    } else {
      this.fromMe = !!obj.fromMe;
      this.remote = asWid(obj.remote);
      if (obj.self) this.self = obj.self;
    }
    this.id = obj.id;
    if (obj.participant) this.participant = asWid(obj.participant);
    this._serialized = [this.fromMe, this.remote, this.id, this.self, this.participant].filter((part) => part !== undefined).join("_");
    if (renamed) hideSerialized(this);
  }

  toString(): string {
    return this._serialized;
  }

  clone(): MsgKey {
    return new MsgKey(this);
  }

  equals(other: any): boolean {
    return !!other && String(other) === this._serialized;
  }

  /** 3EB0 and 18 hex digits. */
  static newId(): string {
    return "3EB0" + R("WARandomHex").randomHex(9);
  }

  static fromString(serialized: string): MsgKey {
    const [fromMe, remote, id, a, b] = serialized.split("_");
    if (id === undefined || (fromMe !== "true" && fromMe !== "false")) throw new Error(`MsgKey error: invalid key ${serialized}`);
    const self = a === "in" || a === "out" ? a : undefined;
    return new MsgKey({ fromMe: fromMe === "true", remote, id, self, participant: self ? b : a });
  }

  static from(value: any): MsgKey {
    return value instanceof MsgKey ? value : typeof value === "string" ? MsgKey.fromString(value) : new MsgKey(value);
  }
}

export function defineIds(): void {
  define("WAWebWid", () => ({ default: Wid }));
  define("WAWebMsgKey", () => ({ default: MsgKey }));
  define("WARandomHex", () => ({
    randomHex: (bytes: number) => [...crypto.getRandomValues(new Uint8Array(bytes))].map((b) => b.toString(16).padStart(2, "0")).join("").toUpperCase(),
  }));
  define("WAWebWidFactory", () => ({
    // A function of the old kind, as all of the real page are: wppconnect calls this one with "new".
    createWid: function (value: any) { return asWid(value); },
    createWidFromWidLike: (value: any) => asWid(value),
    isWidlike: (value: any) => value instanceof Wid || (!!value && typeof value === "object" && typeof value.user === "string" && typeof value.server === "string"),
    createUserWidOrThrow(user: string, server: string) {
      return userWid(wid(user.includes("@") ? user : `${user}@${server ?? "c.us"}`));
    },
    createUserLidOrThrow: (user: string, _server: string) => userWid(wid(user.includes("@") ? user : `${user}@lid`)),
    createDeviceWidOrThrow: (value: any) => asWid(value),
    createDeviceWidFromWidOrThrow: (value: any) => asWid(value),
    createDeviceWidFromUserAndDevice: (user: string, server: string, device: number) => wid(`${user}:${device}@${server}`),
    asUserWidOrThrow: (value: any) => userWid(expectWid(value, "isUser")),
    asUserLidOrThrow: (value: any) => userWid(expectWid(value, "isLid")),
    asChatWid: (value: any) => userWid(asWid(value)),
    asGroupWidOrThrow: (value: any) => expectWid(value, "isGroup"),
    asNewsletterWidOrThrow: (value: any) => expectWid(value, "isNewsletter"),
    asBotWidOrThrow: (value: any) => expectWid(value, "isBot"),
  }));
}

function expectWid(value: any, test: "isUser" | "isLid" | "isGroup" | "isNewsletter" | "isBot"): Wid {
  const w = asWid(value);
  if (!w[test]()) throw new Error(`wid error: ${w.toLogString()} is not what was asked for (${test})`);
  return w;
}
