import { AnnotationIndex } from '../data/annotation-index/annotation-index.ts';
import { RowReader, type OnBadRow } from '../data/annotation-index/row-reader.ts';
import type { CocoRow } from '../data/format/coco-format.ts';
import type { RowRules } from '../data/format/row-checks.ts';
import { MdetrError, messageOf } from '../errors.ts';

/** Rows of an annotation file. Every iteration reads them again; none are kept in memory. */
export interface AnnotationRows {
  /** Number of rows, bad ones included. */
  readonly length: number;
  /** The file is a question file in CLEVR's own format: captions without boxes. */
  readonly areQuestions: boolean;
  [Symbol.iterator](): Iterator<CocoRow>;
  /** Reads all rows, and leaves those out for which `isUsable` resolves to false in every iteration from then on. */
  leaveOut(isUsable: (row: CocoRow) => Promise<boolean>): Promise<void>;
  /** Number of bad rows that were skipped; known after a complete iteration. */
  readonly skipped: number;
  close(): void;
}

/** Options of `openRows`. */
export interface RowsOptions {
  readonly annotations: string;
  /** Maximum number of rows, from the start of the file. */
  readonly limit?: number | undefined;
  readonly onBadRow: OnBadRow;
  /** Which rows need masks. Default `optional`. */
  readonly masks?: RowRules['masks'];
  /** Checks the fields that a benchmark reads. @throws {MdetrError} for a row that lacks one */
  readonly checkRow?: ((row: CocoRow) => void) | undefined;
}

/**
 * Opens a file in the official annotation format, or a question file of CLEVR. Call `close` when done.
 *
 * @throws {MdetrError} when the file has another format, or no rows
 */
export const openRows = ({ annotations, limit, onBadRow, masks, checkRow }: RowsOptions): AnnotationRows => {
  const index = AnnotationIndex.open(annotations);
  const length = Math.min(index.length, limit ?? index.length);
  let skipped = 0;
  const unusable = new Set<number>();
  if (length === 0) {
    index.close();
    throw new MdetrError(`${annotations}: no rows to evaluate`);
  }
  const numbered = function* (): Generator<[number: number, row: CocoRow]> {
    let lacking = unusable.size;
    const reader = new RowReader(index, { onBadRow, masks });
    for (let row = 0; row < length; row++) {
      if (unusable.has(row)) continue;
      const read = reader.read(row);
      if (read === undefined) continue;
      try {
        checkRow?.(read);
      } catch (error) {
        if (!(error instanceof MdetrError)) throw error;
        if (onBadRow === 'skip') {
          lacking++;
          continue;
        }
        throw new MdetrError(`${annotations}: row ${row}: ${messageOf(error)}`, { cause: error });
      }
      yield [row, read];
    }
    skipped = reader.counts.skipped + lacking;
  };
  return {
    length,
    areQuestions: index.format === 'questions',
    *[Symbol.iterator]() {
      for (const [, row] of numbered()) yield row;
    },
    async leaveOut(isUsable) {
      const found: number[] = [];
      for (const [number, row] of numbered()) if (!(await isUsable(row))) found.push(number);
      for (const number of found) unusable.add(number);
    },
    get skipped() {
      return skipped;
    },
    close: () => index.close(),
  };
};
