import * as ops from '../../../src/engine/ops/index.ts';
import type { Operand } from '../op-check.ts';
import { fixed, float32, float64, linear, range, read, total, type OpCase } from './op-case.ts';

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
  product('one weight for a batch', float64([2, 3, 4], 1), float64([4, 5], 2), [2, 3, 5]),
  product('one matrix for a batch of weights', float64([3, 4], 1), float64([2, 4, 5], 2), [2, 3, 5]),
  product('leading axes broadcast', float64([2, 1, 3, 4], 1), float64([6, 4, 5], 2), [2, 6, 3, 5]),
  product('no rows', float64([0, 4], 1), float64([4, 5], 2), [0, 5]),
  product('no columns', float64([3, 4], 1), float64([4, 0], 2), [3, 0]),
  product('no batch', float64([0, 3, 4], 1), float64([0, 4, 5], 2), [0, 3, 5]),
  product('empty sums are 0', float64([3, 0], 1), float64([0, 5], 2), [3, 5]),
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
  gemmCase('empty sums are the bias', [3, 0, 5], {}, true),
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

/** Context and probabilities side by side along the last axis, or one of them. */
const attendCase = (
  title: string,
  [batch, queries, keys, depth]: readonly [number, number, number, number],
  withMask: boolean,
  outputs: readonly (keyof ops.AttendedScores)[] = ['context'],
): OpCase => {
  const [scores, values] = [float64([batch, queries, keys], 1), float64([batch, keys, depth], 2)];
  const mask = float64([batch, queries, keys], 3, (value) => (value < 0 ? 0 : 1.25));
  const contextSize = outputs.includes('context') ? depth : 0;
  return {
    title: `attendScores, ${title}`,
    operands: withMask ? [scores, values, mask] : [scores, values],
    build: (x, y, z) => {
      const attended = ops.attendScores(x, y, z);
      return ops.concat(
        outputs.map((output) => attended[output]),
        2,
      );
    },
    shape: [batch, queries, contextSize + (outputs.includes('probabilities') ? keys : 0)],
    at: ([n, row, column]) => {
      const weights = range(keys).map((key) => Math.exp(read(scores, [n!, row!, key])));
      if (column! >= contextSize) return weights[column! - contextSize]! / total(weights);
      const kept = withMask ? weights.map((weight, key) => weight * read(mask, [n!, row!, key])) : weights;
      return total(kept.map((weight, key) => (weight / total(weights)) * read(values, [n!, key, column!])));
    },
  };
};

const scoreOperands = [float64([2, 3, 4, 5], 1), float64([2, 3, 5, 6], 2), float64([2, 1, 1, 6], 3)] as const;

const attendCases: readonly OpCase[] = [
  {
    title: 'biasedScores',
    operands: scoreOperands,
    build: ops.biasedScores,
    shape: [2, 3, 4, 6],
    at: ([n, head, row, key]) => {
      const [q, k, bias] = scoreOperands;
      const products = range(5).map((d) => read(q, [n!, head!, row!, d]) * read(k, [n!, head!, d, key!]));
      return total(products) + read(bias, [n!, 0, 0, key!]);
    },
  },
  attendCase('many queries', [2, 7, 3, 2], false),
  attendCase('few queries', [2, 2, 5, 3], false),
  attendCase('with a dropout mask', [2, 3, 4, 2], true),
  attendCase('no batch', [0, 2, 4, 2], false),
  attendCase('probabilities', [2, 3, 4, 2], false, ['probabilities']),
  attendCase('both outputs', [2, 7, 3, 2], false, ['context', 'probabilities']),
  attendCase('both outputs with a dropout mask', [2, 3, 4, 2], true, ['context', 'probabilities']),
];

export const productCases: readonly OpCase[] = [...matmulCases, ...gemmCases, ...attendCases];
