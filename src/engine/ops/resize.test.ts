import { describe, expect, it } from 'vitest';
import { checkGradient, evaluate, expectClose, opFixture, ramp } from '../../../test/support/op-check.ts';
import { input, symbolicDim } from '../graph/index.ts';
import { iota } from './constant.ts';
import { cast } from './elementwise.ts';
import { reshape } from './reshape.ts';
import { resizeBilinear, resizeNearest } from './resize.ts';

interface Fixture {
  readonly nearestIndices: readonly {
    readonly from: number;
    readonly to: number;
    readonly indices: readonly number[];
  }[];
  readonly planes: readonly {
    readonly from: readonly [number, number];
    readonly to: readonly [number, number];
    readonly nearest: readonly number[];
    readonly bilinear: readonly number[];
  }[];
}
const fixture = opFixture('resize.json') as Fixture;
const pixels = (shape: readonly number[]) => ({ shape, data: ramp(shape) });

describe('resizeNearest', () => {
  it.each(fixture.nearestIndices)('picks the same pixels as PyTorch: $from to $to', async ({ from, to, indices }) => {
    const { out } = await evaluate(
      (x) => resizeNearest(reshape(cast(iota(x.shape[0]!), 'float32'), [1, 1, 1, x.shape[0]!]), 1, to),
      [{ shape: [from], data: ramp([from]) }],
      { symbolic: true },
    );
    expectClose(out!, { shape: [1, 1, 1, to], data: indices }, 0);
  });
});

describe.each(fixture.planes)('$from to $to', ({ from, to, nearest, bilinear }) => {
  const operands = [pixels([1, 2, ...from]), pixels(to)];
  it.each([false, true])('equals PyTorch, symbolic sizes: %s', async (symbolic) => {
    const results = await evaluate(
      (x, like) => ({
        nearest: resizeNearest(x, like.shape[0]!, like.shape[1]!),
        bilinear: resizeBilinear(x, like.shape[0]!, like.shape[1]!),
      }),
      operands,
      { symbolic },
    );
    expectClose(results['nearest']!, { shape: [1, 2, ...to], dtype: 'float32', data: nearest }, 1e-7);
    expectClose(results['bilinear']!, { shape: [1, 2, ...to], dtype: 'float32', data: bilinear }, 2e-6);
  });
  it.each([resizeNearest, resizeBilinear])('gradient of %o', async (resize) => {
    await checkGradient((x, like) => resize(x, like.shape[0]!, like.shape[1]!), operands, {
      wrt: [0],
      epsilon: 0.5,
      tolerance: 2e-5,
      symbolic: true,
    });
  });
});

describe('resizing', () => {
  it('to the same size returns the operand', () => {
    const x = input('x', [1, 3, symbolicDim('h'), symbolicDim('w')]);
    expect(resizeNearest(x, x.shape[2]!, x.shape[3]!)).toBe(x);
    expect(resizeBilinear(x, x.shape[2]!, x.shape[3]!)).toBe(x);
  });
  it('has a gradient in float64', async () => {
    const x = { shape: [1, 1, 3, 4], data: ramp([12]), dtype: 'float64' } as const;
    await checkGradient((t) => resizeBilinear(t, 5, 7), [x], { epsilon: 1e-3, tolerance: 1e-9 });
  });
  it('supports integers and bools', async () => {
    const mask = { shape: [1, 2, 2], data: [0, 1, 1, 0], dtype: 'bool' } as const;
    const { out } = await evaluate((t) => resizeNearest(t, 1, 4), [mask]);
    expectClose(out!, { shape: [1, 1, 4], dtype: 'bool', data: [0, 0, 1, 1] }, 0);
  });
  it('supports an empty batch', async () => {
    const { out } = await evaluate((t) => resizeBilinear(t, 4, 4), [{ shape: [0, 2, 2], data: [] }], {
      symbolic: true,
    });
    expectClose(out!, { shape: [0, 4, 4], data: [] });
  });
});
