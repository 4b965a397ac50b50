import * as ops from '../../../src/engine/ops/index.ts';
import type { Operand } from '../op-check.ts';
import { fixed, float32, float64, range, read, total, integers, withIndex, type OpCase } from './op-case.ts';

const x = float64([2, 3, 4], 1);
const noRows = float64([0, 3], 2);
const noColumns = float64([3, 0], 2);
const ints = integers([2, 3], [5, -1, 5, 2, 9, 9]);

const along = (operand: Operand, position: readonly number[], axis: number): number[] =>
  range(operand.shape[axis]!).map((index) => read(operand, withIndex(position, axis, index)));
const everything = (operand: Operand): number[] => Array.from(operand.data);
const average = (values: readonly number[]): number => total(values) / values.length;
const logSumExp = (values: readonly number[]): number => Math.log(total(values.map(Math.exp)));

interface Reduction {
  readonly name: string;
  readonly apply: typeof ops.sum;
  readonly of: (values: readonly number[]) => number;
}

const reductions: readonly Reduction[] = [
  { name: 'sum', apply: ops.sum, of: total },
  { name: 'mean', apply: ops.mean, of: average },
  { name: 'max', apply: ops.max, of: (values) => Math.max(...values) },
  {
    name: 'logSumExp',
    apply: (operand, axes, options) => ops.logSumExp(operand, axes ?? range(operand.rank), options),
    of: logSumExp,
  },
];

const reductionCases = reductions.flatMap(({ name, apply, of }): OpCase[] => [
  { title: `${name} over all axes`, operands: [x], build: (t) => apply(t), shape: [], at: () => of(everything(x)) },
  {
    title: `${name} over a negative axis`,
    operands: [x],
    build: (t) => apply(t, [-1]),
    shape: [2, 3],
    at: ([i, j]) => of(along(x, [i!, j!, 0], 2)),
  },
  {
    title: `${name} over the first axis, kept`,
    operands: [x],
    build: (t) => apply(t, [0], { keepDims: true }),
    shape: [1, 3, 4],
    at: (position) => of(along(x, position, 0)),
  },
  {
    title: `${name} over two axes`,
    operands: [x],
    build: (t) => apply(t, [2, 0]),
    shape: [3],
    at: ([j]) => of(range(2).flatMap((i) => along(x, [i, j!, 0], 2))),
  },
  {
    title: `${name} over no axis is the operand`,
    operands: [x],
    build: (t) => apply(t, []),
    shape: [2, 3, 4],
    at: (position) => of([read(x, position)]),
  },
  {
    title: `${name} of no rows`,
    operands: [noRows],
    build: (t) => apply(t, [1]),
    shape: [0],
    at: () => 0,
  },
]);

const softmaxRow = (values: readonly number[]): number[] => {
  const sum = total(values.map(Math.exp));
  return values.map((value) => Math.exp(value) / sum);
};

const softmaxCases: readonly OpCase[] = [
  {
    title: 'softmax over the last axis',
    operands: [x],
    build: (t) => ops.softmax(t),
    shape: [2, 3, 4],
    at: (position) => softmaxRow(along(x, position, 2))[position[2]!]!,
  },
  {
    title: 'softmax over the middle axis',
    operands: [x],
    build: (t) => ops.softmax(t, 1),
    shape: [2, 3, 4],
    at: (position) => softmaxRow(along(x, position, 1))[position[1]!]!,
  },
  { title: 'softmax of no rows', operands: [noRows], build: (t) => ops.softmax(t), shape: [0, 3], at: () => 0 },
  {
    title: 'softmax of empty rows',
    operands: [noColumns],
    build: (t) => ops.softmax(t),
    shape: [3, 0],
    at: () => 0,
  },
  {
    title: 'logSoftmax over the last axis',
    operands: [x],
    build: (t) => ops.logSoftmax(t, -1),
    shape: [2, 3, 4],
    at: (position) => Math.log(softmaxRow(along(x, position, 2))[position[2]!]!),
  },
  {
    title: 'logSoftmax over the first axis',
    operands: [x],
    build: (t) => ops.logSoftmax(t, 0),
    shape: [2, 3, 4],
    at: (position) => Math.log(softmaxRow(along(x, position, 0))[position[0]!]!),
  },
  { title: 'logSoftmax of no rows', operands: [noRows], build: (t) => ops.logSoftmax(t), shape: [0, 3], at: () => 0 },
];

const [image, gain, shift] = [float32([2, 3, 5], 3), float32([5], 4), float32([5], 5)];
const layerNorm = (values: readonly number[], epsilon: number): number[] => {
  const mean = average(values);
  const variance = average(values.map((value) => (value - mean) ** 2));
  return values.map((value) => (value - mean) / Math.sqrt(variance + epsilon));
};
const rows = float64([3, 4], 6);
const [features, gains, shifts] = [float32([2, 4, 3, 2], 7), float32([4], 8), float32([4], 9)];

export const reduceCases: readonly OpCase[] = [
  ...reductionCases,
  ...softmaxCases,
  {
    title: 'sum over an empty axis is 0',
    operands: [noColumns],
    build: (t) => ops.sum(t, [1]),
    shape: [3],
    at: () => 0,
  },
  { title: 'sum of an empty tensor is 0', operands: [noRows], build: (t) => ops.sum(t), shape: [], at: () => 0 },
  {
    title: 'sum of integers',
    operands: [ints],
    build: (t) => ops.sum(t, [0]),
    shape: [3],
    dtype: 'int64',
    at: ([j]) => total(along(ints, [0, j!], 0)),
    gradient: 'none',
  },
  {
    title: 'max of integers',
    operands: [ints],
    build: (t) => ops.max(t, [1]),
    shape: [2],
    dtype: 'int64',
    at: ([i]) => [5, 9][i!]!,
    gradient: 'none',
  },
  {
    title: 'argMax picks the first of equal maxima',
    operands: [ints],
    build: (t) => ops.argMax(t, -1),
    shape: [2],
    dtype: 'int64',
    at: ([i]) => [0, 1][i!]!,
    gradient: 'none',
  },
  {
    title: 'argMax keeps the axis',
    operands: [ints],
    build: (t) => ops.argMax(t, -1, { keepDims: true }),
    shape: [2, 1],
    dtype: 'int64',
    at: ([i]) => [0, 1][i!]!,
    gradient: 'none',
  },
  {
    title: 'argMax of no rows',
    operands: [noRows],
    build: (t) => ops.argMax(t, 1),
    shape: [0],
    dtype: 'int64',
    at: () => 0,
    gradient: 'none',
  },
  {
    title: 'cumSum',
    operands: [x],
    build: (t) => ops.cumSum(t, 1),
    shape: [2, 3, 4],
    at: (position) => total(along(x, position, 1).slice(0, position[1]! + 1)),
  },
  {
    title: 'cumSum from the end, negative axis',
    operands: [x],
    build: (t) => ops.cumSum(t, -1, { reverse: true }),
    shape: [2, 3, 4],
    at: (position) => total(along(x, position, 2).slice(position[2])),
  },
  { title: 'cumSum of no rows', operands: [noRows], build: (t) => ops.cumSum(t, 0), shape: [0, 3], at: () => 0 },
  {
    title: 'layerNorm',
    operands: [image, gain, shift],
    build: (t, scale, offset) => ops.layerNorm(t, scale, offset, 1e-5),
    shape: [2, 3, 5],
    dtype: 'float32',
    at: (position) =>
      layerNorm(along(image, position, 2), 1e-5)[position[2]!]! * read(gain, position) + read(shift, position),
  },
  {
    title: 'layerNorm in float64, its secondary outputs in float32',
    operands: [x, float64([4], 4), float64([4], 5)],
    build: (t, scale, offset) => ops.layerNorm(t, scale, offset, 1e-5),
    shape: [2, 3, 4],
    at: (position) =>
      layerNorm(along(x, position, 2), 1e-5)[position[2]!]! * read(float64([4], 4), position) +
      read(float64([4], 5), position),
    tolerance: 1e-6,
    gradient: { tolerance: 1e-5 },
  },
  {
    title: 'layerNorm of no rows',
    operands: [float32([0, 5]), gain, shift],
    build: (t, scale, offset) => ops.layerNorm(t, scale, offset, 1e-5),
    shape: [0, 5],
    dtype: 'float32',
    at: () => 0,
  },
  {
    title: 'l2Normalize',
    operands: [rows],
    build: (t) => ops.l2Normalize(t),
    shape: [3, 4],
    at: (position) => read(rows, position) / Math.hypot(...along(rows, position, 1)),
  },
  {
    title: 'l2Normalize of a row of zeros',
    operands: [integers([2, 2], [0, 0, 3, 4], 'float64')],
    build: (t) => ops.l2Normalize(t),
    shape: [2, 2],
    at: ([i, j]) => [0, 0, 0.6, 0.8][2 * i! + j!]!,
    gradient: 'none',
  },
  {
    title: 'groupNorm (standardizeRows)',
    operands: [{ ...features, symbolicAxes: [0, 2, 3] }, fixed(gains), fixed(shifts)],
    build: (t, scale, offset) => ops.groupNorm(t, 2, scale, offset, 1e-5),
    shape: [2, 4, 3, 2],
    dtype: 'float32',
    at: ([n, c, row, column]) => {
      const first = 2 * Math.floor(c! / 2);
      const group = [first, first + 1].flatMap((channel) =>
        range(3).flatMap((i) => range(2).map((j) => read(features, [n!, channel, i, j]))),
      );
      const normalized = layerNorm(group, 1e-5)[(c! - first) * 6 + row! * 2 + column!]!;
      return normalized * gains.data[c!]! + shifts.data[c!]!;
    },
  },
];
