// The way out: events to kurir, numbered from 1 per document so that a lost one is noticed.
import { type Any } from "./modules";

export interface Events {
  state: Any;
  qr: { text: string; ttl_ms: number };
  ack: { id: string; chat: string; ack: number };
  unacked: { id: string; chat: string }; // on the wire for long, and WhatsApp's server has not answered
  message: Any;
  edited: Any;
  revoked: Any;
  reaction: { message_id: string; chat: string; from: Any; from_me: boolean; reaction: string; time_ms: number };
  "group.participants": Any;
  "group.subject": Any;
  call: { id: string; from: Any; chat: string; video: boolean; group: boolean; time: number };
  presence: { chat: string; from: Any; state: string; time_ms: number };
  history: Record<string, never>; // a piece of the past is complete; nothing in it was told
  logout: { reason: string };
}

type Binding = (payload: string) => void;

// Taken at load: the page cannot replace it later.
const atLoad = (window as Any).kurirEvent as Binding | undefined;
const waiting: string[] = [];
const maxWaiting = 1000;
let seq = 0;

/** The number of the last event. */
export const lastSeq = (): number => seq;

export function emit<K extends keyof Events>(type: K, data: Events[K]): void {
  waiting.push(JSON.stringify({ seq: ++seq, type, data }));
  if (waiting.length > maxWaiting) waiting.shift(); // the gap in seq tells
  const send = atLoad ?? ((window as Any).kurirEvent as Binding | undefined);
  if (typeof send !== "function") return;
  for (const payload of waiting.splice(0)) send(payload);
}
