// Access to WhatsApp's modules by name. Nothing here throws: a module that is missing or broken is undefined,
// so that one of them takes down only what needs it.

/* eslint-disable @typescript-eslint/no-explicit-any -- WhatsApp's modules have no types. */
export type Any = any;

const w = window as Any;
const cache = new Map<string, Any>();

function table(): Record<string, unknown> | undefined {
  try {
    return w.require("__debug").modulesMap;
  } catch {
    return undefined;
  }
}

/** Whether WhatsApp's module loader is there. */
export const loaded = (): boolean => typeof w.__d === "function" && typeof w.require === "function" && table() !== undefined;

/** How many modules the page has registered; 0 before the loader is there. */
export const count = (): number => Object.keys(table() ?? {}).length;

/** Whether a module is registered. Unlike mod it evaluates nothing. */
export const has = (name: string): boolean => name in (table() ?? {});

/** The namespace of a module, or undefined. */
export function mod(name: string): Any {
  const known = cache.get(name);
  if (known !== undefined) return known;
  if (!has(name)) return undefined;
  try {
    w.ErrorGuard?.skipGuardGlobal?.(true);
    const m = typeof w.importNamespace === "function" ? w.importNamespace(name) : w.require(name);
    if (m !== undefined && m !== null) cache.set(name, m);
    return m ?? undefined;
  } catch {
    return undefined; // its factory threw, or a dependency is not registered yet: asked again next time
  }
}

/** A function of a module, read at call time because wa-js replaces some of them; undefined when missing. */
export function fn(name: string, member: string): ((...a: Any[]) => Any) | undefined {
  const m = mod(name);
  const f = m?.[member] ?? m?.default?.[member];
  return typeof f === "function" ? f.bind(m?.[member] === f ? m : m.default) : undefined;
}

/** What get returns, or undefined when it throws. */
export function quiet<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/** A field of a model or of a plain record. Models keep values in __x_ fields; going there skips their getters. */
export function field(m: Any, name: string): Any {
  const v = m["__x_" + name];
  return v !== undefined ? v : quiet(() => m[name]);
}

export const socket = (): Any => mod("WAWebSocketModel")?.Socket;
export const stream = (): Any => mod("WAWebStreamModel")?.Stream;
export const conn = (): Any => mod("WAWebConnModel")?.Conn;
export const chats = (): Any => mod("WAWebChatCollection")?.ChatCollection;
export const contacts = (): Any => mod("WAWebContactCollection")?.ContactCollection;
export const msgs = (): Any => mod("WAWebMsgCollection")?.MsgCollection;
export const wpp = (): Any => w.WPP;

/** All models of a collection, not copied. */
export function models(collection: Any): Any[] {
  return collection?._models ?? collection?.getModelsArray?.() ?? collection?.models ?? [];
}
