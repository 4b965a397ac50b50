import { DECODE_DEFAULTS } from '../data/images/decode-options.ts';
import { isEncodable } from '../data/images/image-source.ts';
import { MdetrError, messageOf } from '../errors.ts';
import { bytesOfStream, isByteStream } from '../data/images/stream-bytes.ts';

/** Images that browsers take, for errors. */
export const IMAGE_KINDS =
  'an image is a URL, a Blob, the bytes of a file (Uint8Array, ArrayBuffer or a stream), pixels, ImageData, or an element or canvas that can be drawn';

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
  if (isDrawable(image)) return bitmapOf(image);
  if (typeof ImageBitmap !== 'undefined' && image instanceof ImageBitmap && image.width === 0)
    throw new MdetrError('image: the ImageBitmap was closed');
  if (typeof Element !== 'undefined' && image instanceof Element)
    throw new MdetrError(`image: ${IMAGE_KINDS}, not a ${image.constructor.name}.`);
  return image;
};

/** Bitmap of what an element shows. An image that is still loading is waited for. */
const bitmapOf = async (image: DrawableImage): Promise<ImageBitmap> => {
  const kind = image.constructor.name;
  try {
    if (typeof HTMLImageElement !== 'undefined' && image instanceof HTMLImageElement && !image.complete)
      await image.decode();
    return await createImageBitmap(image, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch (error) {
    throw new MdetrError(
      `image: the ${kind} cannot be drawn (${messageOf(error)}): it is empty, has not loaded, or its file is missing or damaged`,
      { cause: error },
    );
  }
};
