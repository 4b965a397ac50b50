import { describe, expect, it } from 'vitest';
import { evaluate, noise, type Operand } from '../../../test/support/op-check.ts';
import { input } from '../graph/index.ts';
import { conv } from './conv.ts';
import { fakeQuantize, int8Conv } from './quantize.ts';

const operand = (shape: readonly number[], scale = 1): Operand => ({
  shape,
  data: noise(
    shape.reduce((a, b) => a * b, 1),
    shape.length,
  ).map((value) => value * scale),
  symbolicAxes: shape.length === 4 && shape[1] === 3 ? [0, 2, 3] : [],
});
/** Coarse enough that x86 without VNNI does not overflow: values of x are at most 50 steps. */
const GRID = { scale: 0.02, zeroPoint: 128 };
const attrs = { strides: [2, 2], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1 } as const;

describe('fakeQuantize', () => {
  it('rounds to the grid, half to even, and saturates', async () => {
    const x: Operand = { shape: [6], data: [-300, -1.2, 0, 0.5, 1.5, 300] };
    const { out } = await evaluate((a) => fakeQuantize(a, { scale: 1, zeroPoint: 100 }), [x]);
    expect(out!.data).toEqual([-100, -1, 0, 0, 2, 155]);
  });

  it('rejects grids that are none', () => {
    for (const grid of [
      { scale: 0, zeroPoint: 0 },
      { scale: NaN, zeroPoint: 0 },
      { scale: 1, zeroPoint: 256 },
    ])
      // prettier-ignore
      expect(() => fakeQuantize(input('x', [2]), grid)).toThrow(/fakeQuantize: float32\[2\] with scale/);
  });
});

describe('int8Conv', () => {
  const [x, filter, bias] = [operand([2, 3, 9, 8]), operand([4, 3, 3, 3], 0.3), operand([4], 2)];
  const compute = async (isInteger: boolean, ...operands: Operand[]): Promise<readonly number[]> => {
    const { out } = await evaluate((a, w, b) => {
      const rounded = fakeQuantize(a, GRID);
      return isInteger
        ? fakeQuantize(int8Conv(rounded, w, b, GRID.scale, attrs), { scale: 1 / 16, zeroPoint: 128 })
        : conv(rounded, w, { stride: 2, padding: 1 }, b);
    }, operands);
    return out!.data;
  };

  it('differs from the convolution of floats by rounding only, with and without a bias', async () => {
    for (const operands of [
      [x, filter, bias],
      [x, filter],
    ]) {
      const [ours, exact] = [await compute(true, ...operands), await compute(false, ...operands)];
      expect(Math.max(...exact)).toBeGreaterThan(0.2);
      // Half a step of the result, and what rounding 27 weights to 1/127 of the largest one adds up to.
      ours.forEach((value, index) => expect(Math.abs(value - exact[index]!)).toBeLessThan(1 / 32 + 0.02));
    }
  });

  it('keeps the bias of channels whose filter is zero or tiny', async () => {
    const tiny: Operand = {
      ...filter,
      data: Array.from(filter.data, (value, index) => (index < 27 ? 0 : value * 1e-12)),
    };
    const ours = await compute(true, x, tiny, { shape: [4], data: [1, -2, 3, 0] });
    const perChannel = ours.length / 8;
    [1, -2, 3, 0].forEach((value, channel) => expect(ours[channel * perChannel]).toBeCloseTo(value, 5));
  });

  it('rejects operands that do not fit', () => {
    const [a, w] = [input('x', [1, 3, 4, 4]), input('w', [4, 2, 3, 3])];
    expect(() => int8Conv(a, w, undefined, 0.1, attrs)).toThrow(/conv: filter \[4, 2, 3, 3\]/);
  });
});
