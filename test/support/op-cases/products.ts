import { addDims, mulDims } from '../../../src/engine/graph/index.ts';
import * as ops from '../../../src/engine/ops/index.ts';
import type { Operand } from '../op-check.ts';
import { fixed, float32, float64, linear, range, read, total, whole, withIndex, type OpCase } from './op-case.ts';

const product = (
  title: string,
  a: Operand,
  b: Operand,
  shape: readonly number[],
  options: Partial<OpCase> = {},
): OpCase => ({
  title: `matmul, ${title}`,
  operands: [a, b],
  build: ops.matmul,
  shape,
  at: (position) => {
    const [lead, row, column] = [position.slice(0, -2), position.at(-2)!, position.at(-1)!];
    return total(range(a.shape.at(-1)!).map((k) => read(a, [...lead, row, k]) * read(b, [...lead, k, column])));
  },
  ...options,
});

const matmulCases: readonly OpCase[] = [
  product('two matrices', float64([3, 4], 1), float64([4, 5], 2), [3, 5]),
  product('one weight for many rows', float64([2, 3, 4], 1), float64([4, 5], 2), [2, 3, 5]),
  product('one matrix for many weights', float64([3, 4], 1), float64([2, 4, 5], 2), [2, 3, 5]),
  product('leading axes stretch', float64([2, 1, 3, 4], 1), float64([6, 4, 5], 2), [2, 6, 3, 5]),
  product('no rows', float64([0, 4], 1), float64([4, 5], 2), [0, 5]),
  product('no columns', float64([3, 4], 1), float64([4, 0], 2), [3, 0]),
  product('no batch', float64([0, 3, 4], 1), float64([0, 4, 5], 2), [0, 3, 5]),
  product('sums of nothing are 0', float64([3, 0], 1), float64([0, 5], 2), [3, 5]),
  product('float32', float32([3, 4], 1), float32([4, 5], 2), [3, 5], { dtype: 'float32', gradient: linear }),
];

const gemmCase = (
  title: string,
  [rows, inner, columns]: readonly [number, number, number],
  trans: { readonly transA?: boolean; readonly transB?: boolean },
  withBias: boolean,
): OpCase => {
  const a = float64(trans.transA === true ? [inner, rows] : [rows, inner], 1);
  const b = float64(trans.transB === true ? [columns, inner] : [inner, columns], 2);
  const bias = float64([columns], 3);
  return {
    title: `gemm, ${title}`,
    operands: withBias ? [a, b, bias] : [a, b],
    build: (x, y, z) => ops.gemm(x, y, trans, z),
    shape: [rows, columns],
    at: ([row, column]) =>
      total(
        range(inner).map(
          (k) =>
            read(a, trans.transA === true ? [k, row!] : [row!, k]) *
            read(b, trans.transB === true ? [column!, k] : [k, column!]),
        ),
      ) + (withBias ? read(bias, [column!]) : 0),
  };
};

const gemmCases: readonly OpCase[] = [
  gemmCase('plain', [3, 4, 5], {}, false),
  gemmCase('bias', [3, 4, 5], {}, true),
  gemmCase('Aᵀ', [3, 4, 5], { transA: true }, true),
  gemmCase('Bᵀ', [3, 4, 5], { transB: true }, true),
  gemmCase('Aᵀ Bᵀ', [3, 4, 5], { transA: true, transB: true }, true),
  gemmCase('no rows', [0, 4, 5], { transB: true }, true),
  gemmCase('no columns', [3, 4, 0], {}, true),
  gemmCase('sums of nothing are the bias', [3, 0, 5], {}, true),
  ...([[2, 3, 4], [4], [0, 3, 4]] as const).map((shape): OpCase => {
    const [x, weight, bias] = [float32(shape, 1), fixed(float32([5, 4], 2)), fixed(float32([5], 3))];
    return {
      title: `linear of [${shape.join(', ')}]`,
      operands: [{ ...x, symbolicAxes: range(shape.length - 1) }, weight, bias],
      build: ops.linear,
      shape: [...shape.slice(0, -1), 5],
      dtype: 'float32',
      at: (position) =>
        read(bias, [position.at(-1)!]) +
        total(range(4).map((k) => read(x, [...position.slice(0, -1), k]) * read(weight, [position.at(-1)!, k]))),
      gradient: linear,
    };
  }),
];

const table = float64([5, 3], 3);
const x234 = float64([2, 3, 4], 4);
const ids = whole([2, 2], [4, 0, 1, 4]);
const noIds = whole([0], []);

const gatherCases: readonly OpCase[] = [
  {
    title: 'gather rows, one of them twice',
    operands: [fixed(table), ids],
    build: (x, i) => ops.gather(x, i),
    shape: [2, 2, 3],
    at: ([i, j, k]) => read(table, [read(ids, [i!, j!]), k!]),
  },
  {
    title: 'gather from a table of symbolic size with int32',
    operands: [table, whole([4], [1, 1, 1, 0], 'int32')],
    build: (x, i) => ops.gather(x, i),
    shape: [4, 3],
    at: ([i, k]) => read(table, [[1, 1, 1, 0][i!]!, k!]),
  },
  {
    title: 'gather along the last axis',
    operands: [x234, whole([2], [3, 0])],
    build: (x, i) => ops.gather(x, i, -1),
    shape: [2, 3, 2],
    at: ([i, j, k]) => read(x234, [i!, j!, [3, 0][k!]!]),
  },
  {
    title: 'gather along the middle axis, indices with two axes',
    operands: [x234, whole([2, 2], [0, 2, 2, 1])],
    build: (x, i) => ops.gather(x, i, 1),
    shape: [2, 2, 2, 4],
    at: ([i, j, k, l]) => read(x234, [i!, [0, 2, 2, 1][2 * j! + k!]!, l!]),
  },
  {
    title: 'gather of a single row',
    operands: [table, whole([], [2])],
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
    operands: [whole([4], [1, 3, 1, 0]), float64([4, 2], 5)],
    build: (i, rows) => ops.scatterAddRows(5, i, rows),
    shape: [5, 2],
    at: ([row, k]) => total(range(4).map((i) => ([1, 3, 1, 0][i] === row ? read(float64([4, 2], 5), [i, k!]) : 0))),
  },
  {
    title: 'scatterAddRows with int32 into a symbolic count',
    operands: [whole([3], [2, 2, 0], 'int32'), float64([3], 5)],
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
    operands: [x234, whole([2, 3, 2], [3, 0, 1, 1, 2, 0, 3, 3, 0, 1, 2, 2])],
    build: (x, i) => ops.gatherElements(x, i, -1),
    shape: [2, 3, 2],
    at: (position) =>
      read(x234, withIndex(position, 2, read(whole([2, 3, 2], [3, 0, 1, 1, 2, 0, 3, 3, 0, 1, 2, 2]), position))),
  },
  {
    title: 'gatherElements of no rows',
    operands: [float64([0, 4]), whole([0, 1], [])],
    build: (x, i) => ops.gatherElements(x, i, 1),
    shape: [0, 1],
    at: () => 0,
  },
  {
    title: 'scatterAddFlat',
    operands: [whole([4], [1, 5, 1, 0]), float64([4], 6)],
    build: (i, values) => ops.scatterAddFlat(6, i, values),
    shape: [6],
    at: ([k]) => total(range(4).map((i) => ([1, 5, 1, 0][i] === k ? read(float64([4], 6), [i]) : 0))),
  },
  {
    title: 'scatterAddFlat of nothing',
    operands: [noIds, float64([0], 6)],
    build: (i, values) => ops.scatterAddFlat(6, i, values),
    shape: [6],
    at: () => 0,
  },
  ...(['int64', 'int32'] as const).map((dtype): OpCase => ({
    title: `oneHot of ${dtype}`,
    operands: [whole([2, 2], [0, 2, 3, 1], dtype)],
    build: (i) => ops.oneHot(i, 3),
    shape: [2, 2, 3],
    dtype: 'float32',
    at: ([i, j, k]) => Number([0, 2, 3, 1][2 * i! + j!] === k),
    gradient: 'none',
  })),
  {
    title: 'oneHot of nothing',
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
    title: 'fill without axes',
    operands: [like],
    build: () => ops.fill(-2, [], 'float64'),
    shape: [],
    at: () => -2,
    gradient: 'none',
  },
  { title: 'zerosLike', operands: [like], build: ops.zerosLike, shape: [2, 3], at: () => 0, gradient: 'none' },
  {
    title: 'fill of nothing',
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
    title: 'iota of nothing',
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

const pooled = fixed(float64([1, 2, 5, 6], 8));
const poolCases: readonly OpCase[] = [
  {
    title: 'maxPool, windows overlap',
    operands: [{ ...pooled, symbolicAxes: [0, 2, 3] }],
    build: (x) => ops.maxPool(x, 3, { stride: 2, padding: 1 }),
    shape: [1, 2, 3, 3],
    at: ([n, c, row, column]) => {
      const seen = range(3).flatMap((i) =>
        range(3).flatMap((j) => {
          const [y, z] = [2 * row! + i - 1, 2 * column! + j - 1];
          return y >= 0 && y < 5 && z >= 0 && z < 6 ? [read(pooled, [n!, c!, y, z])] : [];
        }),
      );
      return Math.max(...seen);
    },
  },
];

const image = float32([2, 3, 5, 4], 9);
const filter = fixed(float32([4, 3, 3, 3], 10));
const bias = fixed(float32([4], 11));
const convCases: readonly OpCase[] = [
  {
    title: 'conv',
    operands: [{ ...image, symbolicAxes: [0, 2, 3] }, filter, bias],
    build: (x, w, b) => ops.conv(x, w, { stride: 2, padding: 1 }, b),
    shape: [2, 4, 3, 2],
    dtype: 'float32',
    at: ([n, o, row, column]) =>
      read(bias, [o!]) +
      total(
        range(3).flatMap((c) =>
          range(3).flatMap((i) =>
            range(3).map((j) => {
              const [y, z] = [2 * row! + i - 1, 2 * column! + j - 1];
              const inside = y >= 0 && y < 5 && z >= 0 && z < 4;
              return inside ? read(image, [n!, c, y, z]) * read(filter, [o!, c, i, j]) : 0;
            }),
          ),
        ),
      ),
    gradient: linear,
  },
  {
    title: 'convTranspose',
    operands: [{ ...float32([1, 4, 3, 2], 12), symbolicAxes: [0, 2, 3] }, filter],
    build: (x, w) => ops.convTranspose(x, w, { strides: [2, 2], pads: [1, 1, 0, 0], dilations: [1, 1], groups: 1 }),
    shape: [1, 3, 6, 4],
    dtype: 'float32',
    at: ([n, c, row, column]) =>
      total(
        range(4).flatMap((o) =>
          range(3).flatMap((i) =>
            range(3).map((j) => {
              const [y, z] = [(row! + 1 - i) / 2, (column! + 1 - j) / 2];
              const hit = Number.isInteger(y) && Number.isInteger(z) && y >= 0 && y < 3 && z >= 0 && z < 2;
              return hit ? read(float32([1, 4, 3, 2], 12), [n!, o, y, z]) * read(filter, [o, c!, i, j]) : 0;
            }),
          ),
        ),
      ),
    gradient: linear,
  },
];

export const productCases: readonly OpCase[] = [
  ...matmulCases,
  ...gemmCases,
  ...gatherCases,
  ...constantCases,
  ...poolCases,
  ...convCases,
];
