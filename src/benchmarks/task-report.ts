import type { Results } from '../metrics/results-table.ts';

/** One sample that went wrong, for the page of worst cases. */
export interface WorstCase {
  /** 0 (all wrong) to 1. */
  readonly quality: number;
  readonly text: string;
  /** What went wrong, in a few words. */
  readonly note: string;
  /** PNG with the boxes drawn; made only when a page is asked for. */
  readonly picture: () => Promise<Buffer>;
}

/** What an evaluation leaves. */
export interface TaskReport {
  readonly results: readonly Results[];
  readonly warnings: readonly string[];
  /** Worst first. */
  readonly worst: readonly WorstCase[];
  /** The file that the data set's server takes, where it has one. */
  readonly submission?: () => string;
}

/** Keeps the few samples of lowest quality. */
export class WorstCases {
  private readonly cases: WorstCase[] = [];

  constructor(private readonly limit: number) {}

  add(candidate: WorstCase): void {
    if (this.limit === 0 || candidate.quality >= 1) return;
    const place = this.cases.findIndex(({ quality }) => quality > candidate.quality);
    if (place < 0 && this.cases.length >= this.limit) return;
    this.cases.splice(place < 0 ? this.cases.length : place, 0, candidate);
    if (this.cases.length > this.limit) this.cases.pop();
  }

  get all(): readonly WorstCase[] {
    return this.cases;
  }
}
