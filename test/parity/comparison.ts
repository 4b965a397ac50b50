/** What a number is measured against, and how far off it may be. */
export interface Bar {
  readonly limit: number;
  /** `relative`: the difference is divided by the largest magnitude of the expected tensor. */
  readonly kind: 'absolute' | 'relative' | 'count';
}

/** The bars of the design: boxes absolutely, everything else that a network computes relatively, counts exactly. */
export const bars = {
  boxes: { limit: 1e-4, kind: 'absolute' },
  values: { limit: 1e-3, kind: 'relative' },
  /** Grey levels. */
  greyLevels: { limit: 1, kind: 'absolute' },
  /** A grey level in units of normalised pixels: 1 / (255 · 0.224). */
  normalized: { limit: 1 / 255 / 0.224, kind: 'absolute' },
  exact: { limit: 0, kind: 'count' },
  /** Share of pixels that differ: values very near the threshold may fall on either side. */
  flips: { limit: 1e-4, kind: 'absolute' },
} as const satisfies Record<string, Bar>;

/** One cell of the table: the largest difference among everything that was put in. */
export class Comparison {
  numbers = 0;
  worst = 0;
  /** Where the largest difference was found. */
  where = '';
  readonly row: string;
  readonly column: string;
  readonly bar: Bar;

  constructor(row: string, column: string, bar: Bar) {
    this.row = row;
    this.column = column;
    this.bar = bar;
  }

  get passes(): boolean {
    return this.worst <= this.bar.limit;
  }

  /** Element by element; other lengths, and values that are no numbers, are infinitely far off. */
  tensors(name: string, found: ArrayLike<number> | undefined, expected: ArrayLike<number>): this {
    let largest = found?.length === expected.length ? 0 : Infinity;
    let magnitude = 0;
    for (let i = 0; i < expected.length; i++) {
      magnitude = Math.max(magnitude, Math.abs(expected[i]!));
      const difference = Math.abs((found?.[i] ?? NaN) - expected[i]!);
      largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
    }
    this.numbers += expected.length;
    return this.note(name, this.bar.kind === 'relative' && largest > 0 ? largest / magnitude : largest);
  }

  /** Anything that must be equal, by its JSON; counts what is not. */
  equal(name: string, found: unknown, expected: unknown): this {
    this.numbers += 1;
    if (JSON.stringify(found) === JSON.stringify(expected)) return this;
    this.where = name;
    this.worst += 1;
    return this;
  }

  /** A difference that was measured elsewhere. */
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

  in(column: string, bar: Bar): Comparison {
    const cell = this.cells.get(column) ?? new Comparison(this.name, column, bar);
    this.cells.set(column, cell);
    return cell;
  }
}
