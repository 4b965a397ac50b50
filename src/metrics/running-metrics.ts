/**
 * Series of values with statistics over a window of the last ones and over all. Median and average of the window are in
 * single precision, as in the official training log. Official counterpart: `SmoothedValue`.
 */
export class SmoothedValue {
  private readonly window: number[] = [];
  private readonly windowSize: number;
  private seen = 0;
  private sum = 0;

  constructor(windowSize = 20) {
    if (!(windowSize >= 1)) throw new RangeError(`a window of ${windowSize} values`);
    this.windowSize = windowSize;
  }

  /** Adds a value; `weight` is its number of samples in the overall average. */
  update(value: number, weight = 1): void {
    this.window.push(value);
    if (this.window.length > this.windowSize) this.window.shift();
    this.seen += weight;
    this.sum += value * weight;
  }

  /** Median of the window; the lower of the two middle values. NaN before the first value. */
  get median(): number {
    const sorted = Float32Array.from(this.window).sort();
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
  }

  /** Average of the window. NaN before the first value. */
  get average(): number {
    const sum = this.window.reduce((total, value) => total + Math.fround(value), 0);
    return Math.fround(sum / this.window.length);
  }

  /** Weighted average of all values. NaN before the first value. */
  get globalAverage(): number {
    return this.sum / this.seen;
  }

  /** Maximum of the window. */
  get max(): number {
    return Math.max(...this.window);
  }

  /** Last value. NaN before the first value. */
  get value(): number {
    return this.window.at(-1) ?? NaN;
  }

  /** Number and sum of all values, to be summed over processes. */
  get totals(): readonly [count: number, sum: number] {
    return [this.seen, this.sum];
  }

  /** Replaces the totals by sums over processes; the window does not change. */
  setTotals([count, sum]: readonly [count: number, sum: number]): void {
    this.seen = count;
    this.sum = sum;
  }

  /** Median of the window and overall average. */
  toString(): string {
    return `${this.median.toFixed(4)} (${this.globalAverage.toFixed(4)})`;
  }
}

/** Series of values by name, as reported by a training or evaluation loop. Official counterpart: `MetricLogger`. */
export class RunningMetrics {
  private readonly series = new Map<string, SmoothedValue>();
  private readonly windowSize: number;

  constructor(windowSize = 20) {
    this.windowSize = windowSize;
  }

  /** Adds the values of a step. @throws {RangeError} naming a value that is NaN */
  update(values: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (Number.isNaN(value)) throw new RangeError(`${name} is not a number`);
      this.of(name).update(value);
    }
  }

  /** Series of a name; created when it does not exist. */
  of(name: string): SmoothedValue {
    const known = this.series.get(name);
    if (known !== undefined) return known;
    const fresh = new SmoothedValue(this.windowSize);
    this.series.set(name, fresh);
    return fresh;
  }

  /** Names of the series, in the order of their first value. */
  get names(): readonly string[] {
    return [...this.series.keys()];
  }

  /** Overall averages by name. */
  globalAverages(): Record<string, number> {
    return Object.fromEntries([...this.series].map(([name, series]) => [name, series.globalAverage]));
  }

  /** Median of the window and overall average of each series: `loss: 1.2345 (2.3456)  loss_ce: …`. */
  toString(separator = '\t'): string {
    return [...this.series].map(([name, series]) => `${name}: ${series.toString()}`).join(separator);
  }
}

/**
 * Percentage of samples whose target is among the k highest logits, for each k. Between equal logits, the first one counts
 * as higher. Official counterpart: `accuracy`.
 *
 * @param logits (N, C)
 * @param targets class of each sample, (N)
 * @returns `[0]` when there are no samples
 */
export const topKAccuracy = (
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  topK: readonly number[] = [1],
): number[] => {
  const rows = targets.length;
  if (rows === 0) return [0];
  const classes = logits.length / rows;
  const ranks = Array.from({ length: rows }, (_, row) => {
    const target = targets[row]!;
    const own = logits[row * classes + target]!;
    let rank = 0;
    for (let c = 0; c < classes; c++) {
      const other = logits[row * classes + c]!;
      if (other > own || (other === own && c < target)) rank++;
    }
    return rank;
  });
  return topK.map((k) => (ranks.filter((rank) => rank < k).length * 100) / rows);
};
