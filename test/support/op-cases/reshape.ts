import { mulDims } from '../../../src/engine/graph/index.ts';
import * as ops from '../../../src/engine/ops/index.ts';
import { fixed, float64, positionsOf, read, type OpCase } from './op-case.ts';

const x34 = float64([3, 4], 1);
const x234 = float64([2, 3, 4], 2);
const none = float64([0, 4], 3);

/** Reads the row-major values as a tensor of another shape. */
const inOrder =
  ({ data }: { readonly data: ArrayLike<number> }, shape: readonly number[]) =>
  (position: readonly number[]): number =>
    data[position.reduce((offset, index, axis) => offset * shape[axis]! + index, 0)]!;

const shapeCases: readonly OpCase[] = [
  {
    title: 'reshape merges axes',
    operands: [x234],
    build: (x) => ops.reshape(x, [mulDims(x.shape[0]!, x.shape[1]!), x.shape[2]!]),
    shape: [6, 4],
    at: inOrder(x234, [6, 4]),
  },
  {
    title: 'reshape changes every size',
    operands: [x234],
    build: (x) => ops.reshape(x, [x.shape[2]!, x.shape[0]!, x.shape[1]!]),
    shape: [4, 2, 3],
    at: inOrder(x234, [4, 2, 3]),
  },
  {
    title: 'reshape of no rows, first axis kept',
    operands: [float64([0, 3, 4])],
    build: (x) => ops.reshape(x, [x.shape[0]!, mulDims(x.shape[1]!, x.shape[2]!)]),
    shape: [0, 12],
    at: () => 0,
  },
  {
    title: 'reshape of no rows, swapped',
    operands: [none],
    build: (x) => ops.reshape(x, [x.shape[1]!, x.shape[0]!]),
    shape: [4, 0],
    at: () => 0,
  },
  {
    title: 'reshape of no rows, other sizes from another tensor',
    operands: [float64([0, 12]), x34],
    build: (x, like) => ops.add(ops.reshape(x, [x.shape[0]!, ...like.shape]), ops.unsqueeze(like, 0)),
    shape: [0, 3, 4],
    at: () => 0,
    staticOnly: '12 = 3·4 does not follow from symbols',
  },
  {
    title: 'reshape to rank 0',
    operands: [float64([1, 1])],
    build: (x) => ops.reshape(x, []),
    shape: [],
    at: () => float64([1, 1]).data[0]!,
  },
  {
    title: 'mergeAxes, negative axes',
    operands: [x234],
    build: (x) => ops.mergeAxes(x, -2, -1),
    shape: [2, 12],
    at: inOrder(x234, [2, 12]),
  },
  {
    title: 'splitAxis, negative axis',
    operands: [fixed(x34)],
    build: (x) => ops.splitAxis(x, -1, [2, 2]),
    shape: [3, 2, 2],
    at: inOrder(x34, [3, 2, 2]),
  },
  {
    title: 'unsqueeze at the start and at the end',
    operands: [x34],
    build: (x) => ops.unsqueeze(ops.unsqueeze(x, -1), 0),
    shape: [1, 3, 4, 1],
    at: inOrder(x34, [1, 3, 4, 1]),
  },
  {
    title: 'squeeze',
    operands: [float64([3, 1, 4])],
    build: (x) => ops.squeeze(x, -2),
    shape: [3, 4],
    at: inOrder(float64([3, 1, 4]), [3, 4]),
  },
];

const transposeCases: readonly OpCase[] = [
  {
    title: 'transpose',
    operands: [x234],
    build: (x) => ops.transpose(x, [2, 0, 1]),
    shape: [4, 2, 3],
    at: ([i, j, k]) => read(x234, [j!, k!, i!]),
  },
  {
    title: 'transpose of no rows',
    operands: [none],
    build: (x) => ops.transpose(x, [1, 0]),
    shape: [4, 0],
    at: () => 0,
  },
  {
    title: 'swapLastTwo',
    operands: [x234],
    build: ops.swapLastTwo,
    shape: [2, 4, 3],
    at: ([i, j, k]) => read(x234, [i!, k!, j!]),
  },
  {
    title: 'expand adds and broadcasts axes',
    operands: [float64([3, 1], 7), x234],
    build: (x, like) => ops.expand(x, like.shape),
    shape: [2, 3, 4],
    at: (position) => read(float64([3, 1], 7), position),
  },
  {
    title: 'expand to no rows',
    operands: [float64([1, 4], 8), none],
    build: (x, like) => ops.expand(x, like.shape),
    shape: [0, 4],
    at: () => 0,
  },
];

export const reshapeCases: readonly OpCase[] = [
  ...shapeCases,
  ...transposeCases,
  {
    title: 'transpose, reshape and transpose again',
    operands: [x234],
    build: (x) =>
      ops.transpose(ops.reshape(ops.transpose(x, [1, 0, 2]), [x.shape[1]!, mulDims(x.shape[0]!, x.shape[2]!)]), [1, 0]),
    shape: [8, 3],
    at: (position) => {
      const from = positionsOf([2, 4])[position[0]!]!;
      return read(x234, [from[0]!, position[1]!, from[1]!]);
    },
  },
];
