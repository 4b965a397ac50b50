import { describe, expect, it } from 'vitest';
import {
  countOps,
  divideProgram,
  input,
  makeProgram,
  opNodes,
  parameter,
  partition,
  symbolicDim,
  type HostTensor,
  type Program,
  type Tensor,
} from './index.ts';
import {
  add,
  concat,
  exp,
  layerNorm,
  matmul,
  maxPool,
  mul,
  relu,
  reshape,
  softmax,
  sparseGradients,
  split,
} from '../ops/index.ts';
import { hostTensor, noise, runtime } from '../../../test/support/op-check.ts';

const batch = symbolicDim('batch');

const run = async (
  program: Program,
  feeds: Readonly<Record<string, HostTensor>>,
): Promise<Record<string, HostTensor>> => {
  const session = await runtime.load(program);
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
};

/** Gradients of the leaves by name, for a cotangent fed as `dy`. */
const gradientsOf = (y: Tensor, leaves: Readonly<Record<string, Tensor>>): Record<string, Tensor> => {
  const found = sparseGradients([{ tensor: y, cotangent: input('dy', y.shape) }], Object.values(leaves));
  return Object.fromEntries(
    Object.keys(leaves).flatMap((name, index) => (found[index] ? [[`d ${name}`, found[index]] as const] : [])),
  );
};

const value = (shape: readonly number[], seed: number): HostTensor =>
  hostTensor({
    shape,
    data: noise(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  });

/** Checks that forward and backward program together compute the gradients of the unsplit graph. */
const expectSame = async (
  y: Tensor,
  leaves: Readonly<Record<string, Tensor>>,
  feeds: Readonly<Record<string, HostTensor>>,
  dy: HostTensor,
): Promise<{ readonly residuals: readonly string[]; readonly forward: Program; readonly backward: Program }> => {
  const wanted = gradientsOf(y, leaves);
  const whole = await run(makeProgram('whole', { y, ...wanted }), { ...feeds, dy });
  const cut = partition('cut', { y }, wanted);
  const results = await run(cut.forward, feeds);
  expect(results['y']).toEqual(whole['y']);
  const residuals = Object.fromEntries(cut.residuals.map((name) => [name, results[name]!]));
  const gradients = await run(cut.backward, { ...feeds, ...residuals, dy });
  expect(Object.keys(gradients)).toEqual(Object.keys(wanted));
  for (const [name, gradient] of Object.entries(gradients)) {
    expect(gradient.shape).toEqual(whole[name]!.shape);
    gradient.data.forEach((element: number | bigint, index: number) =>
      expect(Number(element)).toBeCloseTo(Number(whole[name]!.data[index]), 5),
    );
  }
  // In pieces, each of which hands values on to the later ones.
  const handedOn: Record<string, HostTensor> = {};
  const names = Object.keys(wanted);
  const pieces = divideProgram(
    cut.backward,
    names.map((name) => [name]),
  );
  expect(pieces).toHaveLength(names.length);
  for (const piece of pieces) Object.assign(handedOn, await run(piece, { ...feeds, ...residuals, ...handedOn, dy }));
  for (const name of names) expect(handedOn[name]).toEqual(gradients[name]);
  return cut;
};

const keptOps = (cut: { readonly forward: Program; readonly residuals: readonly string[] }): string[] =>
  cut.residuals.map((name) => {
    const { node } = cut.forward.outputs[name]!;
    return node.kind === 'op' ? node.op.name : node.kind;
  });

describe('partition', () => {
  it('saves expensive values and recomputes cheap ones from saved values', async () => {
    const [x, w, v] = [input('x', [batch, 3]), parameter('w', [3, 4]), parameter('v', [4, 2])];
    const y = softmax(matmul(exp(relu(matmul(x, w))), v));
    const feeds = { x: value([5, 3], 1), w: value([3, 4], 2), v: value([4, 2], 3) };
    const cut = await expectSame(y, { x, w, v }, feeds, value([5, 2], 4));
    // relu's operand, a product, is not saved, so relu's output is; exp is recomputed from it.
    expect(keptOps(cut)).toEqual(['relu', 'softmax']);
    const again = countOps(cut.backward);
    expect([again.get('relu'), again.get('exp'), again.get('softmax')]).toEqual([undefined, 1, undefined]);
    // dX and dW of both products: nothing expensive is recomputed.
    expect(again.get('matmul')).toBe(4);
  });

  it('saves the secondary outputs of multi-output ops that gradients read', async () => {
    const [x, s, b] = [input('x', [batch, 1, 4, 6]), parameter('s', [6]), parameter('b', [6])];
    const normed = reshape(layerNorm(x, s, b, 1e-5), x.shape);
    const y = maxPool(normed, 2, { stride: 2, padding: 0 });
    const feeds = { x: value([2, 1, 4, 6], 1), s: value([6], 2), b: value([6], 3) };
    const cut = await expectSame(y, { x, s, b }, feeds, value([2, 1, 2, 3], 4));
    const outputs = cut.residuals.map((name) => cut.forward.outputs[name]!.outputIndex);
    expect(keptOps(cut)).toEqual(['maxPool']);
    expect(outputs).toEqual([1]);
  });

  it('saves what slices of a value need, but not what only frozen parameters would need', async () => {
    const [x, w, frozen] = [input('x', [batch, 4]), parameter('w', [4, 4]), parameter('frozen', [4, 4])];
    const hidden = matmul(mul(matmul(x, frozen), 2), w);
    const [left, right] = split(hidden, 1, [1, 3]);
    const y = concat([mul(right!, left!), exp(left!)], 1);
    const feeds = { x: value([3, 4], 1), w: value([4, 4], 2), frozen: value([4, 4], 3) };
    const cut = await expectSame(y, { w }, feeds, value([3, 4], 4));
    // The product with the frozen weight is neither recomputed nor differentiated.
    expect(keptOps(cut)).toEqual(['mul', 'split', 'split']);
    expect(countOps(cut.backward).get('matmul')).toBe(1);
    expect(opNodes(cut.backward).some((node) => node.inputs.some((tensor) => tensor === frozen))).toBe(false);
  });

  it('needs no residual for a sum of leaves', async () => {
    const [x, w] = [input('x', [batch, 2]), parameter('w', [2])];
    const cut = await expectSame(add(x, w), { w }, { x: value([3, 2], 1), w: value([2], 2) }, value([3, 2], 3));
    expect(cut.residuals).toEqual([]);
  });
});
