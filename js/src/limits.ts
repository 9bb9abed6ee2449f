// Time limits and errors. Calls into WhatsApp Web wait for its socket, and offline they wait for ever:
// nothing in the bridge awaits the page without a limit.

/** An error that leaves the bridge. The code is one of kurir's catalogue. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly until?: number, // epoch seconds; of RESTRICTED
    readonly reload?: boolean, // something is still at work for this message that only a new document ends
  ) {
    super(message);
  }
}

/** Settles as p does, or rejects with code after ms milliseconds. The late result of p is dropped. */
export function limit<T>(p: Promise<T> | T, ms: number, code: string, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Problem(code, `${what} took longer than ${Math.round(ms)} ms`)), Math.max(0, ms));
    Promise.resolve(p).then(
      (v) => (clearTimeout(timer), resolve(v)),
      (e) => (clearTimeout(timer), reject(e)),
    );
  });
}

/** A point in time that several steps share. */
export class Deadline {
  private readonly end: number;
  constructor(ms: number) {
    this.end = performance.now() + ms;
  }
  /** Milliseconds left, at most max. */
  left(max = Infinity): number {
    return Math.max(0, Math.min(max, this.end - performance.now()));
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

/** The text of anything that was thrown: wa-js throws errors with a code, plain strings and models. */
export function textOf(e: unknown): string {
  if (e instanceof Problem) return e.message;
  if (e instanceof Error) {
    const code = (e as { code?: unknown }).code;
    return typeof code === "string" && !e.message.includes(code) ? `${code}: ${e.message}` : e.message;
  }
  return typeof e === "string" ? e : "unknown error";
}
