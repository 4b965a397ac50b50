import type { RawImage } from '../../data/images/raw-image.ts';
import type { RelativeBox } from './photo-row.ts';
import { COLOR_PROTOTYPES, COLORS, type ColorName } from '../../text/lexicon/concepts.ts';

/** Mean colors of blocks of an image, RGB in 0 to 1. */
export interface BlockColors {
  /** (3, height, width) */
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

/** Fraction of an object that must have one color. */
const MAJORITY = 0.5;

/**
 * Color of an object: that of most blocks in its inner part, or in the upper half of a person, whose clothes are meant.
 *
 * @param colors (3, H, W) mean colors of blocks, RGB in 0 to 1
 */
export const colorOf = (
  { shape, data }: BlockColors,
  [x0, y0, x1, y1]: RelativeBox,
  noun: string,
): ColorName | undefined => {
  const [, height, width] = shape as [number, number, number];
  const [left, top, right, bottom] = noun === 'person' ? [0.2, 0.15, 0.8, 0.55] : [0.2, 0.2, 0.8, 0.8];
  const range = (low: number, high: number, from: number, to: number, size: number): readonly [number, number] => {
    const first = Math.min(size - 1, Math.floor((low + (high - low) * from) * size));
    return [first, Math.max(first + 1, Math.ceil((low + (high - low) * to) * size))];
  };
  const [firstColumn, endColumn] = range(x0, x1, left, right, width);
  const [firstRow, endRow] = range(y0, y1, top, bottom, height);
  const counts = new Map<ColorName, number>();
  let total = 0;
  for (let row = firstRow; row < Math.min(height, endRow); row++)
    for (let column = firstColumn; column < Math.min(width, endColumn); column++) {
      const at = row * width + column;
      const name = nearestColor([0, 1, 2].map((channel) => Number(data[channel * height * width + at])));
      counts.set(name, (counts.get(name) ?? 0) + 1);
      total++;
    }
  const [best] = [...counts].toSorted((a, b) => b[1] - a[1]);
  return best !== undefined && best[1] >= MAJORITY * total ? best[0] : undefined;
};

const nearestColor = (rgb: readonly number[]): ColorName => {
  let nearest: ColorName = 'gray';
  let smallest = Infinity;
  for (const name of COLORS)
    for (const prototype of COLOR_PROTOTYPES[name]) {
      const distance = prototype.reduce((sum, value, channel) => sum + (value - rgb[channel]!) ** 2, 0);
      if (distance < smallest) [nearest, smallest] = [name, distance];
    }
  return nearest;
};

/** Pixels of the side of a block. */
const BLOCK = 8;

/** Mean colors of the blocks of 8 × 8 pixels of an image. */
export const blockColors = ({ width, height, data }: RawImage): BlockColors => {
  const [columns, rows] = [Math.floor(width / BLOCK), Math.floor(height / BLOCK)];
  const colors = new Float32Array(3 * rows * columns);
  for (let y = 0; y < rows * BLOCK; y++)
    for (let x = 0; x < columns * BLOCK; x++)
      for (let channel = 0; channel < 3; channel++) {
        const block = (channel * rows + Math.floor(y / BLOCK)) * columns + Math.floor(x / BLOCK);
        colors[block]! += data[(y * width + x) * 3 + channel]! / (255 * BLOCK * BLOCK);
      }
  return { shape: [3, rows, columns], data: colors };
};
