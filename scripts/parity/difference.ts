/** One line of a parity table. */
export interface Comparison {
  readonly metric: string;
  /** How many numbers were compared. */
  readonly numbers: number;
  readonly largestDifference: number;
  readonly tolerance: number;
}

/** Numbers by name. */
export type Numbers = Readonly<Record<string, number>>;

/** Collects pairs of numbers under one name, and remembers the largest difference. */
export class Difference {
  private numbers = 0;
  private largest = 0;

  constructor(
    private readonly metric: string,
    private readonly tolerance = 1e-6,
  ) {}

  /** A missing number is an infinite difference. */
  add(found: number | undefined, expected: number): this {
    this.numbers++;
    const difference = Math.abs((found ?? NaN) - expected);
    this.largest = Math.max(this.largest, Number.isNaN(difference) ? Infinity : difference);
    return this;
  }

  addList(found: ArrayLike<number>, expected: ArrayLike<number>): this {
    for (let i = 0; i < Math.max(found.length, expected.length); i++) this.add(found[i], expected[i] ?? NaN);
    return this;
  }

  /** All numbers of `expected`, and no others. */
  addRecord(found: Numbers, expected: Numbers): this {
    for (const name of new Set([...Object.keys(found), ...Object.keys(expected)])) {
      this.add(found[name], expected[name] ?? NaN);
    }
    return this;
  }

  get comparison(): Comparison {
    const { metric, numbers, largest: largestDifference, tolerance } = this;
    return { metric, numbers, largestDifference, tolerance };
  }
}
