import { MdetrError } from '../../errors.ts';
import type { PixelSize } from './orientation.ts';

/** Limits on the size of an image. */
export interface SizeLimits {
  readonly maxPixels: number;
  readonly maxAspectRatio: number;
}

/** Charges the size of an image. @throws {MdetrError} if it has too many pixels or is too narrow */
export const checkSize = (
  name: string,
  { width, height }: PixelSize,
  { maxPixels, maxAspectRatio }: SizeLimits,
): void => {
  if (width * height > maxPixels)
    throw new MdetrError(
      `${name}: ${width}x${height} is ${millions(width * height)} million pixels, the limit is ` +
        `${millions(maxPixels)} million. Make the image smaller or raise the limit (--max-pixels, maxPixels).`,
    );
  if (Math.max(width, height) > maxAspectRatio * Math.min(width, height))
    throw new MdetrError(
      `${name}: ${width}x${height} is too narrow, one side is more than ${maxAspectRatio} times the other. Crop it first.`,
    );
};

const millions = (pixels: number): string => String(Math.round(pixels / 1e5) / 10);
