import { describe, expect, it } from 'vitest';
import {
  countOps,
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

/** Gradients by name of the leaves that have one, for a cotangent handed in as `dy`. */
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

/** Forward, then backward from its residuals, must give what the uncut gradients give. */
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
  return cut;
};

const keptOps = (cut: { readonly forward: Program; readonly residuals: readonly string[] }): string[] =>
  cut.residuals.map((name) => {
    const { node } = cut.forward.outputs[name]!;
    return node.kind === 'op' ? node.op.name : node.kind;
  });

describe('partition', () => {
  it('carries what gradients read, and computes again what is cheap from what is there', async () => {
    const [x, w, v] = [input('x', [batch, 3]), parameter('w', [3, 4]), parameter('v', [4, 2])];
    const y = softmax(matmul(exp(relu(matmul(x, w))), v));
    const feeds = { x: value([5, 3], 1), w: value([3, 4], 2), v: value([4, 2], 3) };
    const cut = await expectSame(y, { x, w, v }, feeds, value([5, 2], 4));
    // The product that relu reads is not there, so relu's result is carried; exp follows from it.
    expect(keptOps(cut)).toEqual(['relu', 'softmax']);
    const again = countOps(cut.backward);
    expect([again.get('relu'), again.get('exp'), again.get('softmax')]).toEqual([undefined, 1, undefined]);
    // dX and dW of both products: nothing dear is computed twice.
    expect(again.get('matmul')).toBe(4);
  });

  it('keeps the by-products that gradients read, of ops with several results', async () => {
    const [x, s, b] = [input('x', [batch, 1, 4, 6]), parameter('s', [6]), parameter('b', [6])];
    const normed = reshape(layerNorm(x, s, b, 1e-5), x.shape);
    const y = maxPool(normed, 2, { stride: 2, padding: 0 });
    const feeds = { x: value([2, 1, 4, 6], 1), s: value([6], 2), b: value([6], 3) };
    const cut = await expectSame(y, { x, s, b }, feeds, value([2, 1, 2, 3], 4));
    const outputs = cut.residuals.map((name) => cut.forward.outputs[name]!.outputIndex);
    expect(keptOps(cut)).toEqual(['layerNorm', 'layerNorm', 'maxPool']);
    expect(outputs).toEqual([1, 2, 1]);
  });

  it('carries what parts of one value need, and leaves out what frozen parameters need', async () => {
    const [x, w, frozen] = [input('x', [batch, 4]), parameter('w', [4, 4]), parameter('frozen', [4, 4])];
    const hidden = matmul(mul(matmul(x, frozen), 2), w);
    const [left, right] = split(hidden, 1, [1, 3]);
    const y = concat([mul(right!, left!), exp(left!)], 1);
    const feeds = { x: value([3, 4], 1), w: value([4, 4], 2), frozen: value([4, 4], 3) };
    const cut = await expectSame(y, { w }, feeds, value([3, 4], 4));
    // The product with the frozen weight is not made again, nor differentiated.
    expect(keptOps(cut)).toEqual(['mul', 'split', 'split']);
    expect(countOps(cut.backward).get('matmul')).toBe(1);
    expect(opNodes(cut.backward).some((node) => node.inputs.some((tensor) => tensor === frozen))).toBe(false);
  });

  it('takes gradients of a sum of leaves without any residual', async () => {
    const [x, w] = [input('x', [batch, 2]), parameter('w', [2])];
    const cut = await expectSame(add(x, w), { w }, { x: value([3, 2], 1), w: value([2], 2) }, value([3, 2], 3));
    expect(cut.residuals).toEqual([]);
  });
});
