import * as ops from '../../../src/engine/ops/index.ts';
import { fixed, float64, read, integers, type OpCase } from './op-case.ts';

const x34 = float64([3, 4], 1);
const x234 = float64([2, 3, 4], 2);
const none = float64([0, 4], 3);
const [a, b, c] = [float64([2, 3], 4), float64([4, 3], 5), float64([0, 3], 6)];
const ints = integers([5], [4, 3, 2, 1, 0]);

const concatCases: readonly OpCase[] = [
  {
    title: 'concat along the first axis, one part empty',
    operands: [a, c, b],
    build: (...parts) => ops.concat(parts, 0),
    shape: [6, 3],
    at: ([i, j]) => (i! < 2 ? read(a, [i!, j!]) : read(b, [i! - 2, j!])),
  },
  {
    title: 'concat along the last axis',
    operands: [x34, float64([3, 2], 9)],
    build: (x, y) => ops.concat([x, y], -1),
    shape: [3, 6],
    at: ([i, j]) => (j! < 4 ? read(x34, [i!, j!]) : read(float64([3, 2], 9), [i!, j! - 4])),
  },
  {
    title: 'concat of empty parts only',
    operands: [c, c],
    build: (x, y) => ops.concat([x, y], 0),
    shape: [0, 3],
    at: () => 0,
  },
  {
    title: 'concat of a tensor with itself',
    operands: [x34],
    build: (x) => ops.concat([x, x, x], 0),
    shape: [9, 4],
    at: ([i, j]) => read(x34, [i! % 3, j!]),
  },
  {
    title: 'split, last part read only',
    operands: [x34],
    build: (x) => ops.split(x, -1, [1, 2, 1])[1]!,
    shape: [3, 2],
    at: ([i, j]) => read(x34, [i!, j! + 1]),
    staticOnly: '1 + 2 + 1 = 4 does not follow from symbols',
  },
  {
    title: 'split of a joint axis, all parts read',
    operands: [a, b],
    build: (x, y) => {
      const parts = ops.split(ops.concat([x, y], 0), 0, [y.shape[0]!, x.shape[0]!]);
      return ops.concat([ops.mul(parts[1]!, 3), parts[0]!], 0);
    },
    shape: [6, 3],
    at: ([i, j]) => {
      const joint = (row: number): number => (row < 2 ? read(a, [row, j!]) : read(b, [row - 2, j!]));
      return i! < 2 ? 3 * joint(i! + 4) : joint(i! - 2);
    },
  },
  {
    title: 'split with an empty part',
    operands: [a, c],
    build: (x, y) => {
      const parts = ops.split(ops.concat([y, x], 0), 0, [y.shape[0]!, x.shape[0]!]);
      return ops.concat([parts[1]!, parts[0]!], 0);
    },
    shape: [2, 3],
    at: (position) => read(a, position),
  },
];

const sliceOfAxisCases: readonly OpCase[] = [
  {
    title: 'flip',
    operands: [x234],
    build: (x) => ops.flip(x, 1),
    shape: [2, 3, 4],
    at: ([i, j, k]) => read(x234, [i!, 2 - j!, k!]),
  },
  {
    title: 'flip of no rows',
    operands: [none],
    build: (x) => ops.flip(x, 0),
    shape: [0, 4],
    at: () => 0,
  },
  {
    title: 'slice',
    operands: [fixed(x34)],
    build: (x) => ops.slice(x, -1, 1, 3),
    shape: [3, 2],
    at: ([i, j]) => read(x34, [i!, j! + 1]),
  },
  {
    title: 'slice to the end',
    operands: [x34],
    build: (x) => ops.slice(x, 0, 1, x.shape[0]!),
    shape: [2, 4],
    at: ([i, j]) => read(x34, [i! + 1, j!]),
  },
  {
    title: 'slice with sizes of other tensors',
    operands: [a, b],
    build: (x, y) => ops.slice(y, 0, 0, x.shape[0]!),
    shape: [2, 3],
    at: (position) => read(b, position),
    gradient: { wrt: [1] },
  },
  {
    title: 'slice with a step',
    operands: [fixed(float64([7, 3], 10))],
    build: (x) => ops.slice(x, 0, 1, 6, 2),
    shape: [3, 3],
    at: ([i, j]) => read(float64([7, 3], 10), [1 + 2 * i!, j!]),
  },
  {
    title: 'slice with a step and a remainder',
    operands: [fixed(float64([8], 10))],
    build: (x) => ops.slice(x, 0, 0, 6, 3),
    shape: [2],
    at: ([i]) => read(float64([8], 10), [3 * i!]),
  },
  {
    title: 'slice, empty',
    operands: [x34, c],
    build: (x, y) => ops.slice(x, 0, 0, y.shape[0]!),
    shape: [0, 4],
    at: () => 0,
    gradient: { wrt: [0] },
  },
  {
    title: 'slice of integers',
    operands: [fixed(ints)],
    build: (x) => ops.slice(x, 0, 2, 4),
    shape: [2],
    dtype: 'int64',
    at: ([i]) => 2 - i!,
    gradient: 'none',
  },
  {
    title: 'strided',
    operands: [float64([7, 3], 10)],
    build: (x) => ops.strided(x, 0, 1, 3, 2),
    shape: [3, 3],
    at: ([i, j]) => read(float64([7, 3], 10), [1 + 2 * i!, j!]),
  },
  {
    title: 'strided, count from another tensor, with a remainder',
    operands: [float64([8], 11), float64([2], 12)],
    build: (x, y) => ops.mul(ops.strided(x, -1, 0, y.shape[0]!, 3), y),
    shape: [2],
    at: ([i]) => float64([8], 11).data[3 * i!]! * float64([2], 12).data[i!]!,
  },
  {
    title: 'strided, empty',
    operands: [float64([8], 11), float64([0], 12)],
    build: (x, y) => ops.mul(ops.strided(x, 0, 0, y.shape[0]!, 2), y),
    shape: [0],
    at: () => 0,
  },
  {
    title: 'strided with step 1',
    operands: [fixed(x34)],
    build: (x) => ops.strided(x, 1, 2, 2, 1),
    shape: [3, 2],
    at: ([i, j]) => read(x34, [i!, j! + 2]),
  },
];

const padCases: readonly OpCase[] = [
  {
    title: 'pad with zeros',
    operands: [x34],
    build: (x) => ops.pad(x, -1, 2, 1),
    shape: [3, 7],
    at: ([i, j]) => (j! >= 2 && j! < 6 ? read(x34, [i!, j! - 2]) : 0),
  },
  {
    title: 'pad with a value',
    operands: [x34],
    build: (x) => ops.pad(x, 0, 0, 2, -7),
    shape: [5, 4],
    at: ([i, j]) => (i! < 3 ? read(x34, [i!, j!]) : -7),
  },
  {
    title: 'pad by sizes of another tensor',
    operands: [a, b],
    build: (x, y) => ops.add(ops.pad(x, 0, 0, y.shape[0]!), ops.pad(y, 0, x.shape[0]!, 0)),
    shape: [6, 3],
    at: ([i, j]) => (i! < 2 ? read(a, [i!, j!]) : read(b, [i! - 2, j!])),
  },
  {
    title: 'pad by negative amounts crops',
    operands: [fixed(float64([6, 2], 13))],
    build: (x) => ops.pad(x, 0, -1, -2),
    shape: [3, 2],
    at: ([i, j]) => read(float64([6, 2], 13), [i! + 1, j!]),
  },
  {
    title: 'pad before, crop after',
    operands: [x34],
    build: (x) => ops.pad(x, 1, 1, -1),
    shape: [3, 4],
    at: ([i, j]) => (j! === 0 ? 0 : read(x34, [i!, j! - 1])),
  },
  {
    title: 'pad no rows',
    operands: [none],
    build: (x) => ops.pad(x, 1, 1, 1),
    shape: [0, 6],
    at: () => 0,
  },
  {
    title: 'pad of no rows to several',
    operands: [none, x34],
    build: (x, y) => ops.pad(x, 0, 0, y.shape[0]!),
    shape: [3, 4],
    at: () => 0,
    gradient: { wrt: [0] },
  },
  {
    title: 'pad of bool with true',
    operands: [integers([2], [0, 1], 'bool')],
    build: (x) => ops.pad(x, 0, 1, 1, 1),
    shape: [4],
    dtype: 'bool',
    at: ([i]) => [1, 0, 1, 1][i!]!,
    gradient: 'none',
  },
  {
    title: 'interleaveZeros',
    operands: [x34],
    build: (x) => ops.interleaveZeros(x, -1, 3),
    shape: [3, 12],
    at: ([i, j]) => (j! % 3 === 0 ? read(x34, [i!, j! / 3]) : 0),
  },
];

export const sliceCases: readonly OpCase[] = [...concatCases, ...sliceOfAxisCases, ...padCases];
