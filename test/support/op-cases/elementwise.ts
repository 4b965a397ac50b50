import type { Tensor } from '../../../src/engine/graph/index.ts';
import * as ops from '../../../src/engine/ops/index.ts';
import type { Operand } from '../op-check.ts';
import { awayFromZero, float32, float64, read, integers, type OpCase } from './op-case.ts';

const positive = (value: number): number => 1.5 + value;

/** erf by its Taylor series: 2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n+1)). */
const erf = (x: number): number => {
  let [sum, term] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const unary = (
  title: string,
  build: (x: Tensor) => Tensor,
  f: (x: number) => number,
  operand: Operand = float64([3, 4]),
  options: Partial<OpCase> = {},
): OpCase => ({
  title,
  operands: [operand],
  build: (x) => build(x),
  shape: operand.shape,
  dtype: operand.dtype!,
  at: (position) => f(read(operand, position)),
  ...options,
});

const twice = (value: number): number => 2 * value;

const unaryCases: readonly OpCase[] = [
  unary('neg', ops.neg, (x) => -x),
  unary('neg of an empty tensor', ops.neg, (x) => -x, float64([0, 4])),
  unary('exp', ops.exp, Math.exp),
  unary('log', ops.log, Math.log, float64([3, 4], 2, positive)),
  unary('sqrt', ops.sqrt, Math.sqrt, float64([3, 4], 2, positive)),
  unary('reciprocal', ops.reciprocal, (x) => 1 / x, float64([3, 4], 2, positive)),
  unary('rsqrt', ops.rsqrt, (x) => 1 / Math.sqrt(x), float64([3, 4], 2, positive)),
  unary('abs', ops.abs, Math.abs, float64([3, 4], 3, awayFromZero)),
  unary('sign', ops.sign, Math.sign, float64([3, 4]), { gradient: 'none' }),
  unary('floor', ops.floor, Math.floor, float64([3, 4], 1, twice), { gradient: 'none' }),
  unary('sin', ops.sin, Math.sin, float64([3, 4], 4, twice)),
  unary('cos', ops.cos, Math.cos, float64([3, 4], 4, twice)),
  unary('tanh', ops.tanh, Math.tanh),
  unary('sigmoid', ops.sigmoid, sigmoid),
  unary('relu', ops.relu, (x) => Math.max(x, 0), float64([3, 4], 5, awayFromZero)),
  unary('erf', ops.erf, erf, float32([3, 4], 6, twice)),
  unary('softplus', ops.softplus, (x) => Math.log1p(Math.exp(x)), float32([3, 4], 4, twice)),
  unary('gelu', ops.gelu, (x) => (x / 2) * (1 + erf(x / Math.SQRT2)), float32([3, 4], 6, twice)),
  // ONNX Runtime fuses it to a kernel without float64.
  unary('silu', ops.silu, (x) => x * sigmoid(x), float32([3, 4], 4, twice)),
  unary('square', ops.square, (x) => x * x),
  unary(
    'clamp',
    (x) => ops.clamp(x, -0.5, 0.25),
    (x) => Math.min(Math.max(x, -0.5), 0.25),
    float64([5, 4]),
  ),
  unary('not', ops.not, (x) => 1 - x, integers([4], [0, 1, 1, 0], 'bool'), { gradient: 'none' }),
  unary('cast to float32', (x) => ops.cast(x, 'float32'), Math.fround, float64([3, 4]), {
    dtype: 'float32',
    tolerance: 0,
    gradient: { epsilon: 0.5, tolerance: 1e-6 },
  }),
  unary(
    'cast to float64',
    (x) => ops.cast(x, 'float64'),
    (x) => x,
    float32([3, 4]),
    {
      dtype: 'float64',
      gradient: { epsilon: 0.5, tolerance: 1e-6 },
    },
  ),
  unary(
    'cast to int64 truncates toward zero',
    (x) => ops.cast(x, 'int64'),
    Math.trunc,
    float64([6], 1, (x) => 3 * x),
    {
      dtype: 'int64',
      gradient: 'none',
    },
  ),
  unary(
    'cast of bool',
    (x) => ops.cast(x, 'float32'),
    (x) => x,
    integers([3], [1, 0, 1], 'bool'),
    {
      dtype: 'float32',
      gradient: 'none',
    },
  ),
  unary(
    'cast of int32',
    (x) => ops.cast(x, 'uint32'),
    (x) => x >>> 0,
    integers([3], [1, 0, 7], 'int32'),
    {
      dtype: 'uint32',
      gradient: 'none',
    },
  ),
  unary(
    'shiftRight',
    (x) => ops.shiftRight(x, 3),
    (x) => x >>> 3,
    integers([3], [0, 4294967295, 77], 'uint32'),
    {
      gradient: 'none',
    },
  ),
];

interface Pair {
  readonly name: string;
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly shape: readonly number[];
}

const pairs: readonly Pair[] = [
  { name: 'equal shapes', a: [3, 4], b: [3, 4], shape: [3, 4] },
  { name: 'missing axes', a: [2, 3, 4], b: [4], shape: [2, 3, 4] },
  { name: 'both broadcast', a: [2, 1, 4], b: [3, 1], shape: [2, 3, 4] },
  { name: 'without axes', a: [], b: [2, 3], shape: [2, 3] },
  { name: 'no elements', a: [0, 3], b: [1, 3], shape: [0, 3] },
];

const binary = (
  name: string,
  build: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => number,
  options: Partial<OpCase> & { readonly map?: (value: number) => number } = {},
): OpCase[] =>
  pairs.map((pair) => {
    const a = float64(pair.a, 7, options.map);
    const b = float64(pair.b, 8, options.map);
    return {
      title: `${name}, ${pair.name}`,
      operands: [a, b],
      build: (x, y) => build(x, y),
      shape: pair.shape,
      at: (position) => f(read(a, position), read(b, position)),
      ...options,
    };
  });

const comparison = (
  name: string,
  build: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => boolean,
): OpCase[] => {
  const at = (a: Operand, b: Operand) => (position: readonly number[]) =>
    Number(f(read(a, position), read(b, position)));
  // Small integers, so that there are ties.
  const [a, b] = [float64([3, 4], 9, (x) => Math.round(x)), float64([4], 10, (x) => Math.round(x))];
  const [m, n] = [integers([5], [1, 2, 3, -4, 5]), integers([5], [1, 3, 2, -4, -5])];
  const common = { build: (x?: Tensor, y?: Tensor) => build(x!, y!), dtype: 'bool', gradient: 'none' } as const;
  return [
    { ...common, title: `${name}, float64`, operands: [a, b], shape: [3, 4], at: at(a, b) },
    { ...common, title: `${name}, int64`, operands: [m, n], shape: [5], at: at(m, n) },
  ];
};

const logic = (name: string, build: (a: Tensor, b: Tensor) => Tensor, f: (a: number, b: number) => number): OpCase => {
  const [a, b] = [integers([2, 1], [0, 1], 'bool'), integers([2], [0, 1], 'bool')];
  return {
    title: name,
    operands: [a, b],
    build: (x, y) => build(x, y),
    shape: [2, 2],
    dtype: 'bool',
    at: (position) => f(read(a, position), read(b, position)),
    gradient: 'none',
  };
};

const [condition, yes, no] = [integers([3, 1], [1, 0, 1], 'bool'), float64([4], 11), float64([2, 3, 4], 12)];
const [left, right] = [integers([3], [5, 4294967295, 12], 'uint32'), integers([3], [3, 1, 4294967295], 'uint32')];

const otherCases: readonly OpCase[] = [
  {
    title: 'where, all three broadcast',
    operands: [condition, yes, no],
    build: (c, a, b) => ops.where(c, a, b),
    shape: [2, 3, 4],
    at: (position) => (read(condition, position) === 1 ? read(yes, position) : read(no, position)),
    gradient: { wrt: [1, 2] },
  },
  {
    title: 'where with numbers',
    operands: [condition, yes],
    build: (c, a) => ops.add(ops.where(c, 2, a), ops.where(ops.not(c), a, -3)),
    shape: [3, 4],
    at: (position) => (read(condition, position) === 1 ? 2 - 3 : 2 * read(yes, position)),
    gradient: { wrt: [1] },
  },
  unary(
    'where of two numbers is float32',
    (c) => ops.where(c, 2, 3),
    (c) => 3 - c,
    condition,
    {
      dtype: 'float32',
      gradient: 'none',
    },
  ),
  {
    title: 'bitXor',
    operands: [left, right],
    build: (a, b) => ops.bitXor(a, b),
    shape: [3],
    dtype: 'uint32',
    at: (position) => (read(left, position) ^ read(right, position)) >>> 0,
    gradient: 'none',
  },
  {
    title: 'mul of uint32 wraps around',
    operands: [left, right],
    build: (a, b) => ops.mul(a, b),
    shape: [3],
    dtype: 'uint32',
    at: (position) => Math.imul(read(left, position), read(right, position)) >>> 0,
    gradient: 'none',
  },
  {
    title: 'add of uint32 wraps around',
    operands: [left, right],
    build: (a, b) => ops.add(a, b),
    shape: [3],
    dtype: 'uint32',
    at: (position) => (read(left, position) + read(right, position)) >>> 0,
    gradient: 'none',
  },
  unary(
    'stopGradient is the identity',
    (x) => ops.stopGradient(x),
    (x) => x,
    undefined,
    { gradient: 'none' },
  ),
  unary(
    'sub of a number',
    (x) => ops.sub(x, 2),
    (x) => x - 2,
  ),
  unary(
    'a tensor used twice',
    (x) => ops.mul(ops.add(x, x), x),
    (x) => 2 * x * x,
  ),
];

export const elementwiseCases: readonly OpCase[] = [
  ...unaryCases,
  ...binary('add', ops.add, (a, b) => a + b),
  ...binary('sub', ops.sub, (a, b) => a - b),
  ...binary('mul', ops.mul, (a, b) => a * b),
  ...binary('div', ops.div, (a, b) => a / b, { map: positive }),
  ...binary('maximum', ops.maximum, Math.max),
  ...binary('minimum', ops.minimum, Math.min),
  ...comparison('equal', ops.equal, (a, b) => a === b),
  ...comparison('less', ops.less, (a, b) => a < b),
  ...comparison('lessEqual', ops.lessEqual, (a, b) => a <= b),
  ...comparison('greater', ops.greater, (a, b) => a > b),
  ...comparison('greaterEqual', ops.greaterEqual, (a, b) => a >= b),
  logic('and', ops.and, (a, b) => a & b),
  logic('or', ops.or, (a, b) => a | b),
  ...otherCases,
];
