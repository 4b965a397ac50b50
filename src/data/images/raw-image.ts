import { MdetrError } from '../../errors.ts';
import type { Region } from '../../geometry/size.ts';

/** A decoded image: 8-bit RGB, row-major, interleaved. */
export interface RawImage {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** RGB. */
  readonly channels: 3;
  /** (H, W, 3), `width * height * 3` bytes. */
  readonly data: Uint8Array;
}

/** Pixels of the caller: gray, RGB, or RGBA (alpha is dropped, like Pillow's `convert('RGB')`). */
export interface PixelInput {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** 1 gray, 3 RGB, 4 RGB and alpha, which is dropped. */
  readonly channels: 1 | 3 | 4;
  /** (H, W, channels), row by row. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** True for an object with the fields of `PixelInput`; `rawImageFromPixels` checks their values. */
export const isPixelInput = (value: unknown): value is PixelInput =>
  typeof value === 'object' &&
  value !== null &&
  'width' in value &&
  'height' in value &&
  'channels' in value &&
  'data' in value;

/**
 * Converts the caller's pixels to an RGB image. Data of three channels are used without a copy; an object that is such an
 * image already is returned itself.
 *
 * @throws {MdetrError} when width, height, channels and the length of the data do not agree
 */
export const rawImageFromPixels = (pixels: PixelInput): RawImage => {
  const { width, height, channels, data } = pixels;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1)
    throw new MdetrError(`Raw image: width and height must be integers from 1, not ${width} and ${height}.`);
  if (![1, 3, 4].includes(channels))
    throw new MdetrError(`Raw image: channels must be 1 (gray), 3 (RGB) or 4 (RGBA), not ${String(channels)}.`);
  if (!(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray))
    throw new MdetrError('Raw image: data must be a Uint8Array of pixel values.');
  if (data.length !== width * height * channels)
    throw new MdetrError(
      `Raw image: ${width}x${height} with ${channels} channels needs ${width * height * channels} bytes, ` +
        `data has ${data.length}.`,
    );
  if (isRawImage(pixels)) return pixels;
  if (channels === 3)
    return { width, height, channels, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  const rgb = new Uint8Array(width * height * 3);
  // Gray repeats its only channel, RGBA skips its last.
  const step = channels === 1 ? 0 : 1;
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + step]!;
    rgb[to + 2] = data[from + 2 * step]!;
  }
  return { width, height, channels: 3, data: rgb };
};

/** Whether checked pixels have the form of a decoded image. */
const isRawImage = (pixels: PixelInput): pixels is RawImage =>
  pixels.channels === 3 && pixels.data.constructor === Uint8Array;

/** The pixels inside `region`, which must lie within the image. */
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

/** Horizontal flip. */
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
