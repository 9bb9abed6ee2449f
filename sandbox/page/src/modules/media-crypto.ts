// WhatsApp's media scheme: HKDF(mediaKey, info by type) → iv, cipherKey, macKey; AES-256-CBC; the first ten bytes of
// HMAC-SHA256(macKey, iv + cipher) appended.
//
// WebCrypto works on whole buffers, and what Blink allocates is freed only by the next garbage collection, so a 64 MB
// file must not be cut, joined or copied here. encryptMedia makes two buffers: see there.

import { decodeB64, encodeB64 } from "./prefs";

const INFO: Record<string, string> = {
  image: "WhatsApp Image Keys",
  sticker: "WhatsApp Image Keys",
  video: "WhatsApp Video Keys",
  ptv: "WhatsApp Video Keys",
  gif: "WhatsApp Video Keys",
  audio: "WhatsApp Audio Keys",
  ptt: "WhatsApp Audio Keys",
  document: "WhatsApp Document Keys",
};
const BLOCK = 16; // of AES; the iv has this size too
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

/**
 * Encrypts a file. The MAC is over iv + cipher and the upload is cipher + MAC, so the result needs room on both sides:
 * the plaintext gets a block in front, which is made to encrypt to the iv, and blocks behind, which the MAC overwrites.
 */
export async function encryptMedia(file: Blob, type: string, key?: string): Promise<Encrypted> {
  const mediaKey = key ? decodeB64(key) : crypto.getRandomValues(new Uint8Array(32));
  const keys = await deriveKeys(mediaKey, type);
  const padding = BLOCK - (file.size % BLOCK);
  const behind = new Uint8Array(padding + BLOCK).fill(padding, 0, padding);
  const input = await new Blob([new Uint8Array(BLOCK), file, behind]).arrayBuffer();
  const filehash = await sha256(new Uint8Array(input, BLOCK, file.size));
  const iv = await decryptBlock(keys.cipherKey, keys.iv);
  const output = await crypto.subtle.encrypt({ name: "AES-CBC", iv }, keys.cipherKey, input);
  const end = BLOCK + file.size + padding;
  const mac = await crypto.subtle.sign("HMAC", keys.macKey, new Uint8Array(output, 0, end));
  new Uint8Array(output).set(new Uint8Array(mac, 0, MAC), end);
  const upload = new Uint8Array(output, BLOCK, end - BLOCK + MAC);
  return { blob: new Blob([upload]), mediaKey: key ?? encodeB64(mediaKey), filehash, encFilehash: await sha256(upload) };
}

// The bare AES decryption of one block. WebCrypto only has CBC with padding: the second block, which encrypts nothing
// but padding, is there to satisfy it.
async function decryptBlock(key: CryptoKey, block: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const paddingBlock = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv: block }, key, new Uint8Array(0)));
  const both = new Uint8Array(2 * BLOCK);
  both.set(block);
  both.set(paddingBlock, BLOCK);
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv: new Uint8Array(BLOCK) }, key, both));
}

/** Decrypts a downloaded file; throws when it is not what the message announced. */
export async function decryptMedia(data: ArrayBuffer, mediaKey: string, type: string, filehash?: string): Promise<ArrayBuffer> {
  const keys = await deriveKeys(decodeB64(mediaKey), type);
  const cipher = new Uint8Array(data, 0, data.byteLength - MAC);
  const signed = new Uint8Array(BLOCK + cipher.length);
  signed.set(keys.iv);
  signed.set(cipher, BLOCK);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", keys.macKey, signed), 0, MAC);
  if (new Uint8Array(data, cipher.length).some((b, i) => b !== mac[i])) throw new Error("media: the MAC does not match");
  const plain = await crypto.subtle.decrypt({ name: "AES-CBC", iv: keys.iv }, keys.cipherKey, cipher);
  if (filehash && (await sha256(plain)) !== filehash) throw new Error("media: the hash does not match");
  return plain;
}
