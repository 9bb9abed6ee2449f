// Whether WhatsApp's server answers this page. The page's own word is not enough: after the server has ended a session
// state and mode stay as they were, and only a question that goes over the wire tells.
import { toWid } from "./ids";
import { state } from "./lifecycle";
import { limit, textOf } from "./limits";
import { fn } from "./modules";

export interface Reach {
  stream: string;
  socket: string;
  answered: boolean;
  detail?: string; // why there was no answer
  ms: number; // how long it took
}

/**
 * Asks WhatsApp's server something cheap: whether the own number is on WhatsApp. The page's own job is called, which
 * sends the question each time; wa-js' queryExists is no use, because it answers from the contact store and keeps a
 * network error for 15 s. Without a stream nothing is asked: the question would wait for one for as long as it takes.
 */
export async function reach(ms: number): Promise<Reach> {
  const { stream, socket, wid } = state();
  const begun = performance.now();
  const result = (answered: boolean, detail?: string): Reach => ({ stream, socket, answered, detail, ms: Math.round(performance.now() - begun) });
  if (stream === "DISCONNECTED") return result(false, "no stream");
  const query = fn("WAWebQueryExistsJob", "queryWidExists");
  if (!query || !wid) return result(false, "this WhatsApp Web cannot be asked");
  try {
    // Without the device: "62812…:7@c.us" is a link of this number, not the number.
    await limit(query(toWid(wid.replace(/:\d+@/, "@"))), ms, "PAGE_TIMEOUT", "the answer");
    return result(true); // whatever it says
  } catch (e) {
    return result(false, textOf(e));
  }
}
