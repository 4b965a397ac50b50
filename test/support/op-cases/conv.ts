import * as ops from '../../../src/engine/ops/index.ts';
import { convolved, fixed, float32, float64, linear, range, read, total, type OpCase } from './op-case.ts';

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
const convOpCases: readonly OpCase[] = [
  {
    title: 'conv',
    operands: [{ ...image, symbolicAxes: [0, 2, 3] }, filter, bias],
    build: (x, w, b) => ops.conv(x, w, { stride: 2, padding: 1 }, b),
    shape: [2, 4, 3, 2],
    dtype: 'float32',
    at: (position) => read(bias, [position[1]!]) + convolved(image, filter, position, 2),
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

export const convCases: readonly OpCase[] = [...poolCases, ...convOpCases];
