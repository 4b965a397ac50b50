/** Name of a number -> its value. Rates are fractions of 1, not per cent. */
export type Metrics = Readonly<Record<string, number>>;

/**
 * One metric over a data set. Predictions may come in any order and one at a time; what is kept of them is small.
 * Nothing here needs the model: predictions may come from a file.
 */
export interface Evaluator<Prediction> {
  /**
   * Takes one prediction.
   *
   * @returns how good it is, 0 to 1, for lists of the worst cases; undefined when it does not count
   */
  add(prediction: Prediction): number | undefined;
  /** The metric over all predictions so far. */
  summarize(): Metrics;
  /** What the reader should know about these numbers: predictions that were left out, and why. */
  readonly warnings: readonly string[];
}

/** Counts hits and tries per name. */
export class HitCounter {
  private readonly hits = new Map<string, number>();
  private readonly tries = new Map<string, number>();

  add(name: string, hit: boolean): void {
    this.tries.set(name, (this.tries.get(name) ?? 0) + 1);
    this.hits.set(name, (this.hits.get(name) ?? 0) + (hit ? 1 : 0));
  }

  /** Names in the order in which they came. */
  get names(): readonly string[] {
    return [...this.tries.keys()];
  }

  /** Number of tries. */
  count(name: string): number {
    return this.tries.get(name) ?? 0;
  }

  /** Share of hits; 0 when there was no try. */
  rate(name: string): number {
    const tries = this.count(name);
    return tries === 0 ? 0 : this.hits.get(name)! / tries;
  }
}

/** Arithmetic mean; 0 for nothing. */
export const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** At most `limit` of the names, and how many more there are. */
export const listed = (names: readonly string[], limit = 5): string =>
  names.slice(0, limit).join(', ') + (names.length > limit ? ` and ${names.length - limit} more` : '');
