import { BadRowError } from '../../source/bad-rows.ts';
import type { BoxXywh } from '../../../geometry/boxes.ts';

const CHANNELS = 4;
/** Limit of the image's pixels: a few bytes can describe any number of them. */
const MAX_PIXELS = 50e6;

/**
 * Box of a brush mask in fractions of the image, from Label Studio's run lengths: a bit stream of the number of values (32
 * bits), the word size minus 1 (5 bits), four run sizes minus 1 (4 bits each), then runs: one bit (1: repeated value), two
 * bits that choose the run size, the run's length minus 1, and its values. Values are RGBA pixels in rows; the last channel is
 * the mask.
 * @returns undefined for an empty mask
 * @throws {MdetrError} if the bytes are no such stream, or of another size than the image
 */
export const boundsOfBrush = (
  rle: readonly unknown[],
  width: number,
  height: number,
  location: string,
): BoxXywh | undefined => {
  const fail = (what: string): never => {
    throw new BadRowError(`${location}: value.rle ${what}`);
  };
  let bit = 0;
  const read = (bits: number): number => {
    let value = 0;
    for (let i = 0; i < bits; i++, bit++) {
      const byte = rle[bit >> 3];
      if (typeof byte !== 'number') return fail('ends too early, or holds something other than bytes');
      value = value * 2 + ((byte >> (7 - (bit & 7))) & 1);
    }
    return value;
  };
  const count = read(32);
  const wordSize = read(5) + 1;
  const sizes = [read(4) + 1, read(4) + 1, read(4) + 1, read(4) + 1];
  if (width * height > MAX_PIXELS) fail(`is a mask of ${width}x${height} pixels, more than ${MAX_PIXELS}`);
  if (count !== width * height * CHANNELS)
    fail(`has ${count} values, an image of ${width}x${height} has ${width * height * CHANNELS}`);
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  const mark = (index: number): void => {
    const pixel = Math.floor(index / CHANNELS);
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  };
  for (let at = 0; at < count;) {
    const isRun = read(1) === 1;
    const length = read(sizes[read(2)]!) + 1;
    const end = Math.min(count, at + length);
    if (isRun) {
      const value = read(wordSize);
      if (value > 0) for (let i = at; i < end; i++) if (i % CHANNELS === CHANNELS - 1) mark(i);
    } else for (let i = at; i < end; i++) if (read(wordSize) > 0 && i % CHANNELS === CHANNELS - 1) mark(i);
    at = end;
  }
  if (right < 0) return undefined;
  return [left / width, top / height, (right + 1 - left) / width, (bottom + 1 - top) / height];
};
