import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../../engine/graph/index.ts';
import { Optimizer, type Moments, type OptimizerConfig } from './optimizer.ts';
import { sharedTensor } from './shared-values.ts';

const rates = { main: 1e-2, backbone: 1e-3, textEncoder: 1e-3, wordVectors: 1e-4 };
const wave = (length: number, phase: number): HostTensor => ({
  dtype: 'float32',
  shape: [length],
  data: Float32Array.from({ length }, (_, k) => Math.sin(k + phase)),
});
const entries = (phase: number) => [
  ['query_embed.weight', wave(37, phase)] as const,
  ['backbone.0.body.conv1.weight', wave(16, phase + 1)] as const,
];
const parameters = (): Map<string, HostTensor> =>
  new Map(entries(0).map(([name, value]) => [name, sharedTensor(value)]));
const numbers = (values: ReadonlyMap<string, HostTensor>): number[][] =>
  Array.from(values.values(), ({ data }) => [...(data as Float32Array)]);
const copyOf = (state: ReadonlyMap<string, Moments>): Map<string, Moments> =>
  new Map(
    Array.from(state, ([name, { step, first, second }]) => [
      name,
      { step, first: first.slice(), second: second.slice() },
    ]),
  );

describe('the optimizer', () => {
  it.each(['adamw', 'sgd'] as const)(
    '%s resumes from stored moments as if it had not been interrupted',
    (optimizer) => {
      const config: OptimizerConfig = { optimizer, weight_decay: 1e-2 };
      const [whole, first, second] = [new Optimizer(config), new Optimizer(config), new Optimizer(config)];
      const [values, stopped] = [parameters(), parameters()];
      for (let step = 0; step < 4; step++) whole.step(values, new Map(entries(step)), rates, 0.5);
      for (let step = 0; step < 2; step++) first.step(stopped, new Map(entries(step)), rates, 0.5);
      const stored = copyOf(first.state);
      const kept = copyOf(stored);
      second.restore(stored);
      expect(copyOf(second.state)).toEqual(stored);
      const resumed = new Map(
        Array.from(stopped, ([name, value]) => [
          name,
          sharedTensor({ ...value, data: value.data.slice() } as HostTensor),
        ]),
      );
      for (let step = 2; step < 4; step++) second.step(resumed, new Map(entries(step)), rates, 0.5);
      expect(numbers(resumed)).toEqual(numbers(values));
      expect(copyOf(second.state)).toEqual(copyOf(whole.state));
      // The stored moments are not changed.
      expect(stored).toEqual(kept);
    },
  );

  it('begins anew for parameters whose stored moments are those of another optimizer', () => {
    const stored = new Optimizer({ optimizer: 'adamw', weight_decay: 0 });
    stored.step(parameters(), new Map(entries(1)), rates, 1);
    const [resumed, fresh] = [1, 2].map(() => new Optimizer({ optimizer: 'sgd', weight_decay: 0 })) as [
      Optimizer,
      Optimizer,
    ];
    resumed.restore(stored.state);
    const [found, expected] = [parameters(), parameters()];
    resumed.step(found, new Map(entries(2)), rates, 1);
    fresh.step(expected, new Map(entries(2)), rates, 1);
    expect(numbers(found)).toEqual(numbers(expected));
    expect(copyOf(resumed.state)).toEqual(copyOf(fresh.state));
  });

  it('skips parameters without a gradient, weight decay included', () => {
    const values = parameters();
    const gradients = new Map(entries(3).slice(0, 1));
    new Optimizer({ optimizer: 'adamw', weight_decay: 1 }).step(values, gradients, rates, 1);
    expect(numbers(values)[0]).not.toEqual(numbers(parameters())[0]);
    expect(numbers(values)[1]).toEqual(numbers(parameters())[1]);
  });
});
