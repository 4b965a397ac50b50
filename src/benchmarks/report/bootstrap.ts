import { Random } from '../../random/random.ts';

/** A value with its 95 % confidence interval. */
export interface Estimate {
  /** Value on all images. */
  readonly value: number;
  /** Lower end of the confidence interval. */
  readonly low: number;
  /** Upper end of the confidence interval. */
  readonly high: number;
}

/** A statistic of a set of images; `weights` says how often each image counts, undefined for once each. */
export type Statistic = (weights: Uint16Array | undefined) => number;

const [LOW, HIGH] = [0.025, 0.975];

/**
 * Bootstrap confidence intervals (Efron, 1979; percentile method): the statistics of `rounds` sets of images that are drawn
 * with replacement. Images are drawn, not captions or boxes, because those of one image are not independent.
 *
 * @param images number of images
 * @param seed seed of the draws: equal seeds give equal intervals
 */
export const bootstrap = <Name extends string>(
  statistics: Readonly<Record<Name, Statistic>>,
  { images, seed, rounds }: { readonly images: number; readonly seed: number; readonly rounds: number },
): Record<Name, Estimate> => {
  const names = Object.keys(statistics) as Name[];
  const values = new Map(names.map((name) => [name, [] as number[]]));
  const weights = new Uint16Array(images);
  for (let round = 0; round < rounds; round++) {
    const random = Random.of(seed, 'bootstrap', round);
    weights.fill(0);
    for (let drawn = 0; drawn < images; drawn++) weights[random.below(images)]!++;
    for (const name of names) {
      const value = statistics[name](weights);
      // A draw without any object of a class says nothing about the class.
      if (Number.isFinite(value)) values.get(name)!.push(value);
    }
  }
  return Object.fromEntries(
    names.map((name) => {
      const value = statistics[name](undefined);
      const sorted = values.get(name)!.sort((a, b) => a - b);
      return [name, { value, low: quantile(sorted, LOW) ?? value, high: quantile(sorted, HIGH) ?? value }];
    }),
  ) as Record<Name, Estimate>;
};

/** Quantile of sorted values with linear interpolation; undefined without values. */
const quantile = (sorted: readonly number[], fraction: number): number | undefined => {
  if (sorted.length === 0) return undefined;
  const at = fraction * (sorted.length - 1);
  const below = Math.floor(at);
  const [a, b] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return a + (at - below) * (b - a);
};

/** A ratio of two sums over images, such as a recall. */
export class RatioByImage {
  private readonly numerators = new Map<number, number>();
  private readonly denominators = new Map<number, number>();

  add(image: number, numerator: number, denominator: number): void {
    this.numerators.set(image, (this.numerators.get(image) ?? 0) + numerator);
    this.denominators.set(image, (this.denominators.get(image) ?? 0) + denominator);
  }

  /** Sum of the numerators, and of the denominators. */
  totals(weights?: ArrayLike<number>): readonly [numerator: number, denominator: number] {
    const sum = (values: ReadonlyMap<number, number>): number => {
      let total = 0;
      for (const [image, value] of values) total += value * (weights?.[image] ?? 1);
      return total;
    };
    return [sum(this.numerators), sum(this.denominators)];
  }

  /** The ratio; NaN if the denominator is 0. */
  value(weights?: ArrayLike<number>): number {
    const [numerator, denominator] = this.totals(weights);
    return denominator === 0 ? NaN : numerator / denominator;
  }
}
