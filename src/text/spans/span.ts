/**
 * Range of a text in UTF-16 units, as `String.prototype.slice` takes it. Results and training samples have spans of this
 * type; code points occur in annotation files only.
 */
export interface Span {
  /** First UTF-16 unit. */
  readonly start: number;
  /** One past the last UTF-16 unit. */
  readonly end: number;
}

/** Half-open range [begin, end) of a caption in Unicode code points, as annotation files have it. */
export type CodePointSpan = readonly [begin: number, end: number];
