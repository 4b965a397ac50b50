/** One line of a parity table. */
export interface Comparison {
  readonly metric: string;
  /** Number of compared values. */
  readonly count: number;
  readonly largestDifference: number;
  readonly tolerance: number;
}

/** Values by name. */
export type Values = Readonly<Record<string, number>>;

/** Largest difference of pairs of values, under one name. */
export class Difference {
  private count = 0;
  private largest = 0;

  constructor(
    private readonly metric: string,
    private readonly tolerance = 1e-6,
  ) {}

  /** Adds one pair. A missing or NaN value counts as an infinite difference. */
  add(found: number | undefined, expected: number): this {
    this.count++;
    const difference = Math.abs((found ?? NaN) - expected);
    this.largest = Math.max(this.largest, Number.isNaN(difference) ? Infinity : difference);
    return this;
  }

  addList(found: ArrayLike<number>, expected: ArrayLike<number>): this {
    for (let i = 0; i < Math.max(found.length, expected.length); i++) this.add(found[i], expected[i] ?? NaN);
    return this;
  }

  /** Adds all values by name. A name that only one side has counts as an infinite difference. */
  addRecord(found: Values, expected: Values): this {
    for (const name of new Set([...Object.keys(found), ...Object.keys(expected)])) {
      this.add(found[name], expected[name] ?? NaN);
    }
    return this;
  }

  get comparison(): Comparison {
    const { metric, count, largest: largestDifference, tolerance } = this;
    return { metric, count, largestDifference, tolerance };
  }
}
