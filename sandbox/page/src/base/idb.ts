// IndexedDB in the few lines the page needs. Every write transaction asks for 'relaxed' durability, which is what
// Chrome gives by default: the profile is flushed lazily, and a killed browser may lose the last seconds.

export interface StoreSpec {
  keyPath?: string | string[];
  indexes?: Record<string, string | string[]>;
}

export function promise<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB request failed"));
  });
}

/** A database that opens on first use. */
export class Database {
  #opening?: Promise<IDBDatabase>;

  constructor(
    readonly name: string,
    readonly version: number,
    readonly stores: Record<string, StoreSpec>,
  ) {}

  open(): Promise<IDBDatabase> {
    return (this.#opening ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(this.name, this.version);
      request.onupgradeneeded = () => this.#create(request.result, request.transaction!);
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close();
        resolve(request.result);
      };
    }));
  }

  #create(db: IDBDatabase, upgrade: IDBTransaction): void {
    for (const [name, spec] of Object.entries(this.stores)) {
      const known = db.objectStoreNames.contains(name);
      const store = known ? upgrade.objectStore(name) : db.createObjectStore(name, spec.keyPath ? { keyPath: spec.keyPath } : undefined);
      for (const [index, path] of Object.entries(spec.indexes ?? {})) if (!store.indexNames.contains(index)) store.createIndex(index, path);
    }
  }

  /** Resolves with what `use` returned, when the transaction is through. `use` may go on in the callbacks of its requests. */
  async write<T>(names: string[], use: (tx: IDBTransaction) => T): Promise<T> {
    const db = await this.open();
    const tx = db.transaction(names, "readwrite", { durability: "relaxed" });
    const done = new Promise<void>((resolve, reject) => {
      tx.oncomplete = () => resolve();
      tx.onerror = tx.onabort = () => reject(tx.error ?? new Error("IndexedDB transaction aborted"));
    });
    const result = use(tx);
    await done;
    return result;
  }

  async read<T>(name: string, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const db = await this.open();
    return promise(use(db.transaction(name, "readonly").objectStore(name)));
  }

  /** The same for several requests in one transaction. */
  async readMany<T>(name: string, use: (store: IDBObjectStore) => IDBRequest<T>[]): Promise<T[]> {
    const db = await this.open();
    return Promise.all(use(db.transaction(name, "readonly").objectStore(name)).map(promise));
  }

  get(store: string, key: IDBValidKey): Promise<any> {
    return this.read(store, (s) => s.get(key));
  }

  getAll(store: string): Promise<any[]> {
    return this.read(store, (s) => s.getAll());
  }

  async put(store: string, value: unknown, key?: IDBValidKey): Promise<void> {
    await this.write([store], (tx) => void tx.objectStore(store).put(value, key));
  }

  async destroy(): Promise<void> {
    if (this.#opening) (await this.#opening).close();
    this.#opening = undefined;
    await promise(indexedDB.deleteDatabase(this.name));
  }
}
