// WhatsApp's media scheme: HKDF(mediaKey, info by type) → iv, cipherKey, macKey; AES-256-CBC; the first ten bytes of
// HMAC-SHA256(macKey, iv + cipher) appended. Big files are encrypted chunk by chunk into one buffer, so that no more
// than the ciphertext and one working copy are in memory.

import { decodeB64, encodeB64 } from "./prefs";

const INFO: Record<string, string> = {
  image: "WhatsApp Image Keys",
  sticker: "WhatsApp Image Keys",
  video: "WhatsApp Video Keys",
  ptv: "WhatsApp Video Keys",
  audio: "WhatsApp Audio Keys",
  ptt: "WhatsApp Audio Keys",
  document: "WhatsApp Document Keys",
};
const CHUNK = 4 << 20;
const IV = 16;
const MAC = 10;

export interface Encrypted {
  blob: Blob;
  mediaKey: string;
  filehash: string;
  encFilehash: string;
}

interface Keys {
  iv: Uint8Array<ArrayBuffer>;
  cipherKey: CryptoKey;
  macKey: CryptoKey;
}

async function deriveKeys(mediaKey: Uint8Array<ArrayBuffer>, type: string): Promise<Keys> {
  const base = await crypto.subtle.importKey("raw", mediaKey, "HKDF", false, ["deriveBits"]);
  const info = new TextEncoder().encode(INFO[type] ?? INFO["document"]);
  const bits = new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(32), info }, base, 112 * 8));
  return {
    iv: bits.slice(0, 16),
    cipherKey: await crypto.subtle.importKey("raw", bits.slice(16, 48), "AES-CBC", false, ["encrypt", "decrypt"]),
    macKey: await crypto.subtle.importKey("raw", bits.slice(48, 80), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]),
  };
}

export async function sha256(data: BufferSource): Promise<string> {
  return encodeB64(await crypto.subtle.digest("SHA-256", data));
}

export async function encryptMedia(file: Blob, type: string): Promise<Encrypted> {
  const mediaKey = crypto.getRandomValues(new Uint8Array(32));
  const keys = await deriveKeys(mediaKey, type);
  const filehash = await sha256(await file.arrayBuffer());
  const cipherSize = (Math.floor(file.size / 16) + 1) * 16;
  const buffer = new Uint8Array(IV + cipherSize + MAC);
  buffer.set(keys.iv);
  await encryptInto(buffer, file, keys);
  const mac = await crypto.subtle.sign("HMAC", keys.macKey, buffer.subarray(0, IV + cipherSize));
  buffer.set(new Uint8Array(mac, 0, MAC), IV + cipherSize);
  const upload = buffer.subarray(IV);
  const encFilehash = await sha256(upload);
  return { blob: new Blob([upload]), mediaKey: encodeB64(mediaKey), filehash, encFilehash };
}

// Each chunk is a CBC run of its own whose iv is the last block of the one before. WebCrypto pads every run; only the
// last one keeps its padding.
async function encryptInto(buffer: Uint8Array<ArrayBuffer>, file: Blob, keys: Keys): Promise<void> {
  let iv: BufferSource = keys.iv;
  for (let at = 0; at <= file.size; at += CHUNK) {
    const plain = await file.slice(at, at + CHUNK).arrayBuffer();
    const cipher: Uint8Array<ArrayBuffer> = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv }, keys.cipherKey, plain));
    const last = at + CHUNK > file.size;
    const kept: Uint8Array<ArrayBuffer> = last ? cipher : cipher.subarray(0, plain.byteLength);
    buffer.set(kept, IV + at);
    iv = kept.slice(-16);
  }
}

/** Decrypts a downloaded file; throws when it is not what the message announced. */
export async function decryptMedia(data: ArrayBuffer, mediaKey: string, type: string, filehash?: string): Promise<ArrayBuffer> {
  const keys = await deriveKeys(decodeB64(mediaKey), type);
  const cipher = new Uint8Array(data, 0, data.byteLength - MAC);
  const signed = new Uint8Array(IV + cipher.length);
  signed.set(keys.iv);
  signed.set(cipher, IV);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", keys.macKey, signed), 0, MAC);
  if (new Uint8Array(data, cipher.length).some((b, i) => b !== mac[i])) throw new Error("media: the MAC does not match");
  const plain = await crypto.subtle.decrypt({ name: "AES-CBC", iv: keys.iv }, keys.cipherKey, cipher);
  if (filehash && (await sha256(plain)) !== filehash) throw new Error("media: the hash does not match");
  return plain;
}
