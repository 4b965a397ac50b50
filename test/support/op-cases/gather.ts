import { addDims, mulDims } from '../../../src/engine/graph/index.ts';
import * as ops from '../../../src/engine/ops/index.ts';
import { fixed, float64, range, read, total, integers, withIndex, type OpCase } from './op-case.ts';

const table = float64([5, 3], 3);
const x234 = float64([2, 3, 4], 4);
const ids = integers([2, 2], [4, 0, 1, 4]);
const noIds = integers([0], []);

const gatherOpCases: readonly OpCase[] = [
  {
    title: 'gather rows, one of them twice',
    operands: [fixed(table), ids],
    build: (x, i) => ops.gather(x, i),
    shape: [2, 2, 3],
    at: ([i, j, k]) => read(table, [read(ids, [i!, j!]), k!]),
  },
  {
    title: 'gather from a table of symbolic size with int32',
    operands: [table, integers([4], [1, 1, 1, 0], 'int32')],
    build: (x, i) => ops.gather(x, i),
    shape: [4, 3],
    at: ([i, k]) => read(table, [[1, 1, 1, 0][i!]!, k!]),
  },
  {
    title: 'gather along the last axis',
    operands: [x234, integers([2], [3, 0])],
    build: (x, i) => ops.gather(x, i, -1),
    shape: [2, 3, 2],
    at: ([i, j, k]) => read(x234, [i!, j!, [3, 0][k!]!]),
  },
  {
    title: 'gather along the middle axis, indices with two axes',
    operands: [x234, integers([2, 2], [0, 2, 2, 1])],
    build: (x, i) => ops.gather(x, i, 1),
    shape: [2, 2, 2, 4],
    at: ([i, j, k, l]) => read(x234, [i!, [0, 2, 2, 1][2 * j! + k!]!, l!]),
  },
  {
    title: 'gather of a single row',
    operands: [table, integers([], [2])],
    build: (x, i) => ops.gather(x, i),
    shape: [3],
    at: ([k]) => read(table, [2, k!]),
  },
  {
    title: 'gather of no rows',
    operands: [table, noIds],
    build: (x, i) => ops.gather(x, i),
    shape: [0, 3],
    at: () => 0,
  },
  {
    title: 'lookUp',
    operands: [fixed(table), ids],
    build: (x, i) => ops.lookUp(x, i),
    shape: [2, 2, 3],
    at: ([i, j, k]) => read(table, [read(ids, [i!, j!]), k!]),
  },
  {
    title: 'scatterAddRows, one row twice',
    operands: [integers([4], [1, 3, 1, 0]), float64([4, 2], 5)],
    build: (i, rows) => ops.scatterAddRows(5, i, rows),
    shape: [5, 2],
    at: ([row, k]) => total(range(4).map((i) => ([1, 3, 1, 0][i] === row ? read(float64([4, 2], 5), [i, k!]) : 0))),
  },
  {
    title: 'scatterAddRows with int32 into a symbolic count',
    operands: [integers([3], [2, 2, 0], 'int32'), float64([3], 5)],
    build: (i, rows) => ops.scatterAddRows(rows.shape[0]!, i, rows),
    shape: [3],
    at: ([row]) => total(range(3).map((i) => ([2, 2, 0][i] === row ? read(float64([3], 5), [i]) : 0))),
  },
  {
    title: 'scatterAddRows of no rows',
    operands: [noIds, float64([0, 2], 5)],
    build: (i, rows) => ops.scatterAddRows(3, i, rows),
    shape: [3, 2],
    at: () => 0,
  },
  {
    title: 'gatherElements',
    operands: [x234, integers([2, 3, 2], [3, 0, 1, 1, 2, 0, 3, 3, 0, 1, 2, 2])],
    build: (x, i) => ops.gatherElements(x, i, -1),
    shape: [2, 3, 2],
    at: (position) =>
      read(x234, withIndex(position, 2, read(integers([2, 3, 2], [3, 0, 1, 1, 2, 0, 3, 3, 0, 1, 2, 2]), position))),
  },
  {
    title: 'topK, values',
    operands: [x234],
    build: (x) => ops.topK(x, 2, 1).values,
    shape: [2, 2, 4],
    at: (position) =>
      range(3)
        .map((index) => read(x234, withIndex(position, 1, index)))
        .sort((a, b) => b - a)[position[1]!]!,
  },
  {
    title: 'topK, indices',
    operands: [x234],
    build: (x) => ops.topK(x, 1, 2).indices,
    shape: [2, 3, 1],
    dtype: 'int64',
    at: (position) => {
      const row = range(4).map((index) => read(x234, withIndex(position, 2, index)));
      return row.indexOf(Math.max(...row));
    },
    gradient: 'none',
  },
  {
    title: 'gatherElements of no rows',
    operands: [float64([0, 4]), integers([0, 1], [])],
    build: (x, i) => ops.gatherElements(x, i, 1),
    shape: [0, 1],
    at: () => 0,
  },
  {
    title: 'scatterAddFlat',
    operands: [integers([4], [1, 5, 1, 0]), float64([4], 6)],
    build: (i, values) => ops.scatterAddFlat(6, i, values),
    shape: [6],
    at: ([k]) => total(range(4).map((i) => ([1, 5, 1, 0][i] === k ? read(float64([4], 6), [i]) : 0))),
  },
  {
    title: 'scatterAddFlat, empty',
    operands: [noIds, float64([0], 6)],
    build: (i, values) => ops.scatterAddFlat(6, i, values),
    shape: [6],
    at: () => 0,
  },
  ...(['int64', 'int32'] as const).map((dtype): OpCase => ({
    title: `oneHot of ${dtype}`,
    operands: [integers([2, 2], [0, 2, 3, 1], dtype)],
    build: (i) => ops.oneHot(i, 3),
    shape: [2, 2, 3],
    dtype: 'float32',
    at: ([i, j, k]) => Number([0, 2, 3, 1][2 * i! + j!] === k),
    gradient: 'none',
  })),
  {
    title: 'oneHot, empty',
    operands: [noIds],
    build: (i) => ops.oneHot(i, 3),
    shape: [0, 3],
    dtype: 'float32',
    at: () => 0,
    gradient: 'none',
  },
];

const like = float64([2, 3], 7);
const constantCases: readonly OpCase[] = [
  {
    title: 'fill with the sizes of a tensor',
    operands: [like],
    build: (x) => ops.fill(7, x.shape, 'int64'),
    shape: [2, 3],
    dtype: 'int64',
    at: () => 7,
    gradient: 'none',
  },
  {
    title: 'fill of rank 0',
    operands: [like],
    build: () => ops.fill(-2, [], 'float64'),
    shape: [],
    at: () => -2,
    gradient: 'none',
  },
  { title: 'zerosLike', operands: [like], build: ops.zerosLike, shape: [2, 3], at: () => 0, gradient: 'none' },
  {
    title: 'fill, empty',
    operands: [float64([0, 3])],
    build: (x) => ops.fill(1, x.shape, 'float64'),
    shape: [0, 3],
    at: () => 0,
    gradient: 'none',
  },
  ...(['int64', 'int32', 'float32'] as const).map((dtype): OpCase => ({
    title: `iota of ${dtype}`,
    operands: [like],
    build: (x) => ops.iota(mulDims(x.shape[0]!, x.shape[1]!), dtype),
    shape: [6],
    dtype,
    at: ([i]) => i!,
    gradient: 'none',
  })),
  {
    title: 'iota, empty',
    operands: [noIds],
    build: (x) => ops.iota(x.shape[0]!),
    shape: [0],
    dtype: 'int64',
    at: () => 0,
    gradient: 'none',
  },
  {
    title: 'dimValue of a polynomial',
    operands: [like],
    build: (x) => ops.dimValue(addDims(mulDims(x.shape[0]!, x.shape[1]!, 5), x.shape[0]!, -1)),
    shape: [],
    dtype: 'int64',
    at: () => 31,
    gradient: 'none',
  },
];

export const gatherCases: readonly OpCase[] = [...gatherOpCases, ...constantCases];
