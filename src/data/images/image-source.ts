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
  /** Apply the EXIF orientation (default). The official code ignores it: false reproduces its numbers. */
  readonly orient?: boolean | undefined;
  /** Images with more pixels are refused by their header, before decoding. Default 50 million. */
  readonly maxPixels?: number | undefined;
  /** Maximum ratio of the longer to the shorter side. At the default 1000 an image resized to 1333 pixels is one pixel wide. */
  readonly maxAspectRatio?: number | undefined;
  /** Larger files are refused unread. Default 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** Time limit of decoding in whole seconds. Default 30. */
  readonly timeoutS?: number | undefined;
}
