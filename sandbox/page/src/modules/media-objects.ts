// What the real page keeps of a file apart from the messages that carry it, by the hash of its bytes; and fetching one.

import { define, R } from "../base/loader";
import { decryptMedia } from "./media-crypto";
import { MEDIA_TYPES } from "./enums";

class MediaObject {
  declare filehash: string;
  declare type?: string;
  declare size?: number;
  declare mediaBlob?: unknown;
  contentInfo: Record<string, unknown> = {};

  constructor(filehash: string) {
    this.filehash = filehash;
  }
  /** Takes over what is known of the file. */
  consolidate(facts: Record<string, any>): void {
    const { type, size, filehash, mediaBlob, ...content } = facts;
    this.type = type ?? this.type;
    this.size = size ?? this.size;
    this.filehash = filehash ?? this.filehash;
    this.mediaBlob = mediaBlob ?? this.mediaBlob;
    Object.assign(this.contentInfo, content);
  }
  clearBlob(): void { this.mediaBlob = undefined; }
  contentFields(): Record<string, unknown> { return this.contentInfo; }
  toJSON(): Record<string, unknown> { return { filehash: this.filehash, type: this.type, size: this.size }; }
}

class HttpNetworkError extends Error {}

class HttpStatusCodeError extends Error {
  constructor(readonly status: number) {
    super(`media: HTTP ${status}`);
  }
}

class MediaNotFoundError extends HttpStatusCodeError {}

interface Wanted {
  directPath: string;
  mediaKey: string;
  type: string;
  filehash?: string;
  signal?: AbortSignal;
}

async function downloadAndDecrypt({ directPath, mediaKey, type, filehash, signal }: Wanted): Promise<ArrayBuffer> {
  const { HttpNetworkError, HttpStatusCodeError } = R("WAWebHttpErrors");
  const response = await fetch(directPath, { signal }).catch((err) => { throw new HttpNetworkError(String(err)); });
  if (response.status === 404 || response.status === 410) throw new (R("WAWebMmsClientErrors").MediaNotFoundError)(response.status);
  if (!response.ok) throw new HttpStatusCodeError(response.status);
  return decryptMedia(await response.arrayBuffer(), mediaKey, type, filehash);
}

function mediaTypeOf({ type, isGif }: { type: string; isGif?: boolean }): string | undefined {
  if (!MEDIA_TYPES.has(type)) return undefined;
  return isGif ? "gif" : type;
}

export function defineMediaObjects(): void {
  define("WAWebHttpErrors", () => ({ HttpNetworkError, HttpStatusCodeError }));
  define("WAWebMmsClientErrors", () => ({ MediaNotFoundError }));
  define("WAWebMediaObject", () => ({ MediaObject }));
  define("WAWebMediaStorage", () => {
    const objects = new Map<string, MediaObject>();
    return {
      getOrCreateMediaObject(filehash: string): MediaObject {
        const known = objects.get(filehash) ?? new (R("WAWebMediaObject").MediaObject)(filehash);
        objects.set(filehash, known);
        return known;
      },
      delistAndDeleteAllMedia: () => objects.clear(),
    };
  });
  define("WAWebMmsMediaTypes", () => ({ msgToMediaType: (msg: any) => mediaTypeOf(msg), castToV4: (type: unknown) => type }));
  define("WAWebDownloadManager", () => ({ downloadManager: { downloadAndMaybeDecrypt: (request: Wanted) => downloadAndDecrypt(request) } }));
}
