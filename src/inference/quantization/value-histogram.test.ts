import { describe, expect, it } from 'vitest';
import { ValueHistogram } from './value-histogram.ts';

/** Values of a triangular distribution from −1 to 1. */
const values = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => {
    const phase = (2 * (index + 0.5)) / count - 1;
    return Math.sign(phase) * (1 - Math.sqrt(1 - Math.abs(phase)));
  });

describe('the range of values', () => {
  const withOutlier = (): ValueHistogram => {
    const histogram = new ValueHistogram();
    histogram.add(values(1_000_000), -1, 1);
    histogram.add(Float32Array.of(5), 5, 5); // the reach doubles thrice
    return histogram;
  };

  it('minmax takes all of them', () => {
    expect(withOutlier().range('minmax')).toEqual([-1, 5]);
  });

  it('percentile and mse cut an outlier off', () => {
    const [low, high] = withOutlier().range('percentile');
    expect(low).toBeLessThan(-0.95);
    expect(high).toBeGreaterThan(0.95);
    expect(high).toBeLessThan(1.05);
    const [bottom, top] = withOutlier().range('mse');
    expect(bottom).toBeLessThan(-0.85);
    expect(top).toBeGreaterThan(0.85);
    expect(top).toBeLessThan(2.5);
  });

  it('contains 0, ignores how many zeros there are, and is [0, 0] without values', () => {
    const histogram = new ValueHistogram();
    histogram.add(Float32Array.of(2, 3), 2, 3);
    const [low, high] = histogram.range('mse');
    expect(low).toBeCloseTo(0);
    expect(high).toBeCloseTo(3, 0);
    histogram.add(new Float32Array(100_000), 0, 0);
    expect(histogram.range('mse')).toEqual([low, high]);
    expect(new ValueHistogram().range('mse')).toEqual([0, 0]);
    const zeros = new ValueHistogram();
    zeros.add(new Float32Array(3), 0, 0);
    for (const method of ['mse', 'percentile', 'minmax'] as const)
      zeros.range(method).forEach((end) => expect(end).toBeCloseTo(0));
  });

  it('refuses values that are not finite', () => {
    for (const high of [NaN, Infinity])
      expect(() => new ValueHistogram().add(Float32Array.of(1), 0, high)).toThrow('not finite');
  });
});
