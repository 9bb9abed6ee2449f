// Thumbnails and measures. What cannot be decoded is sent without them.

import { define, R } from "../base/loader";

const EDGE = 100; // longest side of a thumbnail, pixels

async function draw(source: CanvasImageSource, width: number, height: number): Promise<string> {
  const scale = Math.min(1, EDGE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d")!.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.6).split(",")[1]!;
}

/** Size of an image and its thumbnail as base64 JPEG. */
export async function thumbnailOf(blob: Blob): Promise<Record<string, unknown>> {
  try {
    const bitmap = await createImageBitmap(blob);
    const facts = { fullWidth: bitmap.width, fullHeight: bitmap.height, preview: await draw(bitmap, bitmap.width, bitmap.height) };
    bitmap.close();
    return facts;
  } catch {
    return {};
  }
}

/** Size, duration and first picture of a video. */
export async function videoFacts(blob: Blob): Promise<Record<string, unknown>> {
  try {
    const { duration, thumbs } = await R("WAWebImageUtils").generateVideoThumbsAndDuration({ file: blob, maxDimensions: [EDGE] });
    return { duration, fullWidth: thumbs[0]?.fullWidth, fullHeight: thumbs[0]?.fullHeight, preview: thumbs[0]?.url.split(",")[1] };
  } catch {
    return {};
  }
}

async function videoThumbs(file: Blob, dimensions: number[]): Promise<any> {
  const url = URL.createObjectURL(file);
  const video = document.createElement("video");
  try {
    await new Promise<void>((resolve, reject) => {
      video.onloadeddata = () => resolve();
      video.onerror = () => reject(new Error(`MEDIA_ERR_SRC_NOT_SUPPORTED ${video.error?.message ?? ""}`));
      video.muted = true;
      video.preload = "auto";
      video.src = url;
    });
    const { videoWidth: fullWidth, videoHeight: fullHeight } = video;
    const data = await draw(video, fullWidth, fullHeight);
    return { duration: Math.floor(video.duration), thumbs: dimensions.map(() => ({ url: `data:image/jpeg;base64,${data}`, fullWidth, fullHeight })) };
  } finally {
    video.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}

const STICKER_EDGE = 512; // pixels

async function webpSticker(file: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(file);
  const scale = STICKER_EDGE / Math.max(bitmap.width, bitmap.height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = STICKER_EDGE;
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d")!.drawImage(bitmap, (STICKER_EDGE - width) / 2, (STICKER_EDGE - height) / 2, width, height);
  bitmap.close();
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no sticker"))), "image/webp"));
}

export function defineThumbs(): void {
  define("WAWebImageUtils", () => ({
    generateVideoThumbsAndDuration: (request: any) => videoThumbs(request.file, request.maxDimensions),
    toWebpSticker: (file: Blob) => webpSticker(file),
    rotateAndResize: async (blob: Blob, _orientation: unknown, _max: unknown, _type: unknown) => blob,
  }));
}
