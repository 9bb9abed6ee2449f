// The wire client. Requests wait while there is no authenticated stream, for as long as it takes: that is how the
// real page's calls hang. What was sent and not answered when a stream breaks is sent again on the next one if
// the server treats it as the same request; the rest fails.

import type { Pushes, Requests } from "./wire";

type Push = { [K in keyof Pushes]: { op: K; args: Pushes[K] } }[keyof Pushes];
interface Pending {
  op: keyof Requests;
  args: unknown;
  resolve: (ok: any) => void;
  reject: (err: unknown) => void;
}

/** What the server answered instead of ok. */
export class ServerError extends Error {
  constructor(
    readonly code: number,
    text: string,
    readonly until?: number,
  ) {
    super(`server error ${code}: ${text}`);
  }
}

const NOT_REPEATABLE = new Set<string>(["group", "chat_action", "profile", "pairing_code", "logout", "step", "steps"]);

class Comms {
  #socket?: WebSocket;
  #n = 0;
  #ready = false;
  #inFlight = new Map<number, Pending>();
  #waiting: Pending[] = [];

  onPush: (push: Push) => void = () => {};
  onClose: () => void = () => {};

  get open(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Opens a stream; resolves when it can carry a hello. */
  connect(): Promise<void> {
    const socket = new WebSocket(`wss://${location.host}/ws/chat`);
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(socket, event.data);
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onclose = () => {
        reject(new Error("stream closed"));
        if (this.#socket === socket) this.#closed();
      };
    });
  }

  /** The stream is authenticated: what waited goes out. */
  ready(): void {
    this.#ready = true;
    for (const pending of this.#waiting.splice(0)) this.#send(pending);
  }

  /** Stops the stream for good or for now; nothing on it is answered any more. */
  stop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#park();
  }

  request<K extends keyof Requests>(op: K, args: Requests[K]["args"]): Promise<Requests[K]["ok"]> {
    return new Promise((resolve, reject) => {
      const pending: Pending = { op, args, resolve, reject };
      if (this.#ready && this.open) this.#send(pending);
      else this.#waiting.push(pending);
    });
  }

  /** For the requests before authentication: hello, refs, pairing_code. They fail when the stream does. */
  requestNow<K extends keyof Requests>(op: K, args: Requests[K]["args"]): Promise<Requests[K]["ok"]> {
    return new Promise((resolve, reject) => {
      if (!this.open) return reject(new Error("stream closed"));
      this.#send({ op, args, resolve, reject });
    });
  }

  #send(pending: Pending): void {
    const n = ++this.#n;
    this.#inFlight.set(n, pending);
    this.#socket!.send(JSON.stringify({ n, op: pending.op, args: pending.args }));
  }

  #receive(socket: WebSocket, data: string): void {
    if (socket !== this.#socket) return;
    const frame = JSON.parse(data);
    if (frame.n === undefined) return this.onPush(frame as Push);
    const pending = this.#inFlight.get(frame.n);
    if (!pending) return;
    this.#inFlight.delete(frame.n);
    if (frame.error) pending.reject(new ServerError(frame.error.code, frame.error.text, frame.error.until));
    else pending.resolve(frame.ok);
  }

  #closed(): void {
    this.#socket = undefined;
    this.#park();
    this.onClose();
  }

  #park(): void {
    const authenticated = this.#ready;
    this.#ready = false;
    this.#n = 0;
    const again: Pending[] = [];
    for (const pending of this.#inFlight.values()) {
      if (authenticated && !NOT_REPEATABLE.has(pending.op)) again.push(pending);
      else pending.reject(new Error("stream closed"));
    }
    this.#inFlight.clear();
    this.#waiting.unshift(...again);
  }
}

export const comms = new Comms();
