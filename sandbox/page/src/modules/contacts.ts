// Contacts, the map between phone numbers and LIDs, the blocklist, and whether a number is on WhatsApp.

import { define, R } from "../base/loader";
import { BaseCollection, Collection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";
import { comms } from "../comms";
import { modelStorage, writeRows } from "../store";
import type { WireContact } from "../wire";
import { maybeWid, userWid, wid, type Wid } from "./ids";

export class Contact extends BaseModel {
  getCollection(): unknown { return R("WAWebContactCollection").ContactCollection; }
  getProfilePicThumb(): unknown { return R("WAWebProfilePicThumbCollection").ProfilePicThumbCollection.gadd(this.id); }
  getStatus(): unknown { return undefined; }
  isActive(): boolean { return true; }
  getCurrentLidContact(): unknown { return R("WAWebApiContact").getCurrentLid(this.id); }
}
defineModel(Contact, {
  proxyName: "contact",
  props: {
    id: undefined, name: undefined, shortName: undefined, pushname: undefined, type: "in", isBusiness: false, isEnterprise: false, isSmb: false, verifiedName: undefined, verifiedLevel: undefined,
    isAddressBookContact: 0, labels: undefined, privacyMode: undefined, syncToAddressbook: undefined, isContactSyncCompleted: 0, disappearingModeDuration: undefined, disappearingModeSettingTimestamp: undefined, username: undefined,
  },
  session: { stale: false, isContactBlocked: false, pendingAction: 0, businessProfile: undefined, commonGroups: undefined },
});

class ContactCollectionImpl extends BaseCollection {
  static override model = Contact;
  getMeContact(): unknown { return this.gadd(R("WAWebUserPrefsMeUser").getMeUser()); }
  getFilteredContacts(): unknown[] { return this.filter((c: any) => c.isAddressBookContact === 1); }
  getGroupContacts(): unknown[] { return this.filter((c: any) => c.id.isGroup()); }
  ensureSorted(): void {}
}

class BlocklistModel extends BaseModel {}
defineModel(BlocklistModel, { proxyName: "blocklist", props: { id: undefined }, session: {} });

class BlocklistCollectionImpl extends Collection {
  static override model = BlocklistModel;
  replaceAllWith(wids: Wid[]): void {
    this._reset();
    this.add(wids.map((id) => ({ id })), { silent: true });
    this.trigger("sort", this);
  }
}

class LidPnCache {
  #lids = new Map<string, Wid>();
  #pns = new Map<string, Wid>();
  add(pn: Wid, lid: Wid): void {
    this.#lids.set(pn._serialized, lid);
    this.#pns.set(lid._serialized, pn);
  }
  getCurrentLid(pn: Wid): Wid | undefined { return this.#lids.get(userWid(pn)._serialized); }
  getPhoneNumber(lid: Wid): Wid | undefined { return this.#pns.get(userWid(lid)._serialized); }
  clear(): void {
    this.#lids.clear();
    this.#pns.clear();
  }
}

interface ContactRow {
  id: string;
  lid?: string;
  name?: string;
  shortName?: string;
  pushname?: string;
  isBusiness?: boolean;
  isAddressBookContact?: 0 | 1;
  blocked?: boolean;
}

function rowOf(c: WireContact): ContactRow {
  return {
    id: wid(c.wid)._serialized,
    lid: c.lid,
    name: c.name,
    shortName: c.short_name,
    pushname: c.pushname,
    isBusiness: c.is_business,
    isAddressBookContact: c.is_my_contact ? 1 : 0,
    blocked: c.blocked,
  };
}

/** Puts rows into memory. Cheap enough for an address book of twenty thousand. */
function show(rows: ContactRow[]): void {
  const { ContactCollection } = R("WAWebContactCollection");
  const cache: LidPnCache = R("WAWebApiContact").lidPnCache;
  const blocked: Wid[] = [];
  const attributes = rows.map(({ lid, blocked: isContactBlocked, ...row }) => {
    const id = wid(row.id);
    if (lid) cache.add(id, wid(lid));
    if (isContactBlocked) blocked.push(id);
    return { ...row, isContactBlocked, id };
  });
  ContactCollection.add(attributes, { merge: true });
  if (blocked.length) {
    const { BlocklistCollection } = R("WAWebBlocklistCollection");
    BlocklistCollection.add(blocked.map((id) => ({ id })));
    BlocklistCollection.trigger("sort", BlocklistCollection);
  }
}

export async function loadContacts(): Promise<void> {
  show(await modelStorage.getAll("contact"));
}

export async function saveContacts(contacts: WireContact[]): Promise<void> {
  const rows = contacts.map(rowOf);
  await writeRows({ contact: rows });
  show(rows);
}

/** Learns a number's LID, name and so on from what the server said about it. */
async function learn(user: { wid?: string; lid?: string; business?: boolean; pushname?: string }): Promise<void> {
  if (!user.wid || !user.lid) return;
  const pn = wid(user.wid);
  R("WAWebApiContact").lidPnCache.add(pn, wid(user.lid));
  if (await modelStorage.get("contact", pn._serialized)) return;
  await writeRows({ contact: [{ id: pn._serialized, lid: user.lid, pushname: user.pushname, isBusiness: user.business, isAddressBookContact: 0 }] });
}

async function queryExists(w: Wid): Promise<any> {
  const { users } = await comms.request("usync", { wids: [w._serialized] });
  const user = users[0];
  if (!user?.exists) return null;
  await learn(user);
  return { wid: maybeWid(user.wid) ?? w, lid: maybeWid(user.lid), biz: !!user.business, bizInfo: undefined, disappearingMode: undefined };
}

async function setBlocked(w: Wid, blocked: boolean): Promise<void> {
  await comms.request("block", { wid: w._serialized, blocked });
  const { BlocklistCollection } = R("WAWebBlocklistCollection");
  if (blocked) BlocklistCollection.add({ id: w });
  else BlocklistCollection.remove(w);
  R("WAWebContactCollection").ContactCollection.gadd(w).set("isContactBlocked", blocked);
  BlocklistCollection.trigger("sort", BlocklistCollection);
}

export function defineContacts(): void {
  define("WAWebContactModel", () => ({ default: Contact }));
  define("WAWebContactCollection", () => ({ ContactCollectionImpl, ContactCollection: new ContactCollectionImpl() }));
  define("WAWebBlocklistCollection", () => ({ BlocklistCollection: new BlocklistCollectionImpl() }));
  define("WAWebLidPnCache", () => ({ LidPnCache }));
  define("WAWebApiContact", () => {
    const lidPnCache: LidPnCache = new (R("WAWebLidPnCache").LidPnCache)();
    return {
      lidPnCache,
      getCurrentLid: (pn: Wid) => lidPnCache.getCurrentLid(pn),
      getLatestLid: (pn: Wid) => lidPnCache.getCurrentLid(pn),
      getPhoneNumber: (lid: Wid) => lidPnCache.getPhoneNumber(lid),
      getAlternateUserWid: (w: Wid) => (w.isLid() ? lidPnCache.getPhoneNumber(w) : lidPnCache.getCurrentLid(w)),
      clearLidPnMappingCache: () => lidPnCache.clear(),
      isAddressBookContact: (w: Wid) => R("WAWebContactCollection").ContactCollection.get(w)?.isAddressBookContact === 1,
      getContactRecord: (w: Wid) => modelStorage.get("contact", w._serialized),
      bulkGetContactRecord: (wids: Wid[]) => Promise.all(wids.map((w) => modelStorage.get("contact", w._serialized))),
    };
  });
  define("WAWebQueryExistsJob", () => ({
    queryWidExists: (w: Wid, _options?: unknown) => queryExists(w),
    queryPhoneExists: (phone: string, _options?: unknown) => queryExists(wid(`${phone.replace(/\D/g, "")}@c.us`)),
    queryExist: (w: Wid, _options?: unknown) => queryExists(w),
    queryWidUsernameExists: async (_w: Wid) => null,
    queryUsernameExists: async (_name: string, _key: unknown, _options: unknown) => null,
  }));
  define("WAWebBlockContactUtils", () => ({
    handleBlock: (contact: any, _options: unknown) => R("WAWebBlockContactAction").blockContact({ contact }),
    handleUnblock: (contact: any, _options: unknown) => R("WAWebBlockContactAction").unblockContact(contact),
  }));
  define("WAWebBlockContactAction", () => ({
    blockContact: (request: any) => setBlocked((request.contact ?? request).id, true),
    unblockContact: (contact: any, _entryPoint: unknown) => setBlocked(contact.id, false),
  }));
}
