// What is at work in the page for a message id. A job of wa-js cannot be cancelled: until it settles it may still send,
// so the same id never gets a second one, and nobody may say meanwhile that the message has not left.
import { type Any } from "./modules";

const jobs = new Map<string, Promise<Any>>(); // of wa-js, not settled
const calls = new Map<string, number>(); // of send, by id: they may start a job

/** Runs what sends a message id, unless something does already: then that is what is waited for. */
export function startJob(id: string, make: () => Promise<Any>): Promise<Any> {
  const running = jobs.get(id);
  if (running) return running;
  const job = make();
  jobs.set(id, job);
  const over = (): void => void jobs.delete(id);
  job.then(over, over);
  return job;
}

export const jobOf = (id: string): Promise<Any> | undefined => jobs.get(id);

/** Marks a call of send as under way until the returned function is called. */
export function enter(id: string): () => void {
  calls.set(id, (calls.get(id) ?? 0) + 1);
  return () => {
    const left = (calls.get(id) ?? 1) - 1;
    if (left > 0) calls.set(id, left);
    else calls.delete(id);
  };
}

/** Whether something in this document may still send the message id. */
export const atWork = (id: string): boolean => jobs.has(id) || calls.has(id);
