import { describe, expect, it } from 'vitest';
import { Random } from '../random/random.ts';
import {
  embeddingTable,
  equalParts,
  kaimingNormalFanOut,
  kaimingUniform,
  normal,
  torchDefaultWeight,
  xavierUniform,
  type Initializer,
} from './init.ts';

const spread = (values: Float32Array): { largest: number; deviation: number; mean: number } => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return {
    largest: values.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    deviation: Math.sqrt(variance),
    mean,
  };
};

describe('initial values', () => {
  const shape = [40, 30, 3, 3];
  const [fanIn, fanOut] = [30 * 9, 40 * 9];
  const bounds: readonly (readonly [name: string, init: Initializer, bound: number])[] = [
    ['xavier', xavierUniform, Math.sqrt(6 / (fanIn + fanOut))],
    ['kaiming, slope 1', kaimingUniform(1), Math.sqrt(3 / fanIn)],
    ['torch.nn.Linear and Conv2d', torchDefaultWeight, 1 / Math.sqrt(fanIn)],
  ];
  it.each(bounds)('%s: uniform within the expected bound', (_, init, bound) => {
    const { largest, deviation, mean } = spread(init(Random.ofParameter(1, 'weight'), shape));
    expect(largest).toBeLessThanOrEqual(bound * (1 + 1e-6));
    expect(largest).toBeGreaterThan(bound * 0.99);
    expect(deviation).toBeCloseTo(bound / Math.sqrt(3), 3);
    expect(Math.abs(mean)).toBeLessThan(bound / 50);
  });

  it.each([
    ['normal', normal(0.02), 0.02],
    ['kaiming over the fan-out', kaimingNormalFanOut, Math.sqrt(2 / fanOut)],
  ] as const)('%s: with the expected standard deviation', (_, init, expected) => {
    const { deviation, largest } = spread(init(Random.ofParameter(2, 'weight'), shape));
    expect(Math.abs(deviation / expected - 1)).toBeLessThan(0.02);
    expect(largest).toBeGreaterThan(3 * expected);
    expect(largest).toBeLessThan(6 * expected);
  });

  it('equal parts: one draw, repeated along the first axis', () => {
    const draw = (shape: readonly number[], init: Initializer): number[] => [
      ...init(Random.ofParameter(4, 'weight'), shape),
    ];
    const part = draw([2, 5], normal(1));
    expect(draw([6, 5], equalParts(3, normal(1)))).toEqual([...part, ...part, ...part]);
  });

  it('the padding row of an embedding is zero, others are not', () => {
    const table = embeddingTable(0.02, 1)(Random.ofParameter(3, 'weight'), [4, 8]);
    expect([...table.subarray(8, 16)]).toEqual(new Array(8).fill(0));
    expect(table.filter((value) => value === 0)).toHaveLength(8);
  });
});
