/**
 * A series of values seen through its last few and as a whole, as the official training log shows them. The window's
 * median and average are single precision there, and so they are here.
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

  /** Takes the next value; `weight` is how many samples it stands for in the overall average. */
  update(value: number, weight = 1): void {
    this.window.push(value);
    if (this.window.length > this.windowSize) this.window.shift();
    this.seen += weight;
    this.sum += value * weight;
  }

  /** Of the window; of an even number of values the lower middle one. NaN before the first value. */
  get median(): number {
    const sorted = Float32Array.from(this.window).sort();
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
  }

  /** Of the window. NaN before the first value. */
  get average(): number {
    const sum = this.window.reduce((total, value) => total + Math.fround(value), 0);
    return Math.fround(sum / this.window.length);
  }

  /** Of all values. NaN before the first. */
  get globalAverage(): number {
    return this.sum / this.seen;
  }

  /** Of the window. */
  get max(): number {
    return Math.max(...this.window);
  }

  /** The last one. */
  get value(): number {
    return this.window.at(-1) ?? NaN;
  }

  /** Number and sum of all values, to be added up over processes. */
  get totals(): readonly [count: number, sum: number] {
    return [this.seen, this.sum];
  }

  /** Takes over totals that were added up over processes; the window stays this process's own. */
  setTotals([count, sum]: readonly [count: number, sum: number]): void {
    this.seen = count;
    this.sum = sum;
  }

  toString(): string {
    return `${this.median.toFixed(4)} (${this.globalAverage.toFixed(4)})`;
  }
}

/** Named series: what a training or evaluation loop reports while it runs. */
export class RunningMetrics {
  private readonly series = new Map<string, SmoothedValue>();
  private readonly windowSize: number;

  constructor(windowSize = 20) {
    this.windowSize = windowSize;
  }

  /** Takes one step's values. @throws {RangeError} naming a value that is not a number */
  update(values: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (Number.isNaN(value)) throw new RangeError(`${name} is not a number`);
      this.of(name).update(value);
    }
  }

  /** The series of that name, which starts empty. */
  of(name: string): SmoothedValue {
    const known = this.series.get(name);
    if (known !== undefined) return known;
    const fresh = new SmoothedValue(this.windowSize);
    this.series.set(name, fresh);
    return fresh;
  }

  get names(): readonly string[] {
    return [...this.series.keys()];
  }

  /** Overall averages by name. */
  globalAverages(): Record<string, number> {
    return Object.fromEntries([...this.series].map(([name, series]) => [name, series.globalAverage]));
  }

  /** `loss: 1.2345 (2.3456)  loss_ce: …`, median of the window and overall average. */
  toString(separator = '\t'): string {
    return [...this.series].map(([name, series]) => `${name}: ${series.toString()}`).join(separator);
  }
}

/**
 * Per cent of rows whose target is among the k highest logits, for every k; of equal logits the first counts as higher.
 * `[0]` when there are no rows.
 *
 * @param logits (N, C)
 * @param targets (N) class of every row
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
