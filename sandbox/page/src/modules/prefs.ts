// Who we are: noise keys and own account in localStorage, registration in the signal store, the ADV secret.
// Registered = noise keys and own wid.

import { define, R } from "../base/loader";
import { prefs, signalStorage } from "../store";
import { privacySettings, setPrivacySettings } from "./privacy";
import { setting } from "./settings";
import { maybeWid, userWid, wid, type Wid } from "./ids";

export interface Device {
  id: string;
  secret: string;
}

function randomB64(bytes: number): string {
  return encodeB64(crypto.getRandomValues(new Uint8Array(bytes)));
}

export function encodeB64(data: ArrayBuffer | Uint8Array): string {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

export function decodeB64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function noise(): { pubKey: string; privKey: string; device?: Device } {
  let info = prefs.get("noise");
  if (!info) prefs.set("noise", (info = { pubKey: randomB64(32), privKey: randomB64(32) }));
  return info;
}

export function device(): Device | undefined {
  return prefs.get("noise")?.device;
}

/** Stores the link, as the pair-success of the real page does. */
export function saveLink(d: Device, me: string, lid: string, pushname: string): void {
  prefs.set("noise", { ...noise(), device: d });
  R("WAWebUserPrefsMeUser").setMe(wid(me));
  R("WAWebUserPrefsMeUser").setMeLid(wid(lid));
  R("WAWebUserPrefsMeUser").setMeDisplayName(pushname);
  R("WAWebUserPrefsMultiDevice").setPairingTimestamp(Date.now());
}

async function registrationInfo(): Promise<any> {
  let info = await signalStorage.get("signal-meta-store", "registration");
  if (!info) {
    info = {
      registrationId: crypto.getRandomValues(new Uint16Array(1))[0]!,
      identityKeyPair: { pubKey: crypto.getRandomValues(new Uint8Array(32)).buffer, privKey: crypto.getRandomValues(new Uint8Array(32)).buffer },
    };
    await signalStorage.put("signal-meta-store", info, "registration");
  }
  return info;
}

/** The text of the QR code for a ref: five parts. */
export async function qrText(ref: string): Promise<string> {
  const registration = await R("WAWebSignalStoreApi").waSignalStore.getRegistrationInfo();
  const info = await R("WAWebUserPrefsInfoStore").waNoiseInfo.get();
  const b64 = R("WABase64");
  const secret = await R("WAWebUserPrefsMultiDevice").getADVSecretKey();
  return [ref, b64.encodeB64(info.staticKeyPair.pubKey), b64.encodeB64(registration.identityKeyPair.pubKey), secret, R("WAWebCompanionRegClientUtils").DEVICE_PLATFORM].join(",");
}

export function definePrefs(): void {
  define("WAWebUserPrefsIsLoggedIn", () => ({
    isLoggedIn: () => R("WAWebUserPrefsMultiDevice").isRegistered(),
  }));
  define("WAWebUserPrefsMultiDevice", () => ({
    isRegistered: () => prefs.get("noise") !== undefined && prefs.get("me") !== undefined,
    getNoiseInfo: () => prefs.get("noise"),
    setNoiseInfo: (info: unknown) => prefs.set("noise", info),
    clearRegistrationInfo: () => prefs.clear(),
    getADVSecretKey() {
      let secret = prefs.get("adv");
      if (!secret) prefs.set("adv", (secret = randomB64(32)));
      return secret;
    },
    setADVSecretKey: (secret: string) => prefs.set("adv", secret),
    getPairingTimestamp: () => prefs.get("pairing"),
    setPairingTimestamp: (t: number) => prefs.set("pairing", t),
  }));
  define("WAWebUserPrefsMeUser", () => {
    const mePn = (): Wid | undefined => maybeWid(prefs.get("me"));
    const meLid = (): Wid | undefined => maybeWid(prefs.get("lid"));
    const pnUser = () => (mePn() ? userWid(mePn()!) : undefined);
    const lidUser = () => (meLid() ? userWid(meLid()!) : undefined);
    const orThrow = (w: Wid | undefined) => {
      if (!w) throw new Error("no me user");
      return w;
    };
    return {
      getMaybeMeDevicePn: () => mePn(),
      getMaybeMeDeviceLid: (_caller?: unknown) => meLid(),
      getMaybeMePnUser: pnUser,
      getMaybeMeLidUser: lidUser,
      getMePnUserOrThrow_DO_NOT_USE: () => orThrow(pnUser()),
      getMeLidUserOrThrow: () => orThrow(lidUser()),
      getMeUser: () => orThrow(pnUser()),
      getMeDevicePnOrThrow_DO_NOT_USE: () => orThrow(mePn()),
      getMeDeviceLidOrThrow: () => orThrow(meLid()),
      getMeDeviceOrThrow: () => orThrow(mePn()),
      getMaybeMeDisplayName: () => prefs.get("pushname"),
      getMeDisplayNameOrThrow: () => prefs.get("pushname"),
      getMePNandLIDWids: () => [pnUser(), lidUser()].filter(Boolean),
      setMe: (w: Wid) => prefs.set("me", w.toString()),
      setMeLid: (w: Wid) => prefs.set("lid", w.toString()),
      setMeDisplayName: (name: string) => prefs.set("pushname", name),
      isMeAccount: (w: Wid) => !!w && (userWid(w) === pnUser() || userWid(w) === lidUser()),
      isMeAccountNonLid: (w: Wid) => !!w && userWid(w) === pnUser(),
      isMePnUser: (w: Wid) => !!w && userWid(w) === pnUser(),
      isMeDevice: (w: Wid) => !!w && (w === mePn() || w === meLid()),
      isSerializedWidMe: (text: string) => text === pnUser()?.toString() || text === lidUser()?.toString(),
    };
  });
  define("WAWebUserPrefsInfoStore", () => ({
    waNoiseInfo: {
      get: async () => ({ staticKeyPair: { pubKey: decodeB64(noise().pubKey), privKey: decodeB64(noise().privKey) } }),
      getUnlockedNoiseInfo: async () => noise(),
    },
  }));
  define("WAWebSignalStoreApi", () => ({
    waSignalStore: {
      getRegistrationInfo: () => registrationInfo(),
      getMeta: (key: string) => signalStorage.get("signal-meta-store", key),
      putMeta: (key: string, value: unknown) => signalStorage.put("signal-meta-store", value, key),
      clearCredential: () => signalStorage.destroy(),
    },
  }));
  define("WAWebAdvSignatureApi", () => ({
    getADVSecretKey: () => R("WAWebUserPrefsMultiDevice").getADVSecretKey(),
    generateADVSecretKey: () => R("WAWebUserPrefsMultiDevice").setADVSecretKey(randomB64(32)),
    setADVSignedIdentity: (_identity: unknown) => {},
    clearADVSecretKey: () => prefs.set("adv", undefined),
  }));
  define("WABase64", () => ({
    encodeB64: (data: ArrayBuffer) => encodeB64(data),
    decodeB64: (text: string) => decodeB64(text).buffer,
    isBase64: (text: string) => /^[A-Za-z0-9+/]*={0,2}$/.test(text),
    encodeB64UrlSafe: (data: ArrayBuffer, _padding?: boolean) => encodeB64(data).replaceAll("+", "-").replaceAll("/", "_"),
    decodeB64UrlSafe: (text: string, _padding?: boolean) => decodeB64(text.replaceAll("-", "+").replaceAll("_", "/")).buffer,
    sizeWhenB64Decoded: (text: string) => Math.floor((text.replace(/=+$/, "").length * 3) / 4),
  }));
  define("WAWebCompanionRegClientUtils", () => ({
    DEVICE_PLATFORM: "1",
    getCompanionWebClientFromBrowser: () => 1,
  }));
  define("WAWebUserPrefsGeneral", () => ({
    getPushname: () => prefs.get("pushname"),
    setPushname: (name: string) => prefs.set("pushname", name),
    getBrowserId: () => prefs.get("adv"),
    setBrowserId: (_id: string) => {},
    ...setting("Theme", "default"),
    ...setting("AutoDownloadPhotos", true),
    ...setting("AutoDownloadAudio", true),
    ...setting("AutoDownloadVideos", true),
    ...setting("AutoDownloadDocuments", true),
    getUserPrivacySettings: () => privacySettings(),
    setUserPrivacySettings: (settings: Record<string, string>) => setPrivacySettings(settings),
  }));
}
