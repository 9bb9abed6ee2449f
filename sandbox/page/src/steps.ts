// Steps of a send at which the server can have a message wait (its fault hold_message). The page asks only at steps
// that the server has named; without a stream it asks nobody and goes on, as the real page does.

import { comms } from "./comms";

export type Step = "before_add" | "after_add" | "after_storage";

let named = new Set<string>();

export function nameSteps({ at, n }: { at: string[]; n: number }): void {
  named = new Set(at);
  comms.requestNow("steps", { n }).catch(() => {});
}

/** Resolves when the message may go on; undefined: at once, and in the same task. */
export function stepOf(data: any, at: Step): Promise<unknown> | undefined {
  if (!named.has(at)) return undefined;
  return comms.requestNow("step", { at, chat: String(data.id.remote), id: data.id.id }).catch(() => {});
}
