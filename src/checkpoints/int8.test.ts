import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dequantizeInt8, quantizeInt8, quantizeKernels } from './int8.ts';

const matrix = (rows: number, columns: number, value: (row: number, column: number) => number): Float32Array =>
  Float32Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns));

describe('8-bit weights', () => {
  it('are restored to half a step of their channel', () => {
    fc.assert(
      fc.property(
        fc.constantFrom([32, 48], [64, 32], [16, 8, 3, 3]),
        fc.infiniteStream(fc.float({ min: -4, max: 4, noNaN: true })),
        (shape, stream) => {
          const count = shape.reduce((product, size) => product * size, 1);
          const weights = Float32Array.from({ length: count }, () => stream.next().value as number);
          const { values, scales, scaleShape } = quantizeInt8(weights, shape)!;
          const restored = dequantizeInt8(values, shape, scales, scaleShape);
          const step = scales.reduce((largest, scale) => Math.max(largest, scale), 0);
          weights.forEach((weight, i) => expect(Math.abs(weight - restored[i]!)).toBeLessThanOrEqual(step * 0.501));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('have their scales along the axis that loses less', () => {
    const byRow = quantizeInt8(
      matrix(40, 40, (row, column) => 2 ** -row * (1 + (column % 7))),
      [40, 40],
    )!;
    expect(byRow.scaleShape).toEqual([40, 1]);
    const byColumn = quantizeInt8(
      matrix(40, 40, (row, column) => 2 ** -column * (1 + (row % 7))),
      [40, 40],
    )!;
    expect(byColumn.scaleShape).toEqual([1, 40]);
  });

  it('may have a scale for each kernel, which loses less', () => {
    const shape = [16, 24, 3, 3];
    const weights = Float32Array.from({ length: 16 * 24 * 9 }, (_, i) => Math.sin(i) * 2 ** -(Math.floor(i / 9) % 24));
    const { values, scales, scaleShape } = quantizeKernels(weights, shape)!;
    expect(scaleShape).toEqual([16, 24, 1, 1]);
    weights.forEach((weight, i) => {
      const scale = scales[Math.floor(i / 9)]!;
      expect(Math.abs(weight - values[i]! * scale)).toBeLessThanOrEqual(scale * 0.501);
      expect(Math.abs(weight)).toBeLessThanOrEqual(scale * 127.001);
    });
    expect(quantizeKernels(weights, [16 * 24, 9])).toBeUndefined();
    expect(
      quantizeKernels(
        weights.map(() => Infinity),
        shape,
      ),
    ).toBeUndefined();
  });

  it('are restored exactly when they are quantized again', () => {
    const weights = matrix(40, 50, (row, column) => Math.sin(row * 50 + column));
    const first = quantizeInt8(weights, [40, 50])!;
    const restored = dequantizeInt8(first.values, [40, 50], first.scales, first.scaleShape);
    const second = quantizeInt8(restored, [40, 50])!;
    expect(second.values).toEqual(first.values);
  });

  it('stay floats where 8 bits save little or cannot hold them', () => {
    expect(quantizeInt8(new Float32Array(5000), [5000])).toBeUndefined();
    expect(quantizeInt8(new Float32Array(64), [8, 8])).toBeUndefined();
    const weights = new Float32Array(2048).fill(1);
    weights[7] = Number.NaN;
    expect(quantizeInt8(weights, [64, 32])).toBeUndefined();
    weights[7] = Number.POSITIVE_INFINITY;
    expect(quantizeInt8(weights, [64, 32])).toBeUndefined();
    const zeros = quantizeInt8(new Float32Array(2048), [64, 32])!;
    expect([...new Set(zeros.values)]).toEqual([0]);
  });
});
