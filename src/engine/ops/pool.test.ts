import { describe, expect, it } from 'vitest';
import { evaluate, expectClose, opFixture, ramp } from '../../../test/support/op-check.ts';
import { input, symbolicDim } from '../graph/index.ts';
import { gradients } from './gradient.ts';
import { maxPool } from './pool.ts';

interface PoolCase {
  readonly height: number;
  readonly width: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly gradient: readonly number[];
}

/** Rounds half to even, as torch.round. */
const roundHalfEven = (value: number): number => {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
};

describe('maxPool', () => {
  const cases = opFixture('max-pool.json') as readonly PoolCase[];
  it.each(cases)(
    'equals PyTorch, ties included: $height×$width, kernel $kernel, stride $stride, padding $padding',
    async ({ height, width, kernel, stride, padding, shape, values, gradient }) => {
      const operand = [2, 2, height, width];
      const x = Array.from(ramp(operand), (value) => roundHalfEven(Math.fround(value * 1.5)));
      for (const symbolic of [false, true]) {
        const results = await evaluate(
          (t, dy) => {
            const y = maxPool(t, kernel, { stride, padding });
            return { y, dx: gradients([{ tensor: y, cotangent: dy }], [t])[0]! };
          },
          [
            { shape: operand, data: x },
            { shape, data: ramp(shape, 23) },
          ],
          // With symbolic sizes, dy has the size ⌊(h + 2p − k)/s⌋ + 1 as an expression.
          { symbolic: symbolic && stride === 1 },
        );
        expectClose(results['y']!, { shape, dtype: 'float32', data: values }, 0);
        expectClose(results['dx']!, { shape: operand, data: gradient }, 1e-6);
      }
    },
  );

  it('halves the size, rounding up', () => {
    const height = symbolicDim('height');
    const y = maxPool(input('x', [1, 1, height, 9]), 3, { stride: 2, padding: 1 });
    expect(y.shape[2]!.toString()).toBe('⌊(height+1)/2⌋');
    expect(y.shape[3]).toBe(5);
  });

  it('reports an unsupported shape', () => {
    expect(() => maxPool(input('x', [3, 4]), 3, { stride: 2, padding: 1 })).toThrow(
      'maxPool: needs (B, C, H, W), got [3, 4]',
    );
    expect(() => maxPool(input('x', [1, 1, 2, 2]), 5, { stride: 1, padding: 1 })).toThrow(
      'maxPool: a window of 5 does not fit [1, 1, 2, 2] with padding 1',
    );
  });
});
