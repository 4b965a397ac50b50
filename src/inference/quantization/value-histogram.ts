import type { ActivationRange, RangeMethod } from '../../model-folder/quantization.ts';

/** Bins on each side of 0. */
const BINS = 2048;
/** Steps of a range of 8 bits. */
const STEPS = 255;
/** Fraction of the values that the method `percentile` keeps on each side. */
const KEPT = 0.9999;
/** Ranges that the method `mse` tries: fractions of the largest value, in steps of 1 %. */
const FRACTIONS = Array.from({ length: 90 }, (_, index) => 1 - index / 100);

/** Values of a tensor over many runs: exact extremes, and a histogram of a sample that doubles its reach when it must. */
export class ValueHistogram {
  low = Infinity;
  high = -Infinity;
  private reach = 0;
  /** Counts of the bins below 0 and above; bin i holds magnitudes from i to i + 1 steps of reach / BINS. Zeros are left out. */
  private readonly counts = { below: new Float64Array(BINS), above: new Float64Array(BINS) };

  /** Counts values, whose tensor has the given extremes. @throws {RangeError} for values that are not finite */
  add(values: Float32Array, low: number, high: number): void {
    if (!Number.isFinite(low) || !Number.isFinite(high)) throw new RangeError('the values are not finite');
    this.low = Math.min(this.low, low);
    this.high = Math.max(this.high, high);
    const largest = Math.max(Math.abs(this.low), Math.abs(this.high));
    if (this.reach === 0) this.reach = largest;
    while (this.reach < largest) this.double();
    if (this.reach === 0) return;
    const { below, above } = this.counts;
    const perStep = BINS / this.reach;
    for (const value of values) {
      if (value === 0) continue;
      const bins = value < 0 ? below : above;
      bins[Math.min(BINS - 1, Math.floor(Math.abs(value) * perStep))]!++;
    }
  }

  /** The range that a method chooses. */
  range(method: RangeMethod): ActivationRange {
    if (!(this.low <= this.high)) return [0, 0];
    const full: ActivationRange = [Math.min(0, this.low), Math.max(0, this.high)];
    if (method === 'minmax') return full;
    return method === 'percentile' ? this.percentiles(full) : this.leastError(full);
  }

  private double(): void {
    for (const bins of [this.counts.below, this.counts.above]) {
      for (let bin = 0; bin < BINS / 2; bin++) bins[bin] = bins[2 * bin]! + bins[2 * bin + 1]!;
      bins.fill(0, BINS / 2);
    }
    this.reach *= 2;
  }

  private percentiles([low, high]: ActivationRange): ActivationRange {
    const allowed = (1 - KEPT) * (sumOf(this.counts.below) + sumOf(this.counts.above));
    const edge = (bins: Float64Array): number => {
      let bin = BINS - 1;
      for (let beyond = bins[bin]!; bin > 0 && beyond <= allowed; beyond += bins[bin]!) bin--;
      return ((bin + 1) * this.reach) / BINS;
    };
    return [-Math.min(-low, edge(this.counts.below)), Math.min(high, edge(this.counts.above))];
  }

  /**
   * The range with the least squared error: a narrow one has small steps (an error of step² / 12 for each value), and
   * cuts large values off. Both ends shrink together first, then each alone.
   */
  private leastError([low, high]: ActivationRange): ActivationRange {
    const count = sumOf(this.counts.below) + sumOf(this.counts.above);
    const error = (bottom: number, top: number): number =>
      (count * ((top - bottom) / STEPS) ** 2) / 12 +
      this.cutOff(this.counts.below, -bottom) +
      this.cutOff(this.counts.above, top);
    const best = (ends: (fraction: number) => ActivationRange): ActivationRange =>
      FRACTIONS.map(ends)
        .map((range) => ({ range, error: error(...range) }))
        .reduce((least, other) => (other.error < least.error ? other : least)).range;
    let [bottom, top] = best((fraction) => [low * fraction, high * fraction]);
    for (let round = 0; round < 2; round++) {
      [bottom] = best((fraction) => [low * fraction, top]);
      [, top] = best((fraction) => [bottom, high * fraction]);
    }
    return [bottom, top];
  }

  /** Sum of squared distances of values beyond a magnitude to it. */
  private cutOff(bins: Float64Array, magnitude: number): number {
    const step = this.reach / BINS;
    let sum = 0;
    for (let bin = Math.floor(magnitude / step); bin < BINS; bin++) {
      const beyond = (bin + 0.5) * step - magnitude;
      if (beyond > 0) sum += bins[bin]! * beyond ** 2;
    }
    return sum;
  }
}

const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
