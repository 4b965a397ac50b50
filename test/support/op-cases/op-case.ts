import type { DType, Tensor } from '../../../src/engine/graph/index.ts';
import { noise, type Operand } from '../op-check.ts';

/** Test case of an op for `src/engine/ops/ops.test.ts`: operands and the expected result. */
export interface OpCase {
  /** Starts with the name of the op. */
  readonly title: string;
  readonly operands: readonly Operand[];
  readonly build: (...inputs: Tensor[]) => Tensor;
  readonly shape: readonly number[];
  /** Default float64. */
  readonly dtype?: DType;
  /** Expected value at a position of the result. */
  readonly at: (position: readonly number[]) => number;
  /** Tolerance relative to the largest magnitude. Default 1e-12 for float64, else 2e-6. */
  readonly tolerance?: number;
  /** Options of the gradient check; `'none'` for ops without a gradient. By default all float operands are checked. */
  readonly gradient?: 'none' | GradientOptions;
  /** Reason why the case cannot have symbolic sizes. */
  readonly staticOnly?: string;
}

export interface GradientOptions {
  readonly epsilon?: number;
  readonly tolerance?: number;
  readonly wrt?: readonly number[];
}

/** Options for functions that are linear in each operand, where a wide central difference is exact up to rounding. */
export const linear: GradientOptions = { epsilon: 0.5, tolerance: 2e-5 };

export const countOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Reproducible values in [−1, 1). */
export const float64 = (shape: readonly number[], seed = 1, map: (value: number) => number = (x) => x): Operand => ({
  shape,
  dtype: 'float64',
  data: Array.from(noise(countOf(shape), seed), map),
});

/** Like `float64` but in float32, for operators that do not support float64. */
export const float32 = (shape: readonly number[], seed = 1, map: (value: number) => number = (x) => x): Operand => ({
  shape,
  dtype: 'float32',
  data: Array.from(noise(countOf(shape), seed), (value) => Math.fround(map(value))),
});

export const integers = (shape: readonly number[], data: readonly number[], dtype: DType = 'int64'): Operand => ({
  shape,
  dtype,
  data,
});

/** Operand whose sizes are always numbers: filters and tables. */
export const fixed = (operand: Operand): Operand => ({ ...operand, symbolicAxes: [] });

/** Moves values away from a kink at 0, where a difference quotient is meaningless. */
export const awayFromZero = (value: number): number => value + 0.2 * Math.sign(value);

/** All positions of a shape, row-major. */
export const positionsOf = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>(
    (positions, size) =>
      positions.flatMap((position) => Array.from({ length: size }, (_, index) => [...position, index])),
    [[]],
  );

/** Value of an operand at a position of a shape that it broadcasts to. */
export const read = ({ shape, data }: Operand, position: readonly number[]): number => {
  const lead = position.length - shape.length;
  const flat = shape.reduce((offset, size, axis) => offset * size + (size === 1 ? 0 : position[axis + lead]!), 0);
  return data[flat]!;
};

export const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Position with the index of one axis replaced. */
export const withIndex = (position: readonly number[], axis: number, index: number): number[] =>
  position.map((own, at) => (at === axis ? index : own));

/** Value of a convolution with padding 1 of an image (B, C, H, W) with a filter (O, C, 3, 3). */
export const convolved = (image: Operand, filter: Operand, position: readonly number[], stride: number): number => {
  const [n, o, row, column] = position as [number, number, number, number];
  const [, channels, height, width] = image.shape as [number, number, number, number];
  return total(
    range(channels).flatMap((c) =>
      range(3).flatMap((i) =>
        range(3).map((j) => {
          const [y, z] = [stride * row + i - 1, stride * column + j - 1];
          const isInside = y >= 0 && y < height && z >= 0 && z < width;
          return isInside ? read(image, [n, c, y, z]) * read(filter, [o, c, i, j]) : 0;
        }),
      ),
    ),
  );
};
