import { mulDims } from '../../../src/engine/graph/index.ts';
import * as ops from '../../../src/engine/ops/index.ts';
import { fixed, float64, positionsOf, read, whole, type OpCase } from './op-case.ts';

const x34 = float64([3, 4], 1);
const x234 = float64([2, 3, 4], 2);
const none = float64([0, 4], 3);
const [a, b, c] = [float64([2, 3], 4), float64([4, 3], 5), float64([0, 3], 6)];
const ints = whole([5], [4, 3, 2, 1, 0]);

/** The values in order under another shape. */
const inOrder =
  ({ data }: { readonly data: ArrayLike<number> }, shape: readonly number[]) =>
  (position: readonly number[]): number =>
    data[position.reduce((offset, index, axis) => offset * shape[axis]! + index, 0)]!;

const reshapeCases: readonly OpCase[] = [
  {
    title: 'reshape joins axes',
    operands: [x234],
    build: (x) => ops.reshape(x, [mulDims(x.shape[0]!, x.shape[1]!), x.shape[2]!]),
    shape: [6, 4],
    at: inOrder(x234, [6, 4]),
  },
  {
    title: 'reshape to sizes none of which stays in place',
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
    title: 'reshape of no rows, moved to the back',
    operands: [none],
    build: (x) => ops.reshape(x, [x.shape[1]!, x.shape[0]!]),
    shape: [4, 0],
    at: () => 0,
  },
  {
    title: 'reshape of no rows, all other sizes from other tensors',
    operands: [float64([0, 12]), x34],
    build: (x, like) => ops.add(ops.reshape(x, [x.shape[0]!, ...like.shape]), ops.unsqueeze(like, 0)),
    shape: [0, 3, 4],
    at: () => 0,
    staticOnly: '12 = 3·4 does not follow from symbols',
  },
  {
    title: 'reshape to no axes',
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
    title: 'unsqueeze at the front and behind the last',
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
    title: 'expand adds and stretches axes',
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

const joinCases: readonly OpCase[] = [
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

const sliceCases: readonly OpCase[] = [
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
    title: 'slice with a step that ends before the end',
    operands: [fixed(float64([8], 10))],
    build: (x) => ops.slice(x, 0, 0, 6, 3),
    shape: [2],
    at: ([i]) => read(float64([8], 10), [3 * i!]),
  },
  {
    title: 'slice of nothing',
    operands: [x34, c],
    build: (x, y) => ops.slice(x, 0, 0, y.shape[0]!),
    shape: [0, 4],
    at: () => 0,
    gradient: { wrt: [0] },
  },
  {
    title: 'slice of whole numbers',
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
    title: 'strided, count from another tensor, end left over',
    operands: [float64([8], 11), float64([2], 12)],
    build: (x, y) => ops.mul(ops.strided(x, -1, 0, y.shape[0]!, 3), y),
    shape: [2],
    at: ([i]) => float64([8], 11).data[3 * i!]! * float64([2], 12).data[i!]!,
  },
  {
    title: 'strided, nothing taken',
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
    title: 'pad before, crop behind',
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
    title: 'pad of no rows up to some',
    operands: [none, x34],
    build: (x, y) => ops.pad(x, 0, 0, y.shape[0]!),
    shape: [3, 4],
    at: () => 0,
    gradient: { wrt: [0] },
  },
  {
    title: 'pad of bool with true',
    operands: [whole([2], [0, 1], 'bool')],
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

export const movementCases: readonly OpCase[] = [
  ...reshapeCases,
  ...transposeCases,
  ...joinCases,
  ...sliceCases,
  ...padCases,
  {
    title: 'every movement at once keeps what it should',
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
