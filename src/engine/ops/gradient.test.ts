import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkGradient, evaluate, expectClose, noise } from '../../../test/support/op-check.ts';
import {
  countOps,
  defineMultiOp,
  defineOp,
  input,
  makeProgram,
  parameter,
  reachableNodes,
  symbolicDim,
  type Shape,
  type Tensor,
} from '../graph/index.ts';
import { add, cast, div, exp, floor, log, maximum, minimum, mul, neg, sqrt, where } from './elementwise.ts';
import { lookUp } from './gather.ts';
import { gradients, sparseGradients } from './gradient.ts';
import { fill, literal } from './constant.ts';
import { matmul } from './matmul.ts';
import { concat, split } from './slice.ts';
import { sumToShape, max, sum } from './reduce.ts';
import { l2Normalize } from './normalize.ts';

const vector = (data: readonly number[]) => ({ shape: [data.length], data });
const ones = (tensor: Tensor): Tensor => fill(1, tensor.shape, tensor.dtype);
const gradientOfSum = (y: Tensor, wrt: readonly Tensor[]): Tensor[] =>
  gradients([{ tensor: y, cotangent: ones(y) }], wrt);

describe('gradients', () => {
  it('sums the contributions of several outputs', async () => {
    const results = await evaluate(
      (x) => {
        const [a, b] = [exp(x), mul(x, x)];
        const both = [
          { tensor: a, cotangent: ones(a) },
          { tensor: b, cotangent: fill(3, b.shape) },
        ];
        return { dx: gradients(both, [x])[0]! };
      },
      [vector([1, 2])],
    );
    expectClose(results['dx']!, { data: [Math.E + 6, Math.E ** 2 + 12] });
  });

  it('accepts the same output twice, and an output that another depends on', async () => {
    const results = await evaluate(
      (x) => {
        const y = mul(x, x);
        const z = exp(y);
        const given = [y, y, z].map((tensor) => ({ tensor, cotangent: ones(tensor) }));
        return { dx: gradients(given, [x])[0]!, dy: gradients(given, [y])[0]! };
      },
      [vector([0.5])],
    );
    const slope = 2 + Math.exp(0.25);
    expectClose(results['dy']!, { data: [slope] });
    expectClose(results['dx']!, { data: [slope] });
  });

  it('sums over all uses of a tensor, also by one op', async () => {
    const results = await evaluate(
      (x) => ({ dx: gradientOfSum(mul(add(x, x), add(mul(x, x), x)), [x])[0]! }),
      [vector([2, -1])],
    );
    expectClose(results['dx']!, { data: [6 * 4 + 4 * 2, 6 - 4] }); // d(2x³ + 2x²)
  });

  it('passes through a multi-output op with unused outputs', async () => {
    const results = await evaluate(
      (x) => {
        const parts = split(x, 0, [1, 2, 1]);
        return { dx: gradientOfSum(mul(parts[1]!, parts[1]!), [x])[0]! };
      },
      [vector([1, 2, 3, 4])],
    );
    expectClose(results['dx']!, { data: [0, 4, 6, 0] });
  });

  it('can be taken with respect to an intermediate tensor', async () => {
    const results = await evaluate(
      (x) => {
        const middle = mul(x, 2);
        const [left, right] = split(middle, 0, [1, 1]);
        const y = add(exp(left!), mul(right!, middle));
        const [dMiddle, dRight, dx] = gradientOfSum(y, [middle, right!, x]);
        return { dMiddle: dMiddle!, dRight: dRight!, dx: dx! };
      },
      [vector([0, 1])],
    );
    // y = [e^m0 + m1·m0, e^m0 + m1·m1]
    expectClose(results['dRight']!, { data: [2] });
    expectClose(results['dMiddle']!, { data: [2 + 2, 2 + 2] });
    expectClose(results['dx']!, { data: [8, 8] });
  });

  it('of an output with respect to itself is the cotangent', async () => {
    const results = await evaluate(
      (x) => ({ dx: gradients([{ tensor: x, cotangent: mul(x, 3) }], [x])[0]! }),
      [vector([1, 2])],
    );
    expectClose(results['dx']!, { data: [3, 6] });
  });

  it('is zeros without a path, or undefined from sparseGradients', async () => {
    const build = (x: Tensor, other: Tensor): readonly { tensor: Tensor; cotangent: Tensor }[] => {
      const y = add(exp(x), floor(other));
      return [{ tensor: y, cotangent: ones(y) }];
    };
    const [x, other, unrelated] = [input('x', [2]), input('other', [2]), input('unrelated', [3])];
    const found = sparseGradients(build(x, other), [x, other, unrelated]);
    expect(found.map((gradient) => gradient !== undefined)).toEqual([true, false, false]);
    const results = await evaluate(
      (a, b) => ({ db: gradients(build(a, b), [b])[0]! }),
      [vector([1, 2]), vector([1, 2])],
      { symbolic: true },
    );
    expectClose(results['db']!, { shape: [2], data: [0, 0] });
  });

  it('stops at integers', () => {
    const x = input('x', [2]);
    const y = cast(cast(x, 'int64'), 'float32');
    expect(sparseGradients([{ tensor: y, cotangent: ones(y) }], [x])).toEqual([undefined]);
  });

  it('of a gradient is the second derivative', async () => {
    const { out } = await evaluate(
      (x) => {
        const [first] = gradientOfSum(mul(mul(x, x), x), [x]);
        return gradientOfSum(first!, [x])[0]!;
      },
      [vector([1, -2])],
    );
    expectClose(out!, { data: [6, -12] });
  });

  it('traces no node for gradients that are not requested', () => {
    const [x, frozen, w] = [input('x', [4, 8]), parameter('frozen', [8, 8]), parameter('w', [8, 2])];
    const y = matmul(exp(matmul(x, frozen)), w);
    const opsOf = (wrt: readonly Tensor[]): Record<string, number> => {
      const before = new Set(reachableNodes([y]));
      const found = gradientOfSum(y, wrt);
      const program = makeProgram('gradient', Object.fromEntries(found.map((tensor, k) => [`g${k}`, tensor])));
      const added = program.nodes.filter((node) => !before.has(node));
      return Object.fromEntries(countOps({ ...program, nodes: added }));
    };
    expect(opsOf([w])).toEqual({ fill: 1, transpose: 1, matmul: 1 });
    // dX and dW of both products, and the exponential's.
    expect(opsOf([w, frozen, x])).toEqual({ fill: 1, transpose: 4, matmul: 4, mul: 1 });
  });

  it('never calls a rule whose gradients are not needed', () => {
    let calls = 0;
    const spied = defineOp<[x: Tensor], object>({
      name: 'spied',
      cheap: true,
      infer: ([x]) => x,
      emit: (onnx, inputs) => onnx.node('Identity', inputs),
      vjp(dy) {
        calls++;
        return [dy];
      },
    });
    const [x, w] = [input('x', [2]), parameter('w', [2])];
    const y = mul(spied([x], {}), w);
    gradientOfSum(y, [w]);
    const middle = spied([x], {});
    gradientOfSum(exp(middle), [middle]);
    expect(calls).toBe(0);
    gradientOfSum(y, [x]);
    expect(calls).toBe(1);
  });

  it('passes undefined cotangents to rules of multi-output ops', () => {
    const seen: boolean[][] = [];
    const twins = defineMultiOp<[x: Tensor], object>({
      name: 'twins',
      cheap: true,
      infer: ([x]) => [x, x],
      emit: (onnx, [x]) => [x!, x!],
      vjp(cotangents) {
        seen.push(cotangents.map((cotangent) => cotangent !== undefined));
        return [cotangents.find((cotangent) => cotangent !== undefined)];
      },
    });
    const x = input('x', [2]);
    const [, second] = twins([x], {});
    gradientOfSum(exp(second!), [x]);
    expect(seen).toEqual([[false, true]]);
  });

  it('rejects a gradient that is not a broadcast of the operand, and a cotangent of another shape', () => {
    const wrong = defineOp<[x: Tensor], object>({
      name: 'wrong',
      cheap: true,
      infer: ([x]) => x,
      emit: (onnx, inputs) => onnx.node('Identity', inputs),
      vjp: (dy) => [concat([dy, dy], 0)],
    });
    const x = input('x', [3]);
    expect(() => gradientOfSum(wrong([x], {}), [x])).toThrow(
      'internal: a gradient of shape [6] is not a broadcast of [3]',
    );
    expect(() => gradients([{ tensor: exp(x), cotangent: fill(1, [1]) }], [x])).toThrow(
      'internal: cotangent float32[1] for float32[3]',
    );
    expect(() => gradients([{ tensor: exp(x), cotangent: fill(1, [3], 'float64') }], [x])).toThrow(
      'internal: cotangent float64[3] for float32[3]',
    );
  });

  it('supports graphs deeper than the call stack', () => {
    const x = input('x', [2]);
    let y = x;
    for (let depth = 0; depth < 20_000; depth++) y = neg(y);
    expect(gradientOfSum(y, [x])[0]!.shape).toEqual([2]);
  });
});

describe('derivatives that are conventions', () => {
  const dx = async (build: (x: Tensor) => Tensor, data: readonly number[]): Promise<readonly number[]> =>
    (await evaluate((x) => ({ dx: gradientOfSum(build(x), [x])[0]! }), [vector(data)]))['dx']!.data;

  it('ties of maximum, minimum and max share the gradient, as in PyTorch', async () => {
    expect(await dx((x) => maximum(x, 1), [0, 1, 2])).toEqual([0, 0.5, 1]);
    expect(await dx((x) => minimum(x, 1), [0, 1, 2])).toEqual([1, 0.5, 0]);
    expect(await dx((x) => max(x), [3, 1, 3, 3])).toEqual([1, 0, 1, 1].map((value) => Math.fround(value / 3)));
  });

  it('l2Normalize of a row of zeros has a finite derivative', async () => {
    const { out } = await evaluate(
      (x) => gradientOfSum(l2Normalize(x), [x])[0]!,
      [{ shape: [2, 2], data: [0, 0, 3, 4] }],
    );
    expectClose({ ...out!, data: out!.data.slice(2) }, { data: [(16 - 12) / 125, (9 - 12) / 125] });
    expectClose({ ...out!, data: out!.data.slice(0, 2) }, { data: [1e12, 1e12] });
  });

  it('masked elements of where() get no gradient, even if NaN', async () => {
    const masked = (x: Tensor): Tensor => where(literal([0, 1], [2], 'bool'), mul(x, x), 0);
    expect(await dx(masked, [5, 3])).toEqual([0, 6]);
  });

  it('the padding row of a table gets no gradient, as in torch.nn.Embedding', async () => {
    const ids = { shape: [2, 2], data: [1, 0, 2, 1], dtype: 'int64' } as const;
    const table = { shape: [3, 2], data: noise(6), symbolicAxes: [] };
    const { out } = await evaluate((t, i) => gradientOfSum(lookUp(t, i, 1), [t])[0]!, [table, ids]);
    expectClose(out!, { shape: [3, 2], data: [1, 1, 0, 0, 1, 1] });
  });
});

describe('dy is summed over broadcast axes', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
  /** A shape and another that broadcasts to it: leading axes dropped, other sizes reduced to 1. */
  const stretched = sizes.chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      kept: fc.integer({ min: 0, max: shape.length }),
      shrunk: fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
    }),
  );

  it('for random shapes, static and symbolic', async () => {
    await fc.assert(
      fc.asyncProperty(stretched, fc.boolean(), async ({ shape, kept, shrunk }, symbolic) => {
        const own = shape.map((size, axis) => (shrunk[axis]! ? 1 : size)).slice(shape.length - kept);
        const count = shape.reduce((a, b) => a * b, 1);
        const dy = noise(count, 3);
        const { out } = await evaluate(
          (cotangent, x) => sumToShape(cotangent, x.shape),
          [
            { shape, data: dy },
            { shape: own, data: noise(own.reduce((a, b) => a * b, 1)) },
          ],
          { symbolic },
        );
        const expected = new Array<number>(own.reduce((a, b) => a * b, 1)).fill(0);
        for (let flat = 0; flat < count; flat++) {
          let [rest, target, stride] = [flat, 0, 1];
          for (let axis = shape.length - 1; axis >= 0; axis--) {
            const index = rest % shape[axis]!;
            rest = Math.floor(rest / shape[axis]!);
            const size = own[axis - (shape.length - own.length)];
            if (size === undefined) continue;
            target += (size === 1 ? 0 : index) * stride;
            stride *= size;
          }
          expected[target]! += Math.fround(dy[flat]!);
        }
        expectClose(out!, { shape: own, data: expected });
      }),
      { numRuns: 60 },
    );
  });

  it('and rejected if it is not a broadcast', () => {
    const n = symbolicDim('n');
    const cases: readonly (readonly [Shape, Shape])[] = [
      [[3], [2]],
      [[1], [2]],
      [[3], [2, 3]],
      [[n], [3]],
      [[3], [n]],
      [[2, 3], [2]],
    ];
    for (const [from, to] of cases) expect(() => sumToShape(input('dy', from), to)).toThrow('is not a broadcast of');
  });

  it('as matrix products with broadcast operands need it', async () => {
    const operands = [
      { shape: [2, 1, 3], data: noise(6, 1), dtype: 'float64' },
      { shape: [4, 1], data: Array.from(noise(4, 2), (value) => 2 + value), dtype: 'float64' },
    ] as const;
    await checkGradient((a, b) => sqrt(sum(div(mul(a, a), log(mul(b, 3))), [0])), operands, {
      epsilon: 1e-5,
      tolerance: 1e-7,
      symbolic: true,
    });
  });
});
