// Profiles: the own name, about and picture, and those of others.

import { define, R } from "../base/loader";
import { BaseCollection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { comms } from "../comms";
import { change as changeGroup } from "./groups";
import { wid, type Wid } from "./ids";

const STALE_MS = 1000; // a picture that was asked for less than this ago is not asked for again

class ProfilePicThumbImpl extends BaseModel {
  canSet(): boolean {
    if (!this.id.isGroup()) return R("WAWebUserPrefsMeUser").isMeAccount(this.id);
    return !!R("WAWebGroupMetadataCollection").default.get(this.id)?.canSetSubject();
  }
  canDelete(): boolean { return !!this.tag && this.canSet(); }
  markStale(): void { this.set("stale", true); }
  getCollection(): any { return R("WAWebProfilePicThumbCollection").ProfilePicThumbCollection; }
}
defineModel(ProfilePicThumbImpl, {
  proxyName: "profile-pic-thumb",
  props: { id: undefined, eurl: undefined, previewEurl: undefined, img: undefined, imgFull: undefined, tag: undefined, fullDirectPath: undefined, previewDirectPath: undefined, timestamp: undefined },
  session: { stale: false },
});

class ProfilePicThumbCollectionImpl extends BaseCollection {
  static override model = ProfilePicThumbImpl;
  override async find(id: any): Promise<any> {
    const known = this.get(id);
    if (known?.timestamp > Date.now() - STALE_MS) return known;
    return super.find(id);
  }
  override async findQuery(id: any): Promise<any> {
    const who = wid(String(id));
    const found = await R("WAWebContactProfilePicThumbBridge").requestProfilePicFromServer({ id: who });
    const [model] = this.add({ id: who }, { merge: true });
    model.set({ eurl: found.eurl, previewEurl: found.previewEurl, img: found.previewEurl, imgFull: found.eurl, tag: found.tag, timestamp: Date.now(), stale: true });
    return model;
  }
}

async function ask(who: Wid): Promise<{ eurl?: string; previewEurl?: string; tag?: string }> {
  const { url, tag } = await comms.request("profile_picture", { wid: String(who) });
  return { eurl: url, previewEurl: url, tag };
}

/** A data URL, or its base64 part. */
function base64(image: string): string {
  return image.slice(image.indexOf(",") + 1);
}

async function setPicture(who: Wid, change: { picture?: string; remove_picture?: boolean }): Promise<{ status: number; tag?: string }> {
  if (who.isGroup()) await changeGroup({ action: "picture", group: String(who), picture: change.picture });
  else if (!R("WAWebUserPrefsMeUser").isMeAccount(who)) return { status: 401 };
  else await comms.request("profile", change);
  const collection = R("WAWebProfilePicThumbCollection").ProfilePicThumbCollection;
  return { status: 200, tag: (await collection.update(who)).tag };
}

async function setName(name: string): Promise<void> {
  await comms.request("profile", { name });
  R("WAWebUserPrefsMeUser").setMeDisplayName(name);
  R("WAWebConnModel").Conn.set("pushname", name);
}

class TextStatus extends BaseModel {
  getCollection(): any { return R("WAWebTextStatusCollection").TextStatusCollection; }
  isValidTextStatus(): boolean { return false; }
}
defineModel(TextStatus, { proxyName: "text-status", props: { id: undefined, text: undefined, emoji: undefined, ephemeralDurationSeconds: undefined, lastUpdateTime: undefined }, session: { stale: false } });

class TextStatusCollectionImpl extends BaseCollection {
  static override model = TextStatus;
}

export function defineProfile(): void {
  define("WAWebProfilePicThumbModel", () => ({ ProfilePicThumbImpl, ProfilePicThumb: ProfilePicThumbImpl }));
  define("WAWebProfilePicThumbCollection", () => ({ ProfilePicThumbCollection: new ProfilePicThumbCollectionImpl() }));
  define("WAWebContactProfilePicThumbBridge", () => ({
    requestProfilePicFromServer: (request: any) => ask(wid(String(request.id ?? request))),
    sendSetPicture: (who: Wid, _thumbnail: string, picture: string) => setPicture(who, { picture: base64(picture) }),
    requestDeletePicture: (who: Wid) => setPicture(who, { remove_picture: true }),
  }));
  define("WAWebSetPushnameConnAction", () => ({ setPushname: (name: string, _source?: unknown) => setName(name) }));
  define("WAWebTextStatusModel", () => ({ default: TextStatus }));
  define("WAWebTextStatusCollection", () => ({ TextStatusCollection: new TextStatusCollectionImpl(), getDefaultTextStatus: () => ({ text: undefined, emoji: undefined }) }));
  define("WAWebContactStatusBridge", () => ({
    getStatus: async (request: any) => ({ id: request.wid ?? request, status: (await comms.request("about", { wid: String(request.wid ?? request) })).about }),
    setMyStatus: (about: string) => comms.request("profile", { about }),
    queryStatusAll: async () => [],
    sendReadStatus: async (_a: unknown, _b: unknown, _c: unknown) => {},
  }));
}
