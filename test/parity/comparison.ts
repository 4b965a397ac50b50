/** Maximum difference between a value and its reference. */
export interface Tolerance {
  readonly limit: number;
  /** `relative`: the difference is divided by the largest magnitude of the expected tensor. */
  readonly kind: 'absolute' | 'relative' | 'count';
}

/** Tolerances of the design: boxes absolute, other outputs of a network relative, counts exact. */
export const TOLERANCES = {
  boxes: { limit: 1e-4, kind: 'absolute' },
  values: { limit: 1e-3, kind: 'relative' },
  /** In gray levels. */
  grayLevels: { limit: 1, kind: 'absolute' },
  /** One gray level in units of normalized pixels: 1 / (255 · 0.224). */
  normalized: { limit: 1 / 255 / 0.224, kind: 'absolute' },
  exact: { limit: 0, kind: 'count' },
  /** Fraction of pixels that differ: values close to the threshold may end up on either side. */
  flips: { limit: 1e-4, kind: 'absolute' },
} as const satisfies Record<string, Tolerance>;

/** One cell of the table: the largest difference of all values that were compared. */
export class Comparison {
  /** Number of compared values. */
  count = 0;
  worst = 0;
  /** Name of the value with the largest difference. */
  where = '';
  readonly row: string;
  readonly column: string;
  readonly tolerance: Tolerance;

  constructor(row: string, column: string, tolerance: Tolerance) {
    this.row = row;
    this.column = column;
    this.tolerance = tolerance;
  }

  get passes(): boolean {
    return this.worst <= this.tolerance.limit;
  }

  /** Compares element by element. Different lengths and NaN count as an infinite difference. */
  tensors(name: string, found: ArrayLike<number> | undefined, expected: ArrayLike<number>): this {
    let largest = found?.length === expected.length ? 0 : Infinity;
    let magnitude = 0;
    for (let i = 0; i < expected.length; i++) {
      magnitude = Math.max(magnitude, Math.abs(expected[i]!));
      const difference = Math.abs((found?.[i] ?? NaN) - expected[i]!);
      largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
    }
    this.count += expected.length;
    return this.note(name, this.tolerance.kind === 'relative' && largest > 0 ? largest / magnitude : largest);
  }

  /** Compares values by their JSON; counts those that differ. */
  equal(name: string, found: unknown, expected: unknown): this {
    this.count += 1;
    if (JSON.stringify(found) === JSON.stringify(expected)) return this;
    this.where = name;
    this.worst += 1;
    return this;
  }

  /** Adds a difference that was measured elsewhere. */
  note(name: string, difference: number): this {
    if (difference > this.worst) {
      this.worst = difference;
      this.where = name;
    }
    return this;
  }
}

/** The comparisons of one row, by column. */
export class Row {
  readonly cells = new Map<string, Comparison>();
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  in(column: string, tolerance: Tolerance): Comparison {
    const cell = this.cells.get(column) ?? new Comparison(this.name, column, tolerance);
    this.cells.set(column, cell);
    return cell;
  }
}
