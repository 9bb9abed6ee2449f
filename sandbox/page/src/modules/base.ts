// The base classes, under the names clients look for.

import { define } from "../base/loader";
import { BaseCollection, Collection } from "../base/collection";
import { BaseModel, defineModel } from "../base/model";

export function defineBase(): void {
  define("WAWebBaseModel", () => ({
    BaseModel,
    defineModel: (model: any) => defineModel(model, { proxyName: model.Proxy, props: {}, session: {} }),
    idTypeToString: (id: unknown) => String(id),
  }));
  define("WAWebCollection", () => ({ default: Collection }));
  define("WAWebBaseCollection", () => ({ BaseCollection, CollectionSilentQueryError: class CollectionSilentQueryError extends Error {} }));
}
