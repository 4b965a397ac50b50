import { BLOCK_LENGTH } from './update-blocks.ts';

/** Gradient of a table (V, D) of which a batch reads few rows: all others are 0. */
export interface RowGradient {
  /** Indices of n rows in the table, ascending, each once. */
  readonly indices: Int32Array;
  /** (n, D) gradients of these rows. */
  readonly values: Float32Array;
}

/**
 * Sums rows by their index in the table.
 *
 * @param parts indices (N), in any order and repeated, and rows (N, D) of each batch
 */
export const sumRowGradients = (
  parts: readonly { readonly indices: Int32Array; readonly values: Float32Array }[],
): RowGradient => {
  const filled = parts.filter(({ indices }) => indices.length > 0);
  const columns = filled.length === 0 ? 0 : filled[0]!.values.length / filled[0]!.indices.length;
  const indices = Int32Array.from(new Set(filled.flatMap((part) => [...part.indices]))).sort();
  const places = new Map(Array.from(indices, (index, place) => [index, place * columns]));
  const sums = new Float32Array(indices.length * columns);
  for (const part of filled)
    part.indices.forEach((index, k) => {
      const start = places.get(index)!;
      for (let column = 0; column < columns; column++) sums[start + column]! += part.values[k * columns + column]!;
    });
  return { indices, values: sums };
};

/**
 * Lays out the gradient of elements `start` to `end` of a table block by block, with zeros in the rows between.
 *
 * @param work is given the gradient of elements `from` to `to`
 */
export const inDenseBlocks = (
  { indices, values }: RowGradient,
  start: number,
  end: number,
  work: (block: Float32Array, from: number, to: number) => void,
): void => {
  const columns = values.length / indices.length;
  const block = new Float32Array(Math.min(BLOCK_LENGTH, end - start));
  // The first row that ends after `start`.
  let row = indices.findIndex((index) => (index + 1) * columns > start);
  if (row < 0) row = indices.length;
  for (let from = start; from < end; from += block.length) {
    const to = Math.min(end, from + block.length);
    let isZero = true;
    for (; row < indices.length && indices[row]! * columns < to; row++) {
      const first = indices[row]! * columns;
      const [low, high] = [Math.max(first, from), Math.min(first + columns, to)];
      block.set(values.subarray(row * columns + low - first, row * columns + high - first), low - from);
      isZero = false;
      if (high < first + columns) break; // the rest is part of the next block
    }
    work(block.subarray(0, to - from), from, to);
    if (!isZero) block.fill(0);
  }
};
