// The event emitter under every model and collection of the page, with the vocabulary its clients use: 'a b'
// lists, 'all', once, listenTo. Listener lists are copied on write, so a listener may remove itself while it runs.
// What is no method of the real class is a function here: a client finds methods by name.

type Callback = (...args: any[]) => unknown;
interface Listener {
  callback: Callback;
  original: Callback;
  context: unknown;
}

export class EventEmitter {
  declare __events?: Map<string, Listener[]>;
  declare __listeningTo?: Set<EventEmitter>;

  on(names: string, callback: Callback, context?: unknown): this {
    addListener(this, names, callback, callback, context);
    return this;
  }

  once(names: string, callback: Callback, context?: unknown): this {
    for (const name of names.split(/\s+/)) {
      const wrapped = (...args: unknown[]) => {
        this.off(name, callback, context);
        return callback.apply(context ?? this, args);
      };
      addListener(this, name, wrapped, callback, context);
    }
    return this;
  }

  off(names?: string | null, callback?: Callback | null, context?: unknown): this {
    const events = this.__events;
    if (!events) return this;
    for (const name of names ? names.split(/\s+/) : [...events.keys()]) {
      const kept = (events.get(name) ?? []).filter(
        (l) => (callback && l.original !== callback && l.callback !== callback) || (context !== undefined && l.context !== context),
      );
      if (kept.length) events.set(name, kept);
      else events.delete(name);
    }
    return this;
  }

  trigger(names: string, ...args: any[]): this {
    if (this.__events) {
      if (names.includes(" ")) for (const name of names.split(/\s+/)) fire(this, name, args);
      else fire(this, names, args);
    }
    return this;
  }

  listenTo(other: EventEmitter, names: string, callback: Callback): this {
    (this.__listeningTo ??= new Set()).add(other);
    other.on(names, callback, this);
    return this;
  }

  listenToOnce(other: EventEmitter, names: string, callback: Callback): this {
    (this.__listeningTo ??= new Set()).add(other);
    other.once(names, callback, this);
    return this;
  }

  listenToAndRun(other: EventEmitter, names: string, callback: Callback): this {
    this.listenTo(other, names, callback);
    callback.call(this);
    return this;
  }

  stopListening(other?: EventEmitter, names?: string, callback?: Callback): this {
    for (const target of other ? [other] : (this.__listeningTo ?? [])) target.off(names, callback, this);
    return this;
  }

  isListening(other?: EventEmitter): boolean {
    return other ? !!this.__listeningTo?.has(other) : !!this.__events?.size;
  }

  bind(names: string, callback: Callback, context?: unknown): this {
    return this.on(names, callback, context);
  }

  unbind(names?: string, callback?: Callback, context?: unknown): this {
    return this.off(names, callback, context);
  }

  removeListener(names: string, callback: Callback): this {
    return this.off(names, callback);
  }

  removeAllListeners(names?: string): this {
    return this.off(names);
  }
}

function addListener(emitter: EventEmitter, names: string, callback: Callback, original: Callback, context: unknown): void {
  if (typeof callback !== "function") throw new TypeError("Callback parameter passed is not a function");
  const events = (emitter.__events ??= new Map());
  for (const name of names.split(/\s+/)) events.set(name, [...(events.get(name) ?? []), { callback, original, context }]);
}

function fire(emitter: EventEmitter, name: string, args: unknown[]): void {
  const events = emitter.__events!;
  for (const l of events.get(name) ?? []) call(emitter, l, args);
  for (const l of events.get("all") ?? []) call(emitter, l, [name, ...args]);
}

// A listener that throws must not keep the others, or the page, from going on.
function call(emitter: EventEmitter, l: Listener, args: unknown[]): void {
  try {
    l.callback.apply(l.context ?? emitter, args);
  } catch (err) {
    reportError(err);
  }
}
