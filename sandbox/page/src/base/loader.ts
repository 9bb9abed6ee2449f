// The module system of the real page, as far as anybody can see it: __d registers a factory, require and
// importNamespace evaluate it on first use, require("__debug").modulesMap lists what is registered.
//
// Two properties carry the sandbox. Namespaces are plain mutable objects, because clients wrap functions by
// assigning to them; and nothing in the page holds on to an export of another module: it asks R("Module") at
// call time, so that a wrap takes effect inside the page too.

type Exports = Record<string, any>;
type Factory = (
  global: typeof globalThis,
  require: (id: string) => any,
  importDefault: (id: string) => any,
  importNamespace: (id: string) => Exports,
  requireLazy: (ids: string[], done: (...modules: any[]) => void) => void,
  module: { exports: Exports },
  exports: Exports,
) => void;

interface ModuleRecord {
  id: string;
  dependencies: string[];
  factory: Factory;
  exports: Exports | null; // null until the factory ran through
  special: number;
}

const modulesMap: Record<string, ModuleRecord> = {};

/** __d of the real page. A name that is already registered keeps its first factory. */
function registerModule(id: string, dependencies: string[], factory: Factory, special = 98): void {
  if (Object.hasOwn(modulesMap, id)) return;
  modulesMap[id] = { id, dependencies, factory, exports: null, special };
}

/** The namespace of a module. A factory that throws is run again the next time, as in the real page. */
export function importNamespace(id: string): Exports {
  if (id === "__debug") return { modulesMap };
  const record = Object.hasOwn(modulesMap, id) ? modulesMap[id] : undefined;
  if (!record) throw new Error(`Requiring unknown module "${id}"`);
  if (record.exports) return record.exports;
  const module = { exports: {} as Exports };
  record.factory(globalThis, requireModule, requireModule, importNamespace, requireLazy, module, module.exports);
  return (record.exports = module.exports);
}

function requireModule(id: string): any {
  const namespace = importNamespace(id);
  return Object.hasOwn(namespace, "default") ? namespace.default : namespace;
}

function requireLazy(ids: string[], done: (...modules: any[]) => void): void {
  queueMicrotask(() => done(...ids.map(requireModule)));
}

const renamed = new Map<string, string>(); // the page's name for a module → the one that this build gives it

/** R is how the page reaches another module: always at call time, never bound early. */
export function R(id: string): Exports {
  return importNamespace(renamed.size ? (renamed.get(id) ?? id) : id);
}

/** define registers a module whose exports are made, without side effects, on first use. */
export function define(id: string, make: () => Exports): void {
  registerModule(id, [], (_global, _require, _default, _namespace, _lazy, _module, exports) => {
    Object.assign(exports, make());
  });
}

/** remove takes a module away again, for the fault "a module is gone". */
export function removeModule(id: string): void {
  delete modulesMap[id];
}

/** A build that calls a module otherwise: the page knows its new name, a client finds it by what it exports, or not. */
export function renameModule(id: string, to: string): void {
  const record = modulesMap[id];
  if (!record) return;
  delete modulesMap[id];
  modulesMap[to] = { ...record, id: to };
  renamed.set(id, to);
}

export function moduleIds(): string[] {
  return Object.keys(modulesMap);
}

/** install puts the globals in place. Clients trap the assignment of __d, so it comes last, when all is registered. */
export function install(): void {
  const target = globalThis as any;
  target.ErrorGuard = { skipGuardGlobal() {}, applyWithGuard: (fn: () => unknown) => fn() };
  target.importNamespace = importNamespace;
  target.requireLazy = requireLazy;
  target.require = requireModule;
  target.__d = registerModule;
}
