import { describe, expect, it } from 'vitest';
import { float32Tensor, input, makeProgram, type HostTensor } from '../../engine/graph/index.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import { isHiddenMatrix, Muon, orthogonalized } from './muon.ts';
import { Optimizer } from './optimizer.ts';
import { sharedTensor } from './shared-values.ts';
import { applyUpdate } from './update-pass.ts';

const runtime = await createRuntime({ threads: 1 });
const LAYER = 'transformer.encoder.layers.0.';
const wave = (shape: readonly [number, number], phase: number, scale: number): HostTensor =>
  float32Tensor(
    shape,
    Float32Array.from({ length: shape[0] * shape[1] }, (_, k) => scale * Math.sin(0.7 * k + phase + 0.013 * k ** 2)),
  );

/**
 * Values after three steps of `torch.optim.Muon` (PyTorch 2.15, `lr` 0.02, `weight_decay` 0.1, `adjust_lr_fn` "match_rms_adamw") with
 * its iterations in float32, one optimizer for queries, keys and values each.
 */
const PYTORCH: Readonly<
  Record<string, { readonly shape: readonly [number, number]; readonly values: readonly number[] }>
> = {
  'self_attn.in_proj_weight': {
    shape: [12, 4],
    values: [
      -0.0117885, 0.6519541, 0.9773095, 0.7965969, 0.1385849, -0.6125845, -0.9963138, -0.6728359, 0.1501088, 0.8700788,
      0.8995729, 0.1648209, -0.7387007, -0.9612951, -0.2313618, 0.7533478, 0.9306781, 0.0553717, -0.8746189, -0.7570359,
      0.3320222, 1.0027022, 0.3005175, -0.819648, -0.748655, 0.4538517, 0.9634132, -0.1037817, -0.9838395, -0.1861973,
      0.9537027, 0.370372, -0.9151735, -0.4417016, 0.8850687, 0.4048954, -0.9205481, -0.2833359, 0.9844602, 0.0632064,
      -0.9886004, 0.2739591, 0.883844, -0.654493, -0.5569403, 0.9478809, -0.01187, -0.9390856,
    ],
  },
  'linear1.weight': {
    shape: [6, 4],
    values: [
      -0.0153643, 0.6490592, 0.9823582, 0.7971562, 0.1452232, -0.6250617, -0.9899243, -0.681573, 0.1418265, 0.8710694,
      0.9001187, 0.1647512, -0.7436396, -0.9553097, -0.224328, 0.7422543, 0.9151195, 0.069031, -0.8913572, -0.7594877,
      0.331863, 0.9876283, 0.3083494, -0.8330173,
    ],
  },
  'linear2.weight': {
    shape: [4, 6],
    values: [
      -0.0119803, 0.6482952, 0.9928578, 0.8029411, 0.1431008, -0.6180762, -0.9991691, -0.6895058, 0.1341604, 0.8632014,
      0.8933734, 0.1557115, -0.7364882, -0.9450316, -0.2212988, 0.7450382, 0.9248212, 0.0693904, -0.879205, -0.7596844,
      0.3310734, 0.9999503, 0.3068936, -0.8326778,
    ],
  },
};

describe('Muon', () => {
  it('moves matrices as PyTorch does, those of queries, keys and values each by itself', async () => {
    const muon = new Muon(runtime);
    const optimizer = new Optimizer({ optimizer: 'muon', weight_decay: 0.1, muon_lr_factor: 2 });
    const rates = { main: 0.01, backbone: 0, textEncoder: 0, wordVectors: 0 };
    const entries = (phase: number, scale: number): Map<string, HostTensor> =>
      new Map(Object.entries(PYTORCH).map(([name, { shape }]) => [LAYER + name, wave(shape, phase, scale)]));
    const parameters = new Map(Array.from(entries(0, 1), ([name, value]) => [name, sharedTensor(value)]));
    for (const step of [1, 2, 3])
      await muon.withDirections(
        // Gradients that are clipped to the ones of PyTorch.
        optimizer.plan(parameters, entries(step, 5), rates, 0.1),
        parameters,
        (updates) => {
          for (const update of updates) applyUpdate(update, 0, update.values.length);
          return Promise.resolve();
        },
      );
    await muon.dispose();
    for (const [name, { values }] of Object.entries(PYTORCH)) {
      const found = parameters.get(LAYER + name)!.data as Float32Array;
      const worst = Math.max(...values.map((value, k) => Math.abs(value - found[k]!)));
      expect(worst, name).toBeLessThan(2e-6);
      expect(optimizer.state.get(LAYER + name)!.second).toHaveLength(0);
    }
  });

  it('keeps singular vectors and brings singular values close to 1, whatever the size of the matrix', async () => {
    // U diag(s) Vᵀ with rotations U and V of the plane.
    const [u, v] = [0.3, 1.1];
    const product = ([s, t]: readonly number[], size: number): number[] => [
      size * (s! * Math.cos(u) * Math.cos(v) + t! * Math.sin(u) * Math.sin(v)),
      size * (s! * Math.cos(u) * Math.sin(v) - t! * Math.sin(u) * Math.cos(v)),
      size * (s! * Math.sin(u) * Math.cos(v) - t! * Math.cos(u) * Math.sin(v)),
      size * (s! * Math.sin(u) * Math.sin(v) + t! * Math.cos(u) * Math.cos(v)),
    ];
    const session = await runtime.load(makeProgram('orthogonalized', { x: orthogonalized(input('g', [3, 2, 2])) }));
    const g = float32Tensor([3, 2, 2], [...product([1, 0.1], 1e3), ...product([1, 0.5], 1e-4), 0, 0, 0, 0]);
    const x = [...((await session.run({ g })).x!.data as Float32Array)];
    await session.dispose();
    for (const start of [0, 4]) {
      // Uᵀ X V is diagonal.
      const [a, b, c, d] = x.slice(start, start + 4) as [number, number, number, number];
      const left = [a * Math.cos(u) + c * Math.sin(u), b * Math.cos(u) + d * Math.sin(u)] as const;
      const right = [-a * Math.sin(u) + c * Math.cos(u), -b * Math.sin(u) + d * Math.cos(u)] as const;
      expect(left[1] * Math.cos(v) - left[0] * Math.sin(v)).toBeCloseTo(0, 5);
      expect(right[0] * Math.cos(v) + right[1] * Math.sin(v)).toBeCloseTo(0, 5);
      for (const value of [
        left[0] * Math.cos(v) + left[1] * Math.sin(v),
        right[1] * Math.cos(v) - right[0] * Math.sin(v),
      ]) {
        expect(value).toBeGreaterThan(0.65);
        expect(value).toBeLessThan(1.25);
      }
    }
    expect(x.slice(8)).toEqual([0, 0, 0, 0]);
  });

  it('takes the matrices of layers, not embeddings, heads, biases and the backbone', () => {
    const isTaken = (name: string): boolean => isHiddenMatrix(name, [4, 4]);
    expect(
      [
        'transformer.encoder.layers.0.self_attn.in_proj_weight',
        'detr.transformer.decoder.layers.2.linear1.weight',
        'transformer.text_encoder.encoder.layer.1.attention.self.query.weight',
      ].map(isTaken),
    ).toEqual([true, true, true]);
    expect(
      [
        'transformer.text_encoder.embeddings.word_embeddings.weight',
        'transformer.resizer.fc.weight',
        'class_embed.weight',
        'bbox_embed.layers.0.weight',
        'backbone.0.body.layer1.0.conv1.weight',
      ].map(isTaken),
    ).toEqual([false, false, false, false, false]);
    expect(isHiddenMatrix('transformer.encoder.layers.0.norm1.weight', [4])).toBe(false);
  });
});
