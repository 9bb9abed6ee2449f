// Models of the page. Values live in __x_<name> on the instance; accessors are defined once on the prototype, so
// that ten thousand chats cost no more than ten thousand small objects. A model tells its collection and its
// parent what happens to it by a direct call: a listener per model would cost more than the model.

import { EventEmitter } from "./emitter";

/** What a model is made of. Props are serialized, session values are not, derived values are computed. */
export interface ModelSpec {
  proxyName: string;
  idClass?: unknown;
  props: Record<string, unknown>; // name → default
  session?: Record<string, unknown>;
  derived?: Record<string, Derived>;
  lazy?: Record<string, (self: any) => unknown>; // made on first use and kept: collections, child models
}
/** Derived values that name what they depend on fire change:<name> when those change. */
export type Derived = ((self: any) => unknown) | { deps: string[]; fn: (self: any) => unknown };

export interface SetOptions {
  silent?: boolean;
  merge?: boolean;
  collection?: any;
}

export class BaseModel extends EventEmitter {
  [key: string]: any;
  declare collection?: any;
  declare parent?: any;
  declare proxyName: string;
  declare isState: boolean;
  declare __props: string[];
  declare __session: string[];
  declare __spec: ModelSpec;
  declare __dependents: Map<string, string[]>;

  constructor(attributes?: Record<string, unknown>, options?: SetOptions) {
    super();
    if (options?.collection) this.collection = options.collection;
    const values = attributes instanceof BaseModel ? attributes.attributes : attributes; // a model made of a model
    for (const key in values) if (values[key] !== undefined) initValue(this, key, values[key]);
    this.initialize();
  }

  initialize(): void {}

  get attributes(): Record<string, unknown> {
    const all: Record<string, unknown> = {};
    for (const key of [...(this.__props ?? []), ...(this.__session ?? [])]) {
      const value = this["__x_" + key];
      if (value !== undefined) all[key] = value;
    }
    return all;
  }

  get(key: string): any {
    return this[key];
  }

  /** set(key, value) or set({…}). Fires change:<key> (model, value, previous) for each change, then change. */
  set(key: string | Record<string, unknown>, value?: unknown, options?: SetOptions): this {
    const changes = typeof key === "string" ? { [key]: value } : key;
    const opts = (typeof key === "string" ? options : (value as SetOptions)) ?? {};
    const fired: [string, unknown, unknown][] = [];
    for (const name in changes) {
      const before = this["__x_" + name] ?? this.__spec?.props[name] ?? this.__spec?.session?.[name];
      const after = changes[name];
      if (before === after) continue;
      const deriveds = this.__dependents?.get(name);
      const old = deriveds?.map((d) => this[d]);
      initValue(this, name, after);
      fired.push([name, after, before]);
      deriveds?.forEach((d, i) => this[d] !== old![i] && fired.push([d, this[d], old![i]]));
    }
    if (fired.length && !opts.silent) {
      for (const [name, after, before] of fired) this.trigger("change:" + name, this, after, before);
      this.trigger("change", this);
    }
    return this;
  }

  unset(keys: string | string[]): void {
    for (const key of Array.isArray(keys) ? keys : [keys]) this.set(key, undefined);
  }

  clear(): void {
    for (const key of this.__props) if (key !== "id") this.unset(key);
  }

  reset(): void {
    this.clear();
  }

  delete(): void {
    this.collection?.remove(this);
    this.stopListening();
  }

  override trigger(names: string, ...args: any[]): this {
    super.trigger(names, ...args);
    this.collection?.trigger(names, ...args);
    if (this.parent instanceof BaseModel && names.startsWith("change:")) this.parent.trigger(`change:${this.__childName}.${names.slice(7)}`, ...args);
    return this;
  }

  /** addChild makes events of another model visible here as change:<name>.<event>. */
  addChild(name: string, child: BaseModel): void {
    child.parent = this;
    child.__childName = name;
  }

  /** Props only: what survives a trip to disk or to a client. */
  serialize(): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const key of this.__props ?? []) {
      const value = this[key];
      if (value !== undefined) out[key] = value instanceof BaseModel ? value.serialize() : value;
    }
    return out;
  }

  toJSON(): Record<string, unknown> {
    return this.serialize();
  }

  getDefault(key: string): unknown {
    return this.__spec.props[key] ?? this.__spec.session?.[key];
  }

  incObservers(): void {
    this.__observers = (this.__observers ?? 0) + 1;
  }

  decObservers(): void {
    this.__observers = Math.max(0, (this.__observers ?? 0) - 1);
  }

  hasObservers(): boolean {
    return (this.__observers ?? 0) > 0;
  }

  hasUnfiredChanges(): boolean {
    return false;
  }
}

/** Gives a value without telling anybody. A model that is a session value becomes a child. */
export function initValue(model: BaseModel, key: string, value: unknown): void {
  model["__x_" + key] = value;
  if (value instanceof BaseModel && model.__spec?.session && key in model.__spec.session && !value.collection) model.addChild(key, value);
}

/** defineModel installs the accessors of a spec on a class and returns the class. */
export function defineModel<T extends new (...args: any[]) => BaseModel>(model: T, spec: ModelSpec): T {
  const proto = model.prototype as BaseModel;
  proto.proxyName = spec.proxyName;
  proto.isState = true;
  proto.__spec = spec;
  proto.__props = Object.keys(spec.props);
  proto.__session = Object.keys(spec.session ?? {});
  proto.__dependents = new Map();
  Object.assign(model, { Proxy: spec.proxyName, idClass: spec.idClass });
  for (const [key, fallback] of Object.entries({ ...spec.props, ...spec.session })) defineValue(proto, key, fallback);
  for (const [key, make] of Object.entries(spec.lazy ?? {})) defineLazy(proto, key, make);
  for (const [key, derived] of Object.entries(spec.derived ?? {})) {
    const fn = typeof derived === "function" ? derived : derived.fn;
    Object.defineProperty(proto, key, { configurable: true, get() { return this === proto ? undefined : fn(this); } });
    if (typeof derived !== "function") for (const dep of derived.deps) proto.__dependents.set(dep, [...(proto.__dependents.get(dep) ?? []), key]);
  }
  return model;
}

function defineValue(proto: BaseModel, key: string, fallback: unknown): void {
  const field = "__x_" + key;
  Object.defineProperty(proto, key, {
    configurable: true,
    get() { return this[field] === undefined ? fallback : this[field]; },
    set(value: unknown) { this.set(key, value); },
  });
}

function defineLazy(proto: BaseModel, key: string, make: (self: any) => unknown): void {
  const field = "__x_" + key;
  Object.defineProperty(proto, key, {
    configurable: true,
    get() { return this === proto ? undefined : (this[field] ??= make(this)); },
    set(value: unknown) { this.set(key, value); },
  });
}
