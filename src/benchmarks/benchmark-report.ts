import type { Results } from '../metrics/results-table.ts';

/** Result of an evaluation. */
export interface BenchmarkReport {
  readonly results: readonly Results[];
  readonly warnings: readonly string[];
  /** Samples of the lowest quality, lowest first. */
  readonly worst: readonly WorstCase[];
  /** Makes the content of the file that the dataset's test server accepts. */
  readonly submission?: (() => string) | undefined;
}

/** A sample with a wrong prediction, for the page of worst cases. */
export interface WorstCase {
  /** Between 0 (all wrong) and 1. */
  readonly quality: number;
  readonly text: string;
  /** Short description of the error. */
  readonly note: string;
  /** Draws the boxes and returns a PNG; called only when a page is written. */
  readonly image: () => Promise<Uint8Array>;
}

/** The samples of the lowest quality, at most `limit`. Samples of quality 1 are never kept. */
export class WorstCases {
  private readonly cases: WorstCase[] = [];

  constructor(private readonly limit: number) {}

  add(candidate: WorstCase): void {
    if (this.limit === 0 || candidate.quality >= 1) return;
    const index = this.cases.findIndex(({ quality }) => quality > candidate.quality);
    if (index < 0 && this.cases.length >= this.limit) return;
    this.cases.splice(index < 0 ? this.cases.length : index, 0, candidate);
    if (this.cases.length > this.limit) this.cases.pop();
  }

  /** The kept samples, lowest quality first. */
  get all(): readonly WorstCase[] {
    return this.cases;
  }
}
