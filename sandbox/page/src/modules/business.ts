// Business profiles. A simulated business has told nothing of itself.

import { define, R } from "../base/loader";
import { BaseCollection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";

class BusinessProfile extends BaseModel {
  getCollection(): any { return R("WAWebBusinessProfileCollection").BusinessProfileCollection; }
  markStale(): void { this.set("stale", true); }
  isValid(): boolean { return !this.stale; }
}
defineModel(BusinessProfile, {
  proxyName: "business-profile",
  props: { id: undefined, tag: undefined, description: undefined, email: undefined, website: undefined, latitude: undefined, longitude: undefined, address: undefined, categories: undefined, businessHours: undefined, profileOptions: undefined },
  session: { stale: false },
});

class BusinessProfileCollectionImpl extends BaseCollection {
  static override model = BusinessProfile;
}

export function defineBusiness(): void {
  define("WAWebBusinessProfileModel", () => ({ BusinessProfile }));
  define("WAWebBusinessProfileCollection", () => ({ BusinessProfileCollection: new BusinessProfileCollectionImpl() }));
}
