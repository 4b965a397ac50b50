import type { Orientation, PixelSize } from './orientation.ts';
import type { PixelInput } from './raw-image.ts';

/** An object that encodes an image itself, such as a `sharp` pipeline with an output format. */
export interface EncodableImage {
  /** The bytes of an image file. */
  toBuffer(): Promise<Uint8Array>;
}

/**
 * An image as callers give it: a path or URL (`file:`, `data:`, and `http:` and `https:` where the option `urls` allows them),
 * the bytes of a file (a `Uint8Array`, `ArrayBuffer`, `Blob` or stream), pixels, or an object that encodes an image.
 */
export type ImageSource =
  string | URL | Uint8Array | ArrayBuffer | Blob | AsyncIterable<Uint8Array> | PixelInput | EncodableImage;

/** Options of decoding an image file. */
export interface DecodeOptions {
  /** Name of the image in errors and results; by default its path. */
  readonly name?: string | undefined;
  /** `'exif'` (default) applies the EXIF orientation; `'stored'` leaves the pixels as stored, as the official code does. */
  readonly orientation?: Orientation | undefined;
  /** Images with more pixels are refused by their header, before decoding. Default 50 million. */
  readonly maxPixels?: number | undefined;
  /** Maximum ratio of the longer to the shorter side. At the default 1000 an image resized to 1333 pixels is one pixel wide. */
  readonly maxAspectRatio?: number | undefined;
  /** Larger files are refused unread. Default 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** Files with more pages or frames are refused, although only the first one is decoded. Default 10,000. */
  readonly maxPages?: number | undefined;
  /**
   * Whether `http:` and `https:` URLs are fetched: `'refuse'` (default), `'public'` from public addresses only, or `'any'`,
   * from this machine and private networks, too.
   */
  readonly urls?: 'refuse' | 'public' | 'any' | undefined;
  /** Time limit of decoding in whole seconds. Default 30. */
  readonly timeoutS?: number | undefined;
}

/** Options of `decodeImage`: those of the image's annotation row too. */
export interface DecodeImageOptions extends DecodeOptions {
  /**
   * Width and height in the image's annotation row. They decide, unless `orientation` is given, whether EXIF orientation
   * is applied: pixels stay as stored if that is their size, and are turned if the size is the turned one or both.
   */
  readonly rowSize?: PixelSize | undefined;
  /** Called with a note about an image that has the row's size stored and turned. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** True for an object that encodes an image itself. */
export const isEncodable = (source: unknown): source is EncodableImage =>
  typeof source === 'object' && source !== null && 'toBuffer' in source && typeof source.toBuffer === 'function';

/** Name of an image in results and errors, if its source says one: a path, a URL, or the name of a file. */
export const nameOfSource = (source: unknown): string | undefined => {
  const text = source instanceof URL ? source.href : source;
  if (typeof text === 'string') return /^data:/i.test(text) ? 'data URI' : text;
  return source instanceof Blob && 'name' in source && typeof source.name === 'string' ? source.name : undefined;
};
