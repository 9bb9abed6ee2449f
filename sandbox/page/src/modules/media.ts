// Files: preparing, uploading and downloading media, and the objects clients look at while that happens.

import { define, R } from "../base/loader";
import { BaseModel, defineModel } from "../base/model";
import { comms } from "../comms";
import { MEDIA_TYPES, SendMsgResult, unixTime } from "./enums";
import { encrypt } from "../media-worker";
import { sha256 } from "./media-crypto";
import { sendPrepared } from "./send";
import { thumbnailOf, videoFacts } from "./thumbs";

/** Bytes in a Blob, handed around without being read. */
class OpaqueData {
  #blob: Blob;
  #type: string;
  #url?: string;

  constructor(blob: Blob, type?: string) {
    this.#blob = blob;
    this.#type = type ?? blob.type;
  }
  static async createFromData(data: Blob | BlobPart, type?: string): Promise<OpaqueData> {
    return new OpaqueData(data instanceof Blob ? data : new Blob([data], { type }), type);
  }
  retain(): this { return this; }
  autorelease(): this { return this; }
  throwIfReleased(): void {}
  url(): string { return (this.#url ??= URL.createObjectURL(this.#blob)); }
  getBlob(): Blob { return this.#blob; }
  forceToBlob(): Blob { return this.#blob; }
  size(): number { return this.#blob.size; }
  type(): string { return this.#type; }
  formData(): Blob { return this.#blob; }
}

class MediaData extends BaseModel {}
defineModel(MediaData, {
  proxyName: "media-data",
  props: {
    type: undefined, mediaStage: "INIT", mimetype: undefined, size: undefined, filename: undefined, filehash: undefined, fullWidth: undefined, fullHeight: undefined, duration: undefined,
    mediaKey: undefined, mediaKeyTimestamp: undefined, encFilehash: undefined, directPath: undefined, clientUrl: undefined, deprecatedMms3Url: undefined, uploadhash: undefined,
    streamingSidecar: undefined, firstFrameSidecar: undefined, mediaHandle: undefined, preview: undefined, aspectRatio: undefined, isGif: false, waveform: undefined, animationDuration: 0, renderableUrl: undefined,
  },
  session: { mediaBlob: undefined, parsedVcards: undefined, streamable: false },
});

/** The mediaData of a message; undefined when it carries no file. */
export function mediaDataOf(msg: any): MediaData | undefined {
  if (!MEDIA_TYPES.has(msg.type)) return undefined;
  const data = new MediaData({
    type: msg.type, mimetype: msg.mimetype, size: msg.size, filename: msg.filename, filehash: msg.filehash, fullWidth: msg.width, fullHeight: msg.height, duration: msg.duration,
    mediaStage: msg.directPath ? "NEED_POKE" : "INIT",
  });
  msg.addChild("mediaData", data);
  return data;
}

export function mediaObjectOf(msg: any): any {
  return MEDIA_TYPES.has(msg.type) ? { type: msg.type.toUpperCase(), filehash: msg.filehash, size: msg.size, mediaBlob: undefined } : undefined;
}

const HASH_FIRST = 16 << 20; // bytes

interface PrepOptions {
  asDocument?: boolean;
  isPtt?: boolean;
  asGif?: boolean;
  asSticker?: boolean;
  precomputedFields?: { duration?: number; waveform?: Uint8Array };
}

function mediaType(mimetype: string, options: PrepOptions): string {
  if (options.asDocument) return "document";
  if (options.asSticker) return "sticker";
  const kind = mimetype.split("/")[0]!;
  if (kind === "audio") return options.isPtt ? "ptt" : "audio";
  return kind === "image" || kind === "video" ? kind : "document";
}

/** What the page finds out about a file before it goes: type, measures, thumbnail. */
async function prepare(opaque: OpaqueData, options: PrepOptions): Promise<MediaData> {
  const type = mediaType(opaque.type(), options);
  const data = new MediaData({ type, mimetype: opaque.type() || "application/octet-stream", size: opaque.size(), mediaBlob: opaque, isGif: !!options.asGif, ...options.precomputedFields });
  const blob = opaque.forceToBlob();
  data.set("filename", (blob as File).name);
  if (type === "image" || type === "sticker") data.set(await thumbnailOf(blob));
  if (type === "video") data.set(await videoFacts(blob));
  // A bigger one gets its hash with its encryption: hashing it here would need its memory twice.
  if (blob.size <= HASH_FIRST) data.set("filehash", await sha256(await blob.arrayBuffer()));
  data.set("mediaStage", "EXISTS");
  return data;
}

class MediaPrep {
  declare _mediaData?: MediaData;
  #ready: Promise<MediaData>;

  constructor(_type: unknown, ready: Promise<MediaData>) {
    this.#ready = ready.then((data) => (this._mediaData = data));
    this.#ready.catch(() => {});
  }
  async waitForPrep(): Promise<MediaData> { return this.#ready; }

  /** Adds the message, uploads the file, sends. The message's key is the one the caller made. */
  async sendToChat({ chat, options }: { chat: any; options: any }): Promise<{ messageSendResult: string }> {
    const data = await this.#ready;
    return sendPrepared(chat, { ...messageFields(data), ...rawMessage(options), type: data.type, caption: options.caption }, data);
  }
}

function rawMessage(options: any): Record<string, unknown> {
  const { type: _type, caption: _caption, ...raw } = options.productMsgOptions ?? {};
  return { ...raw, isViewOnce: options.isViewOnce, footer: options.footer };
}

function messageFields(data: any): Record<string, unknown> {
  return {
    mimetype: data.mimetype, size: data.size, filename: data.filename, width: data.fullWidth, height: data.fullHeight, duration: data.duration, isGif: data.isGif || undefined, waveform: data.waveform, body: data.preview,
  };
}

/** Where and how to upload; kept as long as the server allows. */
let connection: { auth: string; upload_path: string; expires: number } | undefined;

async function mediaConn(): Promise<{ auth: string; upload_path: string }> {
  if (!connection || connection.expires < Date.now()) {
    const ok = await comms.request("media_conn", {});
    connection = { ...ok, expires: Date.now() + ok.ttl * 900 };
  }
  return connection;
}

async function upload(request: { mediaType: string; mediaObject?: any; blob?: Blob }): Promise<any> {
  const blob = request.blob ?? R("WAWebMediaInMemoryBlobCache").InMemoryMediaBlobCache.get(request.mediaObject.filehash);
  if (!blob) return { kind: "ERROR" };
  try {
    const { url: _url, ...mediaEntry } = await R("WAWebUploadManager").default.encryptAndUpload({ blob, type: request.mediaType });
    return { kind: "SUCCESS", mediaEntry };
  } catch (err) {
    if (!(err instanceof UploadError)) throw err;
    return { kind: "ERROR", status: err.status };
  }
}

class UploadError extends Error {
  constructor(readonly status: number) {
    super(`upload: HTTP ${status}`);
  }
}

async function encryptAndUpload(request: { blob: Blob; type: string; mediaKey?: string; signal?: AbortSignal }): Promise<any> {
  const encrypted = await encrypt(request.blob, request.type, request.mediaKey);
  const { auth, upload_path } = await mediaConn();
  const url = `${upload_path}/${request.type}?auth=${encodeURIComponent(auth)}&token=${encodeURIComponent(encrypted.encFilehash)}`;
  const response = await fetch(url, { method: "POST", body: encrypted.blob, signal: request.signal });
  if (response.status === 401 || response.status === 403) connection = undefined;
  if (!response.ok) throw new UploadError(response.status);
  const { direct_path: directPath } = await response.json();
  const { mediaKey, filehash, encFilehash } = encrypted;
  return { url: location.origin + directPath, mediaKey, filehash, encFilehash, directPath, mediaKeyTimestamp: unixTime() };
}

/** Uploads what a message carries and returns what goes into the message. Throws when it failed. */
export async function uploadFor(msg: any, data: MediaData): Promise<Record<string, unknown>> {
  data.set("mediaStage", "UPLOADING");
  const blob: Blob = data["mediaBlob"].forceToBlob();
  const result = await R("WAWebMediaMmsV4Upload").uploadMedia({ mimetype: msg.mimetype, mediaType: msg.type, mediaObject: msg.mediaObject, blob });
  if (result.kind !== "SUCCESS") {
    data.set("mediaStage", "ERROR_UPLOAD");
    throw new Error(`upload failed: ${result.kind} ${result.status ?? ""}`);
  }
  data.set({ mediaStage: "RESOLVED", filehash: result.mediaEntry.filehash });
  return result.mediaEntry;
}

/**
 * Fetches and decrypts the file of a message into the blob cache. Only a file that the server says it does not have is
 * missing; after any other failure it is where it was before, to be fetched.
 */
export async function downloadMedia(msg: any): Promise<void> {
  const data = msg.mediaData;
  if (!data || data.mediaBlob || !msg.directPath) return;
  data.set("mediaStage", "FETCHING");
  try {
    const { directPath, mediaKey, filehash, type } = msg;
    const plain = await R("WAWebDownloadManager").downloadManager.downloadAndMaybeDecrypt({ directPath, mediaKey, filehash, type });
    const blob = new Blob([plain], { type: msg.mimetype });
    R("WAWebMediaInMemoryBlobCache").InMemoryMediaBlobCache.put(msg.filehash, blob);
    data.set({ mediaBlob: new OpaqueData(blob), filehash: msg.filehash, mediaStage: "RESOLVED" });
  } catch (err) {
    data.set("mediaStage", err instanceof R("WAWebMmsClientErrors").MediaNotFoundError ? "ERROR_MISSING" : "NEED_POKE");
  }
}

/** The newest few files in memory, by hash. */
class InMemoryMediaBlobCacheImpl {
  #blobs = new Map<string, Blob>();
  get(hash: string): Blob | undefined { return this.#blobs.get(hash); }
  has(hash: string): boolean { return this.#blobs.has(hash); }
  put(hash: string, blob: Blob): void {
    this.#blobs.set(hash, blob);
    if (this.#blobs.size > 20) this.#blobs.delete(this.#blobs.keys().next().value!);
  }
  delete(hash: string): void { this.#blobs.delete(hash); }
  clear(): void { this.#blobs.clear(); }
}

function defineCaches(): void {
  define("WAWebMediaInMemoryBlobCache", () => ({ InMemoryMediaBlobCacheImpl, InMemoryMediaBlobCache: new InMemoryMediaBlobCacheImpl() }));
  define("WAWebMediaStore", () => ({
    LruMediaStore: {
      get: async (_hash: string) => undefined,
      has: async (_hash: string) => false,
      put: async (_hash: string, _data: unknown) => {},
      del: async (_hash: string) => {},
      count: async () => 0,
      clear: async () => {},
    },
  }));
}

export function defineMedia(): void {
  defineCaches();
  define("WAWebMediaOpaqueData", () => ({ default: OpaqueData }));
  define("WAWebMediaData", () => ({ default: MediaData }));
  define("WAWebMediaPrep", () => ({ MediaPrep }));
  define("WAWebPrepRawMedia", () => ({ prepRawMedia: (opaque: OpaqueData, options: PrepOptions) => new MediaPrep(undefined, prepare(opaque, options ?? {})) }));
  define("WAWebMedia", () => ({
    MediaPrep: R("WAWebMediaPrep").MediaPrep,
    prepRawMedia: (opaque: OpaqueData, options: PrepOptions) => R("WAWebPrepRawMedia").prepRawMedia(opaque, options),
    uploadProductImage: (_opaque: OpaqueData, _a: unknown, _b: unknown, _c: unknown) => Promise.reject(new Error(SendMsgResult["ERROR_UPLOAD"])),
  }));
  define("WAWebMediaMmsV4Upload", () => ({
    UploadMediaResultKind: { SUCCESS: "SUCCESS", CANCELLATION: "CANCELLATION", ERROR: "ERROR", TIMEOUT: "TIMEOUT" },
    uploadMedia: (request: any) => upload(request),
    cancelUploadMedia: (_media: unknown) => {},
  }));
  define("WAWebUploadManager", () => ({ default: { encryptAndUpload: (request: any) => encryptAndUpload(request) } }));
  define("WAWebStartMediaUploadQpl", () => ({ startMediaUploadQpl: (_request: unknown) => ({ addAnnotations: () => {}, addPoint: () => {} }) }));
  define("WAWebMediaDataUtils", () => ({
    processRawSticker: async (opaque: OpaqueData) => ({ mediaBlob: opaque, mimetype: opaque.type() }),
    getImageWidthHeight: async (opaque: OpaqueData) => thumbnailOf(opaque.forceToBlob()),
    shouldUseMediaCache: (type: string) => MEDIA_TYPES.has(type),
    opaqueDataToArrayBuffer: (opaque: OpaqueData) => opaque.forceToBlob().arrayBuffer(),
  }));
  define("WAWebMediaGatingUtils", () => ({
    getUploadLimit: (type: string, _origin?: unknown, _hd?: unknown) => (type === "document" ? 2048 : type === "image" ? 70 : 100) * 1024 * 1024,
  }));
  define("WAWebCryptoCalculateFilehash", () => ({ calculateFilehashFromBlob: async (blob: Blob) => sha256(await blob.arrayBuffer()) }));
  define("WAWebWebp", () => ({ isAnimatedWebp: (data: ArrayBuffer) => new TextDecoder("latin1").decode(data.slice(0, 64)).includes("ANIM") }));
}
