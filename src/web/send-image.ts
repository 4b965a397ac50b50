import { DECODE_DEFAULTS } from '../data/images/decode-options.ts';
import { isEncodable } from '../data/images/image-source.ts';
import { bytesOfStream, isByteStream } from '../data/images/stream-bytes.ts';

/** An image that can be drawn: an element, a canvas, a video frame. */
export type DrawableImage =
  HTMLImageElement | HTMLCanvasElement | HTMLVideoElement | SVGImageElement | OffscreenCanvas | VideoFrame;

const isDrawable = (image: object): image is DrawableImage =>
  DRAWABLE_CLASSES.some((name) => {
    const type = (globalThis as Record<string, unknown>)[name];
    return typeof type === 'function' && image instanceof type;
  });

const DRAWABLE_CLASSES = [
  'HTMLImageElement',
  'HTMLCanvasElement',
  'HTMLVideoElement',
  'SVGImageElement',
  'OffscreenCanvas',
  'VideoFrame',
] as const;

/**
 * Turns an image into one that a worker can decode: URLs become absolute, elements and canvases become bitmaps, streams and
 * objects that encode an image become bytes, everything else can be cloned as it is.
 */
export const sendImage = async (image: unknown): Promise<unknown> => {
  if (typeof image === 'string' || image instanceof URL) return new URL(image, document.baseURI).href;
  if (typeof image !== 'object' || image === null) return image;
  if (isEncodable(image)) return image.toBuffer();
  if (isByteStream(image)) return bytesOfStream(image, 'image', DECODE_DEFAULTS.maxBytes);
  if (!isDrawable(image)) return image;
  return createImageBitmap(image, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
};
