import type { Orientation, PixelSize } from './orientation.ts';
import type { PixelInput } from './raw-image.ts';

/** An object that encodes an image itself, such as a `sharp` pipeline with an output format. */
export interface EncodableImage {
  /** The bytes of an image file. */
  toBuffer(): Promise<Uint8Array>;
}

/** An image as callers give it: the path of a file, the bytes of a file, pixels, or an object that encodes one. */
export type ImageSource = string | Uint8Array | PixelInput | EncodableImage;

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
