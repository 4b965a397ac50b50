import type { DType, Tensor } from '../../../src/engine/graph/index.ts';
import { noise, type Operand } from '../op-check.ts';

/** One row of the table that `src/engine/ops/ops.test.ts` walks: an op on some operands, and what must come out. */
export interface OpCase {
  /** Begins with the name of the op. */
  readonly title: string;
  readonly operands: readonly Operand[];
  readonly build: (...inputs: Tensor[]) => Tensor;
  readonly shape: readonly number[];
  /** float64 unless stated. */
  readonly dtype?: DType;
  /** The value at a position of the result, in plain arithmetic. */
  readonly at: (position: readonly number[]) => number;
  /** Relative to the largest magnitude; by default 1e-12 for float64 and 2e-6 for the others. */
  readonly tolerance?: number;
  /** `'none'` where the op has no derivative. By default a check in the first operand's precision of all floats. */
  readonly gradient?: 'none' | GradientOptions;
  /** Why a case cannot have symbolic sizes, where it cannot. */
  readonly staticOnly?: string;
}

export interface GradientOptions {
  readonly epsilon?: number;
  readonly tolerance?: number;
  readonly wrt?: readonly number[];
}

/** For functions that are linear in each operand a wide central difference is exact but for rounding. */
export const linear: GradientOptions = { epsilon: 0.5, tolerance: 2e-5 };

export const countOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Values in [−1, 1). */
export const float64 = (shape: readonly number[], seed = 1, map: (value: number) => number = (x) => x): Operand => ({
  shape,
  dtype: 'float64',
  data: Array.from(noise(countOf(shape), seed), map),
});

/** As `float64`, rounded to what float32 holds, for operators that have no double precision. */
export const float32 = (shape: readonly number[], seed = 1, map: (value: number) => number = (x) => x): Operand => ({
  shape,
  dtype: 'float32',
  data: Array.from(noise(countOf(shape), seed), (value) => Math.fround(map(value))),
});

export const whole = (shape: readonly number[], data: readonly number[], dtype: DType = 'int64'): Operand => ({
  shape,
  dtype,
  data,
});

/** No axis becomes a symbol: filters and tables. */
export const fixed = (operand: Operand): Operand => ({ ...operand, symbolicAxes: [] });

/** Keeps values away from a kink at 0, where a difference quotient has no meaning. */
export const awayFromZero = (value: number): number => value + 0.2 * Math.sign(value);

/** All positions of a shape, row-major. */
export const positionsOf = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>(
    (positions, size) =>
      positions.flatMap((position) => Array.from({ length: size }, (_, index) => [...position, index])),
    [[]],
  );

/** The operand's value at a position of a shape that it broadcasts to. */
export const read = ({ shape, data }: Operand, position: readonly number[]): number => {
  const lead = position.length - shape.length;
  const flat = shape.reduce((offset, size, axis) => offset * size + (size === 1 ? 0 : position[axis + lead]!), 0);
  return data[flat]!;
};

export const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** The position with another index at one axis. */
export const withIndex = (position: readonly number[], axis: number, index: number): number[] =>
  position.map((own, at) => (at === axis ? index : own));
