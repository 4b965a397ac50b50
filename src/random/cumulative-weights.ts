import type { Random } from './random.ts';

/** Indices drawn by weight, in logarithmic time. `Random.pickWeighted` is for short lists. */
export class CumulativeWeights {
  private readonly sums: Float64Array;

  constructor(weights: readonly number[]) {
    let sum = 0;
    this.sums = Float64Array.from(weights, (weight) => (sum += weight));
  }

  /** An index, with probability proportional to its weight. */
  draw(random: Random): number {
    const at = random.uniform() * this.sums.at(-1)!;
    let [low, high] = [0, this.sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sums[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
