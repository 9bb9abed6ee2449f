// Sends a text and a file through kurir. Node 20 or newer, no packages.
//
//     KURIR_URL=http://127.0.0.1:8080 KURIR_KEY=kurir_live_… node send.mjs 081234567890 'Halo!' faktur.pdf order-1042
//
// The last word names this sending, an order number for example: run again with the same, nothing is sent twice.

import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';

const timeout = 60_000;

/** What kurir refused: code is for programs, the message for people. */
class KurirError extends Error {
  constructor(code, message) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** Gives the id of the message that kurir accepted. */
async function post(path, idempotencyKey, body) {
  const response = await fetch(process.env.KURIR_URL.replace(/\/$/, '') + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${process.env.KURIR_KEY}`, 'Idempotency-Key': idempotencyKey },
    body, // fetch sets the content type
    signal: AbortSignal.timeout(timeout),
  });
  const answer = await response.json().catch(() => null); // a proxy in between answers in its own words
  if (!answer?.status) {
    throw new KurirError(answer?.code ?? `HTTP ${response.status}`, answer?.message ?? response.statusText);
  }
  return answer.id;
}

function sendText(phone, text, idempotencyKey) {
  return post('/wa/send', idempotencyKey, new URLSearchParams({ phone, body: text }));
}

/** Sends the file as it is, without base64 and without reading it into memory. */
async function sendFile(phone, path, idempotencyKey) {
  const form = new FormData();
  form.set('phone', phone);
  form.set('file', await openAsBlob(path), basename(path));
  return post('/wa/sendfile', idempotencyKey, form);
}

const [phone, text, file, name] = process.argv.slice(2);
if (!name || !process.env.KURIR_URL || !process.env.KURIR_KEY) {
  console.error('usage: KURIR_URL=… KURIR_KEY=… node send.mjs PHONE TEXT FILE NAME_OF_THIS_SENDING');
  process.exit(2);
}
try {
  console.log(await sendText(phone, text, `${name}-text`));
  console.log(await sendFile(phone, file, `${name}-file`));
} catch (error) {
  console.error(`kurir: ${error.message}`, error.cause?.message ?? '');
  process.exitCode = 1;
}
