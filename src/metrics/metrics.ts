/** Values of metrics by name. Rates are fractions of 1, not percentages. */
export type Metrics = Readonly<Record<string, number>>;

/**
 * Computes a metric over a dataset from predictions that are added one at a time, in any order. No model is needed:
 * predictions can be read from a file.
 */
export interface Evaluator<Prediction> {
  /**
   * Adds a prediction.
   *
   * @returns its quality between 0 and 1, for lists of worst cases; undefined when it does not count
   */
  add(prediction: Prediction): number | undefined;
  /** Metrics over the predictions added so far. */
  summarize(): Metrics;
  /** Remarks on the metrics: which predictions were left out, and why. */
  readonly warnings: readonly string[];
}

/** Counts hits and trials by name. */
export class HitCounter {
  private readonly hits = new Map<string, number>();
  private readonly trials = new Map<string, number>();

  add(name: string, hit: boolean): void {
    this.trials.set(name, (this.trials.get(name) ?? 0) + 1);
    this.hits.set(name, (this.hits.get(name) ?? 0) + (hit ? 1 : 0));
  }

  /** Names in the order of their first trial. */
  get names(): readonly string[] {
    return [...this.trials.keys()];
  }

  /** Number of trials of a name. */
  count(name: string): number {
    return this.trials.get(name) ?? 0;
  }

  /** Fraction of hits; 0 without trials. */
  rate(name: string): number {
    const trials = this.count(name);
    return trials === 0 ? 0 : this.hits.get(name)! / trials;
  }
}

/** Arithmetic mean; 0 for an empty list. */
export const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** The first `limit` names, and the number of further ones. */
export const listed = (names: readonly string[], limit = 5): string =>
  names.slice(0, limit).join(', ') + (names.length > limit ? ` and ${names.length - limit} more` : '');
