import { MdetrError } from '../../errors.ts';
import type { Region } from '../../geometry/size.ts';

/** A decoded picture: 8-bit RGB, row-major, interleaved. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 3;
  /** (H, W, 3), `width * height * 3` bytes. */
  readonly data: Uint8Array;
}

/** Pixels that a caller brings: grey, RGB, or RGBA (whose alpha is dropped, as Pillow's `convert('RGB')` does). */
export interface PixelInput {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** True for an object with the four fields of `PixelInput`; their values are checked by `rawImageFromPixels`. */
export const isPixelInput = (value: unknown): value is PixelInput =>
  typeof value === 'object' &&
  value !== null &&
  'width' in value &&
  'height' in value &&
  'channels' in value &&
  'data' in value;

/**
 * RGB picture over a caller's pixels; three channels are taken without a copy.
 * Throws `MdetrError` when sizes and data length do not agree.
 */
export const rawImageFromPixels = ({ width, height, channels, data }: PixelInput): RawImage => {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1)
    throw new MdetrError(`Raw image: width and height must be whole numbers from 1, they are ${width} and ${height}.`);
  if (![1, 3, 4].includes(channels))
    throw new MdetrError(`Raw image: channels must be 1 (grey), 3 (RGB) or 4 (RGBA), not ${String(channels)}.`);
  if (!(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray))
    throw new MdetrError('Raw image: data must be a Uint8Array of pixel values.');
  if (data.length !== width * height * channels)
    throw new MdetrError(
      `Raw image: ${width}x${height} with ${channels} channels needs ${width * height * channels} bytes, ` +
        `data has ${data.length}.`,
    );
  if (channels === 3)
    return { width, height, channels, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  const rgb = new Uint8Array(width * height * 3);
  // Grey repeats its only channel, RGBA skips its last.
  const step = channels === 1 ? 0 : 1;
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + step]!;
    rgb[to + 2] = data[from + 2 * step]!;
  }
  return { width, height, channels: 3, data: rgb };
};

/** The part of `image` inside `region`, which must lie within it. */
export const cropImage = (image: RawImage, { top, left, height, width }: Region): RawImage => {
  if (!(
    top >= 0 &&
    left >= 0 &&
    height > 0 &&
    width > 0 &&
    top + height <= image.height &&
    left + width <= image.width
  ))
    throw new Error(
      `internal: crop top ${top} left ${left} ${height}x${width} leaves an image of ${image.height}x${image.width}`,
    );
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, channels: 3, data };
};

/** Mirrored left to right. */
export const flipImage = ({ width, height, data }: RawImage): RawImage => {
  const flipped = new Uint8Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0, to = y * width * 3, from = to + (width - 1) * 3; x < width; x++, to += 3, from -= 3) {
      flipped[to] = data[from]!;
      flipped[to + 1] = data[from + 1]!;
      flipped[to + 2] = data[from + 2]!;
    }
  return { width, height, channels: 3, data: flipped };
};
