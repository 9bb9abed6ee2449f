// Collections of models: ordered, indexed by id through toString, and an event emitter for everything that
// happens to their models.

import { EventEmitter } from "./emitter";
import { BaseModel, type SetOptions } from "./model";

export interface AddOptions extends SetOptions {
  at?: number;
}

export class Collection extends EventEmitter {
  [key: string]: any;
  static model: any;
  static comparator?: (a: any, b: any) => number;
  declare _models: any[];
  declare _index: Map<string, any>;
  declare parent: any;
  declare modelClass: any;

  constructor(models?: unknown, options?: { parent?: unknown }) {
    super();
    const own = this.constructor as typeof Collection;
    if (!own.model) throw new Error("Collection initialized without model");
    this.modelClass = own.model;
    this.parent = options?.parent;
    this._models = [];
    this._index = new Map();
    if (models) this.add(models, { silent: true });
  }

  get length(): number {
    return this._models.length;
  }

  /** add takes models or attributes, one or many, and returns the models in an array. */
  add(values: any, options: AddOptions = {}): any[] {
    const list = Array.isArray(values) ? values : [values];
    const fresh: any[] = [];
    const result = list.map((value) => {
      const known = this.get(value instanceof BaseModel ? value.id : value?.id);
      if (known) {
        if (options.merge && known !== value) known.set(value instanceof BaseModel ? value.attributes : value, options);
        return known;
      }
      const model = this.isModel(value) ? value : new this.modelClass(value, { collection: this });
      model.collection ??= this;
      this._index.set(String(model.id), model);
      fresh.push(model);
      return model;
    });
    if (fresh.length) insert(this, fresh, options.at);
    if (!options.silent) for (const model of fresh) this.trigger("add", model, this, options);
    return result;
  }

  set(values: any, options: AddOptions = {}): any[] {
    return this.add(values, { merge: true, ...options });
  }

  remove(values: any, options: SetOptions = {}): any[] {
    const removed: any[] = [];
    for (const value of Array.isArray(values) ? values : [values]) {
      const model = this.get(value instanceof BaseModel ? value.id : value);
      if (!model) continue;
      this._index.delete(String(model.id));
      this._models.splice(this._models.indexOf(model), 1);
      if (model.collection === this) model.collection = undefined;
      removed.push(model);
      if (!options.silent) {
        model.trigger("remove", model, this, options);
        if (model.collection !== this) this.trigger("remove", model, this, options);
      }
    }
    return removed;
  }

  reset(): void {
    this._reset();
    this.trigger("reset", this);
  }

  _reset(): void {
    this._models = [];
    this._index.clear();
  }

  sort(options: SetOptions = {}): this {
    const compare = (this.constructor as typeof Collection).comparator;
    if (compare) this._models.sort(compare);
    if (!options.silent) this.trigger("sort", this);
    return this;
  }

  get(id: any): any {
    return id === undefined || id === null ? undefined : this._index.get(typeof id === "string" ? id : id.toString());
  }

  assertGet(id: any): any {
    const model = this.get(id);
    if (!model) throw new Error(`${this.modelClass.name} ${id} not found`);
    return model;
  }

  replaceId(from: any, to: any): void {
    const model = this.get(from);
    if (!model) return;
    this._index.delete(String(from));
    this._index.set(String(to), model);
    model.set("id", to);
  }

  at(position: number): any { return this._models[position]; }
  head(): any { return this._models[0]; }
  last(): any { return this._models[this._models.length - 1]; }
  serialize(): any[] { return this._models.map((m) => m.serialize()); }
  toJSON(): any[] { return this.serialize(); }
  isModel(value: any): boolean { return value instanceof BaseModel; }
  includes(model: any): boolean { return this._models.includes(model); }
  indexOf(model: any): number { return this._models.indexOf(model); }
  lastIndexOf(model: any): number { return this._models.lastIndexOf(model); }
  every(fn: any, self?: any): boolean { return this._models.every(fn, self); }
  some(fn: any, self?: any): boolean { return this._models.some(fn, self); }
  forEach(fn: any, self?: any): void { this._models.forEach(fn, self); }
  map(fn: any, self?: any): any[] { return this._models.map(fn, self); }
  compactMap(fn: any): any[] { return this._models.map(fn).filter((v) => v !== undefined && v !== null); }
  countWhere(fn: any): number { return this._models.filter(fn).length; }
  sumBy(fn: any): number { return this._models.reduce((sum, m) => sum + fn(m), 0); }
  filter(fn: any, self?: any): any[] { return this._models.filter(fn, self); }
  findFirst(fn: any, self?: any): any { return this._models.find(fn, self); }
  findLast(fn: any, self?: any): any { return this._models.findLast(fn, self); }
  reduce(...args: any[]): any { return (this._models.reduce as any)(...args); }
  slice(from?: number, to?: number): any[] { return this._models.slice(from, to); }
  where(attributes: Record<string, unknown>): any[] {
    return this._models.filter((m) => Object.entries(attributes).every(([k, v]) => m[k] === v));
  }
  toArray(): any[] { return this._models.slice(); }
  getModelsArray(): any[] { return this._models; }
  reorder(): any[] { return this._models; }
  reorderMutate(from: number, to: number): void { this._models.splice(to, 0, ...this._models.splice(from, 1)); }
}

type Comparator = (a: any, b: any) => number;

function comparatorOf(collection: Collection): Comparator | undefined {
  return (collection.constructor as typeof Collection).comparator;
}

/** Moves one model to where its collection's comparator wants it, before its equals; the rest keeps its place. */
export function reposition(collection: Collection, model: any): void {
  const compare = comparatorOf(collection);
  const models = collection._models;
  const from = models.indexOf(model);
  if (!compare || from < 0) return;
  models.splice(from, 1);
  models.splice(place(models, model, (a, b) => compare(a, b) || 1), 0, model);
}

function insert(collection: Collection, fresh: any[], at?: number): void {
  const compare = comparatorOf(collection);
  const models = collection._models;
  if (at !== undefined) models.splice(at, 0, ...fresh);
  else if (!compare) for (const model of fresh) models.push(model);
  else if (fresh.length > 8) collection._models = models.concat(fresh).sort(compare);
  else for (const model of fresh) models.splice(place(models, model, compare), 0, model);
}

function place(models: any[], model: any, compare: Comparator): number {
  let low = 0;
  let high = models.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (compare(models[mid], model) <= 0) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** A collection that can fetch what it has not: find(id) answers from memory or asks findImpl once. */
export class BaseCollection extends Collection {
  static override model: any = BaseModel;
  declare _pending?: Map<string, Promise<any>>;

  /** gadd: get, or add an empty model with that id. */
  gadd(id: any, options: AddOptions = {}): any {
    return this.get(id) ?? this.add({ id }, options)[0];
  }

  async find(id: any): Promise<any> {
    const known = this.get(id);
    if (known && !known.stale) return known;
    const pending = (this._pending ??= new Map());
    const key = String(id);
    let query = pending.get(key);
    if (!query) {
      query = this.findQuery(id).finally(() => pending.delete(key));
      pending.set(key, query);
    }
    return query;
  }

  async findQuery(id: any): Promise<any> {
    return this.gadd(id);
  }

  async update(id: any): Promise<any> {
    return this.findQuery(id);
  }

  delete(): void {
    this._reset();
  }

  initializeFromCache(models: any): void {
    this.add(models, { silent: true });
  }

  saveToCache(): void {}
}
