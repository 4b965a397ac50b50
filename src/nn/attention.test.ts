import { describe, expect, it } from 'vitest';
import { noise, runtime } from '../../test/support/op-check.ts';
import { readModel } from '../../test/support/model-reader.ts';
import {
  input,
  leafName,
  makeProgram,
  symbolicDim,
  type HostTensor,
  type Program,
  type Shape,
  type Tensor,
} from '../engine/graph/index.ts';
import { emitModel } from '../engine/onnx/index.ts';
import { fill } from '../engine/ops/index.ts';
import { MultiHeadAttention, noDropout, paddingBias, Scope, type Dropout } from './index.ts';

const [features, heads] = [12, 3];
const depth = features / heads;
type Matrix = number[][];

type FloatTensor = HostTensor & { readonly data: Float32Array };

const tensor = (shape: number[], seed: number): FloatTensor => {
  const count = shape.reduce((product, size) => product * size, 1);
  return { dtype: 'float32', shape, data: Float32Array.from(noise(count, seed)) };
};
/** Sample b of (B, L, D) as a list of rows. */
const rowsOf = ({ shape, data }: HostTensor, b: number): Matrix =>
  Array.from({ length: shape[1]! }, (_, row) => {
    const from = (b * shape[1]! + row) * shape[2]!;
    return Array.from((data as Float32Array).subarray(from, from + shape[2]!));
  });

const weights: Record<string, FloatTensor> = {
  in_proj_weight: tensor([3 * features, features], 11),
  in_proj_bias: tensor([3 * features], 12),
  'out_proj.weight': tensor([features, features], 13),
  'out_proj.bias': tensor([features], 14),
};

/** Projection x Wᵀ + b with rows `from` to `to` of the input projection. */
const project = (x: Matrix, weight: string, bias: string, from: number, to: number): Matrix =>
  x.map((row) =>
    Array.from({ length: to - from }, (_, i) =>
      row.reduce(
        (sum, value, k) => sum + value * weights[weight]!.data[(from + i) * features + k]!,
        weights[bias]!.data[from + i]!,
      ),
    ),
  );

/** Reference attention, head by head, in float64. */
const attention = (query: Matrix, key: Matrix, value: Matrix, isPadding: (place: number) => boolean): Matrix => {
  const part = (x: Matrix, which: number): Matrix =>
    project(x, 'in_proj_weight', 'in_proj_bias', which * features, (which + 1) * features);
  const [q, k, v] = [part(query, 0), part(key, 1), part(value, 2)];
  const context = q.map((row) =>
    Array.from({ length: features }, (_, i) => {
      const head = Math.floor(i / depth) * depth;
      const scores = k.map((other, place) =>
        isPadding(place)
          ? 0
          : Math.exp(
              Array.from({ length: depth }, (_, d) => row[head + d]! * other[head + d]!).reduce((a, b) => a + b) /
                Math.sqrt(depth),
            ),
      );
      const total = scores.reduce((a, b) => a + b);
      return scores.reduce((sum, score, place) => sum + (score / total) * v[place]![i]!, 0);
    }),
  );
  return project(context, 'out_proj.weight', 'out_proj.bias', 0, features);
};

const expectRows = (found: Matrix, expected: Matrix): void =>
  found.forEach((row, i) => row.forEach((value, j) => expect(Math.abs(value - expected[i]![j]!)).toBeLessThan(1e-5)));

describe('multi-head attention', () => {
  const [batch, length, places] = ['batch', 'length', 'places'].map(symbolicDim);
  const layer = new MultiHeadAttention(new Scope(), features, heads, 0.1);

  it('equals softmax(q kᵀ / √d) v, ignoring padding', async () => {
    const query = input('query', [batch!, length!, features]);
    const [key, value] = ['key', 'value'].map((name) => input(name, [batch!, places!, features]));
    const padding = input('padding', [batch!, places!], 'bool');
    const program = makeProgram('cross', {
      out: layer.forward(query, key!, value!, paddingBias(padding), noDropout).output,
    });
    const feeds: Record<string, HostTensor> = {
      query: tensor([2, 4, features], 1),
      key: tensor([2, 5, features], 2),
      value: tensor([2, 5, features], 3),
      padding: { dtype: 'bool', shape: [2, 5], data: Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 0, 1, 1) },
    };
    const session = await runtime.load(program);
    const { out } = await session.run({ ...feeds, ...weights });
    await session.dispose();
    for (const b of [0, 1])
      expectRows(
        rowsOf(out!, b),
        attention(rowsOf(feeds['query']!, b), rowsOf(feeds['key']!, b), rowsOf(feeds['value']!, b), (place) =>
          Boolean(feeds['padding']!.data[b * 5 + place]),
        ),
      );
  });

  it('computes q and k of self-attention in one product, with equal results', async () => {
    const x = input('x', [batch!, length!, features]);
    const value = input('value', [batch!, length!, features]);
    const program = makeProgram('self', { out: layer.forward(x, x, value, undefined, noDropout).output });
    expect(program.parameters.map(leafName).sort()).toEqual(Object.keys(weights).sort());
    const feeds = { x: tensor([2, 6, features], 4), value: tensor([2, 6, features], 5) };
    const session = await runtime.load(program);
    const { out } = await session.run({ ...feeds, ...weights });
    await session.dispose();
    for (const b of [0, 1])
      expectRows(
        rowsOf(out!, b),
        attention(rowsOf(feeds.x, b), rowsOf(feeds.x, b), rowsOf(feeds.value, b), () => false),
      );
  });

  const emittedOps = (program: Program, isForCpu: boolean): string[] =>
    readModel(emitModel(program, { isForCpu })).nodes.map(({ opType }) => opType);
  const selfAttention = (dropout = noDropout): Record<string, Tensor> => {
    const x = input('x', [batch!, length!, features]);
    const padding = input('padding', [batch!, length!], 'bool');
    const { output, probabilities } = layer.forward(x, x, x, paddingBias(padding), dropout);
    return { out: output, probabilities: probabilities };
  };

  it('is one operator of ONNX Runtime on the CPU, and operators of ONNX elsewhere', () => {
    const { out } = selfAttention();
    const program = makeProgram('self', { out: out! });
    const fused = emittedOps(program, true);
    expect(fused.filter((opType) => opType === 'MultiHeadAttention')).toHaveLength(1);
    expect(fused).not.toContain('Softmax');
    expect(fused.filter((opType) => opType === 'MatMul')).toHaveLength(0); // nothing is left of the scores
    expect(emittedOps(program, false)).not.toContain('MultiHeadAttention');
  });

  it('keeps its probabilities where something else reads them or drops some', () => {
    expect(emittedOps(makeProgram('both', selfAttention()), true)).not.toContain('MultiHeadAttention');
    const half: Dropout = Object.assign((x: Tensor) => x, { mask: (shape: Shape) => fill(0.5, shape) });
    const { out } = selfAttention(half);
    expect(emittedOps(makeProgram('dropped', { out: out! }), true)).not.toContain('MultiHeadAttention');
  });

  it('ignores padding of more keys than the kernel takes at once, and takes empty batches', async () => {
    const [keys, padded] = [9000, 8990];
    const { out } = selfAttention();
    const session = await runtime.load(makeProgram('long', { out: out! }));
    const x = tensor([1, keys, features], 6);
    const padding = { dtype: 'bool', shape: [1, keys], data: new Uint8Array(keys).fill(1, 0, padded) } as const;
    const { out: found } = await session.run({ x, padding, ...weights });
    const rows = rowsOf(x, 0);
    const last = rows.slice(padded);
    expectRows(
      rowsOf(found!, 0).slice(padded),
      attention(last, last, last, () => false),
    );
    const empty = await session.run({
      x: tensor([0, 3, features], 7),
      padding: { dtype: 'bool', shape: [0, 3], data: new Uint8Array(0) },
      ...weights,
    });
    expect(empty['out']!.shape).toEqual([0, 3, features]);
    await session.dispose();
  });
});
