// Big files are encrypted in a worker of their own, which is ended afterwards: that frees their buffers at once,
// where the page's garbage collector would let several hundred megabytes lie. The worker runs the same bundle.

import { encryptMedia, type Encrypted } from "./modules/media-crypto";

const BIG = 4 << 20; // bytes; below, starting a worker costs more than it saves

export const inWorker = typeof document === "undefined";

/** The worker's side: one file, one answer. */
export function serveWorker(): void {
  addEventListener("message", async (event) => {
    const { file, type, key } = (event as MessageEvent<{ file: Blob; type: string; key?: string }>).data;
    try {
      postMessage({ ok: await encryptMedia(file, type, key) });
    } catch (err) {
      postMessage({ error: String(err) });
    }
  });
}

/** Encrypts a file with the key, in base64, or with a new one. */
export function encrypt(file: Blob, type: string, key?: string): Promise<Encrypted> {
  if (file.size < BIG) return encryptMedia(file, type, key);
  const worker = new Worker("/page.js");
  return new Promise<Encrypted>((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.ok ? resolve(data.ok) : reject(new Error(data.error)));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ file, type, key });
  }).finally(() => worker.terminate());
}
